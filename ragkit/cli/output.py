"""What a person and a program see: text in the user's language, and one JSON shape a verb."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragkit import places
from ragkit.cli import links
from ragkit.errors import InputError
from ragkit.messages import Message, environment_language, say
from ragkit.types import FILE_STATES, Withdrawn

if TYPE_CHECKING:
    from ragkit.config import Setting
    from ragkit.errors import RagkitError
    from ragkit.ports import ReportProgress
    from ragkit.types import (
        Answer,
        Check,
        Citation,
        Collected,
        ContextLedger,
        FileOutcome,
        IndexReport,
        IndexStatus,
        LedgerEntry,
        Place,
        Progress,
        ScoredChunk,
        WhyNot,
    )

LANGUAGE = environment_language()
_FILES_SHOWN = 20  # of one kind, in a report; `--json` has all
_QUOTE_CHARACTERS = 300  # of a passage shown
_NEAREST_SHOWN = 3  # passages, where the documents do not say


def tr(template: str, **values: object) -> str:
    """`template` in the user's language, filled in."""
    return say(Message(template, values), LANGUAGE)


def text_of(message: Message) -> str:
    return safe(say(message, LANGUAGE))


def safe(text: str) -> str:
    """`text` without control characters: a document must not steer the reader's terminal."""
    return "".join(c for c in text if c in "\n\t" or (c >= " " and not "\x7f" <= c <= "\x9f" and c not in _BIDI))


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown_path(source: str) -> str:
    """A path as short as it can be from here."""
    path = Path(source)
    here = Path.cwd()
    return safe(str(path.relative_to(here)) if here in path.parents else source)


def style(text: str, **look: bool | str) -> str:
    """Coloured, unless NO_COLOR says no. click drops colours by itself where no terminal is."""
    return text if os.environ.get("NO_COLOR") else click.style(text, **look)  # type: ignore[arg-type]


def say_aside(text: str) -> None:
    """A line for the reader that is not data: on stderr."""
    click.echo(style(text, dim=True), err=True)


def quiet_libraries() -> None:
    """Libraries' warnings stay out of the terminal unless RAGKIT's own log is asked for."""
    logging.getLogger().addHandler(logging.NullHandler())


def error(exc: RagkitError) -> None:
    click.echo(style(tr("Error: "), fg="red", bold=True) + text_of(exc.message), err=True)
    if exc.hint:
        click.echo("  " + text_of(exc.hint), err=True)


def unexpected(exc: Exception) -> None:
    message = tr("Unexpected: {kind}: {why}", kind=type(exc).__name__, why=safe(str(exc)))
    click.echo(style(tr("Error: "), fg="red", bold=True) + message, err=True)
    click.echo(
        "  " + tr("This is a fault of ragkit. Run it again with --debug before the verb and report what it shows."),
        err=True,
    )


def to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def print_json(value: object) -> None:
    # A lone surrogate (a file name that is not text) must not break the output.
    text = to_json(value, 2)
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def check_new(path: Path) -> None:
    """Raises InputError when something is there already."""
    if path.expanduser().exists():
        raise InputError("{path} is there already.", hint="Choose another name, or remove it first.", path=path)


