"""The catalog's SQLite file: its tables, its transactions and snapshots."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from ragkit.store.catalog.errors import translated
from ragkit.text.terms import language
from ragkit.types.errors import IndexMismatch, IndexMissing

FORMAT = 3
_T = TypeVar("_T")
_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('format', '{FORMAT}');
CREATE TABLE generations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL CHECK (state IN ('building', 'active')),
  fingerprint TEXT NOT NULL UNIQUE, backend TEXT NOT NULL, model TEXT NOT NULL, digest TEXT NOT NULL,
  dimension INTEGER NOT NULL, query_prefix TEXT NOT NULL, document_prefix TEXT NOT NULL,
  chunk_tokens INTEGER NOT NULL, overlap_tokens INTEGER NOT NULL);
CREATE TABLE files (
  source TEXT PRIMARY KEY, content_hash TEXT NOT NULL, size_bytes INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL, seen_ns INTEGER NOT NULL, loader TEXT NOT NULL,
  state TEXT NOT NULL, reason TEXT NOT NULL, notes TEXT NOT NULL,
  pages INTEGER NOT NULL, weak_pages TEXT NOT NULL);
CREATE TABLE documents (
  source TEXT PRIMARY KEY REFERENCES files(source), media_type TEXT NOT NULL, title TEXT NOT NULL,
  structure TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE chunks (
  number INTEGER PRIMARY KEY, generation INTEGER NOT NULL, id TEXT NOT NULL, source TEXT NOT NULL,
  ordinal INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, place TEXT NOT NULL,
  headings TEXT NOT NULL, text TEXT NOT NULL, key TEXT NOT NULL, vector BLOB,
  UNIQUE (generation, id));
CREATE INDEX chunks_of ON chunks (source, generation);
CREATE INDEX chunks_by_key ON chunks (key, generation);
CREATE INDEX chunks_without_vector ON chunks (generation) WHERE vector IS NULL;
CREATE TABLE outbox (id TEXT PRIMARY KEY, operation TEXT NOT NULL CHECK (operation IN ('upsert', 'delete')))
  WITHOUT ROWID;
"""
# Vectors of a document that is being embedded; not of an index that an older ragkit made, until it is written to.
# Older ones had a table `staged` of longer vectors.
_STAGE = (
    "DROP TABLE IF EXISTS staged;"
    "CREATE TABLE IF NOT EXISTS stage (generation INTEGER NOT NULL, key TEXT NOT NULL, vector BLOB NOT NULL,"
    " PRIMARY KEY (generation, key)) WITHOUT ROWID"
)
_PAGE_BYTES = 16_384  # a chunk with its vector takes two to four thousand: a page of 4,096 would hold one
BATCH = 500  # values of one statement
# For what is looked for by number: the plus keeps SQLite from the index of generations, each of which it takes for
# small. It would read all of that for a few rows, and sort it to go on from one.
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
                _prepare(connection, directory, write=write)
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
        with self._mutex, translated(self._directory):
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN")
            try:
                self._version = self._read_version()
                yield
            finally:
                self._version = None
                self._db.execute("ROLLBACK")

    def version(self) -> tuple[int, int]:
        """Changes whenever the content may have changed."""
        with self._mutex:
            return self._version or self._read_version()

    def _read_version(self) -> tuple[int, int]:
        return int(self.rows("PRAGMA data_version")[0][0]), self._db.total_changes

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._mutex, translated(self._directory):
            return self._db.execute(sql, values).fetchall()

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


def _prepare(connection: sqlite3.Connection, directory: Path, *, write: bool) -> None:
    connection.create_function("ragkit_language", 1, language, deterministic=True)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -65536")  # KiB
    if write:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # of a new file; an old one keeps its own
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    if write and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {_STAGE}; COMMIT;")
    found = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if found is None or found[0] != str(FORMAT):
        raise IndexMismatch(
            "The index in {directory} has format {found}; this ragkit reads format {known}.",
            hint="Use the ragkit that made it, or index into a new folder with --index.",
            directory=directory,
            found=found[0] if found else "?",
            known=FORMAT,
        )
    if write:
        connection.executescript(_STAGE)


def parts(ids: Sequence[_T]) -> Iterator[list[_T]]:
    for at in range(0, len(ids), BATCH):
        yield list(ids[at : at + BATCH])


def marks(ids: Sequence[object]) -> str:
    return ", ".join("?" * len(ids))
