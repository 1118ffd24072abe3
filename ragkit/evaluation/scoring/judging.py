"""The rules by which one question is judged, as pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from ragkit.text import terms
from ragkit.types.documents import Chunk

Span = tuple[int, int]  # characters, the end not included

_TOKEN = re.compile(rf"[{terms.CJK}]|[^\W_{terms.CJK}]+")
_MARKER = re.compile(r" \[\d+\]$", re.MULTILINE)  # The number of an answer's marker must not pass for a gold answer.


def normalised(text: str) -> str:
    """Returns the words, numbers and single Chinese characters of `text`, in NFKC and with their case folded.

    One space stands between and around them; punctuation, symbols and other white space are gone.
    """
    return f" {' '.join(_TOKEN.findall(terms.fold(text)))} "


def holds_gold(text: str, gold: Sequence[str]) -> bool:
    """Returns whether a gold answer stands in `text` as whole words: "308" is not in "1308", "黑豹" is in "黑豹队"."""
    place = normalised(text)
    return any(normalised(answer).strip() and normalised(answer) in place for answer in gold)


def without_markers(answer: str) -> str:
    return _MARKER.sub("", answer)


def percentile(values: Sequence[float], percent: float) -> float:
    """Returns the smallest value that at least `percent` of the values do not exceed. `values` is not empty."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]


def span_scores(wanted: Sequence[Span], retrieved: Sequence[tuple[str, int, int]], source: str) -> dict[str, float]:
    """Returns recall, precision and intersection over union in characters, 0 to 1, as in "Evaluating Chunking
    Strategies for Retrieval" (Smith and Troynikov 2024): what is retrieved twice counts twice against the
    precision, and so does what is of other documents than `source`. `retrieved`: (source, start, end) each."""
    relevant = _characters(wanted)
    seen = _characters((start, end) for name, start, end in retrieved if name == source)
    hit, missed = len(relevant & seen), len(relevant - seen)
    read = sum(end - start for _, start, end in retrieved)
    return {
        "char_recall": hit / max(sum(end - start for start, end in wanted), 1),
        "char_precision": hit / max(read, 1),
        "char_iou": hit / max(read + missed, 1),
    }


def precision_omega(wanted: Sequence[Span], chunks: Sequence[Chunk]) -> float:
    """Returns the precision if every one of a document's `chunks` that touches a wanted span were retrieved, each
    character once: the best that any search could reach with these chunks."""
    relevant = _characters(wanted)
    touching = [
        (chunk.start, chunk.end)
        for chunk in chunks
        if any(chunk.start <= end and start <= chunk.end for start, end in wanted)
    ]
    read = _characters(touching)
    return len(relevant & read) / max(len(relevant | read), 1)


def _characters(spans: Iterable[Span]) -> set[int]:
    return {character for start, end in spans for character in range(start, end)}
