"""The tables of a Word document: their rows and cells, and which row names the columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element

from ragkit.loaders.building.document_builder import DocumentBuilder
from ragkit.loaders.building.tables import header_at, row_text
from ragkit.loaders.office.docx_styles import Styles, is_bold, is_on
from ragkit.loaders.office.packages import attribute, descendants, first, local, value_of, within

_MAX_SPANNED = 100  # columns of one cell
_FIRST_ROW = 0x0020  # the bit of a table's look that says that the first row looks different
_HEX_DIGITS = "0123456789abcdefABCDEF"
_WRAPPERS = ("sdt", "sdtContent", "ins", "customXml", "smartTag", "moveTo")  # content controls, tracked insertions

CellReader = Callable[[Element], tuple[str, list[bytes]]]  # cell -> its text on one line, its pictures


def write_table(table: Element, builder: DocumentBuilder, styles: Styles, read_cell: CellReader) -> None:
    """Write a line for each row, and after it the pictures of its cells.

    What was merged downwards stands in every row, so that each row can be read alone.
    """
    builder.blank()
    above: dict[int, str] = {}  # column -> the text of the cell above
    names: list[str] = []
    is_first = True
    for row in _children(table, "tr"):
        cells, pictures = _cells(row, above, read_cell)
        if any(cells):
            is_header = first(row, "trPr", "tblHeader") is not None or (
                is_first and _stands_out(table, row, cells, styles)
            )
            is_first = False
            builder.add(row_text(cells, [] if is_header else names))
            if is_header:
                names = cells
        for picture in pictures:
            builder.picture(picture)
    builder.blank()


def _cells(row: Element, above: dict[int, str], read_cell: CellReader) -> tuple[list[str], list[bytes]]:
    """The text of each column of the table, and the pictures; a cell that spans several columns stands in its first.

    `above` is brought up to date with this row.
    """
    cells = [""] * _span(value_of(row, "trPr", "gridBefore"), least=0)
    pictures = []
    for cell in _children(row, "tc"):
        column = len(cells)
        merged = first(cell, "tcPr", "vMerge")
        text, pictures_within = read_cell(cell)
        pictures += pictures_within
        if merged is not None and attribute(merged, "val") != "restart":
            text = text or above.get(column, "")
        above[column] = text
        cells += [text, *[""] * (_span(value_of(cell, "tcPr", "gridSpan"), least=1) - 1)]
    return cells, pictures


def _stands_out(table: Element, row: Element, cells: list[str], styles: Styles) -> bool:
    """Whether the first row names columns and is bold from end to end, by itself or by the table's style."""
    if header_at([cells, cells]) is None:
        return False
    look = first(table, "tblPr", "tblLook")
    style = value_of(table, "tblPr", "tblStyle")
    if look is not None and _has_first_row(look) and styles.has_bold_first_row(style):
        return True
    runs = [run for run in descendants(row, "r") if any(text.text for text in within(run, "t"))]
    return all(is_bold(run) for run in runs)


def _has_first_row(look: Element) -> bool:
    said = attribute(look, "val", "0")
    digits = said if said and not said.strip(_HEX_DIGITS) else "0"
    return is_on(attribute(look, "firstRow")) or bool(int(digits, 16) & _FIRST_ROW)


def _span(said: str, *, least: int) -> int:
    return max(int(said), least) if said.isdecimal() and int(said) < _MAX_SPANNED else least


def _children(parent: Element, name: str) -> Iterator[Element]:
    """The children of that name, also those inside content controls and tracked insertions."""
    for element in parent:
        if local(element) == name:
            yield element
        elif local(element) in _WRAPPERS:
            yield from _children(element, name)
