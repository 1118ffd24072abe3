"""What may be unpacked from a ZIP archive, also one that a document is packed in."""

from __future__ import annotations

import lzma
import zipfile
import zlib

from ragkit.i18n.messages import coded
from ragkit.loaders.files.access import MB
from ragkit.loaders.reasons import TOO_MUCH_INSIDE
from ragkit.types.errors import LoadError

_MAX_MEMBERS = 5_000
_MAX_RATIO = 200  # unpacked to packed bytes; text reaches 20, a bomb 1000
_HARMLESS_BYTES = 10 * MB  # unpacked; the ratio of less says nothing
FAILURES = (  # the library raises these on damaged archives
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
)


def check_members(members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    """Raises LoadError, before anything is unpacked, if the files are too many, more than `max_bytes`, or a bomb."""
    if len(members) > _MAX_MEMBERS:
        raise LoadError(
            coded("too_many_parts", "It has more parts than are read ({found}, at most {most})."),
            found=len(members),
            most=_MAX_MEMBERS,
        )
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > _HARMLESS_BYTES and unpacked > packed * _MAX_RATIO:
        raise LoadError(
            coded("archive_bomb", "It unpacks to {count} MB out of hardly anything; it was not unpacked."),
            count=unpacked // MB,
        )
    if unpacked > max_bytes:
        raise LoadError(TOO_MUCH_INSIDE)
