"""Books (.epub): the chapters in the order of the spine, each a page of HTML (EPUB 3.3)."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from ragkit.errors import LoadError, NoText
from ragkit.loaders.html import read_html
from ragkit.loaders.lines import Lines, clean, one_line
from ragkit.loaders.packages import Package, attribute, descendants, first, properties, within
from ragkit.loaders.parts import unread
from ragkit.messages import Message
from ragkit.types import Document

_PAGES = ("application/xhtml+xml", "text/html", "text/x-oeb1-document")


def read_epub(source: str, data: bytes, media_type: str) -> Document:
    """A place is a line of the chapter's own file. Raises NoText, LoadError."""
    package = Package(data)
    if package.has("META-INF/rights.xml"):
        raise LoadError("The book is locked by its seller (DRM).")
    root = next(descendants(package.xml("META-INF/container.xml"), "rootfile"), None)
    part = attribute(root, "full-path") if root is not None else ""
    content = package.xml(part)
    lines = Lines()
    files = {
        attribute(item, "id"): (
            posixpath.normpath(posixpath.join(posixpath.dirname(part), unquote(attribute(item, "href")))),
            attribute(item, "media-type"),
        )
        for item in within(content, "manifest", "item")
    }
    pictures = sum(kind.startswith("image/") for _, kind in files.values())
    for entry in within(content, "spine", "itemref"):
        name, kind = files.get(attribute(entry, "idref"), ("", ""))
        if kind in _PAGES and name:
            _add_chapter(package, name, lines)
    if pictures:
        lines.note(Message("Pictures that were not read: {count}.", {"count": pictures}))
    title, author, date = properties(first(content, "metadata"))
    return lines.document(source, media_type, title, author=author, date=date)


def _add_chapter(package: Package, name: str, lines: Lines) -> None:
    try:
        chapter = read_html(name, package.data(name))
    except NoText:
        return  # a cover, a picture
    except LoadError as exc:
        lines.note(unread(name, exc.message))
        return
    lines.blank()
    if not chapter.headings and chapter.title:
        lines.mark_heading(1, chapter.title)
    lines.include(one_line(clean(name)), chapter, list(chapter.notes), 0)