def write_new(path: Path, text: str) -> None:
    """A new file; nothing that is there is written over. Raises InputError."""
    check_new(path)
    try:
        with path.expanduser().open("x", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            stream.write(text)
    except OSError as exc:
        raise InputError("Cannot write {path}: {why}.", path=path, why=exc.strerror) from exc
    say_aside(tr("Saved in {path}.", path=shown_path(str(path))))


@contextmanager
def progress() -> Iterator[ReportProgress]:
    """A progress bar on a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(tr("Indexing")), BarColumn(), TextColumn("{task.fields[said]}"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("index", total=None, said="")
        began = time.monotonic()

        def show(step: Progress) -> None:
            said = tr(
                "{done}/{total} files, {chunks} chunks, {rate} chunks/s",
                done=step.done_files,
                total=step.total_files,
                chunks=step.chunks,
                rate=f"{step.chunks / max(time.monotonic() - began, 0.001):.0f}",
            )
            if step.pages:
                said += tr(", OCR {done}/{pages}", done=step.pages_done, pages=step.pages)
            done = (step.done_bytes, step.total_bytes) if step.total_bytes else (step.done_files, step.total_files)
            bar.update(task, completed=done[0], total=done[1], said=said)

        yield show


# -- index -------------------------------------------------------------------------------------


def show_report(report: IndexReport) -> None:
    for note in report.notes:
        say_aside(text_of(note))
    for state in ("unreadable", "unsupported", "skipped"):
        _show_outcomes(state, [outcome for outcome in report.outcomes if outcome.state == state])
    partly = [o for o in report.outcomes if o.notes and o.state not in ("unreadable", "unsupported", "skipped")]
    _show_outcomes("read, with notes", partly)
    changed = sum(report.count(state) for state in ("added", "changed", "removed"))
    if not changed:
        click.echo(tr("Nothing to do: all {count} files are up to date.", count=report.count("unchanged")))
    click.echo(_counts_line(report))
    if changed:
        click.echo(
            tr(
                "{embedded} chunks embedded, {reused} reused, in {seconds} s ({rate} files/s).",
                embedded=report.chunks_embedded,
                reused=report.chunks_reused,
                seconds=f"{report.seconds:.1f}",
                rate=f"{changed / max(report.seconds, 0.001):.1f}",
            )
        )
    if report.chunks_unpublished:
        say_aside(
            tr(
                "{count} chunks are not in Chroma yet; searches find them all the same.",
                count=report.chunks_unpublished,
            )
        )


_WOULD = {"added": "would be read", "changed": "would be read again", "removed": "would be removed"}


def show_plan(plan: Sequence[FileOutcome], *, as_json: bool) -> None:
    """What an index run would do with each file."""
    if as_json:
        print_json({"files": [_outcome_json(outcome) for outcome in plan]})
        return
    for outcome in plan:
        if outcome.state != "unchanged":
            state = tr(_WOULD.get(outcome.state, outcome.state))
            click.echo(f"{shown_path(outcome.source)}  {state}  {text_of(outcome.reason)}".rstrip())
    same = sum(outcome.state == "unchanged" for outcome in plan)
    say_aside(tr("{count} files, {same} of them unchanged. Nothing was done.", count=len(plan), same=same))


def _counts_line(report: IndexReport) -> str:
    parts = [f"{report.count(state)} {tr(state)}" for state in FILE_STATES if report.count(state) or state == "added"]
    return tr("{count} files: ", count=len(report.outcomes)) + ", ".join(parts)


def _show_outcomes(title: str, outcomes: Sequence[FileOutcome]) -> None:
    """The files of one kind, with reasons; kinds with many files of one reason are counted."""
    if not outcomes:
        return
    click.echo(style(f"{tr(title)} ({len(outcomes)}):", bold=True), err=True)
    for outcome in outcomes[:_FILES_SHOWN]:
        reasons = [text_of(message) for message in (outcome.reason, *outcome.notes) if message]
        click.echo(f"  {shown_path(outcome.source)}: {' '.join(reasons)}", err=True)
    if len(outcomes) > _FILES_SHOWN:
        more = tr(
            "... and {count} more; --json or `ragkit status --json` names all.", count=len(outcomes) - _FILES_SHOWN
        )
        click.echo(f"  {more}", err=True)


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


# -- ask ---------------------------------------------------------------------------------------


def show_piece(piece: str | Withdrawn) -> None:
    """The text as it comes. What is withdrawn stays on the screen, with a word about it below."""
    if isinstance(piece, str):
        click.echo(safe(piece), nl=False)
        return
    click.echo("\n")
    sys.stdout.flush()
    say_aside(text_of(piece.why))


def show_answer(answer: Answer, model_notes: Sequence[Message], *, with_links: bool) -> None:
    """What follows the streamed text: the sources, and what did not fit or could not be proved."""
    click.echo("\n")
    if answer.query != answer.question:
        say_aside(tr("Searched for: {query}", query=safe(answer.query)))
    show_sources(answer, with_links=with_links)
    if answer.unread_count:
        say_unread(answer.unread_count)
    say_left_out(answer.ledger)
    for note in (*answer.ledger.notes, *answer.notes, *model_notes):
        say_aside(text_of(note))


def say_unread(count: int) -> None:
    say_aside(tr("{count} files of this index could not be read: see `ragkit status`.", count=count))


def say_left_out(ledger: ContextLedger) -> None:
    """Which passages were not given to the answerer, and why."""
    for why in dict.fromkeys(text_of(entry.reason) for entry in ledger.left_out):
        names = _names([entry for entry in ledger.left_out if text_of(entry.reason) == why])
        say_aside(tr("Left out of the context: {names} ({why})", names=names, why=why))


def show_sources(answer: Answer, *, with_links: bool) -> None:
    """The citations, or the nearest passages where the documents do not say."""
    if not answer.refused:
        show_citations(answer.citations, with_links=with_links)
        return
    click.echo(tr("Nearest passages:"))
    for hit in answer.nearest[:_NEAREST_SHOWN]:
        click.echo(f"  {hit.rank}. {where(hit.chunk.source, hit.chunk.place, with_links)}")
        click.echo(f"     {short(hit.chunk.text, 120)}")
    if not answer.nearest:
        click.echo("  " + tr("none"))


def show_rows(found: Collected, *, since: int, with_links: bool) -> None:
    """The rows after the first `since`, each with where it stands."""
    for number, row in enumerate(found.rows[since:], since + 1):
        click.echo(f"{number}. {safe(row.text)}")
        for citation in row.citations:
            click.echo(f"   {where(citation.source, citation.place, with_links)} · {_verdict(citation)}")


def show_collected(
    found: Collected, answer: Answer | None, model_notes: Sequence[Message], *, with_links: bool
) -> None:
    """What follows the rows: the answer out of them, and how much was read."""
    if answer is not None:
        click.echo()
        click.echo(safe(answer.text), nl=False)
        show_answer(answer, (), with_links=with_links)
    proved = sum(row.verified for row in found.rows)
    click.echo(
        tr(
            "{rows} rows, {proved} of them verified; {read} of {count} passages read.",
            rows=len(found.rows),
            proved=proved,
            read=found.chunks_read,
            count=found.chunks,
        )
    )
    for note in (*found.notes, *model_notes):
        say_aside(text_of(note))


@contextmanager
def reading_progress() -> Iterator[Callable[[Collected], None]]:
    """A progress bar on a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(tr("Reading")), BarColumn(), MofNCompleteColumn(), TextColumn(tr("passages")))
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("read", total=None)
        yield lambda found: bar.update(task, total=found.chunks, completed=found.chunks_read)


