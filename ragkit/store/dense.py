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
from ragkit.store.table import VectorTable, best_of, cosines, moved
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


class DenseVectors:
    """The `DenseIndex` port over a catalog and its Chroma directory.

    `exact_mb`: vectors that take no more room in memory are searched one by one, without a graph.
    """

    def __init__(self, directory: Path, catalog: SqliteCatalog, exact_mb: int) -> None:
        self._catalog = catalog
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
            found = _scan(query, self._catalog.vectors(where), limit)
        elif not self.has_graph():
            found = self._vectors().nearest(query, limit)
        else:
            found = self._by_graph(query, limit)
        return DenseHits(found, *_spread(self._usual().sample @ query))

    def similarities(self, vector: Vector, ids: Sequence[str]) -> dict[str, float]:
        """Exact cosines of the given chunks; one without a vector is left out."""
        return cosines(np.asarray(vector, dtype=np.float32), self._vectors_of(ids))

    def nearer(self, vector: Vector, like: Mapping[str, float], ids: Sequence[str]) -> DenseHits:
        """Similarities of `ids` to the question moved towards the chunks of `like` (id -> weight, in all up to 1):
        relevance feedback after Rocchio (1971), without the negative part. All vectors are taken less half of the
        mean of the index's: those of a model lie in a narrow cone, and a cosine is mostly what they have in common
        (Mu and Viswanath 2018)."""
        usual = self._usual()
        query = _less(np.asarray(vector, dtype=np.float32), _COMMON * usual.mean)
        names, rows = self._vectors_of(list(dict.fromkeys([*ids, *like])))
        vectors = names, _less(rows, _COMMON * usual.mean)
        query = moved(query, vectors, {name: _FEEDBACK_WEIGHT * weight for name, weight in like.items()})
        return DenseHits(cosines(query, vectors), *_spread(usual.less_common @ query))

    def alike(self, ids: Sequence[str], most: int) -> dict[str, dict[str, float]]:
        """The `most` nearest to each of the given chunks among them, id -> cosine less what all chunks share;
        one without a vector is left out."""
        names, rows = self._vectors_of(ids)
        rows = _less(rows, self._usual().mean)
        found = rows @ rows.T if names else rows
        np.fill_diagonal(found, -np.inf)
        most = min(most, len(names) - 1)
        nearest = np.argpartition(-found, most - 1, axis=1)[:, :most] if most > 0 else [()] * len(names)
        return {name: {names[at]: float(found[row, at]) for at in nearest[row]} for row, name in enumerate(names)}

    def _by_graph(self, query: Matrix, limit: int) -> dict[str, float]:
        found = self._graph.nearest(query, limit)
        if found is None:
            return _scan(query, self._catalog.vectors(), limit)
        found.update(_scan(query, self._catalog.unpublished_vectors(), limit))
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:limit])

    def ordinary(self, vector: Vector) -> Ordinary:
        """How near an ordinary chunk is to a question."""
        return Ordinary(*_spread(self._usual().sample @ np.asarray(vector, dtype=np.float32)))

    def _usual(self) -> _Usual:
        version = self._catalog.version()
        if self._known is None or self._known[0] != version:
            sample = self._catalog.sample(_SAMPLE)[1] if self.has_graph() else self._vectors().sample(_SAMPLE)
            if not sample.size:
                generation = self._catalog.active()
                sample = np.zeros((1, generation.dimension if generation else 1), dtype=np.float32)
            mean: Matrix = sample.mean(axis=0)
            self._known = version, _Usual(sample, mean, _less(sample, _COMMON * mean))
        return self._known[1]

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
