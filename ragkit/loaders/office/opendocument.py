"""OpenDocument text and presentations (.odt, .odp): content.xml in reading order (OASIS OpenDocument 1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ragkit.loaders.building.document_builder import DocumentBuilder, one_line
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.building.tables import row_text
from ragkit.loaders.office.packages import (
    Package,
    add_picture,
    attribute,
    descendants,
    first,
    holder_of,
    local,
    note_unread_media,
    properties,
    within,
)
from ragkit.loaders.reasons import NEEDS_PASSWORD, TRACKED_CHANGES
from ragkit.types.documents import Document, Page
from ragkit.types.errors import LoadError

_NOT_READ = frozenset("tracked-changes sequence-decls variable-decls user-field-decls forms note-citation".split())
_MAX_REPEATS = 100  # how often a cell or a space is repeated at the most


def read_opendocument(source: str, data: bytes, context: ReadContext) -> Document:
    """A place is a slide of a presentation; in a text, lines are those of the text. Raises NoText, LoadError."""
    package = Package(data)
    if package.has("META-INF/manifest.xml") and any(
        True for _ in descendants(package.xml("META-INF/manifest.xml"), "encryption-data")
    ):
        raise LoadError(NEEDS_PASSWORD)
    builder = DocumentBuilder(context.pictures)
    title, author, date = properties(package.optional_xml("meta.xml", builder))
    body = first(package.xml("content.xml"), "body")
    reader = _Reader(package, builder)
    for part in body if body is not None else ():
        reader.blocks(part, 0)
    note_unread_media(package, builder)
    return builder.document(source, context.media_type, title or reader.title, author=author, date=date)


class _Reader:
    def __init__(self, package: Package, builder: DocumentBuilder) -> None:
        self._package = package
        self._builder = builder
        self._slides = 0
        self.title = ""

    def blocks(self, parent: Element, depth: int) -> None:
        """Write all that stands in `parent`; `depth` is how many lists stand around it."""
        for element in parent:
            name = local(element)
            if name in _NOT_READ:
                if name == "tracked-changes" and len(element):
                    self._builder.note(TRACKED_CHANGES.fill(count=len(element)))
            elif name == "h":
                self._heading(element)
            elif name == "p":
                self._paragraph(element, depth, "")
            elif name in ("list", "list-item", "list-header"):
                self._list(element, depth)
            elif name == "table":
                self._table(element)
            elif name == "page":
                self._slide(element)
            elif name == "image":
                self._picture(element)
            else:
                self.blocks(element, depth)

    def _picture(self, element: Element) -> None:
        add_picture(self._package, attribute(element, "href").removeprefix("./"), self._builder)
        self.blocks(element, 0)

    def _heading(self, element: Element) -> None:
        after: list[Element] = []
        text = one_line(_text(element, after))
        level = attribute(element, "outline-level", "1")
        if text:
            self._builder.blank()
            self._builder.head(int(level) if level.isdecimal() else 1, text)
            self.title = self.title or text
        self._after(after)

    def _paragraph(self, element: Element, depth: int, lead: str) -> None:
        after: list[Element] = []
        text = _text(element, after).strip()
        if text:
            if not depth:
                self._builder.blank()
            self._builder.add("  " * max(depth - 1, 0) + lead + text)
        self._after(after)

    def _after(self, elements: list[Element]) -> None:
        """Write the notes, comments and frames that stand within a paragraph, after it."""
        for element in elements:
            if local(element) == "note":
                body = first(element, "note-body")
                mark = first(element, "note-citation")
                text = one_line(" ".join(_all_text(body))) if body is not None else ""
                if text:
                    self._builder.add(f"[^{''.join(mark.itertext()) if mark is not None else ''}] {text}")
            elif local(element) == "annotation":
                text = one_line(" ".join(_text(p, []) for p in descendants(element, "p")))
                author = first(element, "creator")
                if text:
                    self._builder.add(f"({author.text}: {text})" if author is not None and author.text else f"({text})")
            else:
                self.blocks(element, 0)

    def _list(self, element: Element, depth: int) -> None:
        for child in element:
            if local(child) in ("list-item", "list-header"):
                lead = "- "
                for part in child:
                    if local(part) == "p":
                        self._paragraph(part, depth + 1, lead)
                        lead = "  "
                    elif local(part) == "h":
                        self._heading(part)
                    elif local(part) == "list":
                        self._list(part, depth + 1)
                    else:
                        self.blocks(part, depth + 1)
        if not depth:
            self._builder.blank()

    def _table(self, table: Element) -> None:
        self._builder.blank()
        names: list[str] = []
        for row, is_header in _table_rows(table, in_header=False):
            cells: list[str] = []
            for cell in row:
                if local(cell) in ("table-cell", "covered-table-cell"):
                    text = " ; ".join(filter(None, map(one_line, _all_text(cell))))
                    repeated = attribute(cell, "number-columns-repeated", "1")
                    count = int(repeated) if repeated.isdecimal() else 1
                    cells += [text] * min(count, _MAX_REPEATS)
            if any(cells):
                self._builder.add(row_text(cells, [] if is_header else names))
                names = cells if is_header else names
            for picture in descendants(row, "image"):
                self._picture(picture)
        self._builder.blank()

    def _slide(self, page: Element) -> None:
        self._slides += 1
        self._builder.blank()
        start = self._builder.length
        for shape in sorted(page, key=lambda one: attribute(one, "class") != "title"):
            if attribute(shape, "class") == "title":
                title = one_line(" ".join(_all_text(shape)))
                if title:
                    self._builder.head(1, title)
                continue
            self.blocks(holder_of(shape), 0)
        if self._builder.length > start:
            self._builder.pages.append(Page(self._slides, start, self._builder.length, "slide"))


def _table_rows(parent: Element, *, in_header: bool) -> Iterator[tuple[Element, bool]]:
    for element in parent:
        if local(element) == "table-row":
            yield element, in_header
        elif local(element) in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _table_rows(element, in_header=local(element) == "table-header-rows")


def _all_text(element: Element) -> list[str]:
    """The text of every paragraph within an element."""
    return [_text(p, []) for p in descendants(element, "p", "h")]


def _text(element: Element, after: list[Element]) -> str:
    """The text of a paragraph; notes, comments and frames, which are no text of its own, are added to `after`."""
    pieces = [element.text or ""]
    for child in element:
        name = local(child)
        if name == "s":
            count = attribute(child, "c", "1")
            pieces.append(" " * min(int(count) if count.isdecimal() else 1, _MAX_REPEATS))
        elif name == "tab":
            pieces.append("\t")
        elif name == "line-break":
            pieces.append("\n")
        elif name in ("note", "annotation", "frame", "custom-shape", "g", "rect"):
            if name == "note" and (mark := first(child, "note-citation")) is not None:
                pieces.append(f"[^{''.join(mark.itertext())}]")
            words = next((one.text for one in within(child, "desc") if one.text), "") if name == "frame" else ""
            pieces.append(words)
            after.append(child)
        elif name not in ("annotation-end", "soft-page-break", "bookmark", "title", "desc"):
            pieces.append(_text(child, after))
        pieces.append(child.tail or "")
    return "".join(pieces)
