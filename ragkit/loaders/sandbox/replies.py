"""Checks what the child that reads files answers, which is not trusted: a file may have taken the child over.

Every function raises ValueError, TypeError or KeyError if the answer makes no sense.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any, cast, get_args

from ragkit.i18n.messages import Message
from ragkit.loaders.images.ocr import Reading
from ragkit.text.pictures import MAX_BYTES, MAX_PIXELS, size_in_pixels
from ragkit.types.documents import Document, Heading, Page, PageKind, WeakPage
from ragkit.types.ports import Loaded, LoadFailure, Picture

_TEMPLATE = re.compile(r"[^{}]*(?:\{[a-z_]+\}[^{}]*)*")  # fields have names alone, no widths and no attributes
_MAX_DEPTH = 8  # how deep messages may stand within messages
_MAX_NAME_LENGTH = 4000  # characters of a sheet's name, or a path within archives
_HASH = re.compile(r"[0-9a-f]{64}")


def loaded(source: str, kind: str, known_hash: str, reply: dict[str, Any], pictures: Sequence[Picture]) -> Loaded:
    """What the reply says of a file; `pictures` are those that came before it."""
    content_hash = _text(reply["hash"], 64)
    failure = reply.get("failure")
    if failure is not None:
        if failure["state"] not in ("unreadable", "unsupported"):
            raise ValueError("state")
        reason = LoadFailure(failure["state"], _message(failure))
        if "textless_document" not in reply:
            return Loaded(content_hash, failure=reason)
        if not _HASH.fullmatch(content_hash):
            raise ValueError("hash")
        textless_document = _document(source, kind, reply["textless_document"])
        return Loaded(
            content_hash,
            failure=reason,
            pictures=_placed(pictures, textless_document),
            textless_document=textless_document,
        )
    if not _HASH.fullmatch(content_hash):
        raise ValueError("hash")
    if "document" not in reply:
        if content_hash != known_hash:
            raise ValueError("hash")
        return Loaded(content_hash)
    document = _document(source, kind, reply["document"])
    return Loaded(content_hash, document, pictures=_placed(pictures, document))


def _placed(pictures: Sequence[Picture], document: Document) -> tuple[Picture, ...]:
    if any(picture.at > len(document.text) for picture in pictures) or any(a.at > b.at for a, b in pairwise(pictures)):
        raise ValueError("order")
    return tuple(pictures)


def reading(found: dict[str, Any]) -> tuple[str, Reading]:
    """The key of a reading of OCR, and the reading."""
    return _text(found["key"], 64), Reading(_text(found["text"]), _share(found["confidence"]))


def picture(found: dict[str, Any]) -> Picture:
    data = base64.b64decode(_text(found["data"], MAX_BYTES * 2), validate=True)
    size = size_in_pixels(data)
    if size is None or prod(size) > MAX_PIXELS or len(data) > MAX_BYTES:
        raise ValueError("picture")
    return Picture(whole(found["at"], 0), data)


def _document(source: str, kind: str, found: dict[str, Any]) -> Document:
    text = _text(found["text"])
    size = len(text)
    pages = tuple(
        Page(
            whole(page["number"], 1),
            whole(page["start"], 0, size),
            whole(page["end"], 0, size),
            _kind(page["kind"]),
            _text(page["name"], _MAX_NAME_LENGTH),
        )
        for page in found["pages"]
    )
    headings = tuple(
        Heading(whole(heading["level"], 1), _text(heading["title"]), whole(heading["start"], 0, size))
        for heading in found["headings"]
    )
    marks = tuple((whole(at, 0, size), whole(line, 1)) for at, line in found["line_marks"])
    if any(page.end < page.start for page in pages) or any(a.end > b.start for a, b in pairwise(pages)):
        raise ValueError("pages")
    if any(a.start > b.start for a, b in pairwise(headings)) or any(a[0] > b[0] for a, b in pairwise(marks)):
        raise ValueError("order")
    notes = tuple(_message(note) for note in found["notes"])
    weak = tuple(
        WeakPage(whole(page["number"], 0), _share(page["score"]), _message(page["reason"]))
        for page in found["weak_pages"]
    )
    author, date = _text(found["author"], 1000), _text(found["date"], 10)
    title, spoken = _text(found["title"]), _text(found["language"], 2)
    return Document(source, kind, title, text, pages, headings, marks, notes, author, date, weak, spoken)


def _message(found: dict[str, Any], depth: int = 0) -> Message:
    """A message. Its values may be messages too, as in the note of a file that quotes the note of a part of it."""
    text, plural = _text(found["text"], 1000), _text(found["plural"], 1000)
    values = {_text(name, 40): _value(value, depth) for name, value in found["values"].items()}
    if not _TEMPLATE.fullmatch(text) or not _TEMPLATE.fullmatch(plural):
        raise ValueError("template")
    for form in (text, plural):
        form.format_map(values)  # KeyError: a value is missing
    return Message(text=text, values=values, code=_text(found["code"], 100), plural=plural)


def _value(value: object, depth: int) -> int | str | Message:
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        return _message(value, depth + 1)
    return value if isinstance(value, int) else _text(value, 1000)


def _kind(value: object) -> PageKind:
    for kind in get_args(PageKind):
        if kind == value:
            return cast(PageKind, kind)
    raise ValueError("page")


def _text(value: object, most: int | None = None) -> str:
    if not isinstance(value, str) or (most is not None and len(value) > most) or "\0" in value:
        raise ValueError("text")
    value.encode()  # UnicodeEncodeError, a ValueError: lone surrogates
    return value


def _share(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("share")
    return float(value)


def whole(value: object, least: int, most: int = 1 << 31) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError("number")
    return value
