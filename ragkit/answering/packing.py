"""Putting retrieved chunks into the room that the answerer has, and keeping the books."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ragkit.i18n.messages import coded
from ragkit.retrieval.selection import Selection
from ragkit.types.answers import Context, ContextLedger, LedgerEntry
from ragkit.types.documents import Chunk, Document
from ragkit.types.ports import CountTokens
from ragkit.types.search import Passage, ScoredChunk

PASSAGE_OVERHEAD_TOKENS = 40  # of a passage's frame in the prompt: number, source, fences

_DID_NOT_FIT = coded("did_not_fit", "did not fit into the context")


@dataclass(frozen=True, slots=True)
class Room:
    """What there is to put passages into, and how their tokens are counted."""

    count_tokens: CountTokens
    passage_tokens: int  # for all of them together
    window_tokens: int | None
    read: Callable[[str], Document | None] = lambda _: None  # the document that neighbours are joined in


def pack(found: Selection, room: Room) -> Context:
    """The best chunks that fit together, numbered from 1 in order of rank.

    Chunks of one document that touch or overlap become one passage, so that nothing is sent twice.
    A chunk that does not fit, or that selection left out, is named in the ledger; smaller ones after it may
    still be sent. The neighbours of chunks come in where all of these found their room.
    """
    count_tokens, passage_tokens = room.count_tokens, room.passage_tokens
    kept: list[ScoredChunk] = []
    left_out = [
        LedgerEntry(one.chunk.source, one.chunk.place, count_tokens(one.chunk.text), None, one.reason)
        for one in found.left_out
    ]
    used = 0
    beside = [replace(one, rank=hit.rank) for hit in found.kept for one in found.joined.get(hit.chunk.id, ())]
    for hit in (*found.kept, *beside):
        tokens = count_tokens(hit.chunk.text) + PASSAGE_OVERHEAD_TOKENS
        if used + tokens > passage_tokens:
            left_out.append(LedgerEntry(hit.chunk.source, hit.chunk.place, tokens, None, _DID_NOT_FIT))
            continue
        kept.append(hit)
        used += tokens
    passages = _join(kept, room.read)
    sent = tuple(
        LedgerEntry(
            passage.source,
            passage.place,
            count_tokens(passage.text) + PASSAGE_OVERHEAD_TOKENS,
            passage.marker,
        )
        for passage in passages
    )
    ledger = ContextLedger(
        window_tokens=room.window_tokens,
        budget_tokens=passage_tokens,
        planned_tokens=sum(entry.tokens for entry in sent),
        sent=sent,
        left_out=tuple(left_out),
    )
    return Context(passages, ledger)


def _join(hits: Sequence[ScoredChunk], read: Callable[[str], Document | None]) -> tuple[Passage, ...]:
    """Passages in the order of their best chunk; chunks of one document joined that overlap, or that follow each
    other with nothing but white space between."""
    ordered = sorted(hits, key=lambda hit: (hit.chunk.source, hit.chunk.start, hit.chunk.end))
    pairs = [(one.chunk, other.chunk) for one, other in pairwise(ordered)]
    touched = {one.source for one, other in pairs if one.source == other.source and one.ordinal + 1 == other.ordinal}
    documents = {source: document.text for source in touched if (document := read(source)) is not None}
    groups: list[list[ScoredChunk]] = []
    for hit in ordered:
        if groups and _goes_on(groups[-1], hit.chunk, documents.get(hit.chunk.source)):
            groups[-1].append(hit)
        else:
            groups.append([hit])
    groups.sort(key=lambda group: min(hit.rank for hit in group))
    return tuple(
        _passage(marker, group, documents.get(group[0].chunk.source, "")) for marker, group in enumerate(groups, 1)
    )


def _goes_on(group: Sequence[ScoredChunk], chunk: Chunk, text: str | None) -> bool:
    """Whether `chunk` carries on the last of `group`. `text`: of the document, which may have changed since."""
    last = group[-1].chunk
    if last.source != chunk.source:
        return False
    if chunk.start < max(hit.chunk.end for hit in group):
        return True
    return (
        text is not None
        and last.ordinal + 1 == chunk.ordinal
        and not text[last.end : chunk.start].strip()
        and text[last.start : last.end] == last.text
        and text[chunk.start : chunk.end] == chunk.text
    )


def _passage(marker: int, group: Sequence[ScoredChunk], document: str) -> Passage:
    first, best = group[0].chunk, min(group, key=lambda hit: (hit.rank, -hit.score))
    text, end = first.text, first.end
    for hit in group[1:]:
        text += document[end : hit.chunk.start] + hit.chunk.text[max(end - hit.chunk.start, 0) :]
        end = max(end, hit.chunk.end)
    return Passage(
        marker=marker,
        source=first.source,
        title="",
        text=text,
        start=first.start,
        end=end,
        place=first.place,
        heading_path=first.heading_path,
        chunk_ids=tuple(hit.chunk.id for hit in group),
        score=best.score,
        similarity=best.similarity,
        cover=best.cover,
    )
