"""Prints answers, passages and the reasons for them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ragkit.frontends.cli.show.terminal import place_text, safe, say_aside, short, shown_path, style, text_of, tr, where
from ragkit.i18n.messages import Message
from ragkit.types.answers import Withdrawn

if TYPE_CHECKING:
    from ragkit.types.answers import Answer, Citation, ContextLedger, ExhaustiveAnswer, LedgerEntry
    from ragkit.types.search import ScoredChunk, Stage, WhyNot

_FILES_NAMED = 3  # files; of further ones with passages that were left out only the number is told
_NEAREST_SHOWN = 3  # passages that are shown where the documents do not say


def show_piece(piece: str | Withdrawn) -> None:
    """Prints the text as it comes. What is withdrawn stays on the screen, with a word about it below."""
    if isinstance(piece, str):
        click.echo(safe(piece), nl=False)
        return
    click.echo("\n")
    sys.stdout.flush()
    say_aside(text_of(piece.why))


def show_answer(answer: Answer, model_notes: Sequence[Message], *, with_links: bool) -> None:
    """Prints what follows the streamed text: the sources, and what did not fit or could not be proved."""
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
    say_aside(
        tr(
            "{count} file of this index could not be read: see `ragkit status`.",
            "{count} files of this index could not be read: see `ragkit status`.",
            count=count,
        )
    )


def say_left_out(ledger: ContextLedger) -> None:
    """Tells which passages were not given to the answerer, and why."""
    for why in dict.fromkeys(text_of(entry.reason) for entry in ledger.left_out):
        names = _names([entry for entry in ledger.left_out if text_of(entry.reason) == why])
        say_aside(tr("Left out of the context: {names} ({why})", names=names, why=why))


def show_sources(answer: Answer, *, with_links: bool) -> None:
    """Prints the citations, or the nearest passages where the documents do not say."""
    if not answer.refused:
        show_citations(answer.citations, with_links=with_links)
        return
    click.echo(tr("Nearest passages:"))
    for hit in answer.nearest[:_NEAREST_SHOWN]:
        click.echo(f"  {hit.rank}. {where(hit.chunk.source, hit.chunk.place, with_links)}")
        click.echo(f"     {short(hit.chunk.text, 120)}")
    if not answer.nearest:
        click.echo("  " + tr("none"))


def show_rows(found: ExhaustiveAnswer, *, since: int, with_links: bool) -> None:
    """Prints the rows after the first `since`, each with the places where it stands."""
    for number, row in enumerate(found.rows[since:], since + 1):
        click.echo(f"{number}. {safe(row.text)}")
        for citation in row.citations:
            click.echo(f"   {where(citation.source, citation.place, with_links)} · {_verdict(citation)}")


def show_exhaustive_answer(
    found: ExhaustiveAnswer, answer: Answer | None, model_notes: Sequence[Message], *, with_links: bool
) -> None:
    """Prints what follows the rows: the answer that was made from them, and how much was read."""
    if answer is not None:
        click.echo()
        click.echo(safe(answer.text), nl=False)
        show_answer(answer, (), with_links=with_links)
    proved = sum(row.verified for row in found.rows)
    click.echo(
        tr(
            "{rows}; {passages}.",
            rows=tr(
                "{count} row, {proved} verified",
                "{count} rows, {proved} of them verified",
                count=len(found.rows),
                proved=proved,
            ),
            passages=tr(
                "{read} of {count} passage read",
                "{read} of {count} passages read",
                read=found.chunks_read,
                count=found.chunks,
            ),
        )
    )
    for note in (*found.notes, *model_notes):
        say_aside(text_of(note))


@contextmanager
def reading_progress() -> Iterator[Callable[[ExhaustiveAnswer], None]]:
    """Shows a progress bar on a terminal and nothing elsewhere; what it yields takes the rows so far."""
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


def _names(entries: Sequence[LedgerEntry]) -> str:
    """Returns where the passages of a ledger stand, each file once with its places."""
    places: dict[str, list[str]] = {}
    for entry in entries:
        places.setdefault(shown_path(entry.source), []).append(place_text(entry.place))
    named = [f"{source}, {', '.join(dict.fromkeys(found))}" for source, found in list(places.items())[:_FILES_NAMED]]
    more = len(places) - len(named)
    return "; ".join(named) + (
        tr("; {count} more file (--json names all)", "; {count} more files (--json names all)", count=more)
        if more
        else ""
    )


def _show_citation(citation: Citation, with_links: bool) -> None:
    click.echo(f"  [{citation.marker}] {where(citation.source, citation.place, with_links)} · {_verdict(citation)}")
    if citation.quote:
        click.echo(f"      {short(citation.quote)}")


def show_why_not(found: WhyNot) -> None:
    for message in found.seen:
        click.echo(f"  {text_of(message)}")
    name = style(STAGES[found.stage], fg="green" if found.stage == "given" else "red")
    click.echo(f"{name}: {text_of(found.why)}")
    if found.fix:
        say_aside(text_of(found.fix))


STAGES: dict[Stage, str] = {
    "index": tr("not indexed"),
    "reading": tr("not read"),
    "splitting": tr("split"),
    "conditions": tr("left out by a condition"),
    "candidates": tr("not found"),
    "ranking": tr("ranked too low"),
    "reranking": tr("reranked too low"),
    "selection": tr("left out by a rule"),
    "packing": tr("did not fit"),
    "given": tr("given"),
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
    """Returns where a passage stands, and what spoke for it."""
    ranks = tr(
        "dense {dense}, lexical {lexical}, score {score}",
        dense=hit.dense_rank or "–",
        lexical=hit.lexical_rank or "–",
        score=f"{hit.score:.2f}",
    )
    return f"{shown_path(hit.chunk.source)}, {place_text(hit.chunk.place)}  ({ranks})"


def show_reasons(answer: Answer) -> None:
    """Prints what an answer rests on: how it was made, the passages it was given, and those left out."""
    ledger = answer.ledger
    click.echo(tr("Searched for: {query}", query=safe(answer.query)))
    click.echo(
        tr(
            "Answered by {model}, from {count} passage:",
            "Answered by {model}, from {count} passages:",
            model=answer.model,
            count=len(ledger.sent),
        )
    )
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
    tokens = tr("{count} token", "{count} tokens", count=entry.tokens)
    return f"{shown_path(entry.source)}, {place_text(entry.place)} · {tokens}"
