"""The catalog's SQLite file as it is open: its queries, its transactions and snapshots.

Everything that is read comes through here, so that a damaged file is told as IndexDamaged and by no other error.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from ragkit.store.catalog.errors import damaged, translated, unpacked
from ragkit.store.catalog.schema import check_types, prepare
from ragkit.types.errors import IndexDamaged, IndexMissing

_T = TypeVar("_T")
BATCH = 500  # the values of one statement
# A condition for queries by number. The plus keeps SQLite from using the index of generations, which it takes for
# selective: it would read all of that index for a few rows, and sort it to go on from one.
BY_NUMBER = "+generation = ?"


class CatalogFile:
    """An open catalog. Several threads may use it: each call, and everything inside a `snapshot`, is done by one
    thread at a time."""

    def __init__(self, connection: sqlite3.Connection, directory: Path) -> None:
        self._db = connection
        self._directory = directory
        self.path = directory / "catalog.db"
        self._mutex = threading.RLock()
        self._version: tuple[int, int] | None = None  # of the snapshot that is being read

    @classmethod
    def open(cls, directory: Path, *, write: bool) -> Self:
        """The catalog in `directory`; `write` makes it when absent.

        Raises IndexMissing, IndexMismatch (another format), IndexDamaged.
        """
        path = directory / "catalog.db"
        if not write and not path.exists():
            raise IndexMissing(
                "There is no index in {directory} yet.", hint="Run: ragkit index FOLDER", directory=directory
            )
        with translated(directory):
            mode = "rwc" if write else "ro"
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=10,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                prepare(connection, directory, write=write)
            except BaseException:
                connection.close()
                raise
        return cls(connection, directory)

    def alone(self) -> threading.RLock:
        """Returns the lock to hold (`with`) while no other thread may use this catalog."""
        return self._mutex

    @property
    def changed(self) -> bool:
        """Whether anything was written through this connection."""
        return self._db.total_changes > 0

    def close(self) -> None:
        with self._mutex, contextlib.suppress(sqlite3.Error):
            self._db.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see the index as it is now, whatever a writer commits meanwhile."""
        with self._mutex:
            if self._db.in_transaction:
                yield
                return
            with translated(self._directory):
                self._db.execute("BEGIN")
            try:
                self._version = self._read_version()
                yield
            finally:
                self._version = None
                with translated(self._directory):
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")

    def version(self) -> tuple[int, int]:
        """Changes whenever the content may have changed."""
        with self._mutex:
            return self._version or self._read_version()

    def _read_version(self) -> tuple[int, int]:
        return int(self.rows("PRAGMA data_version")[0][0]), self._db.total_changes

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query finds. Raises IndexDamaged, also for a value that is not of its column's type."""
        with self._mutex, translated(self._directory):
            cursor = self._db.execute(sql, values)
            found = cursor.fetchall()
        with self.unpacked():
            check_types([column[0] for column in cursor.description or ()], found)
        return found

    def made(self, make: Callable[[Sequence[Any]], _T], sql: str, values: Sequence[object] = ()) -> list[_T]:
        """What `make` makes of each row that a query finds. Raises IndexDamaged, also where it cannot."""
        rows = self.rows(sql, values)
        with self.unpacked():
            return [make(row) for row in rows]

    def unpacked(self) -> AbstractContextManager[None]:
        """Inside, values are made of what the catalog holds, and of nothing else: any error is IndexDamaged."""
        return unpacked(self._directory)

    def damaged(self, why: str) -> IndexDamaged:
        """Returns the error to raise when what was read cannot be."""
        return damaged(self._directory, why)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is written inside, or nothing."""
        with self._mutex, translated(self._directory):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """The connection itself, for upkeep; its errors become ours."""
        with self._mutex, translated(self._directory):
            yield self._db


class PerVersionCache(Generic[_T]):
    """Something that is worked out once for each state of an index."""

    def __init__(self, catalog: CatalogFile, work_out: Callable[[], _T]) -> None:
        self._catalog = catalog
        self._work_out = work_out
        self._known: tuple[tuple[int, int], _T] | None = None

    def get(self) -> _T:
        """The same object until the index changes. Threads that ask at once wait for one of them to make it."""
        with self._catalog.alone():
            version = self._catalog.version()
            if self._known is None or self._known[0] != version:
                self._known = None  # frees the old object before the new one is made
                self._known = version, self._work_out()
            return self._known[1]

    def forget(self) -> None:
        with self._catalog.alone():
            self._known = None


def parts(ids: Sequence[_T]) -> Iterator[list[_T]]:
    for at in range(0, len(ids), BATCH):
        yield list(ids[at : at + BATCH])


def marks(ids: Sequence[object]) -> str:
    return ", ".join("?" * len(ids))
