"""Putting retrieved chunks into the room that the answerer has, and keeping the books."""

from __future__ import annotations

from collections.abc import Sequence

from ragkit.messages import Message
from ragkit.ports import CountTokens
from ragkit.types import Context, ContextLedger, LedgerEntry, Passage, ScoredChunk

PASSAGE_OVERHEAD_TOKENS = 40  # of a passage's frame in the prompt: number, source, fences

_DID_NOT_FIT = Message("did not fit into the context")


def pack(
    hits: Sequence[ScoredChunk], count_tokens: CountTokens, passage_tokens: int, window_tokens: int | None
) -> Context:
    """The best hits that fit in `passage_tokens` together, numbered from 1 in order of rank.

    Chunks of one document that touch or overlap become one passage, so that nothing is sent twice.
    A chunk that does not fit is named in the ledger; smaller ones after it may still be sent.
    """
    kept: list[ScoredChunk] = []
    left_out: list[LedgerEntry] = []
    used = 0
    for hit in hits:
        tokens = count_tokens(hit.chunk.text) + PASSAGE_OVERHEAD_TOKENS
        if used + tokens > passage_tokens:
            left_out.append(LedgerEntry(hit.chunk.source, hit.chunk.place, tokens, None, _DID_NOT_FIT))
            continue
        kept.append(hit)
        used += tokens
    passages = _join(kept)
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
        window_tokens=window_tokens,
        budget_tokens=passage_tokens,
        planned_tokens=sum(entry.tokens for entry in sent),
        sent=sent,
        left_out=tuple(left_out),
    )
    return Context(passages, ledger)


def _join(hits: Sequence[ScoredChunk]) -> tuple[Passage, ...]:
    """Passages in the order of their best chunk; touching chunks of one document joined."""
    groups: list[list[ScoredChunk]] = []
    for hit in sorted(hits, key=lambda hit: (hit.chunk.source, hit.chunk.start, hit.chunk.end)):
        last = groups[-1][-1].chunk if groups else None
        if last is not None and last.source == hit.chunk.source and hit.chunk.start < last.end:
            groups[-1].append(hit)
        else:
            groups.append([hit])
    groups.sort(key=lambda group: min(hit.rank for hit in group))
    return tuple(_passage(marker, group) for marker, group in enumerate(groups, 1))


def _passage(marker: int, group: Sequence[ScoredChunk]) -> Passage:
    first, best = group[0].chunk, min(group, key=lambda hit: hit.rank)
    text, end = first.text, first.end
    for hit in group[1:]:
        text += hit.chunk.text[max(end - hit.chunk.start, 0) :]
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
