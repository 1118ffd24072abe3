"""Dense search that is exact while an index is small, and right whatever state Chroma is in.

The catalog holds every vector. Up to a size they are searched one by one in memory: that takes milliseconds,
is exact, and needs nothing to be built, written or loaded beside the catalog. A larger index gets a graph in
Chroma; what is not in the graph yet, or cannot be because another process is at work, is searched in the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ragkit.evidence import Ordinary
from ragkit.messages import Message
from ragkit.store.catalog import SqliteCatalog
from ragkit.store.graph import ChromaGraph
from ragkit.store.rows import Matrix, NamedVectors
from ragkit.store.table import VectorTable, best_of, cosines
from ragkit.store.vectors import StoredVectors
from ragkit.types import Condition, DenseHits, Vector

_FEEDBACK_WEIGHT = 1.0  # of the best chunks, beside 1 for the question
_SAMPLE = 512  # chunks that stand for an ordinary chunk
_COMMON = 0.5  # of their mean, which all chunks of an index share and which tells none from another
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class _Usual:
    """What an index is like as a whole."""

    sample: Matrix  # vectors of ordinary chunks
    mean: Matrix
    less_common: Matrix  # the sample less `_COMMON` of the mean


class Nearby:
    """The `NearbyVectors` port: a question's vector and those of a few chunks."""

    def __init__(self, query: Matrix, vectors: NamedVectors, usual: _Usual) -> None:
        self._ids, self._rows = vectors
        self._usual = usual
        self.similarities: Mapping[str, float] = cosines(query, vectors)
        self._query = _less(query, _COMMON * usual.mean)
        self._less_common = _less(self._rows, _COMMON * usual.mean)

    def nearer(self, like: Mapping[str, float]) -> DenseHits:
        """Similarities to the question moved towards the chunks of `like` (id -> weight, in all up to 1):
        relevance feedback after Rocchio (1971), without the negative part. All vectors are taken less half of the
        mean of the index's: those of a model lie in a narrow cone, and a cosine is mostly what they have in common
        (Mu and Viswanath 2018)."""
        query = self._query
        for at, name in enumerate(self._ids):
            if name in like:
                query = query + _FEEDBACK_WEIGHT * like[name] * self._less_common[at]
        query = query / max(float(np.linalg.norm(query)), 1e-6)
        return DenseHits(cosines(query, (self._ids, self._less_common)), *_spread(self._usual.less_common @ query))

    def alike(self, most: int) -> dict[str, dict[str, float]]:
        """The `most` nearest to each of the chunks among them, id -> cosine less what all chunks share."""
        names, rows = self._ids, _less(self._rows, self._usual.mean)
        found = rows @ rows.T if names else rows
        np.fill_diagonal(found, -np.inf)
        most = min(most, len(names) - 1)
        if most < 1:
            return {name: {} for name in names}
        nearest = np.argpartition(-found, most - 1, axis=1)[:, :most]
        values = np.take_along_axis(found, nearest, axis=1).tolist()
        return {
            name: dict(zip([names[at] for at in near], cosine, strict=True))
            for name, near, cosine in zip(names, nearest.tolist(), values, strict=True)
        }


