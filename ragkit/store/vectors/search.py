"""Dense search that is exact while an index is small, and right whatever state Chroma is in.

The catalog holds every vector. Up to a size they are searched one by one in memory: that takes milliseconds,
is exact, and needs nothing to be built, written or loaded beside the catalog. A larger index gets a graph in
Chroma; what is not in the graph yet, or cannot be because another process is at work, is searched in the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ragkit.i18n.messages import Message
from ragkit.store.catalog.connection import PerVersionCache
from ragkit.store.catalog.rows import Matrix, NamedVectors
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.store.vectors.exact import VectorTable, best_of
from ragkit.store.vectors.graph import ChromaGraph
from ragkit.store.vectors.stored import StoredVectors
from ragkit.types.documents import Scores, Vector
from ragkit.types.search import Condition, CosineBaseline, Nearness

_FEEDBACK_WEIGHT = 1.0  # of the best chunks, beside 1 for the question
_SAMPLE = 512  # chunks that stand for an ordinary chunk
_COMMON = 0.5  # of their mean, which all chunks of an index share and which tells none from another
_REACH = 0.3  # the difference of cosine that makes a neighbour count a third
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class _Usual:
    """What an index is like as a whole."""

    sample: Matrix  # vectors of ordinary chunks
    mean: Matrix
    less_common: Matrix  # the sample less `_COMMON` of the mean


class Nearby:
    """The `NearbyVectors` port: a question's vector and those of a few chunks.

    Vectors are compared less a part of the mean of the index's: those of a model lie in a narrow cone, and a cosine is
    mostly what they have in common (Mu and Viswanath 2018). That is worked out from products with the mean:
    (a - m)(b - m) = ab - am - bm + mm.
    """

    def __init__(self, query: Matrix, ids: Sequence[str], vectors: NamedVectors, usual: _Usual) -> None:
        known, self._rows = vectors
        places = {name: place for place, name in enumerate(ids)}
        self._count = len(ids)
        self._row_of = {name: row for row, name in enumerate(known)}
        self._places = np.array([places[name] for name in known], np.intp)
        self._usual = usual
        self._along = self._rows @ usual.mean if known else np.zeros(0, np.float32)
        self.similarities: Scores = self._placed(self._rows @ query if known else np.zeros(0))
        self._query = _less(query, _COMMON * usual.mean)

    def nearer(self, like: Mapping[str, float]) -> Nearness:
        """Similarities to the question moved towards the chunks of `like` (id -> weight, in all up to 1):
        relevance feedback after Rocchio (1971), without the negative part; all less half of the mean."""
        common = _COMMON * self._usual.mean
        query = self._query
        for name, weight in like.items():
            if name in self._row_of:
                query = query + _FEEDBACK_WEIGHT * weight * _less(self._rows[self._row_of[name]], common)
        query = query / max(float(np.linalg.norm(query)), 1e-6)
        cosines = np.zeros(0)
        if self._places.size:
            cosines = (self._rows @ query - common @ query) / self._lengths(self._along, _COMMON)
        return Nearness(self._placed(cosines), _spread(self._usual.less_common @ query))

    def smoothed(self, scores: Scores, most: int, weight: float) -> Scores:
        """A neighbour's weight is `weight` at a cosine of 1, all less the mean, and falls to a third of that with
        every `_REACH`."""
        most = min(most, self._places.size - 1)
        if most < 1:
            return scores
        along, mean = self._along, self._usual.mean
        lengths = self._lengths(along, 1.0)
        cosines = (self._rows @ self._rows.T - along - along[:, None] + mean @ mean) / (lengths * lengths[:, None])
        np.fill_diagonal(cosines, -np.inf)
        least = np.partition(cosines, -most, axis=1)[:, [-most]]
        shares, near = np.zeros_like(cosines), cosines >= least
        shares[near] = weight * np.exp((cosines[near] - 1) / _REACH)
        own, averages = scores[self._places], scores.copy()
        averages[self._places] = (own + shares @ own) / (1 + shares.sum(axis=1))
        return averages

    def _lengths(self, along: Matrix, share: float) -> Matrix:
        """Of vectors less `share` of the mean, by their products with it: they have unit length."""
        mean = self._usual.mean
        found: Matrix = np.sqrt(np.maximum(1 - 2 * share * along + share**2 * (mean @ mean), 1e-12))
        return found

    def _placed(self, values: npt.NDArray[np.floating]) -> Scores:
        placed = np.full(self._count, np.nan)
        placed[self._places] = values
        return placed


class DenseVectors:
    """The `DenseIndex` port over a catalog and its Chroma directory.

    `exact_mb`: vectors that take no more room in memory are searched one by one, without a graph.
    """

    def __init__(self, directory: Path, catalog: SqliteCatalog, exact_mb: int) -> None:
        self._catalog = catalog
        self._stored = StoredVectors(catalog)
        self._exact_bytes = exact_mb * 2**20
        self._graph = ChromaGraph(directory, catalog)
        self._table = PerVersionCache(catalog, lambda: VectorTable(self._stored.to_be_kept()))
        self._usual = PerVersionCache(catalog, self._look_around)
        self._large = PerVersionCache(catalog, self._is_large)

    # -- searching -----------------------------------------------------------------------------

    def nearest(self, vector: Vector, limit: int, where: Sequence[Condition] = ()) -> dict[str, float]:
        """The `limit` nearest live chunks. With conditions: of the chunks for which they hold, by an exact
        scan, as a graph finds few of a few."""
        query = np.asarray(vector, dtype=np.float32)
        if where:
            return _scan(query, self._stored.matching(where), limit)
        if not self.has_graph():
            return self._table.get().nearest(query, limit)
        return self._by_graph(query, limit)

    def among(self, vector: Vector, ids: Sequence[str]) -> Nearby:
        """The given chunks, each named once, to be compared with the question and one another."""
        query = np.asarray(vector, dtype=np.float32)
        return Nearby(query, ids, self._vectors_of(ids), self._usual.get())

    def _by_graph(self, query: Matrix, limit: int) -> dict[str, float]:
        found = self._graph.nearest(query, limit)
        if found is None:
            return _scan(query, self._stored.all(), limit)
        found.update(_scan(query, self._stored.unpublished_vectors(), limit))
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:limit])

    def ordinary(self, vector: Vector) -> CosineBaseline:
        """How near an ordinary chunk is to a question."""
        return _spread(self._usual.get().sample @ np.asarray(vector, dtype=np.float32))

    def _look_around(self) -> _Usual:
        sample = self._stored.sample(_SAMPLE)[1] if self.has_graph() else self._table.get().sample(_SAMPLE)
        if not sample.size:
            generation = self._catalog.active()
            sample = np.zeros((1, generation.dimension if generation else 1), dtype=np.float32)
        mean: Matrix = sample.mean(axis=0)
        return _Usual(sample, mean, _less(sample, _COMMON * mean))

    def _vectors_of(self, ids: Sequence[str]) -> NamedVectors:
        return self._stored.of(ids) if self.has_graph() else self._table.get().of(ids)

    # -- the graph -----------------------------------------------------------------------------

    def has_graph(self) -> bool:
        """Whether the index is searched in a graph of Chroma's: one that is there stays until half of the
        index is gone."""
        return self._large.get()

    def _is_large(self) -> bool:
        generation = self._catalog.active()
        numbers = self._stored.count() * generation.dimension if generation else 0
        most = self._exact_bytes // 2 if generation and self._graph.exists() else self._exact_bytes
        return numbers * _FLOAT_BYTES > most

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

    def without_graph(self) -> AbstractContextManager[None]:
        """Inside, searches read the catalog alone, so that others may write Chroma's files."""
        return self._graph.set_aside()

    def close(self) -> None:
        self._graph.close()
        self._table.forget()


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


def _spread(cosines: Matrix) -> CosineBaseline:
    return CosineBaseline(float(cosines.mean()), max(float(cosines.std()), 0.01))
