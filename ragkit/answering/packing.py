"""Packs retrieved chunks into the tokens that the answerer has for them, and keeps the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ragkit.i18n.messages import coded
from ragkit.retrieval.selection import Selection
from ragkit.text.fencing import PASSAGE_OVERHEAD_TOKENS
from ragkit.types.answers import Context, ContextLedger, LedgerEntry
from ragkit.types.documents import Chunk
from ragkit.types.ports import CountTokens, ReadDocument
from ragkit.types.search import Passage, ScoredChunk

_DID_NOT_FIT = coded("did_not_fit", "did not fit into the context")


@dataclass(frozen=True, slots=True)
class ContextBudget:
    """How many tokens passages may take, how these are counted, and where the text between passages is read."""

    count_tokens: CountTokens
    passage_tokens: int  # for all passages together
    window_tokens: int | None  # the model's whole window; None: the answerer has none
    read: ReadDocument


def pack(found: Selection, budget: ContextBudget) -> Context:
    """Returns the best chunks that fit together, numbered from 1 in order of rank.

    Chunks of one document that touch or overlap become one passage, so that nothing is sent twice.
    A chunk that does not fit, or that selection left out, is named in the ledger; smaller ones after it may
    still be sent. The neighbours of chunks are tried last, when all chunks had their turn.
    """
    count_tokens, passage_tokens = budget.count_tokens, budget.passage_tokens
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
    passages = _join(kept, budget.read)
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
        window_tokens=budget.window_tokens,
        budget_tokens=passage_tokens,
        planned_tokens=sum(entry.tokens for entry in sent),
        sent=sent,
        left_out=tuple(left_out),
    )
    return Context(passages, ledger)


def _join(hits: Sequence[ScoredChunk], read: ReadDocument) -> tuple[Passage, ...]:
    """Returns passages in the order of their best chunk. Chunks of one document are joined where they overlap, or
    follow each other with nothing but white space between."""
    ordered = sorted(hits, key=lambda hit: (hit.chunk.source, hit.chunk.start, hit.chunk.end))
    pairs = [(one.chunk, other.chunk) for one, other in pairwise(ordered)]
    touched = {one.source for one, other in pairs if one.source == other.source and one.ordinal + 1 == other.ordinal}
    documents = {source: document.text for source in touched if (document := read(source)) is not None}
    groups: list[list[ScoredChunk]] = []
    for hit in ordered:
        if groups and _continues(groups[-1], hit.chunk, documents.get(hit.chunk.source)):
            groups[-1].append(hit)
        else:
            groups.append([hit])
    groups.sort(key=lambda group: min(hit.rank for hit in group))
    return tuple(
        _passage(marker, group, documents.get(group[0].chunk.source, "")) for marker, group in enumerate(groups, 1)
    )


def _continues(group: Sequence[ScoredChunk], chunk: Chunk, text: str | None) -> bool:
    """Says whether `chunk` carries on the last chunk of `group`. `text` is the document's, which may have changed
    since the chunks were made."""
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
    """Joins chunks of one document to a passage, with the `document`'s own text between them."""
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
