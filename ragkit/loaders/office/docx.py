"""Word documents (.docx): text in reading order, with headings, numbering, tables, notes and comments.

Read from the XML itself: python-docx leaves out footnotes, comments, text boxes, content controls and
numbering, and refuses the strict form (ECMA-376, part 1, chapter 17).
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from ragkit.loaders.building.document_builder import DocumentBuilder, one_line
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.office.docx_numbering import Numbering
from ragkit.loaders.office.docx_styles import Styles, heading_level
from ragkit.loaders.office.docx_tables import write_table
from ragkit.loaders.office.docx_text import NOT_READ, Beside, TextReader, chosen
from ragkit.loaders.office.drawings import add_figure
from ragkit.loaders.office.packages import (
    Package,
    add_embedded,
    add_picture,
    attribute,
    first,
    local,
    note_unread_media,
    properties,
    value_of,
)
from ragkit.loaders.reasons import PART_DAMAGED, TRACKED_CHANGES
from ragkit.loaders.text.html import read_page
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError, NoText


def read_word(source: str, data: bytes, context: ReadContext) -> Document:
    """Lines are those of the text: the format has none. Raises NoText, LoadError."""
    package = Package(data)
    builder = DocumentBuilder(context.pictures)
    title, author, date = properties(package.optional_xml("docProps/core.xml", builder))
    word = _WordFile(package, builder)
    body = first(package.xml(word.main), "body")
    if body is None:
        raise LoadError(PART_DAMAGED, name=word.main)
    writer = _Writer(word, builder)
    writer.write_blocks(body)
    _add_running_titles(word, writer)
    if word.text.changes:
        builder.note(TRACKED_CHANGES.fill(count=word.text.changes))
    note_unread_media(package, builder)
    add_embedded(package, builder, context)
    return builder.document(source, context.media_type, title or writer.title, author=author, date=date)


class _WordFile:
    """The package, and what its parts say about the text of the main part.

    `builder` takes the notes of parts that cannot be read.
    """

    def __init__(self, package: Package, builder: DocumentBuilder) -> None:
        self.package = package
        self.main = package.main_part("word/document.xml")
        self.relations = package.relations(self.main)
        self.styles = Styles(self._part("styles", builder))
        self.numbering = Numbering(self._part("numbering", builder))
        self.text = TextReader(self.relations)
        for kind in ("footnotes", "endnotes", "comments"):
            self.text.learn_notes(kind, self._part(kind, builder))

    def _part(self, kind: str, builder: DocumentBuilder) -> Element | None:
        for relation in self.relations.values():
            if relation.kind == kind:
                return self.package.optional_xml(relation.target, builder)
        return None


class _Writer:
    """Writes paragraphs and tables into one builder; a cell of a table gets a writer of its own."""

    def __init__(self, word: _WordFile, builder: DocumentBuilder) -> None:
        self.builder = builder
        self.title = ""  # the first heading in the style of a title
        self._word = word

    def write_blocks(self, parent: Element) -> None:
        for element in parent:
            name = local(element)
            if name == "p":
                self._write_paragraph(element)
            elif name == "tbl":
                write_table(element, self.builder, self._word.styles, self._read_cell)
            elif name == "altChunk":
                self._write_other_format(element)
            elif name == "AlternateContent":
                self.write_blocks(chosen(element))
            elif name not in NOT_READ:  # content controls, smart tags, insertions: what they hold
                self.write_blocks(element)

    def _write_paragraph(self, paragraph: Element) -> None:
        beside = Beside()
        text = self._word.text.text(paragraph, beside).strip()
        if text:
            self._write_text(paragraph, text)
        for note in beside.notes:
            self.builder.add(note)
        for box in beside.boxes:
            self.write_blocks(box)
        for part in beside.figures:
            add_figure(self._word.package, part, self.builder)
        for part in beside.pictures:
            add_picture(self._word.package, part, self.builder)

    def _write_text(self, paragraph: Element, text: str) -> None:
        """Write the text of a paragraph behind its number, as a heading if it is one."""
        style = value_of(paragraph, "pPr", "pStyle")
        number = self._word.numbering.label(*self._list_place(paragraph, style))
        whole = f"{number} {text}" if number.strip() else text
        level = self._level(paragraph, style)
        if level is not None:
            self.builder.blank()
            self.builder.head(level, one_line(whole))
            if self._word.styles.is_title(style):
                self.title = self.title or one_line(whole)
            return
        if not number:
            self.builder.blank()
        self.builder.add(whole)

    def _list_place(self, paragraph: Element, style: str) -> tuple[str, int]:
        """The id of the list that the paragraph is an item of ("": none), and how deep in it."""
        own = first(paragraph, "pPr", "numPr")
        list_id, level = value_of(own, "numId"), value_of(own, "ilvl")
        if own is None:
            list_id, level = self._word.styles.numbering(style)
        return list_id, int(level) if level.isdecimal() else 0

    def _level(self, paragraph: Element, style: str) -> int | None:
        """The level of a heading, 1 is the highest; None: the paragraph is no heading."""
        own = value_of(paragraph, "pPr", "outlineLvl")
        return heading_level(own) if own.isdecimal() else self._word.styles.level(style)

    def _read_cell(self, cell: Element) -> tuple[str, list[bytes]]:
        """The paragraphs and tables of a cell on one line, and its pictures."""
        inner = _Writer(self._word, DocumentBuilder(self.builder.pictures))
        inner.write_blocks(cell)
        for message in inner.builder.notes:
            self.builder.note(message)
        lines = (line.strip() for line in inner.builder.text().split("\n"))
        return " ; ".join(filter(None, lines)), [picture.data for picture in inner.builder.placed]

    def _write_other_format(self, element: Element) -> None:
        """Write a piece in HTML or plain text that Word would take over when it opens the file."""
        relation = self._word.relations.get(attribute(element, "id"))
        if relation is None or not self._word.package.has(relation.target):
            return
        try:
            self.builder.blank()
            self.builder.add(read_page(self._word.package.data(relation.target)).text)
        except NoText:
            return
        except LoadError as exc:
            self.builder.note(exc.message)


def _add_running_titles(word: _WordFile, main: _Writer) -> None:
    """Add headers and footers at the end, each text once, as they belong to no place in the text."""
    seen = set()
    for relation in word.relations.values():
        if relation.kind not in ("header", "footer"):
            continue
        root = word.package.optional_xml(relation.target, main.builder)
        if root is None:
            continue
        inner = _Writer(word, DocumentBuilder())
        inner.write_blocks(root)
        main.title = main.title or inner.title
        text = one_line(inner.builder.text())
        if text and not text.isdecimal() and text not in seen:
            seen.add(text)
            main.builder.blank()
            main.builder.add(text)
