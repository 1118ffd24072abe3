"""Dense search that is exact while an index is small, and right whatever state Chroma is in.

The catalog holds every vector. Up to a size they are searched one by one in memory: that takes milliseconds,
is exact, and needs nothing to be built, written or loaded beside the catalog. A larger index gets a graph in
Chroma; what is not in the graph yet, or cannot be because another process is at work, is searched in the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ragkit.evidence import Ordinary
from ragkit.messages import Message
from ragkit.store.catalog import SqliteCatalog
from ragkit.store.graph import ChromaGraph
from ragkit.store.rows import Matrix, NamedVectors
from ragkit.store.table import VectorTable, best_of, cosines, moved
from ragkit.types import Condition, DenseHits, Vector

_FEEDBACK_WEIGHT = 0.5  # of the best chunks, beside 1 for the question
_SAMPLE = 512  # chunks that stand for an ordinary chunk
_FLOAT_BYTES = 4


class DenseVectors:
    """The `DenseIndex` port over a catalog and its Chroma directory.

    `exact_mb`: vectors that take no more room in memory are searched one by one, without a graph.
    """

    def __init__(self, directory: Path, catalog: SqliteCatalog, exact_mb: int) -> None:
        self._catalog = catalog
        self._exact_bytes = exact_mb * 2**20
        self._graph = ChromaGraph(directory, catalog)
        self._table: tuple[tuple[int, int], VectorTable] | None = None
        self._sample: tuple[tuple[int, int], Matrix] | None = None
        self._large: tuple[tuple[int, int], bool] | None = None

    # -- searching -----------------------------------------------------------------------------

    def nearest(self, vector: Vector, limit: int, where: Sequence[Condition] = ()) -> DenseHits:
        """The `limit` nearest live chunks. With conditions: of the chunks for which they hold, by an exact
        scan, as a graph finds few of a few."""
        query = np.asarray(vector, dtype=np.float32)
        if where:
            found = _scan(query, self._catalog.vectors(where), limit)
        elif not self.has_graph():
            found = self._vectors().nearest(query, limit)
        else:
            found = self._by_graph(query, limit)
        return DenseHits(found, *self._usual(query))

    def similarities(self, vector: Vector, ids: Sequence[str]) -> dict[str, float]:
        """Exact cosines of the given chunks; one without a vector is left out."""
        return cosines(np.asarray(vector, dtype=np.float32), self._vectors_of(ids))

    def nearer(self, vector: Vector, like: Mapping[str, float], ids: Sequence[str]) -> DenseHits:
        """Similarities of `ids` to the question moved towards the chunks of `like` (id -> weight, in all up to 1):
        relevance feedback after Rocchio (1971), without the negative part."""
        query = np.asarray(vector, dtype=np.float32)
        weights = {name: _FEEDBACK_WEIGHT * weight for name, weight in like.items()}
        query = moved(query, self._vectors_of(list(like)), weights)
        return DenseHits(cosines(query, self._vectors_of(list(dict.fromkeys([*ids, *like])))), *self._usual(query))

    def _by_graph(self, query: Matrix, limit: int) -> dict[str, float]:
        found = self._graph.nearest(query, limit)
        if found is None:
            return _scan(query, self._catalog.vectors(), limit)
        found.update(_scan(query, self._catalog.unpublished_vectors(), limit))
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:limit])

    def ordinary(self, vector: Vector) -> Ordinary:
        """How near an ordinary chunk is to a question."""
        return Ordinary(*self._usual(np.asarray(vector, dtype=np.float32)))

    def _usual(self, query: Matrix) -> tuple[float, float]:
        """Mean and deviation of the cosines of a sample of all chunks."""
        version = self._catalog.version()
        if self._sample is None or self._sample[0] != version:
            sample = self._catalog.sample(_SAMPLE)[1] if self.has_graph() else self._vectors().sample(_SAMPLE)
            self._sample = version, sample
        sample = self._sample[1]
        values = sample @ query if sample.size else np.zeros(1, dtype=np.float32)
        return float(values.mean()), max(float(values.std()), 0.01)

    def _vectors(self) -> VectorTable:
        version = self._catalog.version()
        if self._table is None or self._table[0] != version:
            self._table = version, VectorTable(self._catalog.vectors())
        return self._table[1]

    def _vectors_of(self, ids: Sequence[str]) -> NamedVectors:
        return self._catalog.vectors_of(ids) if self.has_graph() else self._vectors().of(ids)

    # -- the graph -----------------------------------------------------------------------------

    def has_graph(self) -> bool:
        """Whether the index is searched in a graph of Chroma's: one that is there stays until half of the
        index is gone."""
        version = self._catalog.version()
        if self._large is None or self._large[0] != version:
            generation = self._catalog.active()
            numbers = self._catalog.vector_count() * generation.dimension if generation else 0
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
        if self._catalog.unpublished_count():
            self._catalog.mark_published()  # to be searched, they need no more than the catalog
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
        self._table = self._sample = None


def _scan(query: Matrix, batches: Iterator[NamedVectors], limit: int) -> dict[str, float]:
    """The `limit` best of all batches by exact cosine (the vectors have unit length), without holding them all."""
    best: dict[str, float] = {}
    for ids, rows in batches:
        best.update(best_of(ids, rows @ query, limit))
        best = dict(sorted(best.items(), key=lambda item: (-item[1], item[0]))[:limit])
    return best
