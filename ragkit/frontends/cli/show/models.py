"""Prints models, replies and vectors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ragkit.frontends.cli.show.tables import show_table
from ragkit.frontends.cli.show.terminal import print_json, safe, say_aside, style, text_of, tr
from ragkit.frontends.json_shapes.models import (
    installed_models_json,
    model_record_json,
    reply_json,
    running_models_json,
    vectors_json,
)

if TYPE_CHECKING:
    from ragkit.types.documents import Vector
    from ragkit.types.model_server import InstalledModel, ModelRecord, Reply, RunningModel, Transfer

_NUMBERS_SHOWN = 5  # numbers of a vector


def show_reply(reply: Reply, *, as_json: bool) -> None:
    """Prints what follows the streamed text, or with `as_json` the whole reply."""
    if as_json:
        print_json(reply_json(reply))
        return
    click.echo()
    for note in reply.notes:
        say_aside(text_of(note))


def show_vectors(vectors: Sequence[Vector], texts: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json(vectors_json(vectors))
        return
    for text, vector in zip(texts, vectors, strict=True):
        numbers = ", ".join(f"{value:.4f}" for value in vector[:_NUMBERS_SHOWN])
        click.echo(f"{safe(text)[:60]}\n  {tr('{count} number', '{count} numbers', count=len(vector))}: [{numbers}, …]")
    say_aside(tr("--json shows all of them."))


def show_installed(models: Sequence[InstalledModel], *, as_json: bool) -> None:
    if as_json:
        print_json(installed_models_json(models))
        return
    if not models:
        say_aside(tr("No models are installed. Run: ragkit models pull bge-m3"))
    _show_models(
        (tr("model"), tr("size"), tr("parameters"), tr("quantization"), tr("can"), tr("modified")),
        [
            (
                model.name,
                _size(model.size_bytes),
                model.parameter_size,
                model.quantization,
                ", ".join(model.capabilities),
                model.modified_at[:10],
            )
            for model in models
        ],
    )


def show_running(models: Sequence[RunningModel], *, as_json: bool) -> None:
    if as_json:
        print_json(running_models_json(models))
        return
    if not models:
        say_aside(tr("No model is loaded."))
    _show_models(
        (tr("model"), tr("size"), tr("on the GPU"), tr("window"), tr("until")),
        [
            (
                model.name,
                _size(model.size_bytes),
                f"{100 * model.gpu_bytes // max(model.size_bytes, 1)} %",
                str(model.context_tokens or "?"),
                model.expires_at[:19].replace("T", " "),
            )
            for model in models
        ],
    )


def show_record(record: ModelRecord, *, as_json: bool) -> None:
    if as_json:
        print_json(model_record_json(record))
        return
    facts = {
        tr("model"): record.name,
        tr("architecture"): record.architecture,
        tr("parameters"): record.parameter_size,
        tr("quantization"): record.quantization,
        tr("can"): ", ".join(record.capabilities),
        tr("trained on tokens"): record.context_tokens,
        tr("dimensions"): record.embedding_dimension,
        tr("options"): " · ".join(" ".join(line.split()) for line in record.parameters.splitlines()),
        tr("system"): record.system,
        tr("license"): record.license.strip().partition("\n")[0],
    }
    for name, value in facts.items():
        if value:
            click.echo(f"{style(name, bold=True)}: {safe(str(value))}")


@contextmanager
def transfers(*, quiet: bool) -> Iterator[Callable[[Transfer], None]]:
    """Shows bars on a terminal, and a line for each new state elsewhere; what it yields takes each step."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bars() as tell:
            yield tell
    else:
        seen: set[str] = set()

        def tell_line(step: Transfer) -> None:
            if step.status not in seen:
                seen.add(step.status)
                click.echo(safe(step.status), err=True)

        yield tell_line


@contextmanager
def _bars() -> Iterator[Callable[[Transfer], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, int] = {}

        def tell(step: Transfer) -> None:
            name = safe(step.status)
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=step.total_bytes or 1)
            total, done = (step.total_bytes, step.done_bytes) if step.total_bytes else (1, 1)
            bars.update(tasks[name], total=total, completed=done)  # type: ignore[arg-type]

        yield tell


def _show_models(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        show_table([titles, *([safe(cell) for cell in row] for row in rows)])


def _size(count: int) -> str:
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.1f} {unit}" if unit == "GB" else f"{size:.0f} {unit}"
