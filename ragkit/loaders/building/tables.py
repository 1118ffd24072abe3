"""Tables in text files: one row a line, each value behind the name of its column."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder, one_line
from ragkit.loaders.text.plain import decode_words
from ragkit.types.documents import Document

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 60  # that are looked at to recognise the delimiter
_LONGEST_NAME = 80  # characters of a column's name
_NUMBER = re.compile(r"[-+(]?[$€£¥]?\s?\d[\d\s.,:/%eE+()-]*")
_DECLARED = re.compile(r"sep=(.)\n", re.IGNORECASE)

Row = tuple[int, list[str]]  # the line of the file that it begins in, and its cells


def read_table(source: str, data: bytes, media_type: str) -> Document:
    """CSV with any usual delimiter, whatever the name says. Raises NoText, LoadError."""
    text, notes = decode_words(data)
    lines = DocumentBuilder()
    lines.notes += notes
    declared = _DECLARED.match(text)
    first = 2 if declared else 1
    body = text[declared.end() :] if declared else text
    delimiter = declared[1] if declared else _delimiter(body, "\t" if media_type.startswith("text/tab") else ",")
    write_rows(lines, _rows(body, delimiter, quoted=_is_quoted(body, delimiter, lines), first=first))
    return lines.document(source, media_type)


def write_rows(lines: DocumentBuilder, rows: Iterator[Row]) -> None:
    """The rows down to the header as they are; then every value with the name of its column."""
    held = list(islice(rows, _SAMPLE_ROWS))
    at = header_at([cells for _, cells in held])
    names = [one_line(name) for name in held[at][1]] if at is not None else []
    for number, (line, cells) in enumerate(_chained(held, rows)):
        named = names if at is not None and number > at else []
        lines.add(row_text(cells, named), line)


def _chained(held: list[Row], rows: Iterator[Row]) -> Iterator[Row]:
    yield from held
    yield from rows


def row_text(cells: list[str], names: list[str]) -> str:
    """The cells of a row, each behind the name of its column where there is one; empty ones are left out."""
    shown = []
    for place, cell in enumerate(map(one_line, cells)):
        name = names[place] if place < len(names) else ""
        if cell:
            shown.append(f"{name}: {cell}" if name else cell)
    return " | ".join(shown)


def header_at(rows: list[list[str]]) -> int | None:
    """The row that names the columns: the first of two cells or more, if all of it are different names
    and not each is a number's or a sentence's place. Rows of one cell before it are a title."""
    for at, cells in enumerate(rows[:-1]):
        filled = [one_line(cell) for cell in cells if cell.strip()]
        if len(filled) < 2:
            continue
        is_names = all(len(name) <= _LONGEST_NAME and not _NUMBER.fullmatch(name) for name in filled)
        return at if is_names and len(set(filled)) == len(filled) else None
    return None


def _delimiter(text: str, usual: str) -> str:
    """The one that makes the most rows of the same, greater width; `usual` where two do."""
    scores = {mark: _evenness(text, mark) for mark in dict.fromkeys(usual + _DELIMITERS)}
    return max(scores, key=lambda mark: scores[mark])


def _evenness(text: str, delimiter: str) -> float:
    sample = [cells for _, cells in islice(_rows(text, delimiter, quoted=True), _SAMPLE_ROWS)]
    widths = Counter(len(cells) for cells in sample if any(cell.strip() for cell in cells))
    if not widths:
        return 0.0
    width, count = max(widths.items(), key=lambda item: (item[1] if item[0] > 1 else 0, item[0]))
    return count / widths.total() if width > 1 else 0.0


def _is_quoted(text: str, delimiter: str, lines: DocumentBuilder) -> bool:
    """Whether quotation marks are read as such: as letters, all of them, where one is never closed."""
    try:
        for _ in csv.reader(_ended(text), delimiter=delimiter, strict=True):
            pass
    except csv.Error as exc:
        if "unexpected end" in str(exc):
            lines.note(coded("open_quotation", "A quotation mark is never closed; all were read as letters."))
            return False
    return True


def _rows(text: str, delimiter: str, *, quoted: bool, first: int = 1) -> Iterator[Row]:
    """Every row, blank ones too, so that the text keeps the file's lines."""
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(
        _ended(text),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        skipinitialspace=True,
    )
    before = 0
    for cells in reader:
        yield before + first, cells
        before = reader.line_num


def _ended(text: str) -> Iterator[str]:
    """The lines with their ends; only "\\n" is one."""
    return (match[0] for match in re.finditer(r"[^\n]*\n|[^\n]+", text))
