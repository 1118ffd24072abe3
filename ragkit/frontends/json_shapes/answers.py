"""Answers, searches and bundles as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragkit.frontends.json_shapes.answer_shapes import (
        AnswerJson,
        BundleCheckJson,
        CitationJson,
        ExhaustiveAnswerJson,
        FieldJson,
        HitJson,
        HitsJson,
        LedgerEntryJson,
        LedgerJson,
        PlaceJson,
        SourceCheckJson,
        StructuredAnswerJson,
        WhyNotJson,
    )
    from ragkit.types.answers import Answer, Citation, ContextLedger, ExhaustiveAnswer, LedgerEntry
    from ragkit.types.bundle import BundleCheck, SourceCheck
    from ragkit.types.documents import Place
    from ragkit.types.search import ScoredChunk, WhyNot
    from ragkit.types.structured import Field, StructuredAnswer


def place_json(place: Place) -> PlaceJson:
    return {"page": place.page, "line": place.line, "page_kind": place.kind, "part": place.name}


def answer_json(answer: Answer) -> AnswerJson:
    return {
        "question": answer.question,
        "query": answer.query,
        "text": answer.text,
        "refused": answer.refused,
        "mode": answer.mode,
        "model": answer.model,
        "done_reason": answer.done_reason,
        "citations": [citation_json(citation) for citation in answer.citations],
        "ledger": _ledger_json(answer.ledger),
        "nearest": [hit_json(hit) for hit in answer.nearest],
        "unread_count": answer.unread_count,
        "notes": [str(note) for note in answer.notes],
        "asked": answer.asked,
    }


def structured_answer_json(answer: StructuredAnswer) -> StructuredAnswerJson:
    return {
        "question": answer.question,
        "value": answer.value,
        "complete": answer.complete,
        "fields": [_field_json(field) for field in answer.fields],
        "mode": answer.mode,
        "model": answer.model,
        "asked": answer.asked,
        "ledger": _ledger_json(answer.ledger),
        "nearest": [hit_json(hit) for hit in answer.nearest],
        "unread_count": answer.unread_count,
        "notes": [str(note) for note in answer.notes],
    }


def exhaustive_answer_json(found: ExhaustiveAnswer, answer: Answer | None) -> ExhaustiveAnswerJson:
    """Returns the rows and the answer that was made from them; `answer` is None when none was made."""
    return {
        "question": found.question,
        "rows": [
            {
                "text": row.text,
                "verified": row.verified,
                "citations": [citation_json(citation) for citation in row.citations],
            }
            for row in found.rows
        ],
        "chunks_read": found.chunks_read,
        "chunks": found.chunks,
        "mode": found.mode,
        "model": found.model,
        "answer": answer_json(answer) if answer is not None else None,
        "notes": [str(note) for note in found.notes],
    }


def hits_json(question: str, hits: Sequence[ScoredChunk]) -> HitsJson:
    return {"question": question, "hits": [hit_json(hit) for hit in hits]}


def why_not_json(found: WhyNot) -> WhyNotJson:
    return {
        "stage": found.stage,
        "why": str(found.why),
        "fix": str(found.fix),
        "seen": [str(message) for message in found.seen],
    }


def bundle_check_json(check: BundleCheck) -> BundleCheckJson:
    bundle = check.bundle
    return {
        "changed": check.changed,
        "page_intact": check.page_intact,
        "question": bundle.question,
        "made_at": bundle.made_at,
        "version": bundle.version,
        "sources": [_source_check_json(source) for source in check.sources],
    }


def citation_json(citation: Citation) -> CitationJson:
    return {
        "marker": citation.marker,
        "source": citation.source,
        **place_json(citation.place),
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "verified": citation.verified,
        "score": round(citation.score, 4),
    }


def _ledger_json(ledger: ContextLedger) -> LedgerJson:
    return {
        "window_tokens": ledger.window_tokens,
        "budget_tokens": ledger.budget_tokens,
        "planned_tokens": ledger.planned_tokens,
        "prompt_eval_count": ledger.prompt_eval_count,
        "sent": [_entry_json(entry) for entry in ledger.sent],
        "left_out": [_entry_json(entry) for entry in ledger.left_out],
        "notes": [str(note) for note in ledger.notes],
    }


def _entry_json(entry: LedgerEntry) -> LedgerEntryJson:
    return {
        "marker": entry.marker,
        "source": entry.source,
        **place_json(entry.place),
        "tokens": entry.tokens,
        "reason": str(entry.reason),
    }


def hit_json(hit: ScoredChunk) -> HitJson:
    chunk = hit.chunk
    return {
        "rank": hit.rank,
        "dense_rank": hit.dense_rank,
        "lexical_rank": hit.lexical_rank,
        "score": round(hit.score, 4),
        "similarity": None if hit.similarity is None else round(hit.similarity, 4),
        "cover": round(hit.cover, 4),
        "id": chunk.id,
        "source": chunk.source,
        **place_json(chunk.place),
        "start": chunk.start,
        "end": chunk.end,
        "heading_path": list(chunk.heading_path),
        "text": chunk.text,
    }


def _field_json(field: Field) -> FieldJson:
    return {
        "path": list(field.path),
        "value": field.value,
        "state": field.state,
        "verified": field.verified,
        "required": field.required,
        "reason": str(field.reason),
        "citation": citation_json(field.citation) if field.citation is not None else None,
    }


def _source_check_json(source: SourceCheck) -> SourceCheckJson:
    return {
        "source": source.path,
        "state": source.state,
        "found_at": source.found_at,
        "reason": str(source.reason),
        "quotes": [
            {"marker": quote.marker, "quote": quote.quote, "verified": quote.verified, "stands": quote.stands}
            for quote in source.quotes
        ],
    }
