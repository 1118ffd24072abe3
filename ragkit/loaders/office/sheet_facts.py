"""What calamine does not tell of a workbook: number formats of cells, hidden rows and columns, printed headers.

Sheets are told apart by their place in the workbook, from 0.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from ragkit.loaders.building.document_builder import DocumentBuilder, one_line
from ragkit.loaders.office.number_formats import BUILT_IN, formatted
from ragkit.loaders.office.ole import opened, stream
from ragkit.loaders.office.packages import Package, attribute, descendants, local, within
from ragkit.types.errors import LoadError

_CELL = re.compile(rb"<(?:\w+:)?(c|row|col)\s([^>]*)>")
_REFERENCE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{1,3})(\d{1,7})["']""")
_ROW_NUMBER = re.compile(rb"""\br\s*=\s*["'](\d{1,7})["']""")
_STYLE = re.compile(rb"""\bs\s*=\s*["'](\d{1,5})["']""")
_HIDDEN = re.compile(rb"""\bhidden\s*=\s*["'](?:1|true)["']""")
_COLUMNS = re.compile(rb"""\b(min|max)\s*=\s*["'](\d{1,5})["']""")
_PRINTED = re.compile(rb"<(?:\w+:)?(?:odd|even|first)(?:Header|Footer)>([^<]*)<")
_PRINTED_CODE = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|K\d\d[+-]\d{3}|\d{1,3}|[A-Za-z])')
_MAX_CELLS = 2_000_000  # cells of a workbook whose formats are kept
_MAX_COLUMNS = 1 << 14
_MAX_REPEATS = 10_000


@dataclass
class Facts:
    """What is known of one sheet. Rows and columns count from 0."""

    codes: dict[int, str] = field(default_factory=dict)  # row * 2**14 + column -> number format
    texts: dict[int, str] = field(
        default_factory=dict
    )  # row * 2**14 + column -> what the sheet shows, if the file says
    hidden_rows: int = 0
    hidden_columns: int = 0
    printed: list[str] = field(default_factory=list)  # headers and footers of the printed page

    def shown(self, row: int, column: int, value: object) -> str | None:
        """What the sheet shows for the value of a cell; None if nothing but the value itself is known."""
        at = row * _MAX_COLUMNS + column
        return self.texts.get(at) or formatted(value, self.codes.get(at, ""))


def sheet_facts(package: Package | None, data: bytes, builder: DocumentBuilder) -> list[Facts]:
    """What is known of each sheet; of fewer sheets if the format says nothing (.xlsb) or the file is odd."""
    if package is None:
        return _binary_facts(data)
    if package.has("content.xml"):
        root = package.optional_xml("content.xml", builder)
        return [_table_facts(table) for table in descendants(root, "table")] if root is not None else []
    return list(_package_facts(package, builder)) if package.has("xl/workbook.xml") else []


# -- .xlsx ---------------------------------------------------------------------------------------


def _package_facts(package: Package, builder: DocumentBuilder) -> Iterator[Facts]:
    main = "xl/workbook.xml"
    root = package.optional_xml(main, builder)
    relations = package.relations(main)
    codes = _style_codes(package, builder)
    left = _MAX_CELLS
    for sheet in within(root, "sheets", "sheet") if root is not None else ():
        relation = relations.get(next((value for key, value in sheet.items() if key.endswith("}id")), ""))
        facts = Facts()
        if relation is not None and package.has(relation.target) and left > 0:
            _read_sheet(package.data(relation.target), codes, facts)
            left -= len(facts.codes)
        yield facts


def _style_codes(package: Package, builder: DocumentBuilder) -> dict[int, str]:
    """The number formats by the style of a cell, where the format says more than the value."""
    root = package.optional_xml("xl/styles.xml", builder)
    own = {
        int(attribute(one, "numFmtId", "0")): attribute(one, "formatCode")
        for one in (descendants(root, "numFmt") if root is not None else ())
        if attribute(one, "numFmtId", "0").isdecimal()
    }
    found = {}
    for number, style in enumerate(within(root, "cellXfs", "xf") if root is not None else ()):
        name = attribute(style, "numFmtId", "0")
        code = _code(int(name), own) if name.isdecimal() else ""
        if code:
            found[number] = code
    return found


def _code(number: int, own: dict[int, str]) -> str:
    code = own.get(number) or BUILT_IN.get(number, "")
    return "" if code.casefold() in ("general", "@", "standard") else code


def _read_sheet(data: bytes, codes: dict[int, str], facts: Facts) -> None:
    for found in _CELL.finditer(data):
        name, said = found[1], found[2]
        if name == b"c":
            style = _STYLE.search(said)
            code = codes.get(int(style[1])) if style else None
            if code and (at := _REFERENCE.search(said)):
                facts.codes[(int(at[2]) - 1) * _MAX_COLUMNS + _column(at[1])] = code
        elif _HIDDEN.search(said):
            if name == b"row":
                facts.hidden_rows += 1
            else:
                ends = {key: int(value) for key, value in _COLUMNS.findall(said)}
                facts.hidden_columns += ends.get(b"max", 0) - ends.get(b"min", 1) + 1
    for text in dict.fromkeys(_PRINTED.findall(data)):
        facts.printed.append(_printed(text))


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number - 1


