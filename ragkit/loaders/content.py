"""How the bytes of a file tell its format, whatever its name says.

A sign is a question to a `Content`. `formats.FORMATS` names one for each format that is told by its content.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from functools import cached_property
from typing import TypeAlias

from ragkit.loaders.reasons import DAMAGED_OR_CUT_OFF, NEEDS_PASSWORD
from ragkit.types.errors import LoadError

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # begins the containers of Microsoft's old binary formats
_ZIP_MAGIC = b"PK"
_OLD_SHEET_MAGIC = (b"\x09\x08", b"\x09\x04", b"\x09\x02")  # begins Excel files of before 1993, without a container
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_HTML = rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:!doctype html|html|head|body|table)"
_HEAD_BYTES = 2000
_TEXT_BYTES = 8000  # how many bytes without a NUL make a text
_MAX_DECLARATION_BYTES = 200


class Content:
    """The bytes of a file. What a sign asks for is looked up once, when it is first asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def head(self) -> bytes:
        """The first bytes, without a byte order mark and white space before them."""
        return self.data[:_HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")

    @property
    def is_zip(self) -> bool:
        return self.data.startswith(_ZIP_MAGIC)

    @property
    def is_ole(self) -> bool:
        return self.data.startswith(OLE_MAGIC)

    @cached_property
    def package(self) -> tuple[str, tuple[str, ...]]:
        """The kind that a ZIP package declares itself to be, and the names of its parts if it declares none.

        EPUB declares "application/epub+zip", OpenDocument "text", "presentation", ...; both are empty for a file
        that is no ZIP archive. Raises LoadError if it is damaged.
        """
        if not self.is_zip:
            return "", ()
        try:
            with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
                declared = _declared_kind(archive)
                return declared, () if declared else tuple(archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as exc:
            raise LoadError(DAMAGED_OR_CUT_OFF, why=str(exc)[:200]) from exc

    @cached_property
    def ole_names(self) -> bytes:
        """An OLE container in small letters, which is where the names of its streams are looked for.

        Some programs write these names in small letters. Raises LoadError if the container holds an encrypted file.
        """
        if not self.is_ole:
            return b""
        if _ENCRYPTED in self.data:
            raise LoadError(NEEDS_PASSWORD)
        return self.data.lower()


def _declared_kind(archive: zipfile.ZipFile) -> str:
    """What the part "mimetype" says, for OpenDocument the last word of it without "-template" or "-master"."""
    if "mimetype" not in archive.namelist() or archive.getinfo("mimetype").file_size >= _MAX_DECLARATION_BYTES:
        return ""
    declared = archive.read("mimetype").decode("ascii", "replace").strip()
    if declared == "application/epub+zip":
        return declared
    return declared.rpartition(".")[2].partition("-")[0] if "opendocument" in declared else ""


Sign: TypeAlias = Callable[[Content], bool]


def starts_with(first: bytes) -> Sign:
    return lambda content: content.head.startswith(first)


def has_part(pattern: str) -> Sign:
    """A part of a ZIP package whose whole name matches."""
    return lambda content: any(re.fullmatch(pattern, name, re.IGNORECASE) for name in content.package[1])


def declares(*kinds: str) -> Sign:
    """A ZIP package that declares itself to be of one of these kinds (see `Content.package`)."""
    return lambda content: content.package[0] in kinds


def has_stream(name: str) -> Sign:
    """A stream of this name in an OLE container."""
    return lambda content: name.lower().encode("utf-16-le") + b"\0\0" in content.ole_names


def either(*signs: Sign) -> Sign:
    return lambda content: any(sign(content) for sign in signs)


def is_html(content: Content) -> bool:
    return re.match(_HTML, content.head, re.IGNORECASE) is not None


def is_plain_zip(content: Content) -> bool:
    return content.is_zip and not content.package[0]


def is_text(content: Content) -> bool:
    is_binary = content.is_zip or content.is_ole or content.data.startswith(_OLD_SHEET_MAGIC)
    return not is_binary and b"\0" not in content.data[:_TEXT_BYTES]
