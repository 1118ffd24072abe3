"""Doors to files: bytes in, a `Document` out. One module a format family, imported at its first file."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragkit.i18n.messages import coded
from ragkit.types.documents import Document
from ragkit.types.errors import UnsupportedFormat

if TYPE_CHECKING:
    from ragkit.loaders.building.nested_files import ReadContext

_OPEN_XML = "application/vnd.openxmlformats-officedocument."
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
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".tab": "text/tab-separated-values",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".ipynb": "application/x-ipynb+json",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".org": "text/org",
    ".tex": "text/x-tex",
    ".latex": "text/x-tex",
    ".xml": "application/xml",
    ".eml": "message/rfc822",
    ".mbox": "application/mbox",
    ".msg": "application/vnd.ms-outlook",
    ".zip": "application/zip",
    **dict.fromkeys((".png", ".apng"), "image/png"),
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "image/jpeg"),
    **dict.fromkeys((".tif", ".tiff"), "image/tiff"),
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    **dict.fromkeys((".docx", ".docm", ".dotx", ".dotm"), _OPEN_XML + "wordprocessingml.document"),
    **dict.fromkeys((".pptx", ".pptm", ".potx", ".potm", ".ppsx", ".ppsm"), _OPEN_XML + "presentationml.presentation"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb"), _OPEN_XML + "spreadsheetml.sheet"),
    **dict.fromkeys((".xls", ".xlt"), "application/vnd.ms-excel"),
    **dict.fromkeys((".odt", ".ott"), "application/vnd.oasis.opendocument.text"),
    **dict.fromkeys((".odp", ".otp"), "application/vnd.oasis.opendocument.presentation"),
    **dict.fromkeys((".ods", ".ots"), "application/vnd.oasis.opendocument.spreadsheet"),
    ".epub": "application/epub+zip",
    ".rtf": "application/rtf",
    **dict.fromkeys((".doc", ".dot"), "application/msword"),
    **dict.fromkeys((".ppt", ".pps"), "application/vnd.ms-powerpoint"),
    ".py": "text/x-python",
    ".pyi": "text/x-python",
    **dict.fromkeys(
        """.js .mjs .cjs .jsx .ts .tsx .java .c .h .cc .cpp .cxx .hh .hpp .cs .go .rs .rb .php .swift .kt .scala
        .lua .pl .r .jl .sh .bash .zsh .ps1 .bat .sql .css .scss .less .toml .ini .cfg .conf .properties
        .vue .proto .graphql .gradle .dart .hs .ex .clj""".split(),
        "text/x-source",
    ),
}
_READERS = {  # (module, its function), which get the path, the bytes and the media type
    "text/csv": ("building.tables", "read_table"),
    "text/tab-separated-values": ("building.tables", "read_table"),
    "application/json": ("text.json", "read_json"),
    "application/x-ndjson": ("text.json", "read_records"),
    "application/x-ipynb+json": ("text.notebook", "read_notebook"),
    "application/x-subrip": ("text.subtitles", "read_subtitles"),
    "text/vtt": ("text.subtitles", "read_subtitles"),
    "text/org": ("text.org_tex", "read_org"),
    "text/x-tex": ("text.org_tex", "read_tex"),
    "application/xml": ("text.org_tex", "read_xml"),
    "text/x-python": ("text.code", "read_code"),
    "text/x-source": ("text.code", "read_code"),
}
_OFFICE = (
    _OPEN_XML + "wordprocessingml.document",
    _OPEN_XML + "presentationml.presentation",
    _OPEN_XML + "spreadsheetml.sheet",
    "application/vnd.ms-excel",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.presentation",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/epub+zip",
    "application/rtf",
    "application/msword",
    "application/vnd.ms-powerpoint",
)
PICTURES = ("image/png", "image/jpeg", "image/tiff", "image/webp", "image/bmp")
_CONTAINERS = {  # their readers also get what the readers of one file share
    "message/rfc822": ("mail.eml", "read_mail"),
    "application/mbox": ("mail.eml", "read_mailbox"),
    "application/vnd.ms-outlook": ("mail.msg", "read_outlook"),
    "application/zip": ("mail.zip", "read_zip"),
    "application/pdf": ("pdf.reader", "read_pdf"),
    **dict.fromkeys(PICTURES, ("images.picture", "read_picture")),
    **dict.fromkeys(_OFFICE, ("office.sniffing", "read_office")),
}
VERSION = "7"  # of what the readers make of the same bytes; a new one has every file read again


def media_type(path: Path) -> str | None:
    """By the name alone; None: there is no reader. `x.rst.txt` is reStructuredText (Sphinx names it so)."""
    found = SUFFIXES.get(path.suffix.lower())
    if found != "text/plain":
        return found
    inner = SUFFIXES.get(Path(path.stem).suffix.lower())
    return inner if inner in ("text/markdown", "text/x-rst") else found


def parse(path: Path, data: bytes, media_type: str, unpacking: ReadContext | None = None) -> Document:
    """The text of `data`; `path` only names it. Run on files of strangers, this may crash or hang.

    `unpacking` tells how pictures are read, and of a file within a file what the one around it has unpacked
    so far.

    Raises LoadError: the file is not what its name says, holds no text, or is locked.
    """
    if media_type == "text/html":
        from ragkit.loaders.text.html import read_html

        return read_html(str(path), data, unpacking.gallery if unpacking else None)
    if media_type in _READERS:
        read: Callable[[str, bytes, str], Document] = _reader(*_READERS[media_type])
        return read(str(path), data, media_type)
    if media_type in _CONTAINERS:
        from ragkit.loaders.building.nested_files import ReadContext

        open_it: Callable[[str, bytes, str, ReadContext], Document] = _reader(*_CONTAINERS[media_type])
        return open_it(str(path), data, media_type, unpacking or ReadContext())
    if media_type in SUFFIXES.values():
        from ragkit.loaders.text.plain import read_text

        return read_text(str(path), data, media_type)
    raise UnsupportedFormat(coded("no_reader_of_type", "There is no reader for {media_type}."), media_type=media_type)


def _reader(module: str, name: str) -> Any:
    return getattr(import_module(f"ragkit.loaders.{module}"), name)