def show_citations(citations: Sequence[Citation], *, with_links: bool) -> None:
    if citations:
        click.echo(tr("Sources:"))
    for citation in citations:
        _show_citation(citation, with_links)


def _verdict(citation: Citation) -> str:
    return style(tr("verified"), fg="green") if citation.verified else style(tr("NOT verified"), fg="red")


def where(source: str, place: Place, with_links: bool) -> str:
    """The file and the place in it; a terminal that knows links opens it there."""
    text = f"{shown_path(source)}, {place_text(place)}"
    return links.link(text, links.url(source, place)) if with_links else text


def _names(entries: Sequence[LedgerEntry]) -> str:
    """Where the passages of a ledger stand, each file once with its places."""
    places: dict[str, list[str]] = {}
    for entry in entries:
        places.setdefault(shown_path(entry.source), []).append(place_text(entry.place))
    return "; ".join(f"{source}, {', '.join(dict.fromkeys(found))}" for source, found in places.items())


def _show_citation(citation: Citation, with_links: bool) -> None:
    click.echo(f"  [{citation.marker}] {where(citation.source, citation.place, with_links)} · {_verdict(citation)}")
    if citation.quote:
        click.echo(f"      {short(citation.quote)}")


def place_text(place: Place) -> str:
    return safe(places.spoken(place, LANGUAGE))


def place_json(place: Place) -> dict[str, object]:
    """`part` is set for a sheet's name and for a file within a file."""
    return {"page": place.page, "line": place.line, "page_kind": place.kind, "part": place.name}


def short(text: str, characters: int = _QUOTE_CHARACTERS) -> str:
    """On one line, cut where it is too long."""
    line = " ".join(safe(text).split())
    return line if len(line) <= characters else line[: characters - 1] + "…"


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


def collected_json(found: Collected, answer: Answer | None) -> dict[str, object]:
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


# -- search ------------------------------------------------------------------------------------


def show_why_not(found: WhyNot) -> None:
    for message in found.seen:
        click.echo(f"  {text_of(message)}")
    name = style(tr(_STAGES[found.stage]), fg="green" if found.stage == "given" else "red")
    click.echo(f"{name}: {text_of(found.why)}")
    if found.fix:
        say_aside(text_of(found.fix))


_STAGES = {
    "index": "not indexed",
    "reading": "not read",
    "splitting": "split",
    "conditions": "left out by a condition",
    "candidates": "not found",
    "ranking": "ranked too low",
    "packing": "did not fit",
    "given": "given",
}


def why_not_json(found: WhyNot) -> dict[str, object]:
    return {
        "stage": found.stage,
        "why": str(found.why),
        "fix": str(found.fix),
        "seen": [str(message) for message in found.seen],
    }


def show_hits(hits: Sequence[ScoredChunk]) -> None:
    if not hits:
        say_aside(tr("Nothing found."))
    for hit in hits:
        chunk = hit.chunk
        click.echo(f"{hit.rank}. {_hit_text(hit)}")
        if chunk.heading_path:
            click.echo("   " + style(safe(" > ".join(chunk.heading_path)), dim=True))
        click.echo(f"   {short(chunk.text)}")


