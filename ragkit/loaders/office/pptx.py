"""Presentations (.pptx): each slide is a page, with its tables, charts, speaker notes and comments.

Read from the XML itself: the strict form, broken relations and damaged pictures stop python-pptx
(ECMA-376, part 1, chapter 19).
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.building.tables import row_text
from ragkit.loaders.office.drawings import add_figure, figure_parts, paragraph_text, picture_parts
from ragkit.loaders.office.packages import (
    Package,
    Relation,
    add_embedded,
    add_picture,
    descendants,
    first,
    local,
    note_unread_media,
    properties,
    within,
)
from ragkit.loaders.reasons import HIDDEN_SLIDES
from ragkit.types.documents import Document, Page
from ragkit.types.errors import LoadError

_TITLES = ("title", "ctrTitle")
_NOT_READ = ("sldNum", "dt", "sldImg", "hdr")  # placeholders that hold no words of their own


def read_slides(source: str, data: bytes, context: ReadContext) -> Document:
    """A place is a slide. Raises NoText, LoadError."""
    package = Package(data)
    builder = DocumentBuilder(context.pictures)
    title, author, date = properties(package.optional_xml("docProps/core.xml", builder))
    hidden = []
    for number, part in enumerate(_slides(package), 1):
        builder.blank()
        start = builder.length
        try:
            if _add_slide(package, part, builder):
                hidden.append(number)
        except LoadError as exc:
            builder.note(coded("slide_not_read", "Slide {number} was not read: {why}", number=number, why=exc.message))
        if builder.length > start:
            builder.pages.append(Page(number, start, builder.length, "slide"))
    _add_masters(package, builder)
    if hidden:
        names = ", ".join(map(str, hidden))
        builder.note(HIDDEN_SLIDES.fill(numbers=names))
    note_unread_media(package, builder)
    add_embedded(package, builder, context)
    return builder.document(source, context.media_type, title, author=author, date=date)


def _slides(package: Package) -> list[str]:
    """The parts of the slides in the order in which they are shown."""
    main = package.main_part("ppt/presentation.xml")
    relations = package.relations(main)
    order = first(package.xml(main), "sldIdLst")
    found = []
    for entry in order if order is not None else ():
        names = [value for key, value in entry.items() if key.endswith("}id")]
        relation = relations.get(names[0]) if names else None
        if relation is not None:
            found.append(relation.target)
    return found


def _add_masters(package: Package, builder: DocumentBuilder) -> None:
    """Add what layouts and masters put on every slide of a kind, each text once, on no page.

    The prompts of their placeholders are left out.
    """
    seen = set()
    for part in package.names(r"ppt/slide(?:Layouts|Masters)/[^/]+\.xml"):
        tree = first(package.optional_xml(part, builder), "cSld", "spTree")
        for shape in _shapes(tree) if tree is not None else ():
            text = "\n".join(_paragraphs(shape)) if not _kind(shape) else ""
            if text and text not in seen:
                seen.add(text)
                builder.blank()
                builder.add(text)


def _add_slide(package: Package, part: str, builder: DocumentBuilder) -> bool:
    """Add a slide with its notes and comments; returns whether it is hidden in the show."""
    root = package.xml(part)
    relations = package.relations(part)
    tree = first(root, "cSld", "spTree")
    if tree is not None:
        shapes = list(_shapes(tree))
        for shape in sorted(shapes, key=lambda shape: _kind(shape) not in _TITLES):  # titles first
            _add_shape(package, shape, relations, builder)
    for relation in relations.values():
        if relation.kind == "notesSlide":
            _add_notes(package, relation.target, builder)
        elif relation.kind == "comments":
            _add_comments(package, relation.target, builder)
    return root.get("show") in ("0", "false")


def _shapes(parent: Element) -> Iterator[Element]:
    for element in parent:
        name = local(element)
        if name in ("sp", "graphicFrame", "pic", "cxnSp"):
            yield element
        elif name == "AlternateContent":
            yield from _shapes(next(iter(element), element))
        elif name == "grpSp":
            yield from _shapes(element)


def _kind(shape: Element) -> str:
    """The kind of a placeholder; "" for a shape that is none."""
    return next((one.get("type", "body") for one in descendants(shape, "ph")), "")


def _add_shape(package: Package, shape: Element, relations: dict[str, Relation], builder: DocumentBuilder) -> None:
    kind = _kind(shape)
    if kind in _NOT_READ:
        return
    texts = list(_paragraphs(shape)) if local(shape) != "graphicFrame" else []
    if kind in _TITLES and texts:
        builder.head(1, " ".join(texts))
        return
    if local(shape) == "pic" and not texts:
        texts = [one.get("descr", "") for one in descendants(shape, "cNvPr") if one.get("descr")]
    if texts:
        builder.blank()
        builder.add("\n".join(texts))
    for table in descendants(shape, "tbl"):
        _add_table(table, builder)
    for part in figure_parts(shape, relations):
        add_figure(package, part, builder)
    for part in picture_parts(shape, relations):
        add_picture(package, part, builder)


def _paragraphs(shape: Element) -> Iterator[str]:
    """The paragraphs of a shape, indented by their level."""
    for body in descendants(shape, "txBody"):
        for paragraph in within(body, "p"):
            text = paragraph_text(paragraph)
            level = first(paragraph, "pPr")
            depth = level.get("lvl", "0") if level is not None else "0"
            if text:
                yield "  " * (int(depth) if depth.isdecimal() and len(depth) == 1 else 0) + text


def _add_table(table: Element, builder: DocumentBuilder) -> None:
    """Add a line for each row; a merged cell stands in every row that it covers."""
    builder.blank()
    properties = first(table, "tblPr")
    has_header = properties is not None and properties.get("firstRow") in ("1", "true")
    names: list[str] = []
    above: dict[int, str] = {}
    for row in within(table, "tr"):
        cells = []
        for column, cell in enumerate(within(row, "tc")):
            text = " ; ".join(filter(None, (paragraph_text(p) for p in descendants(cell, "p"))))
            if cell.get("vMerge") in ("1", "true"):
                text = text or above.get(column, "")
            above[column] = text
            cells.append("" if cell.get("hMerge") in ("1", "true") else text)
        if any(cells):
            builder.add(row_text(cells, names))
            if has_header and not names and sum(map(bool, cells)) > 1:
                names = cells
    builder.blank()


def _add_notes(package: Package, part: str, builder: DocumentBuilder) -> None:
    root = package.optional_xml(part, builder)
    tree = first(root, "cSld", "spTree")
    for shape in _shapes(tree) if tree is not None else ():
        texts = list(_paragraphs(shape)) if _kind(shape) not in _NOT_READ else []
        if texts:
            builder.blank()
            builder.add("\n".join(texts))


def _add_comments(package: Package, part: str, builder: DocumentBuilder) -> None:
    root = package.optional_xml(part, builder)
    for comment in descendants(root, "cm") if root is not None else ():
        text = next((one.text for one in within(comment, "text") if one.text), "") or " ".join(
            filter(None, (paragraph_text(p) for p in descendants(comment, "p")))
        )
        if text:
            builder.add(f"({text})")
