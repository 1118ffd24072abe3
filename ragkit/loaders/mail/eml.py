"""Mail: a message (.eml), or a box of messages (.mbox)."""

from __future__ import annotations

import base64
import codecs
import email
import re
from email import policy
from email.errors import CloseBoundaryNotFoundDefect
from email.message import Message as Letter
from pathlib import Path
from typing import Any

from ragkit.i18n.messages import Message, coded
from ragkit.loaders.building.document_builder import DocumentBuilder
from ragkit.loaders.building.nested_files import add_part, shown, unread
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.formats import by_media_type, by_name
from ragkit.loaders.mail.headers import SHOWN, add_headers, header_text, letter_text
from ragkit.loaders.reasons import BLANK, EMPTY, NO_MESSAGE_TEXT
from ragkit.loaders.text.plain import decode
from ragkit.types.documents import Document, Page
from ragkit.types.errors import LoadError, NoText

_FROM = re.compile(rb"^From [^\r\n]*(?:\r?\n|\Z)", re.MULTILINE)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
_SIGNATURES = frozenset(
    "application/pgp-signature application/pkcs7-signature application/x-pkcs7-signature".split()
)  # fmt: skip
_SEALED = frozenset("multipart/encrypted application/pkcs7-mime application/x-pkcs7-mime".split())
_SUFFIX_OF = {"text/plain": ".txt", "text/html": ".html", "application/pdf": ".pdf", "text/csv": ".csv"}


def read_mail(source: str, data: bytes, context: ReadContext) -> Document:
    """Lines are those of the text, as those of the file are encoded. Raises NoText, LoadError."""
    context.check_depth()
    data = _eight_bit(data)
    builder = DocumentBuilder(context.pictures)
    title = _write_letter(builder, data, 0, context)
    return builder.document(source, context.media_type, title)


def read_mailbox(source: str, data: bytes, context: ReadContext) -> Document:
    """Every message is a page, under its subject. Raises NoText; LoadError if it is no mailbox."""
    context.check_depth()
    data = _eight_bit(data)
    starts = [match for match in _FROM.finditer(data) if _begins(data, match.start())]
    if not starts or data[: starts[0].start()].strip():
        raise LoadError(coded("not_a_mailbox", "It is not a mailbox: it does not begin with a line `From ...`."))
    builder = DocumentBuilder(context.pictures)
    ends = [match.start() for match in starts[1:]] + [len(data)]
    for number, (match, end) in enumerate(zip(starts, ends, strict=True), 1):
        builder.blank()
        start = builder.length
        _write_letter(builder, _QUOTED_FROM.sub(rb"\1", data[match.end() : end]), 1, context)
        builder.pages.append(Page(number, start, builder.length, "message"))
    return builder.document(source, context.media_type)


def _begins(data: bytes, at: int) -> bool:
    """Whether a message begins here: it does after an empty line; elsewhere `From` is a word of the text."""
    return at == 0 or data[max(at - 3, 0) : at].endswith((b"\n\n", b"\n\r\n"))


def _eight_bit(data: bytes) -> bytes:
    """The file, in UTF-8 if it is in UTF-16. Raises NoText if it is blank; LoadError if it is no text."""
    if not data.strip():
        raise NoText(EMPTY if not data else BLANK)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)) or b"\0" in data[:1000]:
        return decode(data)[0].encode()
    return data


def _write_letter(builder: DocumentBuilder, data: bytes, level: int, context: ReadContext) -> str:
    """Write one message and return its subject.

    `level` is that of its own heading; 0: it has none, and its attached files are parts with places of their own. The
    newer policy of the library fails on some headers that the older one reads.
    """
    for rules in (policy.default, policy.compat32):
        trial = DocumentBuilder(context.pictures)
        try:
            letter = email.message_from_bytes(data, policy=rules)
            title = _Writer(trial, level, context).write(letter)
        except (ValueError, LookupError, TypeError, AttributeError) as exc:
            why = type(exc).__name__
            continue
        builder.extend(trial, with_places=level == 0)
        return title
    builder.note(coded("message_not_read", "A message could not be read ({why}).", why=why))
    return ""