def _hit_text(hit: ScoredChunk) -> str:
    """Where a passage stands, and what spoke for it."""
    ranks = tr(
        "dense {dense}, lexical {lexical}, score {score}",
        dense=hit.dense_rank or "–",
        lexical=hit.lexical_rank or "–",
        score=f"{hit.score:.2f}",
    )
    return f"{shown_path(hit.chunk.source)}, {place_text(hit.chunk.place)}  ({ranks})"


def show_reasons(answer: Answer) -> None:
    """What an answer rested on: how it was made, the passages it was given, and those left out."""
    ledger = answer.ledger
    click.echo(tr("Searched for: {query}", query=safe(answer.query)))
    click.echo(tr("Answered by {model}, from {count} passages:", model=answer.model, count=len(ledger.sent)))
    for entry in ledger.sent:
        click.echo(f"  [{entry.marker}] {_entry_text(entry)}")
    if ledger.left_out:
        click.echo(tr("Left out:"))
    for entry in ledger.left_out:
        click.echo(f"  {_entry_text(entry)}: {text_of(entry.reason)}")
    click.echo(tr("Found, best first:"))
    for hit in answer.nearest:
        click.echo(f"  {hit.rank}. {_hit_text(hit)}")
    for note in (*ledger.notes, *answer.notes):
        say_aside(text_of(note))


def _entry_text(entry: LedgerEntry) -> str:
    tokens = tr("{count} tokens", count=entry.tokens)
    return f"{shown_path(entry.source)}, {place_text(entry.place)} · {tokens}"


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


# -- status, doctor, config --------------------------------------------------------------------


def show_status(status: IndexStatus) -> None:
    made = status.generation
    click.echo(tr("Index: {directory}", directory=safe(status.directory)))
    click.echo(
        tr(
            "{documents} documents, {chunks} chunks, {size} MB on disk",
            documents=status.documents,
            chunks=status.chunks,
            size=f"{status.disk_bytes / 1e6:.1f}",
        )
    )
    if made is not None:
        click.echo(
            tr(
                "Made with {model} ({backend}), {dimension} dimensions, chunks of {tokens} tokens",
                model=made.model,
                backend=made.backend,
                dimension=made.dimension,
                tokens=made.chunk_tokens,
            )
        )
        by_graph = status.search == "chroma"
        click.echo(tr("Vectors are searched by Chroma") if by_graph else tr("Vectors are searched one by one"))
    for root, labels in status.labels.items():
        click.echo(tr("Labels of {path}: {labels}", path=shown_path(root), labels=safe(", ".join(labels))))
    if status.chunks_unpublished:
        click.echo(
            tr(
                "{count} chunks are not in Chroma yet; searches find them all the same.",
                count=status.chunks_unpublished,
            )
        )
    if status.chunks_without_vector:
        click.echo(
            tr(
                "{count} passages have no vector; they are found by their words only.",
                count=status.chunks_without_vector,
            )
        )
    for state in ("unreadable", "unsupported", "skipped"):
        _show_outcomes(state, [outcome for outcome in status.unread if outcome.state == state])
    partly = [o for o in status.unread if o.notes and o.state not in ("unreadable", "unsupported", "skipped")]
    _show_outcomes("read, with notes", partly)


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


_CHECK_LOOK = {"ok": ("green", "ok"), "warning": ("yellow", "warning"), "fault": ("red", "fault")}


def show_checks(checks: Sequence[Check]) -> None:
    for check in checks:
        colour, word = _CHECK_LOOK[check.state]
        click.echo(f"{style(tr(word), fg=colour)}  {tr(check.name)}: {text_of(check.detail)}")
        if check.fix:
            click.echo("    → " + text_of(check.fix))


def checks_json(checks: Sequence[Check]) -> dict[str, object]:
    return {
        "checks": [
            {"name": check.name, "state": check.state, "detail": str(check.detail), "fix": str(check.fix)}
            for check in checks
        ]
    }


def show_settings(settings: Sequence[Setting]) -> None:
    width = max(len(setting.key) for setting in settings)
    for setting in settings:
        value = "–" if setting.value is None else str(setting.value)
        click.echo(f"{setting.key:<{width}}  {value:<24}  {style(tr(setting.origin), dim=True)}")


def settings_json(settings: Sequence[Setting]) -> dict[str, object]:
    return {"settings": [{"key": s.key, "value": s.value, "origin": s.origin} for s in settings]}
