"""Writing to the terminal: texts in the user's language, JSON, colours, progress and places of sources."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragkit.frontends.cli.show import links
from ragkit.i18n.catalogues import environment_language
from ragkit.i18n.messages import Message, say
from ragkit.text.place_text import place_in_words
from ragkit.types.errors import InputError

if TYPE_CHECKING:
    from ragkit.types.documents import Place
    from ragkit.types.errors import RagkitError
    from ragkit.types.ports import ReportProgress
    from ragkit.types.reports import Progress

LANGUAGE = environment_language()
_QUOTE_CHARACTERS = 300  # characters that are shown of a passage


def tr(text: str, plural: str = "", /, **values: object) -> str:
    """Returns a sentence in the user's language, filled in; `plural` is said of any other `count` than one."""
    return say(Message(text=text, values=values, plural=plural), LANGUAGE)


STATES: dict[str, str] = {  # what became of a file, in words
    "added": tr("added"),
    "changed": tr("changed"),
    "removed": tr("removed"),
    "unchanged": tr("unchanged"),
    "unreadable": tr("unreadable"),
    "unsupported": tr("unsupported"),
    "skipped": tr("skipped"),
}


def text_of(message: Message) -> str:
    return safe(say(message, LANGUAGE))


def safe(text: str) -> str:
    """Returns `text` without control characters, because a document must not steer the reader's terminal."""
    return "".join(c for c in text if c in "\n\t" or (c >= " " and not "\x7f" <= c <= "\x9f" and c not in _BIDI))


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown_path(source: str) -> str:
    """Returns a path relative to the working directory if it lies there, else as it is."""
    path = Path(source)
    here = Path.cwd()
    return safe(str(path.relative_to(here)) if here in path.parents else source)


def style(text: str, **look: bool | str) -> str:
    """Returns coloured text, unless NO_COLOR is set. click drops colours by itself where no terminal is."""
    return text if os.environ.get("NO_COLOR") else click.style(text, **look)  # type: ignore[arg-type]


def say_aside(text: str) -> None:
    """Prints a line that is not data to standard error."""
    click.echo(style(text, dim=True), err=True)


def quiet_libraries() -> None:
    """Keeps the warnings of libraries out of the terminal."""
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
    """Writes a new file, and never over one that is there. Raises InputError."""
    check_new(path)
    try:
        with path.expanduser().open("x", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            stream.write(text)
    except OSError as exc:
        raise InputError("Cannot write {path}: {why}.", path=path, why=exc.strerror) from exc
    say_aside(tr("Saved in {path}.", path=shown_path(str(path))))


@contextmanager
def progress() -> Iterator[ReportProgress]:
    """Shows a progress bar on a terminal and nothing elsewhere; what it yields takes the progress of an index run."""
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
                "{files}, {chunks}, {rate} chunks/s",
                files=tr("{done}/{count} file", "{done}/{count} files", done=step.done_files, count=step.total_files),
                chunks=tr("{count} chunk", "{count} chunks", count=step.chunks),
                rate=f"{step.chunks / max(time.monotonic() - began, 0.001):.0f}",
            )
            if step.pages:
                said += tr(", pictures {done}/{pages}", done=step.pages_done, pages=step.pages)
            done = (step.done_bytes, step.total_bytes) if step.total_bytes else (step.done_files, step.total_files)
            bar.update(task, completed=done[0], total=done[1], said=said)

        yield show


def where(source: str, place: Place, with_links: bool) -> str:
    """Returns the file and the place in it, as a link that opens there if `with_links`."""
    text = f"{shown_path(source)}, {place_text(place)}"
    return links.link(text, links.url(source, place)) if with_links else text


def place_text(place: Place) -> str:
    return safe(place_in_words(place, LANGUAGE))


def short(text: str, characters: int = _QUOTE_CHARACTERS) -> str:
    """Returns `text` on one line, cut where it is longer than `characters`."""
    line = " ".join(safe(text).split())
    return line if len(line) <= characters else line[: characters - 1] + "…"
