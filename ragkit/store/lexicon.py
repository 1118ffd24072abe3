"""Which chunks hold a term: the lexical index's lists, kept in memory from the first question that needs them.

FTS5 reads the whole list of a term for every question. Questions share most of their words: a list is read once for
one state of the index, and what is left to do for a question is adding up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ragkit.store.catalog_file import CatalogFile
from ragkit.store.table import contenders
from ragkit.terms import is_cjk
from ragkit.types import Scores

Numbers: TypeAlias = npt.NDArray[np.int64]  # of chunks' rows

_MOST_ENTRIES = 4_000_000  # of lists that are kept, 16 bytes each


class Lexicon:
    """The lexical index of one generation in one state. A chunk's BM25 is the sum of what its terms add (FTS5's: k1
    1.2, b 0.75; above 0)."""

    def __init__(self, catalog: CatalogFile, generation: int) -> None:
        self._catalog = catalog
        self._generation = generation
        self._lists: dict[str, tuple[Numbers, Scores]] = {}
        self._entries = 0

    def frequency(self, term: str) -> int:
        """In how many chunks `term` occurs."""
        return int(self._list(term)[0].size)

    def totals(self, terms: Sequence[str]) -> tuple[Numbers, Scores]:
        """The chunks that hold any of `terms`, and the BM25 of each."""
        lists = [self._list(term) for term in terms]
        totals = np.zeros(max((int(numbers[-1]) + 1 for numbers, _ in lists if numbers.size), default=0))
        for numbers, scores in lists:
            totals[numbers] += scores
        found = np.flatnonzero(totals)
        return found, totals[found]

    def scores(self, terms: Sequence[str], wanted: Numbers) -> Scores:
        """A row a term: what it adds to the BM25 of each wanted chunk; 0 for one that does not hold it."""
        found = np.zeros((len(terms), wanted.size))
        for row, term in zip(found, terms, strict=True):
            numbers, scores = self._list(term)
            if numbers.size:
                places = np.minimum(np.searchsorted(numbers, wanted), numbers.size - 1)
                row[:] = np.where(numbers[places] == wanted, scores[places], 0.0)
        return found

    def _list(self, term: str) -> tuple[Numbers, Scores]:
        """The chunks that hold `term`, by rising number, and what it adds to the BM25 of each. A single CJK
        character stands for every pair that begins with it."""
        known = self._lists.get(term)
        if known is not None:
            return known
        table = f"lexical_{self._generation}"
        rows = self._catalog.rows(
            f"SELECT rowid, -bm25({table}) FROM {table} WHERE {table} MATCH ? ORDER BY rowid", (_match(term),)
        )
        found = np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float64)
        if self._entries + len(rows) > _MOST_ENTRIES:
            self._lists, self._entries = {}, 0
        self._lists[term] = found
        self._entries += len(rows)
        return found


def best_of(numbers: Numbers, scores: Scores, limit: int) -> tuple[Numbers, Scores]:
    """Up to `limit` of the highest scores, best first, ties by number."""
    chosen = contenders(scores, limit)
    order = chosen[np.argsort(-scores[chosen], kind="stable")][:limit]
    return numbers[order], scores[order]


def _match(term: str) -> str:
    quoted = '"' + term.replace('"', '""') + '"'
    return f"{quoted}*" if len(term) == 1 and is_cjk(term) else quoted
