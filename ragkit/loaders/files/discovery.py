"""Finds the files to read below the folders of the user, and says of everything else why it is left alone."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ragkit.i18n.messages import Message, coded
from ragkit.loaders.files.access import NOT_UTF8, is_utf8, os_reason
from ragkit.loaders.files.ignore import Rules, is_real_folder
from ragkit.loaders.formats import by_name
from ragkit.loaders.reasons import HIDDEN_FILE, NO_READER, NOT_A_REGULAR_FILE, SYMBOLIC_LINK
from ragkit.types.errors import InputError
from ragkit.types.reports import FileOutcome, FileState, FoundFile

Found = FoundFile | FileOutcome
_DAY_NS = 86_400 * 10**9


def discover(
    roots: Sequence[Path],
    exclude: Path | None,
    include_globs: Sequence[str] = (),
    exclude_globs: Sequence[str] = (),
    max_age_days: int = 0,
) -> Iterator[Found]:
    """Everything under `roots`, folders in the order of their sorted names, each path once.

    A root is resolved first and read even if its name is hidden. `exclude` is a folder that is not entered (the
    index). The globs and `.ragkitignore` files are patterns of gitignore's syntax, relative to a root or to their
    folder; without `include_globs` every file is wanted. `max_age_days` 0: files of any age are wanted.
    Raises InputError, before the first result, if a root is not there.
    """
    resolved = []
    for root in roots:
        try:
            resolved.append(Path(os.path.realpath(root, strict=True)))  # PTH: Path.resolve raises on loops
        except OSError as exc:
            raise InputError(
                "Cannot open {path}: {why}",
                hint="Check the spelling of the path.",
                path=shown(root),
                why=os_reason(exc) if os.path.lexists(root) else coded("not_there", "there is no such file or folder."),
            ) from exc
    rules = {root: Rules.of(root, include_globs, exclude_globs) for root in resolved}
    found = _walk(rules, Path(os.path.realpath(exclude)) if exclude else None)
    return (_skipped_if_old(one, max_age_days) for one in found) if max_age_days else found


def _skipped_if_old(found: Found, max_age_days: int) -> Found:
    if isinstance(found, FileOutcome) or time.time_ns() - found.modified_ns <= max_age_days * _DAY_NS:
        return found
    reason = coded(
        "too_old",
        "It was last changed more than {count} day ago (setting loading.max_age_days).",
        "It was last changed more than {count} days ago (setting loading.max_age_days).",
        count=max_age_days,
    )
    return _outcome(found.path, "skipped", reason)


def shown(path: Path) -> str:
    """`path` as text that can be printed and stored; bytes that are not UTF-8 become \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _walk(roots: Mapping[Path, Rules], exclude: Path | None) -> Iterator[Found]:
    named = frozenset(roots)
    seen: set[Path] = set()
    waiting = list(roots.items())[::-1]  # a stack, not recursion: folders may nest deeper than Python's calls
    while waiting:
        path, rules = waiting.pop()
        if path in seen or (path in named and exclude in path.parents):
            continue
        if path.name.startswith(".") and path not in named:
            if any(path in root.parents for root in named):
                continue  # a root inside it is read on its own
            yield _hidden(path)
            continue
        seen.add(path)
        if path == exclude:
            yield _outcome(path, "skipped", coded("is_the_index", "It is the index itself."))
            continue
        unwanted = None if path in named else rules.left_alone(path)
        if unwanted is not None:
            yield _outcome(path, "skipped", unwanted)
            continue
        result = _look(path)
        if isinstance(result, list):
            inside = rules.entering(path)
            waiting += ((entry, inside) for entry in reversed(result))
        else:
            yield result


def _look(path: Path) -> Found | list[Path]:
    """What is found at `path`: for a folder its sorted entries."""
    if not is_utf8(path.name):
        return _outcome(path, "unreadable", NOT_UTF8)
    try:
        facts = path.lstat()
        if stat.S_ISDIR(facts.st_mode):
            return sorted(path.iterdir(), key=lambda entry: entry.name)
    except OSError as exc:
        return _outcome(path, "unreadable", os_reason(exc))
    if stat.S_ISLNK(facts.st_mode):
        return _outcome(path, "skipped", SYMBOLIC_LINK)
    if not stat.S_ISREG(facts.st_mode):
        return _outcome(path, "skipped", NOT_A_REGULAR_FILE)
    if by_name(path) is None:
        return _outcome(path, "unsupported", _no_reader(path.suffix))
    return FoundFile(path, facts.st_size, facts.st_mtime_ns)


def _no_reader(suffix: str) -> Message:
    if not suffix:
        return coded("no_suffix", "Its name has no suffix that says what it is.")
    return NO_READER.fill(suffix=suffix)


def _hidden(path: Path) -> FileOutcome:
    return _outcome(
        path, "skipped", (coded("hidden_folder", "It is a hidden folder.") if is_real_folder(path) else HIDDEN_FILE)
    )


def _outcome(path: Path, state: FileState, reason: Message) -> FileOutcome:
    return FileOutcome(shown(path), state, reason)
