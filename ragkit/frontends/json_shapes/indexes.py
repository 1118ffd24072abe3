"""Index runs, what an index holds, checks and settings as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragkit.frontends.audit import readiness
from ragkit.frontends.json_shapes.answers import place_json

if TYPE_CHECKING:
    from ragkit.config.resolving import Setting
    from ragkit.frontends.audit import Audit
    from ragkit.frontends.json_shapes.index_shapes import (
        AuditedFileJson,
        AuditJson,
        ChecksJson,
        DocumentJson,
        FileOutcomeJson,
        FilesJson,
        GenerationJson,
        IndexReportJson,
        IndexStatusJson,
        ListedState,
        PlanJson,
        ProblemsJson,
        RemovedJson,
        SettingsJson,
    )
    from ragkit.i18n.messages import Message
    from ragkit.types.documents import Chunk, Document, Generation
    from ragkit.types.reports import Check, FileOutcome, IndexReport, IndexStatus


def index_report_json(report: IndexReport) -> IndexReportJson:
    return {
        "files": [file_outcome_json(outcome) for outcome in report.outcomes],
        "counts": {
            "added": report.count("added"),
            "changed": report.count("changed"),
            "removed": report.count("removed"),
            "unchanged": report.count("unchanged"),
            "unreadable": report.count("unreadable"),
            "unsupported": report.count("unsupported"),
            "skipped": report.count("skipped"),
        },
        "chunks_embedded": report.chunks_embedded,
        "chunks_reused": report.chunks_reused,
        "chunks_without_vector": report.chunks_without_vector,
        "chunks_unpublished": report.chunks_unpublished,
        "model": report.generation.model,
        "backend": report.generation.backend,
        "seconds": round(report.seconds, 3),
        "notes": [str(note) for note in report.notes],
    }


def plan_json(plan: Sequence[FileOutcome]) -> PlanJson:
    return {"files": [file_outcome_json(outcome) for outcome in plan]}


def index_status_json(status: IndexStatus) -> IndexStatusJson:
    return {
        "directory": status.directory,
        "documents": status.documents,
        "chunks": status.chunks,
        "chunks_unpublished": status.chunks_unpublished,
        "chunks_without_vector": status.chunks_without_vector,
        "search": status.search,
        "disk_bytes": status.disk_bytes,
        "generation": None if status.generation is None else _generation_json(status.generation),
        "labels": {root: list(labels) for root, labels in status.labels.items()},
        "unread": [file_outcome_json(outcome) for outcome in status.unread],
    }


def files_json(files: Sequence[FileOutcome]) -> FilesJson:
    return {
        "files": [
            {
                "source": outcome.source,
                "state": _listed_state(outcome),
                "reason": str(outcome.reason),
                "notes": [str(note) for note in outcome.notes],
                "chunks": outcome.chunks,
            }
            for outcome in files
        ]
    }


def audit_json(found: Audit) -> AuditJson:
    return {
        "counts": dict(found.counts),
        "reasons": [{"reason": str(one.reason), "files": one.files, "pages": one.pages} for one in found.reasons],
        "files": [_audited_file_json(outcome) for outcome in found.files],
    }


def document_json(document: Document, chunks: Sequence[Chunk], page: int | None) -> DocumentJson:
    """`page` is the one page to name; None names all of them."""
    return {
        "source": document.source,
        "media_type": document.media_type,
        "title": document.title,
        "author": document.author,
        "date": document.date,
        "language": document.language,
        "pages": [
            {"number": one.number, "start": one.start, "end": one.end, "page_kind": one.kind, "part": one.name}
            for one in document.pages
            if page in (None, one.number)
        ],
        "chunks": [{"id": c.id, **place_json(c.place), "start": c.start, "end": c.end} for c in chunks],
        "notes": [str(note) for note in document.notes],
        "text": document.text,
    }


def removed_json(sources: Sequence[str]) -> RemovedJson:
    return {"removed": list(sources)}


def problems_json(problems: Sequence[Message]) -> ProblemsJson:
    return {"problems": [str(problem) for problem in problems]}


def checks_json(checks: Sequence[Check]) -> ChecksJson:
    return {
        "checks": [
            {"name": check.name, "state": check.state, "detail": str(check.detail), "fix": str(check.fix)}
            for check in checks
        ]
    }


def settings_json(settings: Sequence[Setting]) -> SettingsJson:
    return {"settings": [{"key": s.key, "value": s.value, "origin": s.origin} for s in settings]}


def file_outcome_json(outcome: FileOutcome) -> FileOutcomeJson:
    return {
        "source": outcome.source,
        "state": outcome.state,
        "reason": str(outcome.reason),
        "notes": [str(note) for note in outcome.notes],
        "chunks": outcome.chunks,
    }


def _listed_state(outcome: FileOutcome) -> ListedState:
    match outcome.state:
        case "unreadable" | "unsupported" | "skipped":
            return outcome.state
        case _:
            return "read"


def _audited_file_json(outcome: FileOutcome) -> AuditedFileJson:
    return {
        "source": outcome.source,
        "state": readiness(outcome),
        "reason": str(outcome.reason),
        "pages": outcome.pages,
        "weak_pages": [
            {"page": page.number, "score": page.score, "reason": str(page.reason)} for page in outcome.weak_pages
        ],
    }


def _generation_json(made: Generation) -> GenerationJson:
    return {
        "fingerprint": made.fingerprint,
        "backend": made.backend,
        "model": made.model,
        "digest": made.digest,
        "dimension": made.dimension,
        "query_prefix": made.query_prefix,
        "document_prefix": made.document_prefix,
        "chunk_tokens": made.chunk_tokens,
        "overlap_tokens": made.overlap_tokens,
    }
