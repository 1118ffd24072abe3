"""Doors to files: bytes in, a `Document` out. One module a format family, imported at its first file."""

from __future__ import annotations

from pathlib import Path

from ragkit.errors import UnsupportedFormat
from ragkit.types import Document

SUFFIXES = {
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
VERSION = "1"  # of what the readers make of the same bytes; a new one has every file read again


def media_type(path: Path) -> str | None:
    """By the name alone; None: there is no reader. `x.rst.txt` is reStructuredText (Sphinx names it so)."""
    found = SUFFIXES.get(path.suffix.lower())
    inner = SUFFIXES.get(Path(path.stem).suffix.lower())
    return inner if found == "text/plain" and inner in ("text/markdown", "text/x-rst") else found


def parse(path: Path, data: bytes, media_type: str) -> Document:
    """The text of `data`; `path` only names it. Run on files of strangers, this may crash or hang.

    Raises LoadError: the file is not what its name says, holds no text, or is locked.
    """
    if media_type == "application/pdf":
        from ragkit.loaders.pdf import read_pdf

        return read_pdf(str(path), data)
    if media_type == "text/html":
        from ragkit.loaders.html import read_html

        return read_html(str(path), data)
    if media_type in SUFFIXES.values():
        from ragkit.loaders.text import read_text

        return read_text(str(path), data, media_type)
    raise UnsupportedFormat("There is no reader for {media_type}.", media_type=media_type)
