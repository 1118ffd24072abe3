"""Which chunks hold a term: the lexical index's lists, kept in memory from the first question that needs them.

FTS5 would read the whole list of a term for every question, and look up the length of each chunk in it. Questions
share most of their words: a list is read once for one state of the index, the lengths too, and what is left to do for a
question is adding up.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ragkit.store.catalog.connection import CatalogFile
from ragkit.store.vectors.exact import contenders
from ragkit.text.terms import is_cjk
from ragkit.types.documents import Scores

Numbers: TypeAlias = npt.NDArray[np.int64]  # of chunks' rows

_K1, _B = 1.2, 0.75
_MIN_RARITY = 1e-6  # of a term that half of the chunks hold, or more
_MAX_ENTRIES = 4_000_000  # of lists that are kept, 16 bytes each


class Lexicon:
    """The lexical index of one generation in one state. A chunk's BM25 is the sum of what its terms add (Robertson and
    Zaragoza 2009; as FTS5 works it out, and so above 0)."""

    def __init__(self, catalog: CatalogFile, generation: int) -> None:
        self._catalog = catalog
        self._table = f"lexical_{generation}"
        self._lists: dict[str, tuple[Numbers, Scores]] = {}
        self._entries = 0
        self._chunks = 0
        self._dampings: Scores = np.zeros(0)  # by number: k1 (1 - b + b length / average length)

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
        if not self._chunks:
            self._read_lengths()
        found = self._read(term)
        if self._entries + found[0].size > _MAX_ENTRIES:
            self._lists, self._entries = {}, 0
        self._lists[term] = found
        self._entries += found[0].size
        return found

    def _read(self, term: str) -> tuple[Numbers, Scores]:
        occurrences = self._occurrences(term)
        occurrences = occurrences[(occurrences > 0) & (occurrences < self._dampings.size)]
        has_length = self._dampings[occurrences] > 0  # as all chunks have: no more can hold a term than there are
        numbers, counts = np.unique(occurrences[has_length], return_counts=True)
        rarity = max(math.log((self._chunks - numbers.size + 0.5) / (numbers.size + 0.5)), _MIN_RARITY)
        return numbers, rarity * counts * (_K1 + 1) / (counts + self._dampings[numbers])

    def _occurrences(self, term: str) -> Numbers:
        """The number of its chunk for each place where `term` occurs. One row for all: as rows of their own they
        would take three times as long."""
        begins = len(term) == 1 and is_cjk(term)
        vocabulary, last = f"temp.{self._table}_words", f"{term}{chr(sys.maxunicode)}" if begins else term
        self._catalog.rows(  # of this connection, and gone with its snapshot
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {vocabulary} USING fts5vocab(main, {self._table}, instance)"
        )
        [(found,)] = self._catalog.rows(
            f"SELECT group_concat(doc) FROM {vocabulary} WHERE term BETWEEN ? AND ?", (term, last)
        )
        with self._catalog.unpacked():
            return np.fromstring(found or "", np.int64, sep=",")

    def _read_lengths(self) -> None:
        """Learn how many terms each chunk has. One row of text is read sooner than a million of two values."""
        [(names, sizes, last)] = self._catalog.rows(
            "SELECT group_concat(id), group_concat(hex(sz), ''), (SELECT max(number) FROM chunks)"
            f" FROM {self._table}_docsize"
        )
        if names is None:
            return
        with self._catalog.unpacked():
            numbers = np.fromstring(names, np.int64, sep=",")
            lengths = _unpacked_integers(bytes.fromhex(sizes))
        if lengths.size != numbers.size or lengths.min() < 0 or numbers.min() < 1 or numbers.max() > (last or 0):
            raise self._catalog.damaged("the lengths in the word index are not those of its chunks")
        dampings = np.zeros(numbers.max() + 1)
        dampings[numbers] = _K1 * (1 - _B + _B * lengths / max(lengths.mean(), 1.0))
        self._dampings = dampings
        self._chunks = numbers.size  # set last: where it is known, so are the lengths


def _unpacked_integers(packed: bytes) -> Numbers:
    """Integers in a row, as FTS5 keeps the length of each chunk: seven bits a byte, the highest first, and the last
    byte of each without an eighth bit."""
    digits = np.frombuffer(packed, np.uint8).astype(np.int64)
    ends = np.flatnonzero(digits < 128)
    starts = np.concatenate([[0], ends[:-1] + 1])
    powers = np.repeat(ends, ends - starts + 1) - np.arange(ends[-1] + 1)
    found: Numbers = np.add.reduceat((digits[: ends[-1] + 1] & 127) << 7 * powers, starts)
    return found


def best_of(numbers: Numbers, scores: Scores, limit: int) -> tuple[Numbers, Scores]:
    """Up to `limit` of the highest scores, best first, ties by number."""
    chosen = contenders(scores, limit)
    order = chosen[np.argsort(-scores[chosen], kind="stable")][:limit]
    return numbers[order], scores[order]
