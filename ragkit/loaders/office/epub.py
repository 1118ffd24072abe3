"""Books (.epub): the chapters in the order of the spine, each of which is a page of HTML (EPUB 3.3)."""

from __future__ import annotations

import posixpath
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder, clean, one_line
from ragkit.loaders.building.nested_files import unread
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.office.packages import (
    Package,
    accepted_picture,
    attribute,
    descendants,
    first,
    note_unread_pictures,
    properties,
    within,
)
from ragkit.loaders.text.html import read_page
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError, NoText

if TYPE_CHECKING:
    from ragkit.loaders.building.picture_collector import PictureCollector

_PAGES = ("application/xhtml+xml", "text/html", "text/x-oeb1-document")


def read_epub(source: str, data: bytes, context: ReadContext) -> Document:
    """A place is a line of the file of its chapter. Raises NoText, LoadError."""
    package = Package(data)
    if package.has("META-INF/rights.xml"):
        raise LoadError(coded("locked_book", "The book is locked by its seller (DRM)."))
    root = next(descendants(package.xml("META-INF/container.xml"), "rootfile"), None)
    part = attribute(root, "full-path") if root is not None else ""
    content = package.xml(part)
    builder = DocumentBuilder(context.pictures)
    files = {
        attribute(item, "id"): (
            posixpath.normpath(posixpath.join(posixpath.dirname(part), unquote(attribute(item, "href")))),
            attribute(item, "media-type"),
        )
        for item in within(content, "manifest", "item")
    }
    pictures = [name for name, kind in files.values() if kind.startswith("image/")]
    for entry in within(content, "spine", "itemref"):
        name, kind = files.get(attribute(entry, "idref"), ("", ""))
        if kind in _PAGES and name:
            _add_chapter(package, name, builder)
    note_unread_pictures(package, pictures, builder)
    title, author, date = properties(first(content, "metadata"))
    return builder.document(source, context.media_type, title, author=author, date=date)


def _add_chapter(package: Package, name: str, builder: DocumentBuilder) -> None:
    pictures = builder.pictures
    picture_at = None if pictures is None else partial(_picture, package, name, pictures)
    try:
        chapter = read_page(package.data(name), pictures, picture_at)
    except NoText:
        return  # it is a cover, or holds a picture alone
    except LoadError as exc:
        builder.note(unread(name, exc.message))
        return
    placed = pictures.placed if pictures is not None else []
    builder.blank()
    if not chapter.headings and chapter.title:
        builder.mark_heading(1, chapter.title)
        if placed:
            builder.add("")  # the heading stands before the first of them
    builder.include(one_line(clean(name)), chapter, list(chapter.notes), 0, placed, builder.length)


def _picture(package: Package, chapter: str, pictures: PictureCollector, address: str) -> bytes | None:
    """The picture at an address in a chapter, as models take it; None if there is none, or it is left out."""
    part = posixpath.normpath(posixpath.join(posixpath.dirname(chapter), unquote(address.partition("#")[0])))
    if not address or not package.has(part):
        return None
    return accepted_picture(package, part, pictures)
