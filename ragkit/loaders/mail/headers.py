"""What mails have in common, whatever holds them: header lines, and text in a charset they name."""

from __future__ import annotations

import codecs
from email.errors import HeaderParseError
from email.header import decode_header

from ragkit.i18n.messages import Message
from ragkit.loaders.building.document_builder import DocumentBuilder, clean, one_line
from ragkit.loaders.text.encodings import WIDER
from ragkit.loaders.text.plain import decode

SHOWN = ("From", "Reply-To", "To", "Cc", "Bcc", "Date", "Subject")
_SEVEN_BIT = ("iso2022", "hz", "utf-7")  # escapes within ASCII: valid UTF-8 too, so they are tried first


def codec(charset: str | None) -> list[str]:
    """The codec of a charset as mails name it, or none."""
    try:
        name = codecs.lookup((charset or "").strip().lower().removeprefix("x-")).name
    except (LookupError, ValueError):
        return []
    return [WIDER.get(name, name)] if name != "ascii" else []  # more than ASCII: then it is anything


def letter_text(data: bytes, charset: str | None) -> tuple[str, tuple[Message, ...]]:
    """The text of a part. Raises LoadError: it is no text."""
    declared = codec(charset)
    if declared and declared[0].startswith(_SEVEN_BIT):
        try:
            return clean(data.decode(declared[0])), ()
        except UnicodeDecodeError:
            pass
    text, notes = decode(data, declared)
    return clean(text), notes


def header_text(raw: str) -> str:
    """A header's value with its encoded words as the words; bytes beyond ASCII are recognised."""
    try:
        pieces = decode_header(raw)
    except (HeaderParseError, ValueError):
        pieces = [(raw, None)]
    words = []
    for piece, charset in pieces:
        data = piece if isinstance(piece, bytes) else piece.encode("utf-8", "surrogateescape")
        try:
            words.append(letter_text(data, charset)[0])
        except ValueError:
            words.append(data.decode("utf-8", "replace"))
    return one_line(clean("".join(words)))


def add_headers(builder: DocumentBuilder, values: dict[str, str]) -> None:
    """`From: ...` and the others that there are, and an empty line."""
    shown = [f"{name}: {values[name]}" for name in SHOWN if values.get(name)]
    if shown:
        builder.add("\n".join((*shown, "")))
