"""Word documents (.docx): text in reading order, with headings, numbering, tables, notes and comments.

Read from the XML itself: python-docx leaves out footnotes, comments, text boxes, content controls and
numbering, and refuses the strict form (ECMA-376, part 1, chapter 17).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from ragkit.loaders.building.document_builder import DocumentBuilder, one_line
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.building.tables import header_at, row_text
from ragkit.loaders.office.docx_numbering import Numbering
from ragkit.loaders.office.drawings import add_figure, paragraph_text, picture_parts
from ragkit.loaders.office.packages import (
    Package,
    add_embedded,
    add_picture,
    attribute,
    descendants,
    first,
    local,
    note_unread_media,
    properties,
    value_of,
    within,
)
from ragkit.loaders.reasons import PART_DAMAGED, TRACKED_CHANGES
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError, NoText

_HEADING = re.compile(r"(?:heading|标题|標題|überschrift|titre|título|見出し|제목)\s*([1-9])", re.IGNORECASE)
_TITLES = ("title", "标题", "標題")
_BODY_LEVEL = 9  # an outline level that says "no heading"
_NOT_READ = frozenset(
    "del moveFrom instrText delText delInstrText pPr rPr tblPr tblGrid trPr tcPr sectPr sdtPr sdtEndPr "
    "fldData proofErr rt drawing_ annotationRef".split()
)
_ON = ("1", "true", "on")
_MAX_SPANNED = 100  # columns of one cell
_FIRST_ROW = 0x0020  # of a table's look: the first row is another
_HIDDEN_MARKS = ("softHyphen", "lastRenderedPageBreak")


@dataclass
class _Notes:
    """What the paragraph refers to, to be written after it."""

    texts: list[str] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)  # of charts and diagrams
    pictures: list[str] = field(default_factory=list)  # their parts


def read_word(source: str, data: bytes, context: ReadContext) -> Document:
    """Lines are those of the text: the format has none. Raises NoText, LoadError."""
    package = Package(data)
    builder = DocumentBuilder(context.pictures)
    title, author, date = properties(package.optional_xml("docProps/core.xml", builder))
    reader = _Reader(package, builder)
    reader.read()
    add_embedded(package, builder, context)
    return builder.document(source, context.media_type, title or reader.title, author=author, date=date)


class _Reader:
    def __init__(self, package: Package, builder: DocumentBuilder) -> None:
        self._package = package
        self._builder = builder
        self._main = package.main_part("word/document.xml")
        self._relations = package.relations(self._main)
        self.title = ""
        self._styles = _Styles(self._part("styles"))
        self._numbering = Numbering(self._part("numbering"))
        self._notes = {kind: self._texts_by_id(kind) for kind in ("footnotes", "endnotes", "comments")}
        self._changes = 0
        self._waiting: list[bytes] = []  # pictures of a table's row

    def read(self) -> None:
        body = first(self._package.xml(self._main), "body")
        if body is None:
            raise LoadError(PART_DAMAGED, name=self._main)
        self._blocks(body)
        self._running_titles()
        if self._changes:
            self._builder.note(TRACKED_CHANGES.fill(count=self._changes))
        note_unread_media(self._package, self._builder)

    # -- blocks ----------------------------------------------------------------------------------

    def _blocks(self, parent: Element) -> None:
        for element in parent:
            name = local(element)
            if name == "p":
                self._paragraph(element)
            elif name == "tbl":
                self._table(element)
            elif name == "altChunk":
                self._other_format(element)
            elif name == "AlternateContent":
                self._blocks(_chosen(element))
            elif name not in _NOT_READ:  # content controls, smart tags, insertions: what they hold
                self._blocks(element)

    def _paragraph(self, paragraph: Element) -> None:
        notes = _Notes()
        text = self._text(paragraph, notes)
        style = value_of(paragraph, "pPr", "pStyle")
        number = self._numbering.label(*self._numbered(paragraph, style)) if text.strip() else ""
        level = self._level(paragraph, style)
        if text.strip():
            whole = f"{number} {text.strip()}" if number.strip() else text.strip()
            if level is not None:
                self._builder.blank()
                self._builder.head(level, one_line(whole))
                self.title = self.title or (one_line(whole) if self._styles.is_title(style) else "")
            else:
                if not number:
                    self._builder.blank()
                self._builder.add(whole)
        self._after(notes)

    def _after(self, notes: _Notes) -> None:
        for text in notes.texts:
            self._builder.add(text)
        for box in notes.boxes:
            self._blocks(box)
        for part in notes.parts:
            add_figure(self._package, part, self._builder)
        for part in notes.pictures:
            add_picture(self._package, part, self._builder)

    def _numbered(self, paragraph: Element, style: str) -> tuple[str, int]:
        """The list that it is an item of ("": none), and how deep."""
        own = first(paragraph, "pPr", "numPr")
        found, level = value_of(own, "numId"), value_of(own, "ilvl")
        if own is None:
            found, level = self._styles.numbering(style)
        return found, int(level) if level.isdecimal() else 0

    def _level(self, paragraph: Element, style: str) -> int | None:
        """1 is the highest; None: it is no heading."""
        own = value_of(paragraph, "pPr", "outlineLvl")
        if own.isdecimal():
            return int(own) + 1 if int(own) < _BODY_LEVEL else None
        return self._styles.level(style)

    def _table(self, table: Element) -> None:
        """A line a row. What was merged downwards stands in every row, so that each can be read alone."""
        self._builder.blank()
        above: dict[int, str] = {}
        names: list[str] = []
        is_first = True
        for row in _rows(table):
            cells = self._cells(row, above)
            if not any(cells):
                self._show_waiting()
                continue
            is_header = first(row, "trPr", "tblHeader") is not None or (
                is_first and self._stands_out(table, row, cells)
            )
            is_first = False
            self._builder.add(row_text(cells, [] if is_header else names))
            self._show_waiting()
            if is_header:
                names = cells
        self._builder.blank()

    def _show_waiting(self) -> None:
        """The pictures of the cells of a row, after it."""
        for data in self._waiting:
            self._builder.picture(data)
        self._waiting.clear()

    def _stands_out(self, table: Element, row: Element, cells: list[str]) -> bool:
        """Whether the first row is bold from end to end, by itself or by the table's style, and names columns."""
        if header_at([cells, cells]) is None:
            return False
        look = first(table, "tblPr", "tblLook")
        style = value_of(table, "tblPr", "tblStyle")
        if look is not None and _has_first_row(look) and self._styles.has_bold_first_row(style):
            return True
        runs = [run for run in descendants(row, "r") if any(text.text for text in within(run, "t"))]
        return all(_is_bold(run) for run in runs)

    def _cells(self, row: Element, above: dict[int, str]) -> list[str]:
        """One for each column of the table: a cell that spans several stands in its first."""
        before = value_of(row, "trPr", "gridBefore")
        cells = [""] * _span(before, least=0)
        for cell in _grown(row, "tc"):
            column = len(cells)
            merged = first(cell, "tcPr", "vMerge")
            text = self._cell(cell)
            if merged is not None and attribute(merged, "val") != "restart":
                text = text or above.get(column, "")
            above[column] = text
            cells += [text, *[""] * (_span(value_of(cell, "tcPr", "gridSpan"), least=1) - 1)]
        return cells

    def _cell(self, cell: Element) -> str:
        """Its paragraphs and tables on one line."""
        inner = _Reader.__new__(_Reader)
        inner.__dict__.update(self.__dict__)
        inner._builder = DocumentBuilder(self._builder.pictures)
        inner._waiting = []
        inner._blocks(cell)
        self._changes = inner._changes
        self._waiting += (picture.data for picture in inner._builder.placed)
        for message in inner._builder.notes:
            self._builder.note(message)
        return " ; ".join(line.strip() for line in inner._builder.text().split("\n") if line.strip())

    def _other_format(self, element: Element) -> None:
        """A piece in HTML or plain text that Word would take over when it opens the file."""
        relation = self._relations.get(attribute(element, "id"))
        if relation is None or relation.outside or not self._package.has(relation.target):
            return
        from ragkit.loaders.text.html import read_page

        try:
            self._builder.blank()
            self._builder.add(read_page(self._package.data(relation.target)).text)
        except NoText:
            return
        except LoadError as exc:
            self._builder.note(exc.message)

    def _running_titles(self) -> None:
        """Headers and footers, each text once, at the end: they belong to no place in the text."""
        seen = set()
        for relation in self._relations.values():
            if relation.kind in ("header", "footer") and not relation.outside:
                root = self._package.optional_xml(relation.target, self._builder)
                inner = DocumentBuilder()
                if root is not None:
                    outer, self._builder = self._builder, inner
                    self._blocks(root)
                    self._builder = outer
                text = one_line(inner.text())
                if text and not text.isdecimal() and text not in seen:
                    seen.add(text)
                    self._builder.blank()
                    self._builder.add(text)

    # -- text ------------------------------------------------------------------------------------

    def _text(self, element: Element, notes: _Notes) -> str:
        return "".join(self._pieces(element, notes))

    def _pieces(self, parent: Element, notes: _Notes) -> Iterator[str]:
        for element in parent:
            name = local(element)
            if name in ("del", "moveFrom", "ins", "moveTo"):
                self._changes += 1
            if name in _NOT_READ or name in _HIDDEN_MARKS:
                continue
            if name == "t":
                yield element.text or ""
            elif name in ("tab", "ptab"):
                yield "\t"
            elif name in ("br", "cr"):
                yield "\n" if attribute(element, "type") != "page" else ""
            elif name == "noBreakHyphen":
                yield "-"
            elif name in ("footnoteReference", "endnoteReference", "commentReference"):
                yield self._referred(name.removesuffix("Reference") + "s", attribute(element, "id"), notes)
            elif name == "oMath":
                yield formula(element)
            elif name == "AlternateContent":
                yield from self._pieces(_chosen(element), notes)
            elif name in ("drawing", "pict", "object"):
                yield self._picture(element, notes)
            elif name == "tbl":  # some programs put a table into a run
                notes.boxes.append(_holder(element))
            else:
                yield from self._pieces(element, notes)

    def _referred(self, kind: str, name: str, notes: _Notes) -> str:
        text = self._notes[kind].get(name, "")
        if not text:
            return ""
        if kind == "comments":
            notes.texts.append(text)
            return ""
        mark = f"[^{'e' if kind == 'endnotes' else ''}{name}]"
        notes.texts.append(f"{mark} {text}")
        return mark

    def _picture(self, element: Element, notes: _Notes) -> str:
        """What stands for it in the text: the words of its description."""
        for box in descendants(element, "txbxContent"):
            notes.boxes.append(box)
        for relation in self._figures(element):
            notes.parts.append(relation)
        notes.pictures += picture_parts(element, self._relations, but_in="txbxContent")
        if any(True for _ in descendants(element, "txbxContent")):
            return ""
        words = next((attribute(one, "descr") for one in descendants(element, "docPr") if attribute(one, "descr")), "")
        shapes = [paragraph_text(p) for body in descendants(element, "txBody") for p in descendants(body, "p")]
        return " ".join(filter(None, [one_line(words), *shapes]))

    def _figures(self, element: Element) -> Iterator[str]:
        for reference in descendants(element, "chart", "relIds"):
            relation = self._relations.get(attribute(reference, "id") or attribute(reference, "dm"))
            if relation is not None and not relation.outside:
                yield relation.target

    def _part(self, kind: str) -> Element | None:
        for relation in self._relations.values():
            if relation.kind == kind and not relation.outside:
                return self._package.optional_xml(relation.target, self._builder)
        return None

    def _texts_by_id(self, kind: str) -> dict[str, str]:
        root = self._part(kind)
        found = {}
        for note in root if root is not None else ():
            words = [one_line(self._text(p, _Notes())) for p in descendants(note, "p")]
            text = " ".join(filter(None, words))
            if text and attribute(note, "type") not in ("separator", "continuationSeparator"):
                author = attribute(note, "author")
                found[attribute(note, "id")] = f"({author}: {text})" if kind == "comments" and author else text
        return found


