"""Reads the bytes of one regular file, and says why when the system refuses."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from ragkit.i18n.messages import Message, coded
from ragkit.loaders.reasons import NOT_A_REGULAR_FILE, SYMBOLIC_LINK
from ragkit.types.errors import LoadError

MB = 1 << 20
NOT_UTF8 = coded("name_not_utf8", "Its name is not valid UTF-8; rename it to have it read.")
_PIECE = 1 << 20
_MAX_FILES_LOOKED_AT = 20_000  # files of a folder that are looked at in search of one that was moved
# A FIFO must not block the open, and a link that took the file's place must not be followed.
_WHERE_THE_SYSTEM_HAS_THEM = ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in _WHERE_THE_SYSTEM_HAS_THEM)
_GONE = coded("gone", "The file is gone.")
_NO_PERMISSION = coded("no_permission", "Permission denied.")
_REASONS = {
    errno.ENOENT: _GONE,
    errno.ENOTDIR: _GONE,
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.ELOOP: SYMBOLIC_LINK,
    errno.EISDIR: NOT_A_REGULAR_FILE,
    errno.ENXIO: NOT_A_REGULAR_FILE,
    errno.ENAMETOOLONG: coded("name_too_long", "The name is too long for the system."),
}


def read_bytes(path: str, max_mb: int) -> bytes:
    """All bytes of a file. Raises LoadError if it is not there, no regular file, too large or not permitted."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as exc:
        raise LoadError(os_reason(exc)) from exc
    try:
        return _read(descriptor, max_mb)
    except OSError as exc:
        raise LoadError(os_reason(exc)) from exc
    finally:
        os.close(descriptor)


def _read(descriptor: int, max_mb: int) -> bytes:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise LoadError(NOT_A_REGULAR_FILE)
    _check_size(facts.st_size, max_mb)
    pieces = []
    size = 0
    while piece := os.read(descriptor, _PIECE):  # the file may be growing, and is read to its real end
        pieces.append(piece)
        size += len(piece)
        _check_size(size, max_mb)
    return b"".join(pieces)


def is_utf8(name: str) -> bool:
    """Whether the system's name was valid UTF-8; Python keeps other bytes in it as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def os_reason(exc: OSError) -> Message:
    """Why the system refused to read a file."""
    known = _REASONS.get(exc.errno or 0)
    if known:
        return known
    return coded("system_refused", "The system refused to read it: {why}.", why=exc.strerror or type(exc).__name__)


def _check_size(size: int, max_mb: int) -> None:
    if size > max_mb * MB:
        raise LoadError(
            coded("too_large", "The file is larger than {limit} MB (setting loading.max_file_mb)."),
            limit=max_mb,
        )


def has_hash(path: str, content_hash: str) -> bool:
    """Whether the file's content still has this SHA-256; False if it cannot be read."""
    try:
        with open(os.open(path, _FLAGS), "rb") as stream:  # noqa: PTH123  (a descriptor)
            return hashlib.file_digest(stream, "sha256").hexdigest() == content_hash
    except OSError:
        return False


def where_is(content_hash: str, size_bytes: int, files: Iterable[Path], folders: Iterable[Path]) -> Iterator[Path]:
    """The files whose content has this SHA-256, first of `files`, then of those under `folders` that have this size.

    Links are not followed, and no more than 20,000 files of a folder are looked at.
    """
    under = (path for folder in folders for path in islice(_files_under(folder), _MAX_FILES_LOOKED_AT))
    for path in chain(files, (path for path in under if _size(path) == size_bytes)):
        if has_hash(str(path), content_hash):
            yield path


def _files_under(folder: Path) -> Iterator[Path]:
    for here, _, names in os.walk(folder):
        for name in sorted(names):
            yield Path(here) / name


def _size(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError:
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else -1
