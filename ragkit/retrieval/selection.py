"""Which of the ranked chunks are used: no text twice, not all from one document, none that is much weaker than
the best; and which chunks beside them are read with them.

Every chunk that a rule keeps out is named with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePath

from ragkit.config.sections import RetrievalConfig
from ragkit.i18n.messages import Message, coded
from ragkit.text import terms
from ragkit.types.documents import Chunk
from ragkit.types.search import Hit, LeftOut, ReadChunk, ScoredChunk

TOO_WEAK = coded("too_weak", "has less than {percent} % of the best score")
ENOUGH_OF_DOCUMENT = coded("enough_of_document", "comes after {count} passages of its document that are used already")
_SAME = 0.95  # of the pieces of two texts in common: one says what the other says
_PIECE = 5  # characters
_JOIN_SHARE = 0.45  # the share of the best score that a neighbour needs to be read with a chunk (docs/chunking.md)
# Numbers and codes tell two reports of one form apart, however alike the rest is.
_NUMBER = re.compile(r"[〇零一二三四五六七八九十百千万亿两]+|(?<![^\W\d_])[^\W\d_]*+\d[^\W_]*|\d[^\W_]*")


@dataclass(frozen=True, slots=True)
class Selection:
    """The chunks to use, best first with ranks from 1, and those that a rule kept from being among them."""

    kept: tuple[ScoredChunk, ...]
    left_out: tuple[LeftOut, ...] = ()
    joined: Mapping[str, tuple[ScoredChunk, ...]] = field(default_factory=dict)  # id of a kept one -> read with it


def select(ranked: Sequence[Hit], read: ReadChunk, k: int, settings: RetrievalConfig) -> Selection:
    """The first `k` of `ranked` that are no repeats of a kept one and not more of one document than
    `settings.per_source`."""
    return _selected(ranked, read, k, settings, {})


def for_answer(
    ranked: Sequence[Hit],
    beside: Sequence[Hit],
    read: ReadChunk,
    k: int,
    settings: RetrievalConfig,
    *,
    by_score: bool = True,
) -> Selection:
    """What `select` keeps and is not much weaker than the best, each with the neighbours that fit the question
    too: short chunks are found well, and read with as much around them as speaks for itself.

    `beside`: neighbours that are not among the ranked. A chunk that is read with a better one takes no place.
    `by_score`: whether the scores made the order, so that a low one is a reason to leave a chunk out.
    """
    if not of_one_scale(ranked, settings):
        return select(ranked, read, k, settings)
    best = max(hit.score for hit in ranked)
    places = {(hit.ref.source, hit.ref.ordinal): hit for hit in (*beside, *ranked)}
    around = {hit.ref.id: _around(hit, places, settings.join, _JOIN_SHARE * best) for hit in ranked}
    least = least_score(ranked, settings, by_score=by_score)
    strong = [hit for hit in ranked if hit.score >= least]
    found = _selected(strong, read, k, settings, around)
    held = {hit.chunk.id for hits in found.joined.values() for hit in hits}
    weak = [hit for hit in ranked if hit.score < least and hit.ref.id not in held][: k - len(found.kept)]
    reason = TOO_WEAK.fill(percent=round(100 * settings.least_share))
    return replace(found, left_out=(*found.left_out, *(LeftOut(read(hit.ref.id), reason) for hit in weak)))


def least_score(ranked: Sequence[Hit], settings: RetrievalConfig, *, by_score: bool) -> float:
    """What a chunk must score to be used for an answer; minus infinity where scores did not make the order."""
    if not settings.least_share or not by_score or not of_one_scale(ranked, settings):
        return float("-inf")
    return settings.least_share * max(hit.score for hit in ranked)


def of_one_scale(ranked: Sequence[Hit], settings: RetrievalConfig) -> bool:
    """Whether shares of the best score mean anything."""
    return (
        settings.mode == "hybrid" and settings.expand == "off" and max((hit.score for hit in ranked), default=0.0) > 0
    )


def _around(hit: Hit, places: Mapping[tuple[str, int], Hit], reach: int, least: float) -> tuple[Hit, ...]:
    """The neighbours of `hit` on either side, up to the first that scores less than `least`."""
    found = []
    for step in (-1, 1):
        for away in range(1, reach + 1):
            other = places.get((hit.ref.source, hit.ref.ordinal + step * away))
            if other is None or other.score < least:
                break
            found.append(other)
    return tuple(found)


def _selected(
    ranked: Sequence[Hit],
    read: ReadChunk,
    k: int,
    settings: RetrievalConfig,
    around: Mapping[str, tuple[Hit, ...]],
) -> Selection:
    kept: list[ScoredChunk] = []
    left_out: list[LeftOut] = []
    joined: dict[str, tuple[ScoredChunk, ...]] = {}
    held: set[str] = set()
    for hit in ranked:
        if len(kept) == k:
            break
        name = hit.ref.id
        if name in held:
            continue
        chunk = read(name)
        reason = _reason(chunk, kept, settings)
        if reason is None:
            kept.append(hit.with_text(chunk))
            held.add(name)
            beside = [one for one in around.get(name, ()) if one.ref.id not in held]
            joined[name] = tuple(one.with_text(read(one.ref.id)) for one in beside)
            held.update(one.ref.id for one in beside)
        else:
            left_out.append(LeftOut(chunk, reason))
    ranks = tuple(replace(hit, rank=rank) for rank, hit in enumerate(kept, 1))
    return Selection(ranks, tuple(left_out), {name: hits for name, hits in joined.items() if hits})


def _reason(chunk: Chunk, kept: Sequence[ScoredChunk], settings: RetrievalConfig) -> Message | None:
    """Why `chunk` is not used; None: it is."""
    most = settings.per_source
    for other in kept if settings.repeats == "once" else ():
        if _says_the_same(chunk.text, other.chunk.text):
            return coded("repeats", "says the same as {file}", file=PurePath(other.chunk.source).name)
    if most and sum(other.chunk.source == chunk.source for other in kept) >= most:
        return ENOUGH_OF_DOCUMENT.fill(count=most)
    return None


def _says_the_same(one: str, other: str) -> bool:
    return _numbers(one) == _numbers(other) and _nearly_all_common(_pieces(one), _pieces(other))


@lru_cache(maxsize=256)
def _pieces(text: str) -> frozenset[str]:
    folded = "".join(terms.fold(text).split())
    return frozenset(folded[at : at + _PIECE] for at in range(max(len(folded) - _PIECE + 1, 1)))


@lru_cache(maxsize=256)
def _numbers(text: str) -> tuple[str, ...]:
    return tuple(_NUMBER.findall(terms.fold(text)))


def _nearly_all_common(one: frozenset[str], other: frozenset[str]) -> bool:
    fewer, more = sorted((len(one), len(other)))
    return fewer >= _SAME * more and _likeness(one, other) >= _SAME


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard: the share of all pieces that both have."""
    return len(one & other) / max(len(one | other), 1)
