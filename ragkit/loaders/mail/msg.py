"""Messages of Outlook (.msg): an OLE container with a stream for each property ([MS-OXMSG])."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder, one_line
from ragkit.loaders.building.nested_files import unread
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.content import OLE_MAGIC
from ragkit.loaders.mail.eml import add_file, html_text
from ragkit.loaders.mail.headers import add_headers, letter_text
from ragkit.loaders.office.ole import opened
from ragkit.loaders.reasons import NO_MESSAGE_TEXT, NOT_OUTLOOK
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError, NoText

_SUBJECT, _TO, _CC, _BCC, _BODY, _HTML, _RTF = "0037", "0E04", "0E03", "0E02", "1000", "1013", "1009"
_SENDER, _ADDRESSES = "0C1A", ("5D01", "0C1F")
_SENT = (0x00390040, 0x0E060040)  # submitted, delivered
_CODEPAGES = (0x3FDE0003, 0x3FFD0003)
_CLASS, _NAMES, _DATA, _WITHIN = "001A", ("3707", "3704", "3001"), "3701", "3701000D"
_CODECS = {65001: "utf-8", 936: "gb18030", 950: "big5hkscs", 20127: "ascii", 28591: "iso8859-1", 50220: "iso2022_jp"}


def read_outlook(source: str, data: bytes, context: ReadContext) -> Document:
    """Lines are those of the text. Raises NoText, LoadError."""
    context.check_depth()
    if not data.startswith(OLE_MAGIC):
        raise LoadError(NOT_OUTLOOK)
    builder = DocumentBuilder(context.pictures)
    try:
        title = _Item(opened(data), "", builder, context).write(0)
    except (OSError, struct.error, ValueError, LookupError, TypeError, AttributeError) as exc:
        raise LoadError(
            coded("message_damaged", "The message is damaged ({why})."), why=str(exc)[:200] or type(exc).__name__
        ) from exc
    return builder.document(source, context.media_type, title)


class _Item:
    """A message, at the container's root or in one of its attachments."""

    def __init__(self, ole: Any, at: str, builder: DocumentBuilder, context: ReadContext) -> None:
        self._ole = ole
        self._at = at  # the path of the message's storage, with a slash at the end; "" for the root
        self._builder = builder
        self._context = context
        self._numbers = _numbers(self._stream("__properties_version1.0"), 24 if at else 32)
        page = next((self._numbers[tag] for tag in _CODEPAGES if tag in self._numbers), b"\0")
        number = int.from_bytes(page[:4], "little")
        self._charset = _CODECS.get(number, f"cp{number}")

    def write(self, level: int) -> str:
        """Write header lines, text and attachments; returns the subject. Raises LoadError if it is no message."""
        if not (self._text(_CLASS) or self._text(_SUBJECT) or self._text(_BODY)):
            raise LoadError(NOT_OUTLOOK)
        subject = one_line(self._text(_SUBJECT))
        if level and subject:
            self._builder.mark_heading(level, subject)
        values = {"From": self._sender(), "To": self._text(_TO), "Cc": self._text(_CC), "Bcc": self._text(_BCC)}
        values["Date"] = self._date()
        add_headers(self._builder, {name: one_line(value) for name, value in (*values.items(), ("Subject", subject))})
        self._write_body()
        for storage in self._attachments():
            self._attachment(storage, level + 1)
        return subject

    def _write_body(self) -> None:
        text = self._text(_BODY).strip("\r\n")
        if not text.strip() and (markup := self._text(_HTML)).strip():
            try:
                text = html_text(markup)
            except NoText:
                text = ""
        if text.strip():
            self._builder.add(text)
        elif self._stream(f"__substg1.0_{_RTF}0102"):
            self._builder.note(
                coded("compressed_rtf", "The text of the message is in compressed RTF; it was not read.")
            )
        else:
            self._builder.note(NO_MESSAGE_TEXT)

    def _attachments(self) -> list[str]:
        found = {
            "/".join(path[: self._at.count("/") + 1]) + "/"
            for path in self._ole.listdir()
            if "/".join(path).startswith(f"{self._at}__attach_version1.0_")
        }
        return sorted(found)

    def _attachment(self, storage: str, level: int) -> None:
        name = next((found for tag in _NAMES if (found := self._text(tag, storage))), "") or "?"
        data = self._stream(f"__substg1.0_{_DATA}0102", storage)
        if data:
            add_file(self._builder, name, data, "", level, self._context)
            return
        within = f"{storage}__substg1.0_{_WITHIN}/"
        try:
            inner = self._context.inner("application/vnd.ms-outlook", 0)
            inner.check_depth()
            self._builder.blank()
            _Item(self._ole, within, self._builder, inner).write(level)
        except LoadError as exc:
            self._builder.note(unread(name, exc.message))

    def _sender(self) -> str:
        name = self._text(_SENDER)
        address = next((found for tag in _ADDRESSES if "@" in (found := self._text(tag))), "")
        return f"{name} <{address}>" if name and address and name != address else name or address

    def _date(self) -> str:
        """When the message was sent, in UTC; "" if it never was."""
        for tag in _SENT:
            ticks = int.from_bytes(self._numbers.get(tag, b""), "little")  # one tick is 100 ns; they count from 1601
            if 0 < ticks < 1 << 62:
                moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
                return moment.strftime("%Y-%m-%d %H:%M UTC")
        return ""

    def _text(self, tag: str, storage: str | None = None) -> str:
        """A text property, which is in UTF-16 or in the message's code page; "" if there is none."""
        wide = self._stream(f"__substg1.0_{tag}001F", storage)
        if wide:
            return wide.decode("utf-16-le", "replace").rstrip("\0")
        narrow = self._stream(f"__substg1.0_{tag}001E", storage) or self._stream(f"__substg1.0_{tag}0102", storage)
        return letter_text(narrow.rstrip(b"\0"), self._charset)[0] if narrow else ""

    def _stream(self, name: str, storage: str | None = None) -> bytes:
        path = (self._at if storage is None else storage) + name
        return bytes(self._ole.openstream(path).read()) if self._ole.exists(path) else b""


def _numbers(stream: bytes, head_bytes: int) -> dict[int, bytes]:
    """The properties whose values fit into eight bytes: tag -> these bytes."""
    body = stream[head_bytes:]
    return {tag: value for tag, _, value in struct.iter_unpack("<II8s", body[: len(body) // 16 * 16])}