def _printed(text: bytes) -> str:
    """A printed header without its codes: `&C&"Arial"&12Costs, page &P` is `Costs, page`."""
    from html import unescape

    return one_line(_PRINTED_CODE.sub(" ", unescape(text.decode("utf-8", "replace"))))


# -- OpenDocument --------------------------------------------------------------------------------


def _table_facts(table: Element) -> Facts:
    """What is known of a sheet of OpenDocument, which says beside each number how the sheet shows it."""
    facts = Facts()
    row = 0
    for line, is_hidden in _table_rows(table):
        repeated = _repeats(line, "number-rows-repeated")
        facts.hidden_rows += is_hidden * min(repeated, _MAX_REPEATS)
        column = 0
        for cell in line:
            if local(cell) not in ("table-cell", "covered-table-cell"):
                continue
            width = _repeats(cell, "number-columns-repeated")
            if attribute(cell, "value-type") in ("float", "percentage", "currency", "time"):
                text = one_line(" ".join("".join(p.itertext()) for p in within(cell, "p")))
                for at in _covered(row, min(repeated, _MAX_REPEATS), column, min(width, _MAX_REPEATS)):
                    if len(facts.texts) < _MAX_CELLS and any(c.isalnum() for c in text):
                        facts.texts[at] = text
            column += width
        row += repeated
    facts.hidden_columns = sum(
        _repeats(one, "number-columns-repeated")
        for one in descendants(table, "table-column")
        if attribute(one, "visibility") in ("collapse", "filter")
    )
    return facts


def _covered(row: int, rows: int, column: int, columns: int) -> Iterator[int]:
    return (r * _MAX_COLUMNS + c for r in range(row, row + rows) for c in range(column, column + columns))


def _table_rows(parent: Element) -> Iterator[tuple[Element, bool]]:
    for element in parent:
        if local(element) == "table-row":
            yield element, attribute(element, "visibility") in ("collapse", "filter")
        elif local(element) in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _table_rows(element)


def _repeats(element: Element, name: str) -> int:
    said = attribute(element, name, "1")
    return int(said) if said.isdecimal() and len(said) < 8 else 1


# -- .xls ----------------------------------------------------------------------------------------

_FORMAT, _XF, _SHEET_BEGINS, _MULTIPLE, _SHEET = 0x041E, 0x00E0, 0x0809, 0x00BD, 0x0085
_SINGLE = frozenset((0x0203, 0x027E, 0x0006))  # NUMBER, RK, FORMULA: row, column, style ([MS-XLS] 2.4)


def _binary_facts(data: bytes) -> list[Facts]:
    """What is known of the sheets of the newer binary format (BIFF8); [] if the container cannot be read."""
    try:
        return _records_facts(stream(opened(data), "Workbook"))
    except (LoadError, ModuleNotFoundError, ValueError, LookupError, struct.error):
        return []  # calamine reads the values all the same


def _records_facts(workbook: bytes) -> list[Facts]:
    own: dict[int, str] = {}
    styles: list[int] = []
    begins: list[int] = []  # offsets in the stream at which the sheets begin, in the order of the workbook
    found: dict[int, Facts] = {}
    now: Facts | None = None
    for at, kind, body in _records(workbook):
        if kind == _FORMAT:
            own[int.from_bytes(body[:2], "little")] = _format_text(body)
        elif kind == _XF:
            styles.append(int.from_bytes(body[2:4], "little"))
        elif kind == _SHEET:
            begins.append(int.from_bytes(body[:4], "little"))
        elif kind == _SHEET_BEGINS:
            now = found.setdefault(at, Facts()) if at in begins else None  # a chart within a sheet ends it too
        elif now is not None and kind in _SINGLE:
            row, column, style = struct.unpack_from("<3H", body)
            _keep(now, row, column, style, styles, own)
        elif now is not None and kind == _MULTIPLE:
            row, column = struct.unpack_from("<2H", body)
            for number in range((len(body) - 6) // 6):
                _keep(now, row, column + number, struct.unpack_from("<H", body, 4 + 6 * number)[0], styles, own)
    return [found.get(begin, Facts()) for begin in begins]


def _keep(facts: Facts, row: int, column: int, style: int, styles: list[int], own: dict[int, str]) -> None:
    code = _code(styles[style], own) if style < len(styles) else ""
    if code and len(facts.codes) < _MAX_CELLS:
        facts.codes[row * _MAX_COLUMNS + column] = code


def _records(workbook: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at + 4 <= len(workbook):
        kind, size = struct.unpack_from("<2H", workbook, at)
        yield at, kind, workbook[at + 4 : at + 4 + size]
        at += 4 + size


def _format_text(body: bytes) -> str:
    count, wide = int.from_bytes(body[2:4], "little"), body[4] & 1
    return body[5 : 5 + count * (2 if wide else 1)].decode("utf-16-le" if wide else "latin-1", "replace")
