"""What all mails have, whatever file they are in: header lines, and text in a charset that they name."""

from __future__ import annotations

import codecs
from email.errors import HeaderParseError
from email.header import decode_header

from ragkit.i18n.messages import Message
from ragkit.loaders.building.document_builder import DocumentBuilder, clean, one_line
from ragkit.loaders.text.encodings import WIDER
from ragkit.loaders.text.plain import decode

SHOWN = ("From", "Reply-To", "To", "Cc", "Bcc", "Date", "Subject")
_SEVEN_BIT = ("iso2022", "hz", "utf-7")  # they are valid UTF-8 too, so that they are tried first


def codec(charset: str | None) -> list[str]:
    """The codec of a charset as mails name it; [] if there is none, or it is ASCII, which may stand for anything."""
    try:
        name = codecs.lookup((charset or "").strip().lower().removeprefix("x-")).name
    except (LookupError, ValueError):
        return []
    return [WIDER.get(name, name)] if name != "ascii" else []


def letter_text(data: bytes, charset: str | None) -> tuple[str, tuple[Message, ...]]:
    """The text of a part, and notes about its encoding. Raises LoadError if it is no text."""
    declared = codec(charset)
    if declared and declared[0].startswith(_SEVEN_BIT):
        try:
            return clean(data.decode(declared[0])), ()
        except UnicodeDecodeError:
            pass
    text, notes = decode(data, declared)
    return clean(text), notes


def header_text(raw: str) -> str:
    """The value of a header with its encoded words decoded; the encoding of bytes beyond ASCII is recognised."""
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
    """Add a line for each header that has a value, `From: ...` and so on, and an empty line behind them."""
    shown = [f"{name}: {values[name]}" for name in SHOWN if values.get(name)]
    if shown:
        builder.add("\n".join((*shown, "")))
