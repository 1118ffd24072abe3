"""Chooses which of the ranked chunks are used: no text twice, not all from one document, none that is much weaker
than the best. It also chooses which of their neighbours are read with them.

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
ENOUGH_OF_DOCUMENT = coded(
    "enough_of_document",
    "comes after {count} passage of its document that is used already",
    "comes after {count} passages of its document that are used already",
)
_MIN_COMMON = 0.95  # two texts that have this share of their pieces in common say the same
_PIECE_CHARACTERS = 5
_JOIN_SHARE = 0.45  # the share of the best score that a neighbour needs to be read with a chunk (docs/chunking.md)
# Numbers and codes tell two reports of one form apart, however alike the rest is.
_NUMBER = re.compile(r"[〇零一二三四五六七八九十百千万亿两]+|(?<![^\W\d_])[^\W\d_]*+\d[^\W_]*|\d[^\W_]*")


@dataclass(frozen=True, slots=True)
class Selection:
    """The chunks to use, best first with ranks from 1, and those that a rule kept from being among them."""

    kept: tuple[ScoredChunk, ...]
    left_out: tuple[LeftOut, ...] = ()
    joined: Mapping[str, tuple[ScoredChunk, ...]] = field(default_factory=dict)
    """The neighbours that are read with a kept chunk, by its id."""


def select(ranked: Sequence[Hit], read: ReadChunk, k: int, settings: RetrievalConfig) -> Selection:
    """Returns the first `k` of `ranked` that repeat no better one, with no more from one document than
    `settings.per_source`."""
    return _pick(ranked, read, k, settings, {})


def select_for_answer(
    ranked: Sequence[Hit],
    beside: Sequence[Hit],
    read: ReadChunk,
    k: int,
    settings: RetrievalConfig,
    *,
    by_score: bool = True,
) -> Selection:
    """Returns what `select` keeps and is not much weaker than the best, each with the neighbours that fit the question
    too: short chunks are found well, and read with as much around them as speaks for itself.

    `beside` holds neighbours that are not among the ranked. A chunk that is read with a better one takes no place.
    `by_score` says whether the scores made the order, so that a low one is a reason to leave a chunk out.
    """
    if not scores_are_comparable(ranked, settings):
        return select(ranked, read, k, settings)
    best = max(hit.score for hit in ranked)
    places = {(hit.ref.source, hit.ref.ordinal): hit for hit in (*beside, *ranked)}
    around = {hit.ref.id: _neighbours(hit, places, settings.join, _JOIN_SHARE * best) for hit in ranked}
    least = least_score(ranked, settings, by_score=by_score)
    strong = [hit for hit in ranked if hit.score >= least]
    found = _pick(strong, read, k, settings, around)
    held = {hit.chunk.id for hits in found.joined.values() for hit in hits}
    weak = [hit for hit in ranked if hit.score < least and hit.ref.id not in held][: k - len(found.kept)]
    reason = TOO_WEAK.fill(percent=round(100 * settings.least_share))
    return replace(found, left_out=(*found.left_out, *(LeftOut(read(hit.ref.id), reason) for hit in weak)))


def least_score(ranked: Sequence[Hit], settings: RetrievalConfig, *, by_score: bool) -> float:
    """Returns what a chunk must score to be used for an answer; minus infinity where scores did not make the order."""
    if not settings.least_share or not by_score or not scores_are_comparable(ranked, settings):
        return float("-inf")
    return settings.least_share * max(hit.score for hit in ranked)


def scores_are_comparable(ranked: Sequence[Hit], settings: RetrievalConfig) -> bool:
    """Says whether scores are on one scale from 0, so that a share of the best one means something."""
    return (
        settings.mode == "hybrid" and settings.expand == "off" and max((hit.score for hit in ranked), default=0.0) > 0
    )


def _neighbours(hit: Hit, places: Mapping[tuple[str, int], Hit], reach: int, least: float) -> tuple[Hit, ...]:
    """Returns the neighbours of `hit` on either side, up to `reach` and to the first that scores less than `least`."""
    found = []
    for step in (-1, 1):
        for away in range(1, reach + 1):
            other = places.get((hit.ref.source, hit.ref.ordinal + step * away))
            if other is None or other.score < least:
                break
            found.append(other)
    return tuple(found)


def _pick(
    ranked: Sequence[Hit],
    read: ReadChunk,
    k: int,
    settings: RetrievalConfig,
    around: Mapping[str, tuple[Hit, ...]],
) -> Selection:
    """Keeps the best `k` that no rule leaves out; `around` gives the neighbours that are read with a chunk, by id."""
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
        reason = _reason_against(chunk, kept, settings)
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


def _reason_against(chunk: Chunk, kept: Sequence[ScoredChunk], settings: RetrievalConfig) -> Message | None:
    """Returns why `chunk` is not used beside those that are kept, or None where it is."""
    most = settings.per_source
    for other in kept if settings.repeats == "once" else ():
        if _says_the_same(chunk.text, other.chunk.text):
            return coded("repeats", "says the same as {file}", file=PurePath(other.chunk.source).name)
    if most and sum(other.chunk.source == chunk.source for other in kept) >= most:
        return ENOUGH_OF_DOCUMENT.fill(count=most)
    return None


def _says_the_same(one: str, other: str) -> bool:
    """Says whether two texts have the same numbers in the same order, and nearly all else in common."""
    return _numbers(one) == _numbers(other) and _nearly_all_common(_pieces(one), _pieces(other))


@lru_cache(maxsize=256)
def _pieces(text: str) -> frozenset[str]:
    """Returns all runs of a few characters of a text, folded and without white space."""
    folded = "".join(terms.fold(text).split())
    return frozenset(folded[at : at + _PIECE_CHARACTERS] for at in range(max(len(folded) - _PIECE_CHARACTERS + 1, 1)))


@lru_cache(maxsize=256)
def _numbers(text: str) -> tuple[str, ...]:
    return tuple(_NUMBER.findall(terms.fold(text)))


def _nearly_all_common(one: frozenset[str], other: frozenset[str]) -> bool:
    """Says whether the Jaccard index of two sets is high; sizes are compared first, which costs nothing."""
    fewer, more = sorted((len(one), len(other)))
    return fewer >= _MIN_COMMON * more and len(one & other) / max(len(one | other), 1) >= _MIN_COMMON
