"""Office files, read as what they are: their names are often wrong."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ragkit.i18n.messages import coded
from ragkit.loaders.building.nested_files import ReadContext
from ragkit.loaders.office.ole import MAGIC
from ragkit.loaders.reasons import DAMAGED_OR_CUT_OFF, EMPTY, NEEDS_PASSWORD
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError, NoText

_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_STREAMS = (  # of the old binary formats
    ("WordDocument", "doc"),
    ("PowerPoint Document", "ppt"),
    ("Workbook", "xls"),
    ("Book", "xls"),
)
_PARTS = (  # what a package holds, and what it is then
    (r"word/document\d*\.xml", "docx"),
    (r"ppt/presentation\.xml", "pptx"),
    (r"xl/workbook\.(?:xml|bin)", "xlsx"),
    (r"META-INF/container\.xml", "epub"),
)
_MIMETYPES = {"text": "odt", "presentation": "odp", "spreadsheet": "ods", "graphics": "odt"}
_READERS = {
    "docx": ("office.docx", "read_word"),
    "pptx": ("office.pptx", "read_slides"),
    "xlsx": ("office.sheets", "read_sheets"),
    "xls": ("office.sheets", "read_sheets"),
    "ods": ("office.sheets", "read_sheets"),
    "odt": ("office.opendocument", "read_opendocument"),
    "odp": ("office.opendocument", "read_opendocument"),
    "epub": ("office.epub", "read_epub"),
    "rtf": ("office.rtf", "read_rtf"),
    "doc": ("office.doc", "read_old_word"),
    "ppt": ("office.ppt", "read_old_slides"),
}
# Whose readers place pictures in the text, or read what is embedded.
_SHARING = ("docx", "pptx", "xlsx", "xls", "ods", "odt", "odp", "epub")
_OTHERS = {  # what is no office file at all -> its media type
    "html": "text/html",
    "pdf": "application/pdf",
    "zip": "application/zip",
    "text": "text/plain",
    "xml": "application/xml",
}
FAMILIES = {  # media type -> what a file of that name should be
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/epub+zip": "epub",
    "application/rtf": "rtf",
    "application/msword": "doc",
    "application/vnd.ms-powerpoint": "ppt",
}


def read_office(source: str, data: bytes, media_type: str, unpacking: ReadContext) -> Document:
    """Raises NoText, LoadError; UnsupportedFormat: the library for it is not installed."""
    if not data.strip():
        raise NoText(EMPTY)
    named = FAMILIES[media_type]
    found = _kind(data, named)
    if found in _READERS:
        module, function = _READERS[found]
        reader: Any = getattr(import_module(f"ragkit.loaders.{module}"), function)
        shared = [unpacking] if found in _SHARING else []
        return _noted(reader(source, data, media_type, *shared), named, found)
    other = _OTHERS.get(found)
    if other is None:
        raise LoadError(coded("not_of_suffix", "It is not a .{kind} file, whatever its name says."), kind=named)
    from ragkit.loaders.formats import parse

    document = parse(Path(source), data, other, unpacking)
    return _noted(replace(document, media_type=media_type), named, found)


def _noted(document: Document, named: str, found: str) -> Document:
    if named == found or {named, found} <= {"xls", "xlsx", "ods"}:
        return document
    note = coded("read_by_content", "By its content it is a {found} file; it was read as one.", found=found)
    return replace(document, notes=(note, *document.notes))


def _kind(data: bytes, named: str) -> str:
    """What the bytes are; "": nothing that is known. Raises LoadError: it is locked."""
    head = data[:2000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if data.startswith(b"PK"):
        return _package_kind(data)
    if data.startswith(MAGIC):
        return _container_kind(data, named)
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if head.startswith(b"%PDF-"):
        return "pdf"
    if re.match(rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:!doctype html|html|head|body|table)", head, re.IGNORECASE):
        return "html"
    if head.startswith(b"<?xml"):  # Word 2003 could write one
        return "xml"
    return "text" if b"\0" not in data[:8000] and not data.startswith((b"\x09\x08", b"\x09\x04", b"\x09\x02")) else ""


def _container_kind(data: bytes, named: str) -> str:
    if _ENCRYPTED in data:
        raise LoadError(NEEDS_PASSWORD)
    folded = data.lower()  # some programs write the names in small letters
    kinds = [kind for name, kind in _STREAMS if name.lower().encode("utf-16-le") + b"\0\0" in folded]
    return named if named in kinds else next(iter(kinds), "")  # the others are of files within


def _package_kind(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                declared = archive.read("mimetype").decode("ascii", "replace").strip()
                if declared == "application/epub+zip":
                    return "epub"
                if "opendocument" in declared:
                    return _MIMETYPES.get(declared.rpartition(".")[2].split("-")[0], "")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as exc:
        raise LoadError(DAMAGED_OR_CUT_OFF, why=str(exc)[:200]) from exc
    for pattern, kind in _PARTS:
        if any(re.fullmatch(pattern, name, re.IGNORECASE) for name in names):
            return kind
    return "odt" if "content.xml" in names else "zip"
