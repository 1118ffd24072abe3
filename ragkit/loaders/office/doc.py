"""Word's old binary documents (.doc), read by their piece table ([MS-DOC] 2.4): text, headings, tables, notes.

Text that was deleted while changes were tracked is not told from the rest: the mark stands among the formats of
characters, which are not read.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder, one_line
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.building.tables import row_text
from ragkit.loaders.office.ole import about, opened, stream
from ragkit.loaders.reasons import DAMAGED, NEEDS_PASSWORD
from ragkit.text.pictures import UNREAD
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError

_MAGIC, _WORD_97 = 0xA5EC, 0x00C1
_ENCRYPTED, _SECOND_TABLE = 0x0100, 0x0200
_COUNTS = 0x4C  # here stands how many characters each part has: text, footnotes, running titles, macros, comments, ...
_CLX, _PARAGRAPHS = 0x01A2, 0x0102  # here stands where in the table stream something is, and how long
_PARTS = (0, 1, 2, 4, 5, 6, 7)  # the numbers of the parts that are text; 3 are macros
_ROW_ENDS, _PAGE = 0x2417, 512
_FIELD = re.compile("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x14\x15]*))?\x15")
_MARKS = str.maketrans({"\x1e": "-", "\x1f": "", "\x0b": "\n", "\x0c": "\r", "\xa0": " ", "\x02": "", "\x05": ""})


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """What the format of a paragraph says."""

    ends_row: bool
    style: int  # 1 to 9 for a heading of that level, 0 for any other paragraph


def read_old_word(source: str, data: bytes, context: ReadContext) -> Document:
    """Lines are those of the text: the format has none. Raises NoText, LoadError."""
    container = opened(data)
    builder = DocumentBuilder()
    try:
        main = stream(container, "WordDocument")
        magic, version = struct.unpack_from("<2H", main)
        flags = struct.unpack_from("<H", main, 10)[0]
        if flags & _ENCRYPTED:
            raise LoadError(NEEDS_PASSWORD)
        if magic != _MAGIC or version < _WORD_97:
            raise LoadError(coded("old_word", "It was written by a Word older than Word 97: save it as .docx."))
        table = stream(container, "1Table" if flags & _SECOND_TABLE else "0Table")
        _write(main, table, builder)
    except (struct.error, IndexError, ValueError, OverflowError) as exc:
        raise LoadError(DAMAGED, why=type(exc).__name__) from exc
    title, author, date = about(container)
    return builder.document(source, context.media_type, title, author=author, date=date)


def _write(main: bytes, table: bytes, builder: DocumentBuilder) -> None:
    text, offsets = _text(main, table)
    formats = _Formats(main, table)
    counts = struct.unpack_from("<8i", main, _COUNTS)
    start = pictures = 0
    for number, count in enumerate(counts):
        if number in _PARTS and count > 0:
            part = text[start : start + count]
            pictures += _without_fields(part).count("\x01")
            builder.blank()
            _write_part(part, start, offsets, formats, builder)
        start += max(count, 0)
    if pictures:
        builder.note(UNREAD.fill(count=pictures))


def _text(main: bytes, table: bytes) -> tuple[str, list[int]]:
    """The characters in their order, and the offset of each in the main stream."""
    at, size = struct.unpack_from("<2I", main, _CLX)
    clx = table[at : at + size]
    while clx[:1] == b"\x01":  # fast saving put changes of formats here
        clx = clx[3 + struct.unpack_from("<H", clx, 1)[0] :]
    if clx[:1] != b"\x02":
        raise ValueError("no piece table")
    pieces = clx[5 : 5 + struct.unpack_from("<I", clx, 1)[0]]
    count = (len(pieces) - 4) // 12
    ends = struct.unpack_from(f"<{count + 1}I", pieces)
    texts: list[str] = []
    offsets: list[int] = []
    for number in range(count):
        length = ends[number + 1] - ends[number]
        place = struct.unpack_from("<I", pieces, 4 * (count + 1) + 8 * number + 2)[0]
        width = 1 if place & 0x40000000 else 2
        begin = (place & 0x3FFFFFFF) // (2 if width == 1 else 1)
        raw = main[begin : begin + length * width]
        piece = raw.decode("cp1252" if width == 1 else "utf-16-le", "replace")
        if len(piece) != length:  # characters outside the basic plane are two here
            piece = "".join(chr(unit) for unit in struct.unpack_from(f"<{len(raw) // 2}H", raw))
        texts.append(piece)
        offsets += range(begin, begin + len(piece) * width, width)
    return "".join(texts), offsets


class _Formats:
    """The formats of paragraphs by where these end in the main stream ([MS-DOC] 2.9.174: pages of 512 bytes)."""

    def __init__(self, main: bytes, table: bytes) -> None:
        found = dict(self._read(main, table))
        self._ends = sorted(found)
        self._found = found

    def at(self, offset: int) -> _Paragraph:
        """The format of the paragraph that the byte at `offset` is in."""
        number = bisect_right(self._ends, offset)
        return self._found[self._ends[number]] if number < len(self._ends) else _Paragraph(False, 0)

    @staticmethod
    def _read(main: bytes, table: bytes) -> Iterator[tuple[int, _Paragraph]]:
        at, size = struct.unpack_from("<2I", main, _PARAGRAPHS)
        count = (size - 4) // 8
        for (number,) in struct.iter_unpack("<I", table[at + 4 * (count + 1) : at + 4 * (count + 1) + 4 * count]):
            page = main[(number & 0x3FFFFF) * _PAGE : (number & 0x3FFFFF) * _PAGE + _PAGE]
            if len(page) < _PAGE:
                continue
            runs = page[-1]
            for run in range(min(runs, 29)):
                end = struct.unpack_from("<I", page, 4 * (run + 1))[0]
                place = page[4 * (runs + 1) + 13 * run] * 2
                yield end, _paragraph(page, place) if place else _Paragraph(False, 0)


def _paragraph(page: bytes, at: int) -> _Paragraph:
    size = page[at] * 2 - 1
    if size < 0:
        at, size = at + 1, page[at + 1] * 2
    body = page[at + 1 : at + 1 + size]
    style = int.from_bytes(body[:2], "little")
    return _Paragraph(struct.pack("<HB", _ROW_ENDS, 1) in body[2:], style if 1 <= style <= 9 else 0)


def _write_part(part: str, start: int, offsets: list[int], formats: _Formats, builder: DocumentBuilder) -> None:
    cells: list[str] = []  # the cells so far of the row that is being read
    begin = 0
    for found in re.finditer("[\r\x07\x0c]", part):
        text = _plain(part[begin : found.start()])
        begin = found.end()
        paragraph = formats.at(offsets[start + found.start()]) if start + found.start() < len(offsets) else None
        if found[0] == "\x07":
            if paragraph is not None and paragraph.ends_row:
                _add_row(cells, builder)
                cells = []
            else:
                cells.append(text)
        elif paragraph is not None and paragraph.style and one_line(text):
            builder.blank()
            builder.head(paragraph.style, text)
        elif text.strip():
            builder.add(text.strip())
    _add_row([*cells, _plain(part[begin:])], builder)


def _add_row(cells: list[str], builder: DocumentBuilder) -> None:
    row = row_text(cells, [])
    if row:
        builder.add(row)


def _plain(text: str) -> str:
    """The text without the instructions of fields and the marks of pictures."""
    text = _without_fields(text).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return re.sub("[\x01\x03\x04\x08\x13\x14\x15]", "", text.translate(_MARKS))


def _without_fields(text: str) -> str:
    """The text with what fields show in place of their instructions."""
    while (shorter := _FIELD.sub(lambda found: found[1] or "", text)) != text:
        text = shorter
    return text
