"""What errors of SQLite, of the disk and of damaged values mean to a user."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

from ragkit.types.errors import DiskFull, IndexBusy, IndexDamaged, StoreError


@contextlib.contextmanager
def translated(directory: Path) -> Iterator[None]:
    """Inside, an error of SQLite becomes the StoreError that says what is wrong with the index in `directory`."""
    try:
        yield
    except sqlite3.Error as exc:
        name = getattr(exc, "sqlite_errorname", "") or ""
        if name == "SQLITE_FULL" or "disk is full" in str(exc):
            raise disk_full(directory) from exc
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise IndexBusy(
                "Another process is writing to the index {folder}.",
                hint="Wait for it to end and run the command again; nothing was changed.",
                folder=directory,
            ) from exc
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
            raise StoreError(
                "Cannot write in the index folder {folder}: {why}.",
                hint="Check its permissions, or choose another with --index.",
                folder=directory,
                why=exc,
            ) from exc
        if name.startswith("SQLITE_IOERR"):
            raise StoreError(
                "The disk reported an error in the index folder {folder}: {why}.",
                hint="Check the disk, then run the command again.",
                folder=directory,
                why=exc,
            ) from exc
        raise damaged(directory, exc) from exc
    except UnicodeDecodeError as exc:  # SQLite's message about a damaged schema quotes it
        raise damaged(directory, exc) from exc


# What Python raises for JSON, texts, numbers and packed bytes that are not as they were written.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, zlib.error)


@contextlib.contextmanager
def unpacked(directory: Path) -> Iterator[None]:
    """Inside, what was stored is made into values and nothing else is done: that it fails means IndexDamaged."""
    try:
        yield
    except _UNREADABLE as exc:
        raise damaged(directory, f"a row cannot be read: {exc}") from exc


def disk_full(directory: Path) -> DiskFull:
    return DiskFull(
        "The disk of the index folder {folder} is full.",
        hint="Free some space and run the command again: what was indexed so far is kept.",
        folder=directory,
    )


def damaged(directory: Path, why: object) -> IndexDamaged:
    return IndexDamaged(
        "The catalog in {directory} is damaged or not ragkit's: {why}.",
        hint="Restore the folder from a backup, or index into a new one with --index.",
        directory=directory,
        why=why,
    )
