"""SentencePiece Unigram segmentation: values in, values out.

The vocabulary is sorted by the first bytes of its pieces, and only those pieces become strings that the
text can need: a question is segmented after a fiftieth of a second, where making 250,000 strings takes
fifteen times that. Embedding a text costs far more than segmenting it, so the inner loop in Python does
not show.
"""

from __future__ import annotations

import math
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_SPACE = "▁"  # stands for the blank before a word
_HEAD = 6  # bytes that pieces are sorted by: a blank mark and three letters, or two Chinese characters
_CACHED_WORDS = 50_000
_CACHED_HEADS = 50_000
_CACHED_LENGTH = 24  # characters; longer words rarely come again
_UNKNOWN_PENALTY = 10.0  # an unknown character scores this much below the worst piece
_MARKS = 32  # composing is quadratic in a run of combining marks, so longer runs stay as they are


class Unigram:
    """Split text into the most probable pieces of a vocabulary.

    Piece i is `text[starts[i] : starts[i + 1]]`, in UTF-8. `scores` are log probabilities; a piece scored
    0.0 is a control symbol such as `</s>` and never matches text. `table` maps code points to their
    replacements and is applied after composing (NFC).
    """

    def __init__(
        self,
        text: bytes,
        starts: npt.NDArray[np.uint32],
        scores: npt.NDArray[np.float32],
        unknown: int,
        table: Mapping[int, str],
    ) -> None:
        self._text = text
        self._starts = array("I", starts.astype(np.uintc).tobytes())
        self._scores = array("f", scores.tobytes())
        self._unknown = unknown
        self._unknown_score = float(scores.min()) - _UNKNOWN_PENALTY
        self._table = table
        heads = _heads(text, starts)
        order = np.argsort(heads)
        self._heads = array("Q", heads[order].tobytes())  # rising
        self._order = array("q", order.astype(np.int64).tobytes())  # the piece that each is the head of
        self._begun: dict[bytes, tuple[int, dict[str, int]]] = {}  # by the first bytes of a text
        self._cache: dict[str, tuple[int, ...]] = {}

    def ids(self, text: str) -> list[int]:
        """Return the piece numbers of `text`, no special tokens added.

        Blanks only separate words. Any str is accepted: a lone surrogate is an unknown character.
        """
        found: list[int] = []
        for word in self._normalize(text).split():
            found += self._cache.get(word) or self._remember(word)
        return found

    def count(self, text: str) -> int:
        """Return len(ids(text)), without building the list."""
        words = self._normalize(text).split()
        return sum(len(self._cache.get(word) or self._remember(word)) for word in words)

    def _normalize(self, text: str) -> str:
        if not text.isascii() and _composable(text):
            text = unicodedata.normalize("NFC", text)
        return text.translate(self._table)

    def _remember(self, word: str) -> tuple[int, ...]:
        ids = self._segment(_SPACE + word)
        if len(word) <= _CACHED_LENGTH:
            if len(self._cache) >= _CACHED_WORDS:
                self._cache = {}  # a new dict: another thread may be reading the old one
            self._cache[word] = ids
        return ids

    def _segment(self, word: str) -> tuple[int, ...]:
        """Viterbi search; of equal scores the path found first (longer last piece) wins."""
        scores = self._scores
        size = len(word)
        best = [-math.inf] * (size + 1)  # score of the best path to each position
        last = [self._unknown] * (size + 1)  # the piece that path ends with
        origin = [0] * (size + 1)  # where that piece starts
        best[0] = 0.0
        for start in range(size):
            so_far = best[start]
            alone = False  # is this one character a piece?
            head = word[start : start + _HEAD].encode("utf-8", "surrogatepass")[:_HEAD]
            longest, pieces = self._begun.get(head) or self._pieces(head)
            for end in range(start + 1, min(start + longest, size) + 1):
                piece = pieces.get(word[start:end])
                if piece is None:
                    continue
                alone = alone or end == start + 1
                score = so_far + scores[piece]
                if score > best[end]:
                    best[end], last[end], origin[end] = score, piece, start
            if not alone and so_far + self._unknown_score > best[start + 1]:
                best[start + 1] = so_far + self._unknown_score
                last[start + 1], origin[start + 1] = self._unknown, start
        return self._path(last, origin)

    def _pieces(self, head: bytes) -> tuple[int, dict[str, int]]:
        """The pieces that a text with the first bytes `head` may begin with, and the length of the longest."""
        found: dict[str, int] = {}
        for size in range(1, len(head) + 1):
            wanted = int.from_bytes(head[:size].ljust(_HEAD, b"\0"), "big")
            at = bisect_left(self._heads, wanted)
            while at < len(self._heads) and self._heads[at] == wanted:
                piece = self._order[at]
                if self._scores[piece]:
                    found[self._text[self._starts[piece] : self._starts[piece + 1]].decode()] = piece
                at += 1
        if len(self._begun) >= _CACHED_HEADS:
            self._begun = {}  # as in `_remember`
        self._begun[head] = begun = max(map(len, found), default=0), found
        return begun

    def _path(self, last: Sequence[int], origin: Sequence[int]) -> tuple[int, ...]:
        """Read the best path back; neighbouring unknown characters become one unknown piece."""
        path: list[int] = []
        end = len(last) - 1
        while end > 0:
            if not (last[end] == self._unknown and path and path[-1] == self._unknown):
                path.append(last[end])
            end = origin[end]
        return tuple(reversed(path))


def _composable(text: str) -> bool:
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run > _MARKS:
            return False
    return True


def _heads(text: bytes, starts: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """The first bytes of each piece as one number, zeros after the end of a shorter one."""
    data = np.frombuffer(text + bytes(_HEAD), np.uint8)
    sizes = np.diff(starts)
    heads = np.zeros(len(sizes), np.uint64)
    for at in range(_HEAD):
        heads = heads << np.uint64(8) | np.where(at < sizes, data[starts[:-1] + at], 0).astype(np.uint64)
    return heads
