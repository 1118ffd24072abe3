"""What a question and an index run read of a catalog."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from ragkit.store.catalog.bm25 import Lexicon, best_of
from ragkit.store.catalog.chunk_numbers import ChunkNumbers
from ragkit.store.catalog.connection import BY_NUMBER, CatalogFile, PerVersionCache, marks, parts
from ragkit.store.catalog.rows import (
    CHUNK_COLUMNS,
    chunk_of,
    document_of,
    file_facts_of,
    generation_of,
    labels_of,
    vector_of,
)
from ragkit.store.catalog.where import JOINS, LABELS, sql
from ragkit.types.documents import Chunk, ChunkRef, Document, Generation, Scores, Vector
from ragkit.types.ports import FileFacts
from ragkit.types.search import Condition

GENERATION_COLUMNS = tuple(field.name for field in fields(Generation))


class CatalogReader(CatalogFile):
    """All that is read but vectors for the dense search."""

    def __init__(self, connection: sqlite3.Connection, directory: Path) -> None:
        super().__init__(connection, directory)
        self._counts = PerVersionCache(self, self._count)
        self._numbers = PerVersionCache(self, lambda: ChunkNumbers(self, self.active_id()))
        self._lexicon = PerVersionCache(self, self._new_lexicon)

    def active(self) -> Generation | None:
        return self._generation("active")

    def building(self) -> Generation | None:
        return self._generation("building")

    def active_id(self) -> int | None:
        """The number of the active generation; None in an empty index."""
        found = self.rows("SELECT id AS generation FROM generations WHERE state = 'active'")
        return int(found[0][0]) if found else None

    def labels(self) -> dict[str, tuple[str, ...]]:
        """Root -> its labels."""
        rows = self.rows("SELECT key, value FROM meta WHERE key GLOB ?", (f"{LABELS}*",))
        with self.unpacked():
            return {key.removeprefix(LABELS): labels_of(value) for key, value in rows}

    def files(self) -> dict[str, FileFacts]:
        """Every file the index knows, read or not, by source."""
        counts = dict(
            self.rows(
                "SELECT source, count(*) FROM chunks WHERE generation ="
                " (SELECT id FROM generations WHERE state = 'active') GROUP BY source"
            )
        )
        known = self.made(lambda row: file_facts_of(row, counts.get(row[0], 0)), "SELECT * FROM files ORDER BY source")
        return {facts.source: facts for facts in known}

    def document(self, source: str) -> Document | None:
        """The document of `source` with its whole text; None when the index has none."""
        found = self.made(
            document_of,
            "SELECT source, media_type, title, structure, body, notes FROM documents JOIN files USING (source)"
            " WHERE source = ?",
            (source,),
        )
        return found[0] if found else None

    def chunks(self, ids: Sequence[str]) -> dict[str, Chunk]:
        """The live chunks among `ids`."""
        numbers = self._numbers.get().of(ids)
        found = {
            chunk.id: chunk
            for part in parts(list(numbers.values()))
            for chunk in self.made(
                chunk_of, f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE number IN ({marks(part)})", part
            )
        }
        if found.keys() != numbers.keys():
            raise self.damaged("a chunk is not there under its number")
        return found

    def refs(self, ids: Sequence[str]) -> list[ChunkRef]:
        """The live chunks among `ids`, in their order."""
        numbers = self._numbers.get()
        return numbers.refs(list(numbers.of(ids).values()))

    def remember_refs(self, rows: Iterable[tuple[int, str, str, int]]) -> None:
        """Rows of number, id, source and ordinal, of the active generation."""
        self._numbers.get().remember(rows)

    def chunks_of(self, source: str) -> list[Chunk]:
        """The chunks of a document in reading order."""
        return self.made(
            chunk_of,
            f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE source = ? AND generation = ? ORDER BY ordinal",
            (source, self.active_id()),
        )

    def neighbours(self, chunks: Sequence[ChunkRef], reach: int, where: Sequence[Condition] = ()) -> list[ChunkRef]:
        """The chunks up to `reach` places before and after any of `chunks`, themselves included, for which every
        condition holds. A document is written in one go, so that its chunks are numbered in a row."""
        clause, values = sql(where)
        numbers: set[int] = set()
        for number in self._numbers.get().of([chunk.id for chunk in chunks]).values():
            numbers.update(range(number - reach, number + reach + 1))
        places = {(one.source, one.ordinal + step) for one in chunks for step in range(-reach, reach + 1)}
        found = []
        for part in parts([str(number) for number in sorted(numbers)]):
            found += self.rows(
                f"SELECT chunks.id, chunks.source, chunks.ordinal FROM chunks{JOINS if where else ''}"
                f" WHERE number IN ({', '.join(part)}) AND {BY_NUMBER} AND {clause}",
                (self.active_id(), *values),
            )
        near = [ChunkRef(*row) for row in found]
        return [chunk for chunk in near if (chunk.source, chunk.ordinal) in places]

    def openings(self, sources: Sequence[str]) -> dict[str, str]:
        if not sources:
            return {}
        rows = self.rows(
            "SELECT source, id FROM chunks WHERE number IN"
            " (SELECT (SELECT min(number) FROM chunks WHERE source = wanted.value AND generation = ?)"
            " FROM json_each(?) AS wanted)",
            (self.active_id(), json.dumps(list(sources), ensure_ascii=False)),
        )
        return dict(rows)

    def matching(self, where: Sequence[Condition]) -> list[Chunk]:
        """All chunks for which every condition holds, document by document in reading order."""
        clause, values = sql(where)
        columns = ", ".join(f"chunks.{name.strip()}" for name in CHUNK_COLUMNS.split(","))
        return self.made(
            chunk_of,
            f"SELECT {columns} FROM chunks{JOINS if where else ''}"
            f" WHERE generation = ? AND {clause} ORDER BY chunks.source, ordinal",
            (self.active_id(), *values),
        )

    def lexical(self, terms: Sequence[str], limit: int, where: Sequence[Condition] = ()) -> dict[str, float]:
        """Up to `limit` chunk ids that hold any of `terms`, best first, with their BM25 score; with conditions, of
        the chunks for which they hold."""
        lexicon = self._lexicon.get()
        if lexicon is None:
            return {}
        numbers, scores = lexicon.totals(terms)
        if where:
            allowed = np.isin(numbers, self._for_which(where, numbers.tolist()))
            numbers, scores = numbers[allowed], scores[allowed]
        numbers, scores = best_of(numbers, scores, limit)
        names = [ref.id for ref in self._numbers.get().refs(numbers.tolist())]
        return dict(sorted(zip(names, scores.tolist(), strict=True), key=lambda one: (-one[1], one[0])))

    def term_scores(self, terms: Sequence[str], ids: Sequence[str]) -> Scores:
        lexicon = self._lexicon.get()
        if lexicon is None:
            return np.zeros((len(terms), len(ids)))
        known = self._numbers.get().of(ids)
        return lexicon.scores(terms, np.array([known.get(name, -1) for name in ids], np.int64))

    def document_frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many chunks each term occurs; a term that does not occur is left out."""
        lexicon = self._lexicon.get()
        found = {term: lexicon.frequency(term) for term in terms} if lexicon is not None else {}
        return {term: count for term, count in found.items() if count}

    def counts(self) -> dict[str, int]:
        """documents, chunks, chunks without a vector, and files that were not read (unreadable or unsupported)."""
        return self._counts.get()

    def known_vectors(self, generation: Generation, keys: Sequence[str]) -> dict[str, Vector]:
        """Vectors for these embedding keys that are in the index already, of `generation` or of another whose
        model, prefixes and dimension are the same."""
        generations = self.made(
            lambda row: (row[0], generation_of(row[1:])),
            f"SELECT id AS generation, {', '.join(GENERATION_COLUMNS)} FROM generations",
        )
        among = ", ".join(str(number) for number, other in generations if generation.same_vectors(other))
        found: dict[str, Vector] = {}
        for part in parts(list(dict.fromkeys(keys))):
            wanted = f"key IN ({marks(part)}) AND generation IN ({among})"
            for table in ("stage", "chunks"):
                found |= self.made(
                    lambda row: (row[0], vector_of(row[1], generation.dimension)),
                    f"SELECT key, vector FROM {table} WHERE vector IS NOT NULL AND {wanted}",
                    part,
                )
        return found

    def documents_to_rebuild(self) -> list[str]:
        """Sources of documents that the generation being built does not have yet."""
        building = self.building()
        number = self._number(building) if building else -1
        return [
            source
            for (source,) in self.rows(
                "SELECT source FROM documents WHERE source NOT IN"
                " (SELECT source FROM chunks WHERE generation = ?) ORDER BY source",
                (number,),
            )
        ]

    def _generation(self, state: str) -> Generation | None:
        columns = ", ".join(GENERATION_COLUMNS)
        found = self.made(generation_of, f"SELECT {columns} FROM generations WHERE state = ?", (state,))
        return found[0] if found else None

    def _for_which(self, where: Sequence[Condition], numbers: Sequence[int]) -> list[int]:
        """Those of some chunks' numbers for which every condition holds."""
        clause, values = sql(where)
        rows = self.rows(
            "SELECT chunks.number FROM json_each(?) AS wanted JOIN chunks ON chunks.number = wanted.value"
            f"{JOINS} WHERE {clause}",
            (json.dumps(numbers), *values),
        )
        return [number for (number,) in rows]

    def _new_lexicon(self) -> Lexicon | None:
        number = self.active_id()
        return Lexicon(self, number) if number is not None else None

    def _count(self) -> dict[str, int]:
        number = self.active_id()
        documents = self.rows("SELECT count(*) FROM documents")[0][0]
        chunks = self.rows("SELECT count(*) FROM chunks WHERE generation = ?", (number,))[0][0]
        bare = self.rows("SELECT count(*) FROM chunks WHERE generation = ? AND vector IS NULL", (number,))[0][0]
        unread = self.rows("SELECT count(*) FROM files WHERE state IN ('unreadable', 'unsupported')")[0][0]
        return {"documents": documents, "chunks": chunks, "without_vector": bare, "unread": unread}

    def _number(self, generation: Generation) -> int:
        found = self.rows("SELECT id AS generation FROM generations WHERE fingerprint = ?", (generation.fingerprint,))
        return int(found[0][0]) if found else -1
