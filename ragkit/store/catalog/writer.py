"""The catalog: one SQLite file that is the truth about an index.

Documents with their text, chunks with their place and vector, the lexical index, what could not be
read, and what Chroma has still to be told (the outbox). One document is replaced in one transaction.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple

from ragkit.store.catalog import where
from ragkit.store.catalog.reader import GENERATION_COLUMNS, CatalogReader
from ragkit.store.catalog.rows import (
    CHUNK_COLUMNS,
    chunk_of,
    message_json,
    place_json,
    structure_json,
    vector_blob,
    weak_pages_json,
)
from ragkit.text.chunking import embedding_key, embedding_text
from ragkit.text.terms import document_terms
from ragkit.types.documents import Chunk, Generation, Vector
from ragkit.types.ports import CatalogEntry, FileFacts


class SqliteCatalog(CatalogReader):
    """The `Catalog` port."""

    def start_generation(self, generation: Generation) -> None:
        """Register a generation: at once the active one of an empty index, else beside the active."""
        with self.transaction():
            for (number,) in self.rows("SELECT id AS generation FROM generations WHERE state = 'building'"):
                self._drop_generation(number)
            state = "building" if self.active_id() is not None else "active"
            marks = ", ".join("?" * len(GENERATION_COLUMNS))
            self._db.execute(
                f"INSERT INTO generations (state, {', '.join(GENERATION_COLUMNS)}) VALUES (?, {marks})",
                (state, *astuple(generation)),
            )
            number = self._number(generation)
            self._db.execute(
                f"CREATE VIRTUAL TABLE lexical_{number} USING fts5"
                "(terms, content='', tokenize=\"unicode61 remove_diacritics 0 tokenchars '-_.:/+#@'''\")"
            )

    def activate(self, generation: Generation) -> None:
        """Answer from `generation` from now on and drop the one before it."""
        with self.transaction():
            old = self.active_id()
            self._db.execute("UPDATE generations SET state = 'active' WHERE fingerprint = ?", (generation.fingerprint,))
            if old is not None and old != self._number(generation):
                self._drop_generation(old)
            self._db.execute("DELETE FROM outbox")

    def commit(self, generation: Generation, entries: Sequence[CatalogEntry]) -> None:
        number = self._number(generation)
        with self.transaction():
            active = number == self.active_id()
            for entry in entries:
                self._put(number, entry, active=active)
            for entry in entries if self._has_stage() else ():
                self._db.execute(
                    "DELETE FROM stage WHERE generation = ? AND key IN"
                    " (SELECT key FROM chunks WHERE source = ? AND generation = ?)",
                    (number, entry.document.source, number),
                )

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
        after = {chunk.id for chunk in entry.chunks if self._put_chunk(number, chunk, entry.vectors)}
        if active:
            self._queue("delete", before - after)
            self._queue("upsert", after - before)

    def stage(self, generation: Generation, vectors: Mapping[str, Vector]) -> None:
        if not vectors:
            return
        number = self._number(generation)
        with self.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO stage VALUES (?, ?, ?)",
                [(number, key, vector_blob(vector)) for key, vector in vectors.items()],
            )

    def clear_stage(self) -> None:
        if self._has_stage():
            with self.transaction():
                self._db.execute("DELETE FROM stage")

    def touch(self, facts: FileFacts) -> None:
        """Remember a file's new times; its document stays as it is."""
        with self.transaction():
            self._put_file(facts)

    def commit_unread(self, facts: FileFacts) -> None:
        """Remember that a file could not be read; a document it gave earlier is removed."""
        with self.transaction():
            self._drop_document(facts.source)
            self._put_file(facts)

    def remove(self, source: str) -> None:
        """Forget a file and every trace of its document in answers."""
        with self.transaction():
            self._drop_document(source)
            self._db.execute("DELETE FROM files WHERE source = ?", (source,))

    def set_labels(self, root: str, labels: Sequence[str]) -> None:
        """Whatever lies at or under `root`, now or later, has these labels from it; [] takes them away."""
        with self.transaction():
            self._db.execute("DELETE FROM meta WHERE key = ?", (f"{where.LABELS}{root}",))
            if labels:
                entry = (f"{where.LABELS}{root}", json.dumps(sorted(set(labels)), ensure_ascii=False))
                self._db.execute("INSERT INTO meta VALUES (?, ?)", entry)

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

    def _put_chunk(self, number: int, chunk: Chunk, vectors: Mapping[str, Vector]) -> bool:
        """Whether it has a vector."""
        key = embedding_key(chunk)
        blob = vector_blob(vectors[key]) if key in vectors else self._staged(number, key)
        row = self._db.execute(
            f"INSERT INTO chunks (generation, key, vector, {CHUNK_COLUMNS}) VALUES ({', '.join('?' * 11)})",
            (
                number,
                key,
                blob,
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
        return blob is not None

    def _has_stage(self) -> bool:
        return bool(self.rows("SELECT EXISTS (SELECT 1 FROM stage)")[0][0])

    def _staged(self, number: int, key: str) -> bytes | None:
        rows = self.rows("SELECT vector FROM stage WHERE generation = ? AND key = ?", (number, key))
        return rows[0][0] if rows else None

    def _drop_chunks(self, source: str, number: int) -> set[str]:
        """Delete a document's chunks of one generation; returns the ids of those with a vector."""
        published = set()
        for row, has_vector, chunk in self.made(
            lambda row: (*row[:2], chunk_of(row[2:])),
            f"SELECT number, vector IS NOT NULL, {CHUNK_COLUMNS} FROM chunks WHERE source = ? AND generation = ?",
            (source, number),
        ):
            terms = " ".join(document_terms(embedding_text(chunk)))
            # A contentless FTS5 table forgets a row only when it is told the row's terms again.
            self._db.execute(
                f"INSERT INTO lexical_{number} (lexical_{number}, rowid, terms) VALUES ('delete', ?, ?)", (row, terms)
            )
            if has_vector:
                published.add(chunk.id)
        self._db.execute("DELETE FROM chunks WHERE source = ? AND generation = ?", (source, number))
        return published

    def _drop_document(self, source: str) -> None:
        active = self.active_id()
        for (number,) in self.rows("SELECT id AS generation FROM generations"):
            gone = self._drop_chunks(source, number)
            if number == active:
                self._queue("delete", gone)
        self._db.execute("DELETE FROM documents WHERE source = ?", (source,))

    def _drop_generation(self, number: int) -> None:
        self._db.execute("DELETE FROM chunks WHERE generation = ?", (number,))
        self._db.execute(f"DROP TABLE IF EXISTS words_{number}")  # of an index that an older ragkit made
        self._db.execute(f"DROP TABLE IF EXISTS lexical_{number}")
        self._db.execute("DELETE FROM generations WHERE id = ?", (number,))

    def _queue(self, operation: str, ids: set[str]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO outbox VALUES (?, ?)", [(name, operation) for name in sorted(ids)])
