"""Spreadsheets (.xlsx, .xlsm, .xlsb, .xls, .ods), read by calamine: a sheet is a page, a row is a line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder, clean, one_line
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.building.tables import Row, write_rows
from ragkit.loaders.office.drawings import add_figure, paragraph_text
from ragkit.loaders.office.packages import Package, add_embedded, attribute, descendants, note_unread_media, properties
from ragkit.loaders.office.sheet_facts import Facts, sheet_facts
from ragkit.loaders.reasons import NEEDS_PASSWORD
from ragkit.types.documents import Document, Page
from ragkit.types.errors import LoadError

_DAY = time(0, 0)
_HIDDEN = coded("hidden_sheets", "Hidden sheets, which were read all the same: {names}.")
_HIDDEN_ROWS = coded("hidden_rows", "Sheets with hidden rows or columns, which were read all the same: {names}.")
_EMPTY = coded("empty_sheets", "Sheets without text: {names}.")


def read_sheets(source: str, data: bytes, context: ReadContext) -> Document:
    """A place is a row of its sheet. Raises NoText, LoadError."""
    package = Package(data) if data.startswith(b"PK") else None  # a bomb is refused here
    book = _opened(data)
    builder = DocumentBuilder()
    known = sheet_facts(package, data, builder)
    hidden: list[str] = []
    with_hidden_rows: list[str] = []
    empty: list[str] = []
    for number, sheet in enumerate(book.sheets_metadata, 1):
        builder.blank()
        start = builder.length
        name = one_line(clean(sheet.name))
        facts = known[number - 1] if number <= len(known) else Facts()
        if not _add_sheet(book, sheet, facts, builder):
            empty.append(name)
        if builder.length > start:
            builder.pages.append(Page(number, start, builder.length, "sheet", name))
        if not str(sheet.visible).endswith(".Visible"):
            hidden.append(name)
        elif (facts.hidden_rows or facts.hidden_columns) and builder.length > start:
            with_hidden_rows.append(name)
    builder.blank()
    for text in dict.fromkeys(text for facts in known for text in facts.printed if text):
        builder.add(text)
    title, author, day = _about(package, builder) if package is not None else ("", "", "")
    for note, names in ((_HIDDEN, hidden), (_HIDDEN_ROWS, with_hidden_rows), (_EMPTY, empty)):
        if names:
            builder.note(note.fill(names=", ".join(names)[:300]))
    if package is not None:
        add_embedded(package, builder, context)
    return builder.document(source, context.media_type, title, author=author, date=day)


def _opened(data: bytes) -> Any:
    import python_calamine

    try:
        return python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except python_calamine.PasswordError as exc:
        raise LoadError(NEEDS_PASSWORD) from exc
    except (python_calamine.CalamineError, python_calamine.ZipError, python_calamine.XmlError) as exc:
        raise LoadError(
            coded("spreadsheet_damaged", "The spreadsheet is damaged ({why})."), why=one_line(str(exc))[:200]
        ) from exc


def _add_sheet(book: Any, about: Any, facts: Facts, builder: DocumentBuilder) -> bool:
    """Add the rows under a heading of the sheet's name; returns whether there are any."""
    import python_calamine

    try:
        sheet = book.get_sheet_by_name(about.name)
        rows = list(_rows(sheet, facts))
    except (python_calamine.CalamineError, python_calamine.XmlError, ValueError) as exc:
        why = one_line(str(exc))[:200]
        builder.note(
            coded("sheet_not_read", "Sheet {name} was not read ({why}).", name=one_line(about.name)[:100], why=why)
        )
        return True
    if not rows:
        return False
    builder.head(1, about.name)
    write_rows(builder, iter(rows))
    return True


def _rows(sheet: Any, facts: Facts) -> Iterator[Row]:
    """The rows that hold something, with their numbers in the sheet; a merged cell stands in all of its rows."""
    if sheet.start is None:
        return
    left = sheet.start[1]
    merged = {
        (row, first[1]): first
        for first, last in sheet.merged_cell_ranges or ()
        if last[0] - first[0] < 1000
        for row in range(first[0] + 1, last[0] + 1)
    }
    values: dict[tuple[int, int], str] = {}
    starts = set(merged.values())
    for number, row in enumerate(sheet.to_python(skip_empty_area=True), sheet.start[0]):
        cells = [facts.shown(number, column, value) or _shown(value) for column, value in enumerate(row, left)]
        for column, text in enumerate(cells, left):
            if (number, column) in starts:
                values[number, column] = text
            elif not text and (number, column) in merged:
                cells[column - left] = values.get(merged[number, column], "")
        if any(cells):
            yield number + 1, cells


def _shown(value: object) -> str:
    """A value as a person reads it: whole numbers without a point, days without midnight."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.15g}" if abs(value) < 1e15 else f"{value:.0f}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == _DAY else value.isoformat(" ", "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)


def _about(package: Package, builder: DocumentBuilder) -> tuple[str, str, str]:
    """Add what stands beside the cells, on no page; returns title, author and date."""
    for part in package.names(r"xl/comments\d*\.xml|xl/comments/comment\d*\.xml"):
        root = package.optional_xml(part, builder)
        for comment in descendants(root, "comment") if root is not None else ():
            text = one_line("".join(t.text or "" for t in descendants(comment, "t")))
            if text:
                builder.add(f"{attribute(comment, 'ref')}: ({text})")
    for part in package.names(r"xl/drawings/drawing\d*\.xml"):
        root = package.optional_xml(part, builder)
        for body in descendants(root, "txBody") if root is not None else ():
            builder.add("\n".join(filter(None, (paragraph_text(p) for p in descendants(body, "p")))))
    for part in package.names(r"xl/charts/chart\d*\.xml|xl/diagrams/data\d*\.xml"):
        add_figure(package, part, builder)
    note_unread_media(package, builder)
    about = "meta.xml" if package.has("meta.xml") else "docProps/core.xml"
    return properties(package.optional_xml(about, builder))
