"""Which of the ranked chunks are used: no text twice, not all from one document, and the rest by rank.

Every chunk that a rule keeps out is named with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from ragkit import terms
from ragkit.config import RetrievalConfig
from ragkit.messages import Message
from ragkit.types import LeftOut, ScoredChunk

_SAME = 0.95  # of the pieces of two texts in common: one says what the other says
_PIECE = 5  # characters
# Numbers and codes tell two reports of one form apart, however alike the rest is.
_NUMBER = re.compile(r"[〇零一二三四五六七八九十百千万亿两]+|[^\W_]*\d[^\W_]*")


@dataclass(frozen=True, slots=True)
class Selection:
    """The chunks to use, best first with ranks from 1, and those that a rule kept from being among them."""

    kept: tuple[ScoredChunk, ...]
    left_out: tuple[LeftOut, ...] = ()


def select(ranked: Sequence[ScoredChunk], k: int, settings: RetrievalConfig) -> Selection:
    """The first `k` of `ranked` that are no repeats of a kept one and not more of one document than
    `settings.per_source`; with `settings.diversity`, those that say something new come sooner."""
    kept: list[ScoredChunk] = []
    pieces: list[frozenset[str]] = []
    left_out: list[LeftOut] = []
    waiting = list(ranked)
    while waiting and len(kept) < k:
        hit = waiting.pop(_best(waiting, pieces, settings.diversity))
        mine = _pieces(hit.chunk.text)
        reason = _reason(hit, mine, kept, pieces, settings.per_source)
        if reason is None:
            kept.append(hit)
            pieces.append(mine)
        else:
            left_out.append(LeftOut(hit.chunk, reason))
    return Selection(tuple(replace(hit, rank=rank) for rank, hit in enumerate(kept, 1)), tuple(left_out))


def _best(waiting: Sequence[ScoredChunk], kept: Sequence[frozenset[str]], diversity: float) -> int:
    """The place of the next one: by rank, or by maximal marginal relevance (Carbonell and Goldstein 1998),
    with the share of common pieces as likeness."""
    if not diversity or not kept:
        return 0
    scores = [hit.score for hit in waiting]
    low, span = min(scores), (max(scores) - min(scores)) or 1.0
    worth = []
    for at, hit in enumerate(waiting):
        mine = _pieces(hit.chunk.text)
        alike = max(_likeness(mine, other) for other in kept)
        worth.append(((1 - diversity) * (hit.score - low) / span - diversity * alike, -at))
    return -max(worth)[1]


def _reason(
    hit: ScoredChunk, mine: frozenset[str], kept: Sequence[ScoredChunk], pieces: Sequence[frozenset[str]], most: int
) -> Message | None:
    """Why `hit` is not used; None: it is."""
    for other, theirs in zip(kept, pieces, strict=True):
        if _likeness(mine, theirs) >= _SAME and _numbers(hit.chunk.text) == _numbers(other.chunk.text):
            return Message("says the same as {file}", {"file": PurePath(other.chunk.source).name})
    if most and sum(other.chunk.source == hit.chunk.source for other in kept) >= most:
        return Message("comes after {count} passages of its document that are used already", {"count": most})
    return None


def _pieces(text: str) -> frozenset[str]:
    folded = "".join(terms.fold(text).split())
    return frozenset(folded[at : at + _PIECE] for at in range(max(len(folded) - _PIECE + 1, 1)))


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(terms.fold(text))


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard: the share of all pieces that both have."""
    return len(one & other) / max(len(one | other), 1)
