"""Finding files: what is under the given paths, and by name all that is not going to be read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from ragkit.errors import InputError
from ragkit.loaders import media_type
from ragkit.messages import Message
from ragkit.types import FileOutcome, FileState, FoundFile


def discover(roots: Sequence[Path], exclude: Path | None) -> Iterator[FoundFile | FileOutcome]:
    """Every file under `roots` once, in path order: one to read, or why it is not.

    Folders that begin with a dot, symbolic links and the index's own folder (`exclude`) are named,
    not entered. Raises InputError for a root that does not exist.
    """
    met: set[str] = set()
    for root in roots:
        try:
            resolved = root.resolve(strict=True)
        except (OSError, RuntimeError) as exc:
            raise InputError(
                "There is no file or folder {path}.", hint="Check the path.", path=os.fspath(root)
            ) from exc
        for item in _walk(resolved, exclude, named=True):
            source = str(item.path) if isinstance(item, FoundFile) else item.source
            if source not in met:
                met.add(source)
                yield item


def _walk(path: Path, exclude: Path | None, *, named: bool) -> Iterator[FoundFile | FileOutcome]:
    """`path` and what is under it. `named`: the user gave this very path, so a dot is no bar."""
    if not _is_text(path):
        yield _outcome(path, "unreadable", Message("its name is not valid UTF-8"))
        return
    try:
        facts = path.lstat()
    except OSError as exc:
        yield _outcome(path, "unreadable", _why(exc))
        return
    if exclude is not None and path == exclude:
        yield _outcome(path, "skipped", Message("the index itself"))
    elif stat.S_ISLNK(facts.st_mode):
        yield _outcome(path, "skipped", Message("a symbolic link; links are not followed"))
    elif path.name.startswith(".") and not named:
        yield _outcome(path, "skipped", Message("hidden"))
    elif stat.S_ISDIR(facts.st_mode):
        yield from _folder(path, exclude)
    elif not stat.S_ISREG(facts.st_mode):
        yield _outcome(path, "skipped", Message("not a regular file"))
    elif media_type(path) is None:
        reason = Message("no reader for {suffix} files", {"suffix": path.suffix})
        yield _outcome(path, "unsupported", reason if path.suffix else Message("no reader for files without a suffix"))
    else:
        yield FoundFile(path, facts.st_size, facts.st_mtime_ns)


def _folder(path: Path, exclude: Path | None) -> Iterator[FoundFile | FileOutcome]:
    try:
        names = sorted(os.listdir(path))  # noqa: PTH208  one call, and names as the system gives them
    except OSError as exc:
        yield _outcome(path, "unreadable", _why(exc))
        return
    for name in names:
        yield from _walk(path / name, exclude, named=False)


def _is_text(path: Path) -> bool:
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _outcome(path: Path, state: FileState, reason: Message) -> FileOutcome:
    return FileOutcome(os.fspath(path).encode("utf-8", "backslashreplace").decode(), state, reason)


def _why(exc: OSError) -> Message:
    return Message("{why}", {"why": exc.strerror or type(exc).__name__})
