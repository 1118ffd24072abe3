"""Plain text, Markdown and reStructuredText; and `decode`, which makes text of bytes for every text format.

A document's text is the file's own text, line for line, so a line number is that of an editor.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from ragkit.i18n.messages import Message, coded
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.reasons import BLANK, EMPTY, NOT_TEXT_BUT
from ragkit.loaders.text.encodings import best_guess, likely_utf16
from ragkit.loaders.text.outline import Outline, markdown_outline, rst_outline
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError, NoText

_BOMS = (  # byte order marks; that of UTF-32 comes before that of UTF-16, with which it begins
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SIGNATURES = (
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Microsoft Office"),
    (b"\x89PNG\r\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x7fELF", "ELF"),
    (b"SQLite format 3\x00", "SQLite"),
)
_OUTLINES = {"text/markdown": markdown_outline, "text/x-rst": rst_outline}
_SAMPLE = 64 * 1024  # bytes or characters that are looked at to recognise an encoding
_MAX_CONTROL_SHARE = 0.02  # share of control characters that a text may have
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL_BYTE = re.compile(
    rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]"
)  # it is one half of a character in UTF-16, or the file is no text
_NO_TEXT_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]")  # form feeds and escapes do occur in texts


def read_text(source: str, data: bytes, context: ReadContext) -> Document:
    """The text as it stands, with the headings of Markdown and reStructuredText. Raises NoText, LoadError."""
    text, notes = decode_words(data)
    title, headings = _OUTLINES.get(context.media_type, _no_outline)(text)
    return Document(source, context.media_type, title, text, headings=headings, notes=notes)


def _no_outline(_: str) -> Outline:
    return "", ()


def decode_words(data: bytes, declared: Iterable[str] = ()) -> tuple[str, tuple[Message, ...]]:
    """As `decode`; raises NoText too, if there is nothing but white space."""
    text, notes = decode(data, declared)
    if not text or text.isspace():
        raise NoText(EMPTY if not data else BLANK)
    return text, notes


def decode(data: bytes, declared: Iterable[str] = ()) -> tuple[str, tuple[Message, ...]]:
    """The text with "\\n" line ends, and notes of a guessed encoding and of bytes that fit no character.

    What is tried, in this order: a byte order mark, obvious UTF-16, UTF-8, the `declared` encodings, UTF-8 with a few
    wrong bytes, a guess. Raises LoadError if the bytes are no text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            raise LoadError(NOT_TEXT_BUT, kind=kind)
    start = data[:_SAMPLE]
    if _CONTROL_BYTE.search(start) and (wide := likely_utf16(start)):
        return _decoded(data, wide, guessed=True)
    for encoding in ("utf-8", *declared):
        if (text := _strictly(data, encoding)) is not None:
            return _checked(text), ()
    if _is_nearly_utf8(data):
        return _decoded(data, "utf-8")
    telling = _telling(data)
    guess = best_guess(telling, start) or _foreign_guess(telling)
    if not guess:
        raise LoadError(
            coded("unknown_encoding", "It is not a text file: its bytes make no text in any known encoding.")
        )
    return _decoded(data, guess, guessed=True)


def _decoded(data: bytes, encoding: str, *, guessed: bool = False) -> tuple[str, tuple[Message, ...]]:
    """The text in this encoding, and notes of what is uncertain. Bytes that fit no character become U+FFFD."""
    notes = []
    if guessed:
        notes.append(
            coded(
                "encoding_guessed",
                "The file does not say its encoding; it was read as {encoding}.",
                encoding=encoding.upper(),
            )
        )
    text = _strictly(data, encoding)
    if text is None:
        text = data.decode(encoding, "replace")
        notes.append(
            coded(
                "bytes_replaced",
                "Bytes that are not {encoding} became \ufffd (places: {count}).",
                encoding=encoding.upper(),
                count=text.count("\ufffd"),
            )
        )
    return _checked(text), tuple(notes)


def _checked(text: str) -> str:
    """The text as plain text. Raises LoadError if it holds binary data."""
    sample = text[:_SAMPLE]
    if len(_NO_TEXT_CONTROL.findall(sample)) > _MAX_CONTROL_SHARE * len(sample) + 3:
        raise LoadError(coded("binary", "It is not a text file: it holds binary data."))
    return _plain(text)


def _plain(text: str) -> str:
    """The text with one kind of line end, without NULs, and with spaces for other control characters but tabs."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return _CONTROL.sub(" ", text)


def _strictly(data: bytes, encoding: str) -> str | None:
    """The text in this encoding; None if some bytes are not of it, or there is no such encoding."""
    try:
        return data.decode(encoding)
    except (UnicodeError, LookupError):  # some codecs raise no more than UnicodeError
        return None


def _is_nearly_utf8(data: bytes) -> bool:
    """Whether the file is damaged or mixed UTF-8: at most one wrong place for ten right characters beyond ASCII."""
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    beyond = sum(map(len, re.findall(r"[^\x00-\x7f\ufffd]+", text)))
    return wrong * 10 <= beyond


def _telling(data: bytes) -> bytes:
    """The lines with bytes beyond ASCII, which alone tell encodings apart, up to the size of a sample."""
    found: list[bytes] = []
    size = 0
    for line in re.finditer(rb"[^\n]*[\x80-\xff][^\n]*\n?", data):
        found.append(line[0])
        size += len(line[0])
        if size >= _SAMPLE:
            break
    return b"".join(found)[:_SAMPLE]


def _foreign_guess(sample: bytes) -> str | None:
    """The encoding of Cyrillic, Greek, Central European and other texts, which ragkit has no frequencies for."""
    from charset_normalizer import from_bytes

    found = from_bytes(sample).best()
    return found.encoding if found and found.encoding not in ("ascii", "utf_8") else None
