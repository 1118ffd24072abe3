"""All vectors of an index in memory, to be searched one by one: exact, and fast while they are few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ragkit.store.catalog.rows import Matrix, NamedVectors

_BLOCK = 64  # scores


class VectorTable:
    """The vectors of one state of an index."""

    def __init__(self, batches: Iterator[NamedVectors]) -> None:
        found = list(batches)
        self.ids = [name for names, _ in found for name in names]
        self.matrix: Matrix = np.concatenate([rows for _, rows in found]) if found else np.zeros((0, 0), np.float32)
        self._rows = {name: row for row, name in enumerate(self.ids)}

    def nearest(self, query: Matrix, limit: int) -> dict[str, float]:
        """The `limit` best by cosine (the vectors have unit length), best first; ties by id."""
        if not self.ids:
            return {}
        return best_of(self.ids, self.matrix @ query, limit)

    def of(self, ids: Sequence[str]) -> NamedVectors:
        """The vectors of those `ids` that are there."""
        known = [name for name in ids if name in self._rows]
        return known, self.matrix[[self._rows[name] for name in known]]

    def sample(self, size: int) -> Matrix:
        """Up to `size` vectors, spread evenly, always the same ones."""
        rows = np.linspace(0, len(self.ids) - 1, min(size, len(self.ids))).astype(int)
        found: Matrix = self.matrix[rows]
        return found


def best_of(ids: Sequence[str], scores: Matrix, limit: int) -> dict[str, float]:
    """The `limit` ids of the highest scores, best first; ties by id."""
    pairs = sorted((-float(scores[row]), ids[row]) for row in contenders(scores, limit).tolist())[:limit]
    return {name: -score for score, name in pairs}


def contenders(scores: npt.NDArray[np.floating], limit: int) -> npt.NDArray[np.intp]:
    """The places of the `limit` highest scores, and of all that tie with the last of them, rising."""
    if scores.size <= limit:
        return np.arange(scores.size)
    # The best of each block: `limit` of them are no higher than the score that is looked for, and rule most others out.
    blocks = scores[: scores.size // _BLOCK * _BLOCK].reshape(-1, _BLOCK).max(axis=1)
    near = scores[scores >= np.partition(blocks, -limit)[-limit]] if blocks.size > limit else scores
    return np.flatnonzero(scores >= np.partition(near, -limit)[-limit])
