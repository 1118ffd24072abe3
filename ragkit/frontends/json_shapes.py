"""What ragkit gives as JSON, in one place: the command line, Python and HTTP use the same shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragkit.types.reports import FILE_STATES

if TYPE_CHECKING:
    from ragkit.config.resolving import Setting
    from ragkit.types.reports import Check, FileOutcome, IndexReport, IndexStatus
if TYPE_CHECKING:
    from ragkit.types.documents import Place

if TYPE_CHECKING:
    from ragkit.types.answers import Answer, Citation, ContextLedger, ExhaustiveAnswer, LedgerEntry
    from ragkit.types.search import ScoredChunk, WhyNot


def report_json(report: IndexReport) -> dict[str, object]:
    return {
        "files": [_outcome_json(outcome) for outcome in report.outcomes],
        "counts": {state: report.count(state) for state in FILE_STATES},
        "chunks_embedded": report.chunks_embedded,
        "chunks_reused": report.chunks_reused,
        "chunks_without_vector": report.chunks_without_vector,
        "chunks_unpublished": report.chunks_unpublished,
        "model": report.generation.model,
        "backend": report.generation.backend,
        "seconds": round(report.seconds, 3),
        "notes": [str(note) for note in report.notes],
    }


def _outcome_json(outcome: FileOutcome) -> dict[str, object]:
    return {
        "source": outcome.source,
        "state": outcome.state,
        "reason": str(outcome.reason),
        "notes": [str(note) for note in outcome.notes],
        "chunks": outcome.chunks,
    }


def status_json(status: IndexStatus) -> dict[str, object]:
    made = status.generation
    return {
        "directory": status.directory,
        "documents": status.documents,
        "chunks": status.chunks,
        "chunks_unpublished": status.chunks_unpublished,
        "chunks_without_vector": status.chunks_without_vector,
        "search": status.search,
        "disk_bytes": status.disk_bytes,
        "generation": None
        if made is None
        else {
            "fingerprint": made.fingerprint,
            "backend": made.backend,
            "model": made.model,
            "digest": made.digest,
            "dimension": made.dimension,
            "query_prefix": made.query_prefix,
            "document_prefix": made.document_prefix,
            "chunk_tokens": made.chunk_tokens,
            "overlap_tokens": made.overlap_tokens,
        },
        "labels": {root: list(labels) for root, labels in status.labels.items()},
        "unread": [_outcome_json(outcome) for outcome in status.unread],
    }


def checks_json(checks: Sequence[Check]) -> dict[str, object]:
    return {
        "checks": [
            {"name": check.name, "state": check.state, "detail": str(check.detail), "fix": str(check.fix)}
            for check in checks
        ]
    }


def settings_json(settings: Sequence[Setting]) -> dict[str, object]:
    return {"settings": [{"key": s.key, "value": s.value, "origin": s.origin} for s in settings]}


def place_json(place: Place) -> dict[str, object]:
    """`part` is set for a sheet's name and for a file within a file."""
    return {"page": place.page, "line": place.line, "page_kind": place.kind, "part": place.name}


def answer_json(answer: Answer) -> dict[str, object]:
    return {
        "question": answer.question,
        "query": answer.query,
        "text": answer.text,
        "refused": answer.refused,
        "mode": answer.mode,
        "model": answer.model,
        "done_reason": answer.done_reason,
        "citations": [citation_json(citation) for citation in answer.citations],
        "ledger": ledger_json(answer.ledger),
        "nearest": hits_list_json(answer.nearest),
        "unread_count": answer.unread_count,
        "notes": [str(note) for note in answer.notes],
        "asked": answer.asked,
    }


def ledger_json(ledger: ContextLedger) -> dict[str, object]:
    return {
        "window_tokens": ledger.window_tokens,
        "budget_tokens": ledger.budget_tokens,
        "planned_tokens": ledger.planned_tokens,
        "prompt_eval_count": ledger.prompt_eval_count,
        "sent": [_entry_json(entry) for entry in ledger.sent],
        "left_out": [_entry_json(entry) for entry in ledger.left_out],
        "notes": [str(note) for note in ledger.notes],
    }


def hits_list_json(hits: Sequence[ScoredChunk]) -> list[dict[str, object]]:
    return [_hit_json(hit) for hit in hits]


def collected_json(found: ExhaustiveAnswer, answer: Answer | None) -> dict[str, object]:
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


def citation_json(citation: Citation) -> dict[str, object]:
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


def _entry_json(entry: LedgerEntry) -> dict[str, object]:
    return {
        "marker": entry.marker,
        "source": entry.source,
        **place_json(entry.place),
        "tokens": entry.tokens,
        "reason": str(entry.reason),
    }


def why_not_json(found: WhyNot) -> dict[str, object]:
    return {
        "stage": found.stage,
        "why": str(found.why),
        "fix": str(found.fix),
        "seen": [str(message) for message in found.seen],
    }


def hits_json(question: str, hits: Sequence[ScoredChunk]) -> dict[str, object]:
    return {"question": question, "hits": hits_list_json(hits)}


def _hit_json(hit: ScoredChunk) -> dict[str, object]:
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
