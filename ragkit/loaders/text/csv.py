"""Tables in text files: CSV and its kin."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.building.tables import Row, write_rows
from ragkit.loaders.text.plain import decode_words
from ragkit.types.documents import Document

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 60  # are looked at to recognise the delimiter
_DECLARED = re.compile(r"sep=(.)\n", re.IGNORECASE)


def read_table(source: str, data: bytes, context: ReadContext) -> Document:
    """A table with any usual delimiter, whatever its name says. Raises NoText, LoadError."""
    text, notes = decode_words(data)
    builder = DocumentBuilder()
    builder.notes += notes
    declared = _DECLARED.match(text)
    first = 2 if declared else 1
    body = text[declared.end() :] if declared else text
    usual = "\t" if context.media_type == "text/tab-separated-values" else ","
    delimiter = declared[1] if declared else _delimiter(body, usual)
    write_rows(builder, _rows(body, delimiter, quoted=_is_quoted(body, delimiter, builder), first=first))
    return builder.document(source, context.media_type)


def _delimiter(text: str, usual: str) -> str:
    """The delimiter that makes the most rows of the same width, above one cell; `usual` if two do."""
    scores = {mark: _evenness(text, mark) for mark in dict.fromkeys(usual + _DELIMITERS)}
    return max(scores, key=lambda mark: scores[mark])


def _evenness(text: str, delimiter: str) -> float:
    """The share of rows that have the most common width, 0 if that is one cell."""
    sample = [cells for _, cells in islice(_rows(text, delimiter, quoted=True), _SAMPLE_ROWS)]
    widths = Counter(len(cells) for cells in sample if any(cell.strip() for cell in cells))
    if not widths:
        return 0.0
    width, count = max(widths.items(), key=lambda item: (item[1] if item[0] > 1 else 0, item[0]))
    return count / widths.total() if width > 1 else 0.0


def _is_quoted(text: str, delimiter: str, builder: DocumentBuilder) -> bool:
    """Whether quotation marks are read as such; if one is never closed, all are letters, of which there is a note."""
    try:
        for _ in csv.reader(_ended(text), delimiter=delimiter, strict=True):
            pass
    except csv.Error as exc:
        if "unexpected end" in str(exc):
            builder.note(coded("open_quotation", "A quotation mark is never closed; all were read as letters."))
            return False
    return True


def _rows(text: str, delimiter: str, *, quoted: bool, first: int = 1) -> Iterator[Row]:
    """Every row, also blank ones, so that the text keeps the lines of the file, which count from `first`."""
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
    """The lines with their ends, of which "\\n" is the only kind."""
    return (match[0] for match in re.finditer(r"[^\n]*\n|[^\n]+", text))