class _Styles:
    """The paragraph styles: which are headings, and which number what they are put on."""

    def __init__(self, root: Element | None) -> None:
        self._by_id = (
            {attribute(style, "styleId"): style for style in within(root, "style")} if root is not None else {}
        )

    def level(self, style: str) -> int | None:
        for element in self._chain(style):
            named = _HEADING.match(value_of(element, "name"))
            if named:
                return int(named[1])
            if value_of(element, "name").casefold() in _TITLES:
                return 1
            outline = value_of(element, "pPr", "outlineLvl")
            if outline.isdecimal():
                return int(outline) + 1 if int(outline) < _BODY_LEVEL else None
        return int(found[1]) if (found := _HEADING.match(style)) else None

    def is_title(self, style: str) -> bool:
        return any(value_of(element, "name").casefold() in _TITLES for element in self._chain(style))

    def numbering(self, style: str) -> tuple[str, str]:
        for element in self._chain(style):
            own = first(element, "pPr", "numPr")
            if own is not None:
                return value_of(own, "numId"), value_of(own, "ilvl")
        return "", ""

    def has_bold_first_row(self, style: str) -> bool:
        return any(
            _is_bold(part)
            for element in self._chain(style)
            for part in within(element, "tblStylePr")
            if attribute(part, "type") == "firstRow"
        )

    def _chain(self, style: str) -> Iterator[Element]:
        """The style and those that it is based on."""
        seen: set[str] = set()
        while style in self._by_id and style not in seen:
            seen.add(style)
            yield self._by_id[style]
            style = value_of(self._by_id[style], "basedOn")


