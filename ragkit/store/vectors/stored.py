"""The vectors of a catalog, for the dense search, and what Chroma has still to be told of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ragkit.store.catalog.connection import BATCH, BY_NUMBER, marks, parts
from ragkit.store.catalog.reader import CatalogReader
from ragkit.store.catalog.rows import Matrix, NamedVectors, matrix_of
from ragkit.store.catalog.where import JOINS, sql
from ragkit.types.search import Condition


class StoredVectors:
    """Those of the active generation."""

    def __init__(self, catalog: CatalogReader) -> None:
        self._catalog = catalog

    def count(self) -> int:
        counts = self._catalog.counts()
        return counts["chunks"] - counts["without_vector"]

    def all(self) -> Iterator[NamedVectors]:
        """In batches."""
        for rows in self._batches("number, id, vector"):
            yield [name for _, name, _ in rows], self._matrix([blob for *_, blob in rows])

    def to_be_kept(self) -> Iterator[NamedVectors]:
        """All, for a search in memory. Their rows tell which chunk each is, and the catalog remembers it."""
        for rows in self._batches("number, id, source, ordinal, vector"):
            self._catalog.remember_refs(row[:-1] for row in rows)
            yield [row[1] for row in rows], self._matrix([row[-1] for row in rows])

    def matching(self, where: Sequence[Condition]) -> Iterator[NamedVectors]:
        """Those for which all conditions hold, in batches."""
        clause, values = sql(where)
        numbers = self._catalog.rows(
            f"SELECT number FROM chunks{JOINS} WHERE generation = ? AND vector IS NOT NULL AND {clause}",
            (self._catalog.active_id(), *values),
        )
        for part in parts(sorted(number for (number,) in numbers)):
            rows = self._catalog.rows(f"SELECT id, vector FROM chunks WHERE number IN ({marks(part)})", part)
            yield [name for name, _ in rows], self._matrix([blob for _, blob in rows])

    def _matrix(self, blobs: Sequence[bytes]) -> Matrix:
        generation = self._catalog.active()
        with self._catalog.unpacked():
            return matrix_of(blobs, generation.dimension if generation else 0)

    def _batches(self, columns: str) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of chunks with a vector, in batches, by rising number, which is the first column."""
        last = 0
        while rows := self._catalog.rows(
            f"SELECT {columns} FROM chunks WHERE {BY_NUMBER} AND number > ? AND vector IS NOT NULL"
            " ORDER BY number LIMIT 2000",
            (self._catalog.active_id(), last),
        ):
            if rows[-1][0] <= last:
                raise self._catalog.damaged("the numbers of chunks are out of order")
            last = rows[-1][0]
            yield rows

    def of(self, ids: Sequence[str]) -> NamedVectors:
        """The vectors of those `ids` that have one."""
        rows = [
            row
            for part in parts(ids)
            for row in self._catalog.rows(
                f"SELECT id, vector FROM chunks WHERE vector IS NOT NULL AND generation = ? AND id IN ({marks(part)})",
                (self._catalog.active_id(), *part),
            )
        ]
        return [name for name, _ in rows], self._matrix([blob for _, blob in rows])

    def sample(self, size: int) -> NamedVectors:
        """Up to `size` chunks' vectors spread evenly over the index, always the same ones."""
        low, high = self._catalog.rows(
            "SELECT coalesce(min(number), 0) AS number, coalesce(max(number), -1) AS number FROM chunks"
            " WHERE generation = ?",
            (self._catalog.active_id(),),
        )[0]
        step = max((high - low + 1) / size, 1.0)
        at, names, blobs = float(low), [], []
        while at <= high:
            rows = self._catalog.rows(
                f"SELECT number, id, vector FROM chunks WHERE {BY_NUMBER} AND number >= ? AND vector IS NOT NULL"
                " ORDER BY number LIMIT 1",
                (self._catalog.active_id(), int(at)),
            )
            if not rows:
                break
            names.append(rows[0][1])
            blobs.append(rows[0][2])
            at = max(at + step, rows[0][0] + 1)
        return names, self._matrix(blobs)

    def unpublished_count(self) -> int:
        return int(self._catalog.rows("SELECT count(*) FROM outbox")[0][0])

    def unpublished_deletes(self) -> Iterator[list[str]]:
        ids = [name for (name,) in self._catalog.rows("SELECT id FROM outbox WHERE operation = 'delete' ORDER BY id")]
        yield from parts(ids)

    def unpublished_vectors(self, at_once: int = BATCH) -> Iterator[NamedVectors]:
        """Vectors that Chroma lacks, in batches."""
        last = ""
        while True:
            rows = self._catalog.rows(
                "SELECT o.id, c.vector FROM outbox o CROSS JOIN chunks c ON c.generation = ? AND c.id = o.id"
                " WHERE o.operation = 'upsert' AND o.id > ? ORDER BY o.id LIMIT ?",
                (self._catalog.active_id(), last, at_once),
            )
            if not rows:
                return
            if rows[-1][0] <= last:
                raise self._catalog.damaged("the outbox is out of order")
            last = rows[-1][0]
            yield [name for name, _ in rows], self._matrix([blob for _, blob in rows])

    def mark_published(self) -> None:
        with self._catalog.transaction() as db:
            db.execute("DELETE FROM outbox")

    def unpublish_all(self) -> None:
        """Queue every vector for publication."""
        with self._catalog.transaction() as db:
            db.execute("DELETE FROM outbox")
            db.execute(
                "INSERT INTO outbox SELECT id, 'upsert' FROM chunks WHERE generation = ? AND vector IS NOT NULL",
                (self._catalog.active_id(),),
            )
