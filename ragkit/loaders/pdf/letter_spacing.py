"""Mends what PDFium gets wrong about letters by where these stand on the page.

PDFium joins two words where the gap between them is narrow, and gives the letters of a ligature the wrong way round in
a script that is written from right to left.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Protocol

from ragkit.loaders.pdf.raw import Pages

_WORD = re.compile(r"[^\W\d_]+")
_ARABIC = re.compile("[\u0600-\u06ff]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff]")
_MIN_GAP = 0.3  # gap between two words, as a share of the width of a letter
_MIN_GAP_RATIO = 1.5  # the gap between two words to the gaps within a word
_MIN_LETTERS = 2  # letters of a word that another may be joined to
_MAX_LETTERS = 60  # letters of two joined words; what is longer is no word
_MAX_TRIED_PAGES = 6  # a document that shows no such gap on so many pages has none


def mended(pages: Pages, boxes: Callable[[int], Boxes]) -> Pages:
    """PDFium's text of the pages with such words parted and such ligatures turned.

    `boxes` gives the boxes of the characters on a page (from 0).
    """
    found = list(pages)
    for number, page in enumerate(pages):
        if page and _ARABIC.search(page):
            found[number] = _turned(boxes(number), page)
    words = [_words(page) for page in found]
    counts = Counter(word for page in words for word in page)
    stuck = {word for word in counts if _is_two(word, counts)}
    tried = parted = 0
    for number, page in enumerate(found):
        if not page or stuck.isdisjoint(words[number]) or (tried >= _MAX_TRIED_PAGES and not parted):
            continue
        found[number] = _parted(boxes(number), page, stuck, counts)
        tried += 1
        parted += found[number] != page
    return found


def _words(page: str | None) -> list[str]:
    return [word for word in _WORD.findall(page or "") if _MIN_LETTERS <= len(word) <= _MAX_LETTERS and word.isascii()]


def _is_two(word: str, counts: Counter[str]) -> bool:
    """Whether two words of the document make this one, and each stands there by itself as often."""
    count = max(counts[word], 2)
    cuts = range(_MIN_LETTERS, len(word) - _MIN_LETTERS + 1)
    return any(counts[word[:at]] >= count and counts[word[at:]] >= count for at in cuts)


class Boxes(Protocol):
    """Where the characters of a page stand, by their number in its text."""

    def count(self) -> int: ...
    def sides(self, at: int) -> tuple[float, float]: ...  # the left and the right side of the character
    def origin(self, at: int) -> tuple[float, float]: ...
    def close(self) -> None: ...


def _turned(boxes: Boxes, text: str) -> str:
    """The text with the letters of ligatures turned: they stand at one place, and PDFium turns them with the line."""
    try:
        if boxes.count() != len(text):  # the numbers would mean other characters
            return text
        letters = list(text)
        for run in _one_place(text, boxes):
            letters[run.start : run.stop] = reversed(letters[run.start : run.stop])
        return "".join(letters)
    finally:
        boxes.close()


def _one_place(text: str, boxes: Boxes) -> Iterator[range]:
    """The runs of letters, written from right to left, that stand at one place."""
    begin = 0
    for at in range(1, len(text) + 1):
        both = at < len(text) and _RIGHT_TO_LEFT.match(text[at]) and _RIGHT_TO_LEFT.match(text[at - 1])
        if both and boxes.origin(at) == boxes.origin(at - 1):
            continue
        if at - begin > 1:
            yield range(begin, at)
        begin = at


def _parted(boxes: Boxes, text: str, stuck: set[str], counts: Counter[str]) -> str:
    """The text with a space in each word of `stuck` that a wide gap shows to be two."""
    try:
        if boxes.count() != len(text):  # the numbers would mean other characters
            return text
        cuts = [cut for word in _WORD.finditer(text) if word[0] in stuck and (cut := _cut(word, boxes, counts))]
        pieces = [text[left:right] for left, right in pairwise([0, *cuts, len(text)])]
        return " ".join(pieces)
    finally:
        boxes.close()


def _cut(word: re.Match[str], boxes: Boxes, counts: Counter[str]) -> int | None:
    """Where a space is missing in a word; None if none is.

    It is missing at a gap that is wider than the others, if that makes two words of the document.
    """
    sides = [boxes.sides(at) for at in range(word.start(), word.end())]
    width = sum(right - left for left, right in sides) / len(sides)
    gaps = [after[0] - before[1] for before, after in pairwise(sides)]
    *_, second, most = sorted(gaps)
    at = gaps.index(most) + 1
    is_gap = most > _MIN_GAP * width and most > _MIN_GAP_RATIO * second
    are_words = counts[word[0][:at]] > 1 and counts[word[0][at:]] > 1
    return word.start() + at if is_gap and are_words else None
