"""The tables of the catalog's SQLite file, and the type of value that each column holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

from ragkit.text.terms import language
from ragkit.types.errors import IndexMismatch

FORMAT = 3
_TABLES = f"""
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
# The table `stage` holds the vectors of documents that are being embedded. An index that an older ragkit made gets it
# when it is first written to; some older ones had a table `staged` of longer vectors.
_STAGE = (
    "DROP TABLE IF EXISTS staged;"
    "CREATE TABLE IF NOT EXISTS stage (generation INTEGER NOT NULL, key TEXT NOT NULL, vector BLOB NOT NULL,"
    " PRIMARY KEY (generation, key)) WITHOUT ROWID"
)
_PAGE_BYTES = 16_384  # a chunk with its vector takes two to four thousand bytes: a page of 4,096 would hold one

# SQLite takes any type of value in any column, and a damaged file may hold any. Queries read the number of a
# generation under the name `generation`, as `id` is a text in the other tables.
_INTEGERS = (
    "generation dimension chunk_tokens overlap_tokens size_bytes modified_ns seen_ns pages number ordinal start end"
)
_TEXTS = (
    "key value state fingerprint backend model digest query_prefix document_prefix source content_hash loader reason"
    " notes weak_pages media_type title structure id place headings text operation"
)
_TYPES: dict[str, set[type]] = {
    **{name: {int} for name in _INTEGERS.split()},
    **{name: {str} for name in _TEXTS.split()},
    "body": {bytes},
    "vector": {bytes, NoneType},
}


def prepare(connection: sqlite3.Connection, directory: Path, *, write: bool) -> None:
    """Make a connection ready; `write` makes the tables that are missing. Raises IndexMismatch: another format."""
    connection.create_function("ragkit_language", 1, language, deterministic=True)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -65536")  # KiB
    if write:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # a file that exists keeps its own
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    if write and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} {_STAGE}; COMMIT;")
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


def check_types(names: Iterable[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Raises TypeError when a value is not of its column's type; `names` are those of the columns."""
    for name, column in zip(names, zip(*rows, strict=True), strict=False):
        wrong = set(map(type, column)) - _TYPES[name] if name in _TYPES else ()
        for kind in wrong:
            raise TypeError(f"column {name} holds {kind.__name__}")