class _Writer:
    """Writes one message, and the messages within it."""

    def __init__(self, builder: DocumentBuilder, level: int, context: ReadContext) -> None:
        self._builder = builder
        self._level = level  # level of the message's own heading; 0: it has none
        self._context = context
        self._attached: list[Letter] = []
        self._has_text = False

    def write(self, letter: Letter) -> str:
        """Write header lines, text, then what is attached; returns the subject."""
        values = {name: _header(letter, name) for name in SHOWN}
        subject = values["Subject"]
        if self._level and subject:
            self._builder.mark_heading(self._level, subject)
        add_headers(self._builder, values)
        self._part(letter)
        if any(isinstance(flaw, CloseBoundaryNotFoundDefect) for part in letter.walk() for flaw in part.defects):
            self._builder.note(coded("message_cut_off", "The message ends too early; a part of it may be missing."))
        if not self._has_text:
            self._builder.note(NO_MESSAGE_TEXT)
        for part in self._attached:
            self._attachment(part)
        return subject

    def _part(self, part: Letter) -> None:
        kind = part.get_content_type()
        if kind in _SEALED:
            self._builder.note(
                coded("message_encrypted", "The message is encrypted or sealed; what is in it was not read.")
            )
        elif kind == "multipart/alternative":
            self._alternative(_parts(part))
        elif kind.startswith("multipart/"):
            if kind == "multipart/signed":
                self._builder.note(coded("message_signed", "The message is signed; the signature was not checked."))
            for inner in _parts(part):
                self._part(inner)
        elif kind in ("text/plain", "text/html") and not _is_attached(part):
            self._text(part)
        elif kind not in _SIGNATURES:
            self._attached.append(part)

    def _alternative(self, choices: list[Letter]) -> None:
        """Write one of several forms of the same text: the plain one if it says something, else the richest."""
        plain = [part for part in choices if part.get_content_type() == "text/plain" and _text_of(part)[0].strip()]
        rich = [part for part in choices if part.get_content_type().startswith(("text/html", "multipart/"))]
        chosen = (plain or rich[-1:] or choices[-1:])[:1]
        for part in chosen:
            self._part(part)
        for part in choices:
            if part not in chosen:
                self._attached += [inner for inner in part.walk() if not inner.is_multipart() and _is_attached(inner)]

    def _text(self, part: Letter) -> None:
        try:
            text, notes = _text_of(part)
            if part.get_content_type() == "text/html" and text.strip():
                text = html_text(text)
        except NoText:
            return
        except LoadError as exc:
            self._builder.note(unread(part.get_content_type(), exc.message))
            return
        for note in notes:
            self._builder.note(note)
        if text.strip():
            if self._has_text:
                self._builder.add("")
            self._builder.add(text.strip("\n"))
            self._has_text = True

    def _attachment(self, part: Letter) -> None:
        inner = _parts(part)
        if part.get_content_type() == "message/rfc822" and inner:
            self._letter_within(_uncoded(part, inner[0]))
            return
        data = _payload(part) if not inner else b"\n".join(bytes(one) for one in inner)
        kind = part.get_content_type()
        name = header_text(part.get_filename() or "") or kind.replace("/", "-") + _SUFFIX_OF.get(kind, "")
        add_file(self._builder, name, data, kind, self._level + 1, self._context)

    def _letter_within(self, letter: Letter) -> None:
        name = _header(letter, "Subject") or "message/rfc822"
        try:
            inner = self._context.inner("message/rfc822", 0)
            inner.check_depth()
            self._builder.blank()
            _Writer(self._builder, self._level + 1, inner).write(letter)
        except LoadError as exc:
            self._builder.note(unread(name, exc.message))


def add_file(builder: DocumentBuilder, name: str, data: bytes, kind: str, level: int, context: ReadContext) -> None:
    """Add an attachment, read by its name, or else by the media type `kind` that the mail gives it."""
    add_part(builder, name, data, by_name(Path(shown(name))) or by_media_type(kind), level, context)


def html_text(markup: str) -> str:
    """The text of a message in HTML. Raises NoText."""
    from ragkit.loaders.text.html import read_page

    return read_page(markup.encode()).text


def _header(letter: Letter, name: str) -> str:
    """The text of a header, decoded here from its raw value: the library does not know all charsets."""
    raw: list[tuple[str, Any]] = list(letter.raw_items())
    value = next((str(value) for key, value in raw if key.lower() == name.lower()), "")
    return header_text(re.sub(r"[\r\n]+", " ", value))


def _parts(part: Letter) -> list[Letter]:
    payload = part.get_payload()
    return [inner for inner in payload if isinstance(inner, Letter)] if isinstance(payload, list) else []


def _uncoded(part: Letter, inner: Letter) -> Letter:
    """A message within, decoded: some programs encode it whole, which the parser takes for its text."""
    if _header(part, "Content-Transfer-Encoding").lower() != "base64" or inner.keys():
        return inner
    return email.message_from_bytes(_from_base64(str(inner.get_payload())), policy=inner.policy)


def _is_attached(part: Letter) -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _payload(part: Letter) -> bytes:
    if _header(part, "Content-Transfer-Encoding").lower() == "base64" and not part.is_multipart():
        return _from_base64(str(part.get_payload()))
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _from_base64(coded: str) -> bytes:
    """The bytes that can be decoded, also where the end is cut off, for which the library gives the code itself."""
    letters = _NOT_BASE64.sub("", coded)
    pieces = (piece[: len(piece) - (len(piece) % 4 == 1)] for piece in letters.split("=") if piece)
    return b"".join(base64.b64decode(piece + "=" * (-len(piece) % 4)) for piece in pieces)


def _text_of(part: Letter) -> tuple[str, tuple[Message, ...]]:
    return letter_text(_payload(part), part.get_content_charset())
