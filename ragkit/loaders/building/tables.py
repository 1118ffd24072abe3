"""Tables as text: one row a line, each value behind the name of its column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice

from ragkit.loaders.building.document_builder import DocumentBuilder, one_line

_MAX_HEADER_ROWS = 60  # the header is looked for in so many rows
MAX_NAME_LENGTH = 80  # characters of a column's name
_NUMBER = re.compile(r"[-+(]?[$€£¥]?\s?\d[\d\s.,:/%eE+()-]*")

Row = tuple[int, list[str]]  # the line of the file that it begins in, and its cells


def write_rows(builder: DocumentBuilder, rows: Iterator[Row]) -> None:
    """Add the rows down to the header as they are, and then every value behind the name of its column."""
    first = list(islice(rows, _MAX_HEADER_ROWS))
    at = header_at([cells for _, cells in first])
    names = [one_line(name) for name in first[at][1]] if at is not None else []
    for number, (line, cells) in enumerate(chain(first, rows)):
        named = names if at is not None and number > at else []
        builder.add(row_text(cells, named), line)


def row_text(cells: list[str], names: list[str]) -> str:
    """The cells of a row, each behind the name of its column where there is one; empty ones are left out."""
    shown = []
    for place, cell in enumerate(map(one_line, cells)):
        name = names[place] if place < len(names) else ""
        if cell:
            shown.append(f"{name}: {cell}" if name else cell)
    return " | ".join(shown)


def header_at(rows: list[list[str]]) -> int | None:
    """The index of the row that names the columns; None if there is none, or no row follows it.

    It is the first row of two cells or more, if its cells are short, all different, and none is a number. Rows of one
    cell before it are a title.
    """
    for at, cells in enumerate(rows[:-1]):
        filled = [one_line(cell) for cell in cells if cell.strip()]
        if len(filled) < 2:
            continue
        is_names = all(len(name) <= MAX_NAME_LENGTH and not _NUMBER.fullmatch(name) for name in filled)
        return at if is_names and len(set(filled)) == len(filled) else None
    return None
