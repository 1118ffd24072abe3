"""The catalog: one SQLite file that is the truth about an index.

Documents with their text, chunks with their place and vector, the lexical index, what could not be
read, and what Chroma has still to be told (the outbox). One document is replaced in one transaction.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, cast

from ragkit.chunking import embedding_text
from ragkit.errors import IndexMismatch, IndexMissing
from ragkit.ports import CatalogEntry, FileFacts
from ragkit.store import conditions
from ragkit.store.faults import damaged, translated
from ragkit.store.rows import (
    CHUNK_COLUMNS,
    NamedVectors,
    chunk_of,
    heading_path_of,
    matrix_of,
    message_json,
    message_of,
    messages_of,
    place_json,
    structure_json,
    vector_blob,
    vector_of,
    weak_pages_json,
    weak_pages_of,
)
from ragkit.terms import document_terms, is_cjk, language
from ragkit.types import Chunk, Condition, Document, FileOutcome, FileState, Generation, Heading, Page, Place, Vector

FORMAT = 3
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
_STAGE = (
    "CREATE TABLE IF NOT EXISTS staged (generation INTEGER NOT NULL, key TEXT NOT NULL, vector BLOB NOT NULL,"
    " PRIMARY KEY (generation, key)) WITHOUT ROWID"
)
_BATCH = 500
_TERMS_KEPT = 50_000  # whose frequencies are remembered
_PAGE_BYTES = 16_384  # a chunk with its vector takes two to four thousand: a page of 4,096 would hold one
_GENERATION = tuple(field.name for field in fields(Generation))


class SqliteCatalog:
    """The `Catalog` port, and what the dense index needs besides. Safe to use from several threads."""

    def __init__(self, connection: sqlite3.Connection, directory: Path) -> None:
        self._db = connection
        self._directory = directory
        self.path = directory / "catalog.db"
        self._mutex = threading.RLock()
        self._counts: tuple[tuple[int, int], dict[str, int]] | None = None
        self._frequencies: tuple[tuple[int, int], dict[str, int]] | None = None

    @staticmethod
    def open(directory: Path, *, write: bool) -> SqliteCatalog:
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
        return SqliteCatalog(connection, directory)

    @property
    def changed(self) -> bool:
        """Whether anything was written through this connection."""
        return self._db.total_changes > 0

    def close(self) -> None:
        with self._mutex, contextlib.suppress(sqlite3.Error):
            self._db.close()

    # -- generations ---------------------------------------------------------------------------

    def active(self) -> Generation | None:
        return self._generation("active")

    def building(self) -> Generation | None:
        return self._generation("building")

    def start_generation(self, generation: Generation) -> None:
        """Register a generation: at once the active one of an empty index, else beside the active."""
        with self._transaction():
            for (number,) in self._rows("SELECT id FROM generations WHERE state = 'building'"):
                self._drop_generation(number)
            state = "building" if self.active_id() is not None else "active"
            marks = ", ".join("?" * len(_GENERATION))
            self._db.execute(
                f"INSERT INTO generations (state, {', '.join(_GENERATION)}) VALUES (?, {marks})",
                (state, *astuple(generation)),
            )
            number = self._number(generation)
            self._db.execute(
                f"CREATE VIRTUAL TABLE lexical_{number} USING fts5"
                "(terms, content='', tokenize=\"unicode61 remove_diacritics 0 tokenchars '-_.:/+#@'''\")"
            )
            self._db.execute(f"CREATE VIRTUAL TABLE words_{number} USING fts5vocab(lexical_{number}, row)")

    def activate(self, generation: Generation) -> None:
        """Answer from `generation` from now on and drop the one before it."""
        with self._transaction():
            old = self.active_id()
            self._db.execute("UPDATE generations SET state = 'active' WHERE fingerprint = ?", (generation.fingerprint,))
            if old is not None and old != self._number(generation):
                self._drop_generation(old)
            self._db.execute("DELETE FROM outbox")

    def documents_to_rebuild(self) -> list[str]:
        """Sources of documents that the generation being built does not have yet."""
        building = self.building()
        number = self._number(building) if building else -1
        return [
            source
            for (source,) in self._rows(
                "SELECT source FROM documents WHERE source NOT IN"
                " (SELECT source FROM chunks WHERE generation = ?) ORDER BY source",
                (number,),
            )
        ]

    def active_id(self) -> int | None:
        """The number of the active generation; None in an empty index."""
        found = self._rows("SELECT id FROM generations WHERE state = 'active'")
        return int(found[0][0]) if found else None

    # -- writing -------------------------------------------------------------------------------

    def commit(self, generation: Generation, entries: Sequence[CatalogEntry]) -> None:
        number = self._number(generation)
        with self._transaction():
            active = number == self.active_id()
            for entry in entries:
                self._put(number, entry, active=active)

    def _put(self, number: int, entry: CatalogEntry, *, active: bool) -> None:
        document = entry.document
        self._put_file(entry.facts)
        self._db.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
            (
                document.source,
                document.media_type,
                document.title,
                structure_json(document),
                zlib.compress(document.text.encode(), 6),
            ),
        )
        before = self._drop_chunks(document.source, number)
        for chunk, key, vector in entry.chunks:
            self._put_chunk(number, chunk, key, vector)
        if active:
            after = {chunk.id for chunk, _, vector in entry.chunks if vector is not None}
            self._queue("delete", before - after)
            self._queue("upsert", after - before)

    def stage(self, generation: Generation, vectors: Mapping[str, Vector]) -> None:
        number = self._number(generation)
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO staged VALUES (?, ?, ?)",
                [(number, key, vector.tobytes()) for key, vector in vectors.items()],
            )

    def clear_stage(self) -> None:
        if self._rows("SELECT EXISTS (SELECT 1 FROM staged)")[0][0]:
            with self._transaction():
                self._db.execute("DELETE FROM staged")

    def touch(self, facts: FileFacts) -> None:
        """Remember a file's new times; its document stays as it is."""
        with self._transaction():
            self._put_file(facts)

    def commit_unread(self, facts: FileFacts) -> None:
        """Remember that a file could not be read; a document it gave earlier is removed."""
        with self._transaction():
            self._drop_document(facts.source)
            self._put_file(facts)

    def remove(self, source: str) -> None:
        """Forget a file and every trace of its document in answers."""
        with self._transaction():
            self._drop_document(source)
            self._db.execute("DELETE FROM files WHERE source = ?", (source,))

    def set_labels(self, root: str, labels: Sequence[str]) -> None:
        """Whatever lies at or under `root`, now or later, has these labels from it; [] takes them away."""
        with self._transaction():
            self._db.execute("DELETE FROM meta WHERE key = ?", (f"{conditions.LABELS}{root}",))
            if labels:
                entry = (f"{conditions.LABELS}{root}", json.dumps(sorted(set(labels)), ensure_ascii=False))
                self._db.execute("INSERT INTO meta VALUES (?, ?)", entry)

    # -- reading -------------------------------------------------------------------------------

    def labels(self) -> dict[str, tuple[str, ...]]:
        """Root -> its labels."""
        rows = self._rows("SELECT key, value FROM meta WHERE key GLOB ?", (f"{conditions.LABELS}*",))
        return {key.removeprefix(conditions.LABELS): tuple(json.loads(value)) for key, value in rows}

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see the index as it is now, whatever a writer commits meanwhile."""
        with self._mutex, translated(self._directory):
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.execute("ROLLBACK")

    def version(self) -> tuple[int, int]:
        """Changes whenever the content may have changed."""
        return int(self._rows("PRAGMA data_version")[0][0]), self._db.total_changes

    def files(self) -> dict[str, FileFacts]:
        """Every file the index knows, read or not, by source."""
        counts = dict(
            self._rows(
                "SELECT source, count(*) FROM chunks WHERE generation ="
                " (SELECT id FROM generations WHERE state = 'active') GROUP BY source"
            )
        )
        found = {}
        for source, content_hash, size, modified, seen, loader, state, reason, notes, pages, weak in self._rows(
            "SELECT * FROM files ORDER BY source"
        ):
            outcome = FileOutcome(
                source,
                cast(FileState, state),
                message_of(reason),
                messages_of(notes),
                counts.get(source, 0),
                pages,
                weak_pages_of(weak),
            )
            found[source] = FileFacts(source, content_hash, size, modified, seen, loader, outcome)
        return found

    def document(self, source: str) -> Document | None:
        """The document of `source` with its whole text; None when the index has none."""
        found = self._rows(
            "SELECT media_type, title, structure, body, notes FROM documents JOIN files USING (source)"
            " WHERE source = ?",
            (source,),
        )
        if not found:
            return None
        media_type, title, structure, body, notes = found[0]
        shape = json.loads(structure)
        try:
            text = zlib.decompress(body).decode()
        except (zlib.error, UnicodeDecodeError) as exc:
            raise damaged(self._directory, exc) from exc
        return Document(
            source=source,
            media_type=media_type,
            title=title,
            text=text,
            pages=tuple(Page(*page) for page in shape["pages"]),
            headings=tuple(Heading(*heading) for heading in shape["headings"]),
            line_marks=tuple((start, line) for start, line in shape["line_marks"]),
            notes=messages_of(notes),
            author=shape["author"],
            date=shape["date"],
        )

    def known_vectors(self, generation: Generation, keys: Sequence[str]) -> dict[str, Vector]:
        """Vectors for these embedding keys that are in the index already, of `generation` or of another whose
        model, prefixes and dimension are the same."""
        facts = (
            *(generation.backend, generation.model, generation.digest, generation.dimension),
            *(generation.query_prefix, generation.document_prefix),
        )
        alike = self._rows(
            "SELECT id FROM generations WHERE (backend, model, digest, dimension, query_prefix, document_prefix)"
            " = (?, ?, ?, ?, ?, ?)",
            facts,
        )
        among = ", ".join(str(number) for (number,) in alike)
        found: dict[str, Vector] = {}
        for part in _parts(list(dict.fromkeys(keys))):
            staged = f"SELECT key, vector FROM staged WHERE key IN ({_marks(part)}) AND generation IN ({among})"
            found.update((key, array("f", blob)) for key, blob in self._rows(staged, part))
            for key, blob in self._rows(
                "SELECT key, vector FROM chunks WHERE vector IS NOT NULL"
                f" AND key IN ({_marks(part)}) AND generation IN ({among})",
                part,
            ):
                found[key] = vector_of(blob)
        return found

    def chunks(self, ids: Sequence[str]) -> dict[str, Chunk]:
        """The live chunks among `ids`."""
        found = {}
        for part in _parts(ids):
            for row in self._rows(
                f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE generation = ? AND id IN ({_marks(part)})",
                (self.active_id(), *part),
            ):
                found[row[0]] = chunk_of(row)
        return found

    def chunks_of(self, source: str) -> list[Chunk]:
        """The chunks of a document in reading order."""
        return [
            chunk_of(row)
            for row in self._rows(
                f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE source = ? AND generation = ? ORDER BY ordinal",
                (source, self.active_id()),
            )
        ]

    def neighbours(self, chunks: Sequence[Chunk], reach: int, where: Sequence[Condition] = ()) -> list[Chunk]:
        """The chunks up to `reach` places before and after any of `chunks`, themselves included, for which every
        condition holds. A document is written in one go, so that its chunks are numbered in a row."""
        clause, values = conditions.sql(where)
        columns = ", ".join(f"chunks.{name.strip()}" for name in CHUNK_COLUMNS.split(","))
        numbers: set[int] = set()
        for part in _parts([chunk.id for chunk in chunks]):
            for (number,) in self._rows(
                f"SELECT number FROM chunks WHERE generation = ? AND id IN ({_marks(part)})", (self.active_id(), *part)
            ):
                numbers.update(range(number - reach, number + reach + 1))
        places = {(one.source, one.ordinal + step) for one in chunks for step in range(-reach, reach + 1)}
        found = []
        for part in _parts([str(number) for number in sorted(numbers)]):
            found += self._rows(
                f"SELECT {columns} FROM chunks{conditions.JOINS if where else ''}"
                f" WHERE number IN ({', '.join(part)}) AND generation = ? AND {clause}",
                (self.active_id(), *values),
            )
        near = [chunk_of(row) for row in found]
        return [chunk for chunk in near if (chunk.source, chunk.ordinal) in places]

    def openings(self, sources: Sequence[str]) -> dict[str, Chunk]:
        """source -> the first chunk of the document."""
        number = self.active_id()
        rows = self._rows(
            f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE number IN"
            " (SELECT (SELECT min(number) FROM chunks WHERE source = wanted.value AND generation = ?)"
            " FROM json_each(?) AS wanted)",
            (number, json.dumps(list(sources), ensure_ascii=False)),
        )
        return {row[1]: chunk_of(row) for row in rows}

    def matching(self, where: Sequence[Condition]) -> list[Chunk]:
        """All chunks for which every condition holds, document by document in reading order."""
        clause, values = conditions.sql(where)
        columns = ", ".join(f"chunks.{name.strip()}" for name in CHUNK_COLUMNS.split(","))
        rows = self._rows(
            f"SELECT {columns} FROM chunks{conditions.JOINS if where else ''}"
            f" WHERE generation = ? AND {clause} ORDER BY chunks.source, ordinal",
            (self.active_id(), *values),
        )
        return [chunk_of(row) for row in rows]

    def live(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that are chunks of the active generation."""
        return {
            row[0]
            for part in _parts(ids)
            for row in self._rows(
                f"SELECT id FROM chunks WHERE generation = ? AND id IN ({_marks(part)})", (self.active_id(), *part)
            )
        }

    def lexical(self, terms: Sequence[str], limit: int, where: Sequence[Condition] = ()) -> dict[str, float]:
        """Up to `limit` chunk ids that hold any of `terms`, best first, with their BM25 score
        (FTS5's: k1 1.2, b 0.75; higher is better); with conditions, of the chunks for which they hold."""
        number = self.active_id()
        if not terms or number is None:
            return {}
        clause, values = conditions.sql(where)
        return dict(
            self._rows(
                "WITH hits AS MATERIALIZED"
                f" (SELECT rowid AS number, -bm25(lexical_{number}) AS score FROM lexical_{number}"
                f" WHERE lexical_{number} MATCH ? ORDER BY rank LIMIT ?)"
                f" SELECT chunks.id, score FROM hits JOIN chunks USING (number){conditions.JOINS if where else ''}"
                f" WHERE {clause} ORDER BY score DESC, chunks.id LIMIT ?",
                (" OR ".join(map(_match, terms)), -1 if where else limit, *values, limit),
            )
        )

    def document_frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many chunks each term occurs; a term that does not occur is left out."""
        number = self.active_id()
        if number is None:
            return {}
        version = self.version()
        if self._frequencies is None or self._frequencies[0] != version or len(self._frequencies[1]) > _TERMS_KEPT:
            self._frequencies = version, {}
        known = self._frequencies[1]
        for term in terms:
            if term in known:
                continue
            if len(term) == 1 and is_cjk(term):
                rows = self._rows(
                    f"SELECT sum(doc) FROM words_{number} WHERE term >= ? AND term < ?", (term, chr(ord(term) + 1))
                )
            else:
                rows = self._rows(f"SELECT doc FROM words_{number} WHERE term = ?", (term,))
            known[term] = int(rows[0][0]) if rows and rows[0][0] else 0
        return {term: known[term] for term in terms if known[term]}

    def counts(self) -> dict[str, int]:
        """documents, chunks, chunks without a vector, and files that were not read (unreadable or unsupported).
        Counted once for each state of the index."""
        version = self.version()
        if self._counts is None or self._counts[0] != version:
            number = self.active_id()
            documents = self._rows("SELECT count(*) FROM documents")[0][0]
            chunks = self._rows("SELECT count(*) FROM chunks WHERE generation = ?", (number,))[0][0]
            bare = self._rows("SELECT count(*) FROM chunks WHERE generation = ? AND vector IS NULL", (number,))[0][0]
            unread = self._rows("SELECT count(*) FROM files WHERE state IN ('unreadable', 'unsupported')")[0][0]
            counts = {"documents": documents, "chunks": chunks, "without_vector": bare, "unread": unread}
            self._counts = version, counts
        return self._counts[1]

    # -- for the dense index -------------------------------------------------------------------

    def vector_count(self) -> int:
        counts = self.counts()
        return counts["chunks"] - counts["without_vector"]

    def vectors(self, where: Sequence[Condition] = ()) -> Iterator[NamedVectors]:
        """The vectors of the active generation for which all conditions hold, in batches."""
        clause, values = conditions.sql(where)
        last = 0
        while True:
            rows = self._rows(
                f"SELECT number, id, vector FROM chunks{conditions.JOINS if where else ''}"
                f" WHERE generation = ? AND number > ? AND vector IS NOT NULL AND {clause} ORDER BY number LIMIT 2000",
                (self.active_id(), last, *values),
            )
            if not rows:
                return
            last = rows[-1][0]
            yield [name for _, name, _ in rows], matrix_of([blob for _, _, blob in rows])

    def vectors_of(self, ids: Sequence[str]) -> NamedVectors:
        """The vectors of those `ids` that have one."""
        rows = [
            row
            for part in _parts(ids)
            for row in self._rows(
                f"SELECT id, vector FROM chunks WHERE vector IS NOT NULL AND generation = ? AND id IN ({_marks(part)})",
                (self.active_id(), *part),
            )
        ]
        return [name for name, _ in rows], matrix_of([blob for _, blob in rows])

    def sample(self, size: int) -> NamedVectors:
        """Up to `size` chunks' vectors spread evenly over the index, always the same ones."""
        low, high = self._rows(
            "SELECT coalesce(min(number), 0), coalesce(max(number), -1) FROM chunks WHERE generation = ?",
            (self.active_id(),),
        )[0]
        step = max((high - low + 1) / size, 1.0)
        at, names, blobs = float(low), [], []
        while at <= high:
            rows = self._rows(
                "SELECT number, id, vector FROM chunks WHERE number >= ? AND generation = ? AND vector IS NOT NULL"
                " ORDER BY number LIMIT 1",
                (int(at), self.active_id()),
            )
            if not rows:
                break
            names.append(rows[0][1])
            blobs.append(rows[0][2])
            at = max(at + step, rows[0][0] + 1)
        return names, matrix_of(blobs)

    def unpublished_count(self) -> int:
        return int(self._rows("SELECT count(*) FROM outbox")[0][0])

    def unpublished_deletes(self) -> Iterator[list[str]]:
        ids = [name for (name,) in self._rows("SELECT id FROM outbox WHERE operation = 'delete' ORDER BY id")]
        yield from _parts(ids)

    def unpublished_vectors(self, at_once: int = _BATCH) -> Iterator[NamedVectors]:
        """Vectors that Chroma lacks, in batches."""
        last = ""
        while True:
            rows = self._rows(
                "SELECT o.id, c.vector FROM outbox o CROSS JOIN chunks c ON c.generation = ? AND c.id = o.id"
                " WHERE o.operation = 'upsert' AND o.id > ? ORDER BY o.id LIMIT ?",
                (self.active_id(), last, at_once),
            )
            if not rows:
                return
            last = rows[-1][0]
            yield [name for name, _ in rows], matrix_of([blob for _, blob in rows])

    def mark_published(self) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM outbox")

    def unpublish_all(self) -> None:
        """Queue every vector for publication."""
        with self._transaction():
            self._db.execute("DELETE FROM outbox")
            self._db.execute(
                "INSERT INTO outbox SELECT id, 'upsert' FROM chunks WHERE generation = ? AND vector IS NOT NULL",
                (self.active_id(),),
            )

    @contextlib.contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """The connection itself, for upkeep; its errors become ours."""
        with self._mutex, translated(self._directory):
            yield self._db

    # -- inside --------------------------------------------------------------------------------

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._mutex, translated(self._directory):
            return self._db.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._mutex, translated(self._directory):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _generation(self, state: str) -> Generation | None:
        found = self._rows(f"SELECT {', '.join(_GENERATION)} FROM generations WHERE state = ?", (state,))
        return Generation(*found[0]) if found else None

    def _number(self, generation: Generation) -> int:
        found = self._rows("SELECT id FROM generations WHERE fingerprint = ?", (generation.fingerprint,))
        return int(found[0][0]) if found else -1

    def _put_file(self, facts: FileFacts) -> None:
        outcome = facts.outcome
        self._db.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source) DO UPDATE SET"
            " content_hash = excluded.content_hash, size_bytes = excluded.size_bytes,"
            " modified_ns = excluded.modified_ns, seen_ns = excluded.seen_ns, loader = excluded.loader,"
            " state = excluded.state, reason = excluded.reason, notes = excluded.notes,"
            " pages = excluded.pages, weak_pages = excluded.weak_pages",
            (
                facts.source,
                facts.content_hash,
                facts.size_bytes,
                facts.modified_ns,
                facts.seen_ns,
                facts.loader_fingerprint,
                outcome.state,
                json.dumps(message_json(outcome.reason), ensure_ascii=False),
                json.dumps([message_json(note) for note in outcome.notes], ensure_ascii=False),
                outcome.pages,
                weak_pages_json(outcome.weak_pages),
            ),
        )

    def _put_chunk(self, number: int, chunk: Chunk, key: str, vector: Vector | None) -> None:
        row = self._db.execute(
            f"INSERT INTO chunks (generation, key, vector, {CHUNK_COLUMNS}) VALUES ({', '.join('?' * 11)})",
            (
                number,
                key,
                None if vector is None else vector_blob(vector),
                chunk.id,
                chunk.source,
                chunk.ordinal,
                chunk.text,
                chunk.start,
                chunk.end,
                place_json(chunk.place),
                json.dumps(chunk.heading_path, ensure_ascii=False),
            ),
        ).lastrowid
        terms = " ".join(document_terms(embedding_text(chunk)))
        self._db.execute(f"INSERT INTO lexical_{number} (rowid, terms) VALUES (?, ?)", (row, terms))

    def _drop_chunks(self, source: str, number: int) -> set[str]:
        """Delete a document's chunks of one generation; returns the ids of those with a vector."""
        published = set()
        for row, name, text, headings, has_vector in self._db.execute(
            "SELECT number, id, text, headings, vector IS NOT NULL FROM chunks WHERE source = ? AND generation = ?",
            (source, number),
        ).fetchall():
            chunk = Chunk(name, source, 0, text, 0, 0, Place(None, None), heading_path_of(headings))
            terms = " ".join(document_terms(embedding_text(chunk)))
            # A contentless FTS5 table forgets a row only when it is told the row's terms again.
            self._db.execute(
                f"INSERT INTO lexical_{number} (lexical_{number}, rowid, terms) VALUES ('delete', ?, ?)", (row, terms)
            )
            if has_vector:
                published.add(name)
        self._db.execute("DELETE FROM chunks WHERE source = ? AND generation = ?", (source, number))
        return published

    def _drop_document(self, source: str) -> None:
        active = self.active_id()
        for (number,) in self._rows("SELECT id FROM generations"):
            gone = self._drop_chunks(source, number)
            if number == active:
                self._queue("delete", gone)
        self._db.execute("DELETE FROM documents WHERE source = ?", (source,))

    def _drop_generation(self, number: int) -> None:
        self._db.execute("DELETE FROM chunks WHERE generation = ?", (number,))
        self._db.execute(f"DROP TABLE IF EXISTS words_{number}")
        self._db.execute(f"DROP TABLE IF EXISTS lexical_{number}")
        self._db.execute("DELETE FROM generations WHERE id = ?", (number,))

    def _queue(self, operation: str, ids: set[str]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO outbox VALUES (?, ?)", [(name, operation) for name in sorted(ids)])


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
        connection.execute(_STAGE)


def _match(term: str) -> str:
    quoted = '"' + term.replace('"', '""') + '"'
    return f"{quoted}*" if len(term) == 1 and is_cjk(term) else quoted


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    for at in range(0, len(ids), _BATCH):
        yield list(ids[at : at + _BATCH])


def _marks(ids: Sequence[str]) -> str:
    return ", ".join("?" * len(ids))
