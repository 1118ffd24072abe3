"""Tells which files a user wants left alone, by patterns and `.ragkitignore` files, both in gitignore's syntax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pathspec

from ragkit.i18n.messages import Message, coded
from ragkit.types.errors import InputError

IGNORE_FILE = ".ragkitignore"
_MAX_BYTES = 2**20  # a larger ignore file is not read
_EXCLUDED = coded("excluded", "It is excluded by a pattern.")
_NOT_INCLUDED = coded("not_included", "It is not among the included patterns.")


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Patterns, the folder that they are relative to, and what is said of a file that they exclude."""

    folder: Path
    spec: pathspec.GitIgnoreSpec
    reason: Message

    def match(self, path: Path, *, is_folder: bool) -> bool | None:
        """Whether `path` is left alone; False: it is wanted after all; None: these patterns say nothing of it."""
        name = path.relative_to(self.folder).as_posix() + ("/" if is_folder else "")
        return self.spec.check_file(name).include


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that hold in one folder. The patterns of a deeper folder come later and win."""

    patterns: tuple[_Patterns, ...] = ()
    included: _Patterns | None = None

    @staticmethod
    def of(root: Path, include: Sequence[str], exclude: Sequence[str]) -> Rules:
        """The rules in a root, with patterns relative to it, or to its folder if it is a file. Raises InputError."""
        folder = root if root.is_dir() else root.parent
        patterns = (_Patterns(folder, _spec(exclude), _EXCLUDED),) if exclude else ()
        return Rules(patterns, _Patterns(folder, _spec(include), _NOT_INCLUDED) if include else None)

    def entering(self, folder: Path) -> Rules:
        """The rules inside `folder`, with those of its ignore file if it has one. Raises InputError."""
        file = folder / IGNORE_FILE
        try:
            if not file.is_file() or file.stat().st_size > _MAX_BYTES:
                return self
            lines = file.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as exc:
            raise InputError(
                "Cannot read {path}: {why}.", hint="Mend or remove it.", path=file, why=getattr(exc, "strerror", exc)
            ) from exc
        reason = coded("excluded_by_file", "It is excluded by {path}.", path=str(file))
        return Rules((*self.patterns, _Patterns(folder, _spec(lines), reason)), self.included)

    def left_alone(self, path: Path) -> Message | None:
        """Why `path` is not wanted; None if it is wanted."""
        if not self.patterns and self.included is None:
            return None  # most folders have no rules, and then the file itself is not looked at
        is_folder = is_real_folder(path)
        for patterns in reversed(self.patterns):
            found = patterns.match(path, is_folder=is_folder)
            if found is not None:
                return patterns.reason if found else None
        if self.included and not is_folder and not self.included.match(path, is_folder=False):
            return self.included.reason
        return None


def is_real_folder(path: Path) -> bool:
    """Whether `path` is a folder itself, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def _spec(lines: Sequence[str]) -> pathspec.GitIgnoreSpec:
    try:
        return pathspec.GitIgnoreSpec.from_lines(lines)
    except ValueError as exc:
        raise InputError("A pattern is wrong: {why}.", hint="Patterns are written as in .gitignore.", why=exc) from exc
