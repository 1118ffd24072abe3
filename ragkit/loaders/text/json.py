"""JSON: a file of many lines is read as it stands, one line becomes a line for each value, records become rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ragkit.i18n.messages import Message, coded
from ragkit.loaders.building.document_builder import DocumentBuilder, clean, one_line
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.text.plain import decode_words
from ragkit.types.documents import Document

_ESCAPES = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[0-9a-fA-F]{4})+)")


class _Object(list[tuple[str, object]]):
    """A JSON object with all of its pairs, as a name may stand in it twice."""


def read_json(source: str, data: bytes, context: ReadContext) -> Document:
    """What is not valid JSON is read as text, with a note. Raises NoText, LoadError."""
    text, notes = _decoded(data)
    builder = DocumentBuilder()
    builder.notes += notes
    try:
        value = json.loads(text, object_pairs_hook=_Object)
    except ValueError as exc:
        builder.note(coded("bad_json", "It is not valid JSON ({why}); it was read as plain text.", why=str(exc)[:200]))
        builder.add(unescaped(text).rstrip("\n"), 1)
        return builder.document(source, context.media_type)
    if "\n" in text.strip():
        builder.add(unescaped(text).rstrip("\n"), 1)
    else:
        first = text.count("\n", 0, len(text) - len(text.lstrip())) + 1
        for path, leaf in leaves(value):
            builder.add(f"{path}: {leaf}" if path else leaf, first)
    return builder.document(source, context.media_type)


def read_records(source: str, data: bytes, context: ReadContext) -> Document:
    """Each line is a JSON value, which becomes `path: value | path: value`. Raises NoText, LoadError."""
    text, notes = _decoded(data)
    builder = DocumentBuilder()
    builder.notes += notes
    bad = 0
    for number, line in enumerate(text.rstrip("\n").split("\n"), 1):
        try:
            value = json.loads(line, object_pairs_hook=_Object)
        except ValueError:
            bad += bool(line.strip())
            builder.add(unescaped(line), number)
            continue
        builder.add(" | ".join(f"{path}: {leaf}" if path else leaf for path, leaf in leaves(value)), number)
    if bad:
        builder.note(
            coded(
                "bad_json_lines", "Lines that are not valid JSON were read as plain text (lines: {count}).", count=bad
            )
        )
    return builder.document(source, context.media_type)


def leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """The path, such as `a.b[0]`, and the text of every value that holds no others, in order."""
    if isinstance(value, _Object):
        for name, inner in value:
            yield from leaves(inner, f"{path}.{one_line(name)}" if path else one_line(name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{place}]")
    elif isinstance(value, str):
        if value.strip():
            yield path, one_line(value)
    else:
        yield path, json.dumps(value)


def unescaped(text: str) -> str:
    """`text` with letters beyond ASCII in place of their escapes: people ask for 年假, not for \\u5e74."""
    return _ESCAPES.sub(lambda match: match[1] + _letters(match[2]), text)


def _letters(escapes: str) -> str:
    units = bytes.fromhex(escapes.replace("\\u", ""))
    letters = units.decode("utf-16-be", "replace")
    return letters if letters.isprintable() and min(letters) > "\x7f" else escapes


def _decoded(data: bytes) -> tuple[str, tuple[Message, ...]]:
    text, notes = decode_words(data)
    return clean(text), notes