class DenseVectors:
    """The `DenseIndex` port over a catalog and its Chroma directory.

    `exact_mb`: vectors that take no more room in memory are searched one by one, without a graph.
    """

    def __init__(self, directory: Path, catalog: SqliteCatalog, exact_mb: int) -> None:
        self._catalog = catalog
        self._stored = StoredVectors(catalog)
        self._exact_bytes = exact_mb * 2**20
        self._graph = ChromaGraph(directory, catalog)
        self._table: tuple[tuple[int, int], VectorTable] | None = None
        self._known: tuple[tuple[int, int], _Usual] | None = None
        self._large: tuple[tuple[int, int], bool] | None = None

    # -- searching -----------------------------------------------------------------------------

    def nearest(self, vector: Vector, limit: int, where: Sequence[Condition] = ()) -> DenseHits:
        """The `limit` nearest live chunks. With conditions: of the chunks for which they hold, by an exact
        scan, as a graph finds few of a few."""
        query = np.asarray(vector, dtype=np.float32)
        if where:
            found = _scan(query, self._stored.all(where), limit)
        elif not self.has_graph():
            found = self._vectors().nearest(query, limit)
        else:
            found = self._by_graph(query, limit)
        return DenseHits(found, *_spread(self._usual().sample @ query))

    def among(self, vector: Vector, ids: Sequence[str]) -> Nearby:
        """The given chunks to be compared with the question and one another."""
        query = np.asarray(vector, dtype=np.float32)
        return Nearby(query, self._vectors_of(list(dict.fromkeys(ids))), self._usual())

    def _by_graph(self, query: Matrix, limit: int) -> dict[str, float]:
        found = self._graph.nearest(query, limit)
        if found is None:
            return _scan(query, self._stored.all(), limit)
        found.update(_scan(query, self._stored.unpublished_vectors(), limit))
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:limit])

    def ordinary(self, vector: Vector) -> Ordinary:
        """How near an ordinary chunk is to a question."""
        return Ordinary(*_spread(self._usual().sample @ np.asarray(vector, dtype=np.float32)))

    def _usual(self) -> _Usual:
        version = self._catalog.version()
        if self._known is None or self._known[0] != version:
            sample = self._stored.sample(_SAMPLE)[1] if self.has_graph() else self._vectors().sample(_SAMPLE)
            if not sample.size:
                generation = self._catalog.active()
                sample = np.zeros((1, generation.dimension if generation else 1), dtype=np.float32)
            mean: Matrix = sample.mean(axis=0)
            self._known = version, _Usual(sample, mean, _less(sample, _COMMON * mean))
        return self._known[1]

    def _vectors(self) -> VectorTable:
        version = self._catalog.version()
        if self._table is None or self._table[0] != version:
            self._table = version, VectorTable(self._stored.all())
        return self._table[1]

    def _vectors_of(self, ids: Sequence[str]) -> NamedVectors:
        return self._stored.of(ids) if self.has_graph() else self._vectors().of(ids)

    # -- the graph -----------------------------------------------------------------------------

    def has_graph(self) -> bool:
        """Whether the index is searched in a graph of Chroma's: one that is there stays until half of the
        index is gone."""
        version = self._catalog.version()
        if self._large is None or self._large[0] != version:
            generation = self._catalog.active()
            numbers = self._stored.count() * generation.dimension if generation else 0
            most = self._exact_bytes // 2 if generation and self._graph.exists() else self._exact_bytes
            self._large = version, numbers * _FLOAT_BYTES > most
        return self._large[1]

    def publish(self, *, wait: bool) -> int:
        """Bring Chroma up to the catalog where the index has a graph, and remove one that it has no more;
        returns how many chunks are still unpublished. Makes no embedding."""
        if self.has_graph():
            return self._graph.publish(wait=wait)
        self._graph.remove_other_generations()
        if self._graph.exists():
            self._graph.discard()
        if self._stored.unpublished_count():
            self._stored.mark_published()  # to be searched, they need no more than the catalog
        return 0

    def unpublished_count(self) -> int:
        """Chunks that the graph lacks; 0 where there is none to be."""
        return self._graph.unpublished_count() if self.has_graph() else 0

    def problems(self, *, deep: bool) -> Iterator[Message]:
        """What is wrong with the Chroma copy, a line each; `deep` compares every vector."""
        return self._graph.problems(deep=deep) if self.has_graph() else iter(())

    def discard(self) -> None:
        """Throw the graph away; the next publication makes it again from the catalog."""
        self._graph.discard()

    def close(self) -> None:
        self._graph.close()
        self._table = self._known = None


def _scan(query: Matrix, batches: Iterator[NamedVectors], limit: int) -> dict[str, float]:
    """The `limit` best of all batches by exact cosine (the vectors have unit length), without holding them all."""
    best: dict[str, float] = {}
    for ids, rows in batches:
        best.update(best_of(ids, rows @ query, limit))
        best = dict(sorted(best.items(), key=lambda item: (-item[1], item[0]))[:limit])
    return best


def _less(vectors: Matrix, common: Matrix) -> Matrix:
    """`vectors` without what they have in common, of unit length again."""
    rest: Matrix = vectors - common if vectors.size else vectors
    alone: Matrix = rest / np.maximum(np.linalg.norm(rest, axis=-1, keepdims=True), 1e-6)
    return alone


def _spread(values: Matrix) -> tuple[float, float]:
    """Mean, and deviation above 0."""
    return float(values.mean()), max(float(values.std()), 0.01)
