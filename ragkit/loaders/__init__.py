"""Doors to files: bytes in, a `Document` out. One module a format family; each is imported at its
first use, inside the process that reads files (`sandbox`)."""

from __future__ import annotations

from pathlib import Path

from ragkit.types import Document

MEDIA_TYPES = {
    ".txt": "text/plain",
    ".text": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".rst": "text/x-rst",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".pdf": "application/pdf",
}
VERSION = 1  # a change of what the readers give for the same bytes: all files are read again


def media_type(path: Path) -> str | None:
    """The media type by suffix; None: there is no reader."""
    return MEDIA_TYPES.get(path.suffix.lower())


def parse(source: str, data: bytes, media_type: str) -> Document:
    """The document in `data`. Raises LoadError; a hostile file may do worse: see `sandbox`."""
    if media_type == "application/pdf":
        from ragkit.loaders.pdf import read_pdf

        return read_pdf(source, data)
    if media_type == "text/html":
        from ragkit.loaders.html import read_html

        return read_html(source, data)
    from ragkit.loaders.text import read_text

    return read_text(source, data, media_type)
