"""Prints index runs, what an index holds, checks and settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ragkit.frontends.cli.show.terminal import STATES, print_json, safe, say_aside, shown_path, style, text_of, tr
from ragkit.frontends.json_shapes.indexes import plan_json
from ragkit.types.reports import FILE_STATES, UNREAD_STATES

if TYPE_CHECKING:
    from ragkit.config.resolving import Setting
    from ragkit.types.documents import Generation
    from ragkit.types.reports import Check, FileOutcome, IndexReport, IndexStatus

_FILES_SHOWN = 20  # files of one kind that a report names; `--json` names all


def show_report(report: IndexReport) -> None:
    for note in report.notes:
        say_aside(text_of(note))
    _show_unread(report.outcomes)
    changed = sum(report.count(state) for state in ("added", "changed", "removed"))
    if not changed:
        click.echo(
            tr(
                "Nothing to do: the file is up to date.",
                "Nothing to do: all {count} files are up to date.",
                count=report.count("unchanged"),
            )
        )
    click.echo(_counts_line(report))
    if changed:
        click.echo(
            tr(
                "{count} chunk embedded, {reused} reused, in {seconds} s ({rate} files/s).",
                "{count} chunks embedded, {reused} reused, in {seconds} s ({rate} files/s).",
                count=report.chunks_embedded,
                reused=report.chunks_reused,
                seconds=f"{report.seconds:.1f}",
                rate=f"{changed / max(report.seconds, 0.001):.1f}",
            )
        )
    if report.chunks_unpublished:
        say_aside(
            tr(
                "{count} chunk is not in Chroma yet; searches find it all the same.",
                "{count} chunks are not in Chroma yet; searches find them all the same.",
                count=report.chunks_unpublished,
            )
        )


_PLANNED = {
    **STATES,
    "added": tr("would be read"),
    "changed": tr("would be read again"),
    "removed": tr("would be removed"),
}


def show_plan(plan: Sequence[FileOutcome], *, as_json: bool) -> None:
    """Prints what an index run would do with each file."""
    if as_json:
        print_json(plan_json(plan))
        return
    for outcome in plan:
        if outcome.state != "unchanged":
            click.echo(f"{shown_path(outcome.source)}  {_PLANNED[outcome.state]}  {text_of(outcome.reason)}".rstrip())
    same = sum(outcome.state == "unchanged" for outcome in plan)
    say_aside(
        tr(
            "{count} file, {same} unchanged. Nothing was done.",
            "{count} files, {same} of them unchanged. Nothing was done.",
            count=len(plan),
            same=same,
        )
    )


def _counts_line(report: IndexReport) -> str:
    parts = [
        f"{report.count(state)} {STATES[state]}" for state in FILE_STATES if report.count(state) or state == "added"
    ]
    return tr("{count} file: ", "{count} files: ", count=len(report.outcomes)) + ", ".join(parts)


def _show_unread(outcomes: Sequence[FileOutcome]) -> None:
    """Prints the files that were not read, or not read whole, kind by kind."""
    for state in UNREAD_STATES:
        _show_outcomes(STATES[state], [outcome for outcome in outcomes if outcome.state == state])
    partly = [outcome for outcome in outcomes if outcome.notes and outcome.state not in UNREAD_STATES]
    _show_outcomes(tr("read, with notes"), partly)


def _show_outcomes(title: str, outcomes: Sequence[FileOutcome]) -> None:
    """Prints the first files of one kind with their reasons, and how many more there are."""
    if not outcomes:
        return
    click.echo(style(f"{title} ({len(outcomes)}):", bold=True), err=True)
    for outcome in outcomes[:_FILES_SHOWN]:
        reasons = [text_of(message) for message in (outcome.reason, *outcome.notes) if message]
        click.echo(f"  {shown_path(outcome.source)}: {' '.join(reasons)}", err=True)
    if len(outcomes) > _FILES_SHOWN:
        more = tr(
            "... and {count} more; --json or `ragkit status --json` names all.", count=len(outcomes) - _FILES_SHOWN
        )
        click.echo(f"  {more}", err=True)


def show_status(status: IndexStatus) -> None:
    click.echo(tr("Index: {directory}", directory=safe(status.directory)))
    click.echo(
        tr(
            "{documents}, {chunks}, {size} MB on disk",
            documents=tr("{count} document", "{count} documents", count=status.documents),
            chunks=tr("{count} chunk", "{count} chunks", count=status.chunks),
            size=f"{status.disk_bytes / 1e6:.1f}",
        )
    )
    if status.generation is not None:
        _show_generation(status.generation)
        by_graph = status.search == "chroma"
        click.echo(tr("Vectors are searched by Chroma") if by_graph else tr("Vectors are searched one by one"))
    for root, labels in status.labels.items():
        click.echo(tr("Labels of {path}: {labels}", path=shown_path(root), labels=safe(", ".join(labels))))
    if status.chunks_unpublished:
        click.echo(
            tr(
                "{count} chunk is not in Chroma yet; searches find it all the same.",
                "{count} chunks are not in Chroma yet; searches find them all the same.",
                count=status.chunks_unpublished,
            )
        )
    if status.chunks_without_vector:
        click.echo(
            tr(
                "{count} passage has no vector; it is found by its words only.",
                "{count} passages have no vector; they are found by their words only.",
                count=status.chunks_without_vector,
            )
        )
    _show_unread(status.unread)


def _show_generation(made: Generation) -> None:
    click.echo(
        tr(
            "Made with {model} ({backend}), {dimension} dimensions, chunks of {tokens} tokens",
            model=made.model,
            backend=made.backend,
            dimension=made.dimension,
            tokens=made.chunk_tokens,
        )
    )


_CHECK_COLOURS = {"ok": ("green", tr("ok")), "warning": ("yellow", tr("warning")), "fault": ("red", tr("fault"))}
_CHECKED = {  # names of checks, where they are words
    "system": tr("system"),
    "tokens": tr("tokens"),
    "embedded models": tr("embedded models"),
    "ollama": tr("ollama"),
    "ollama connection": tr("ollama connection"),
    "embedding model": tr("embedding model"),
    "chat model": tr("chat model"),
    "image model": tr("image model"),
    "openai models": tr("openai models"),
    "index": tr("index"),
    "chroma": tr("chroma"),
    "disk": tr("disk"),
}
_ORIGINS = {"default": tr("default"), "flag": tr("flag")}  # of settings; others name a file or a variable


def show_checks(checks: Sequence[Check]) -> None:
    for check in checks:
        colour, word = _CHECK_COLOURS[check.state]
        click.echo(f"{style(word, fg=colour)}  {_CHECKED.get(check.name, check.name)}: {text_of(check.detail)}")
        if check.fix:
            click.echo("    → " + text_of(check.fix))


def show_settings(settings: Sequence[Setting]) -> None:
    width = max(len(setting.key) for setting in settings)
    for setting in settings:
        value = "–" if setting.value is None else str(setting.value)
        click.echo(
            f"{setting.key:<{width}}  {value:<24}  {style(_ORIGINS.get(setting.origin, setting.origin), dim=True)}"
        )