def _has_first_row(look: Element) -> bool:
    said = attribute(look, "val", "0")
    digits = said if said and not said.strip("0123456789abcdefABCDEF") else "0"
    return attribute(look, "firstRow") in _ON or bool(int(digits, 16) & _FIRST_ROW)


def _span(said: str, *, least: int) -> int:
    return max(int(said), least) if said.isdecimal() and int(said) < _MAX_SPANNED else least


def _is_bold(element: Element) -> bool:
    bold = first(element, "rPr", "b")
    return bold is not None and attribute(bold, "val", "1") in _ON


def formula(element: Element) -> str:
    """A formula on one line: fractions as (a)/(b), indices as a_(b) and a^(b)."""
    name = local(element)
    if name in ("t", "r") and name == "t":
        return element.text or ""
    parts = {local(child): formula(child) for child in element if not local(child).endswith("Pr")}
    if name == "f":
        return f"({parts.get('num', '')})/({parts.get('den', '')})"
    if name in ("sSup", "sSub", "sSubSup"):
        below = f"_({parts['sub']})" if "sub" in parts else ""
        above = f"^({parts['sup']})" if "sup" in parts else ""
        return parts.get("e", "") + below + above
    if name == "rad":
        return f"√({parts.get('e', '')})"
    if name == "nary":
        sign = value_of(element, "naryPr", "chr") or "∫"
        return f"{sign}_({parts.get('sub', '')})^({parts.get('sup', '')}) {parts.get('e', '')}"
    return "".join(formula(child) for child in element if not local(child).endswith("Pr"))


def _chosen(element: Element) -> Element:
    """Of the same thing in several forms the newest, unless only an older one holds text."""
    choices = [child for child in element if local(child) in ("Choice", "Fallback")]
    with_text = [one for one in choices if any(part.text for part in descendants(one, "t"))]
    return (with_text or choices or [element])[0]


def _rows(table: Element) -> Iterator[Element]:
    return _grown(table, "tr")


def _grown(parent: Element, name: str) -> Iterator[Element]:
    """The children of that name, also those inside content controls and tracked insertions."""
    for element in parent:
        if local(element) == name:
            yield element
        elif local(element) in ("sdt", "sdtContent", "ins", "customXml", "smartTag", "moveTo"):
            yield from _grown(element, name)


def _holder(element: Element) -> Element:
    holder = Element("holder")
    holder.append(element)
    return holder
