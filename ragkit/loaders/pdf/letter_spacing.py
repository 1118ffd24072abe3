"""What PDFium gets wrong about letters and the page itself shows right: by where its letters stand.

Two words stand together where the gap between them is narrow; a ligature of a script that is written from
right to left is given the wrong way round.
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
_MIN_GAP = 0.3  # of a letter's width: less is no space
_WIDER = 1.5  # times, than the gaps between the letters of the word
_SHORTEST = 2  # letters of a word that another may be stuck to
_LONGEST = 60  # letters of two words; more is no word
_TRIED_PAGES = 6  # a document that shows no such gap on so many has none


def mended(pages: Pages, boxes: Callable[[int], Boxes]) -> Pages:
    """The pages (PDFium's own text) with such words parted and such ligatures turned.

    `boxes` gives those of a page (from 0).
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
        if not page or stuck.isdisjoint(words[number]) or (tried >= _TRIED_PAGES and not parted):
            continue
        found[number] = _parted(boxes(number), page, stuck, counts)
        tried += 1
        parted += found[number] != page
    return found


def _words(page: str | None) -> list[str]:
    return [word for word in _WORD.findall(page or "") if _SHORTEST <= len(word) <= _LONGEST and word.isascii()]


def _is_two(word: str, counts: Counter[str]) -> bool:
    """Two words of the document make it, and each stands there as often by itself."""
    count = max(counts[word], 2)
    cuts = range(_SHORTEST, len(word) - _SHORTEST + 1)
    return any(counts[word[:at]] >= count and counts[word[at:]] >= count for at in cuts)


class Boxes(Protocol):
    """Where the characters of a page stand, by their number in its text."""

    def count(self) -> int: ...
    def sides(self, at: int) -> tuple[float, float]: ...  # left and right
    def origin(self, at: int) -> tuple[float, float]: ...
    def close(self) -> None: ...


def _turned(boxes: Boxes, text: str) -> str:
    """Letters of one ligature stand at one place; PDFium has turned them with the rest of the line."""
    try:
        if boxes.count() != len(text):  # a number would mean another character
            return text
        letters = list(text)
        for run in _one_place(text, boxes):
            letters[run.start : run.stop] = reversed(letters[run.start : run.stop])
        return "".join(letters)
    finally:
        boxes.close()


def _one_place(text: str, boxes: Boxes) -> Iterator[range]:
    begin = 0
    for at in range(1, len(text) + 1):
        both = at < len(text) and _RIGHT_TO_LEFT.match(text[at]) and _RIGHT_TO_LEFT.match(text[at - 1])
        if both and boxes.origin(at) == boxes.origin(at - 1):
            continue
        if at - begin > 1:
            yield range(begin, at)
        begin = at


def _parted(boxes: Boxes, text: str, stuck: set[str], counts: Counter[str]) -> str:
    try:
        if boxes.count() != len(text):  # a number would mean another character
            return text
        cuts = [cut for word in _WORD.finditer(text) if word[0] in stuck and (cut := _cut(word, boxes, counts))]
        pieces = [text[left:right] for left, right in pairwise([0, *cuts, len(text)])]
        return " ".join(pieces)
    finally:
        boxes.close()


def _cut(word: re.Match[str], boxes: Boxes, counts: Counter[str]) -> int | None:
    """Where a space is missing: at a gap that is wider than the others, if that makes words of the document."""
    sides = [boxes.sides(at) for at in range(word.start(), word.end())]
    width = sum(right - left for left, right in sides) / len(sides)
    gaps = [after[0] - before[1] for before, after in pairwise(sides)]
    *_, second, most = sorted(gaps)
    at = gaps.index(most) + 1
    is_gap = most > _MIN_GAP * width and most > _WIDER * second
    are_words = counts[word[0][:at]] > 1 and counts[word[0][at:]] > 1
    return word.start() + at if is_gap and are_words else None
