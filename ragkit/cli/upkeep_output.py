"""What the verbs that look after an index show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ragkit.cli.output import print_json, safe, say_aside, shown_path, style, text_of, tr

if TYPE_CHECKING:
    from ragkit.messages import Message
    from ragkit.types import Chunk, Document, FileOutcome


def show_files(files: Sequence[FileOutcome], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "files": [
                    {
                        "source": outcome.source,
                        "state": outcome.state if outcome.state in _UNREAD else "read",
                        "reason": str(outcome.reason),
                        "notes": [str(note) for note in outcome.notes],
                        "chunks": outcome.chunks,
                    }
                    for outcome in files
                ]
            }
        )
        return
    for outcome in files:
        why = " ".join(text_of(message) for message in (outcome.reason, *outcome.notes) if message)
        state = tr(outcome.state) if outcome.state in _UNREAD else tr("{count} passages", count=outcome.chunks)
        click.echo(f"{shown_path(outcome.source)}  {style(state, dim=True)}{'  ' + why if why else ''}")
    say_aside(tr("{count} files.", count=len(files)))


_UNREAD = ("unreadable", "unsupported", "skipped")


def show_document(document: Document, chunks: Sequence[Chunk], page: int | None, *, as_json: bool) -> None:
    """The text, with a line before each page, or where there are none the text alone."""
    pages = [one for one in document.pages if page in (None, one.number)]
    if as_json:
        print_json(
            {
                "source": document.source,
                "media_type": document.media_type,
                "title": document.title,
                "pages": [{"number": one.number, "start": one.start, "end": one.end} for one in pages],
                "chunks": [
                    {"id": c.id, "page": c.page, "line": c.line, "start": c.start, "end": c.end} for c in chunks
                ],
                "notes": [str(note) for note in document.notes],
                "text": document.text,
            }
        )
        return
    for one in pages:
        click.echo(style(f"— {tr('page {page}', page=one.number)} —", bold=True))
        click.echo(safe(document.text[one.start : one.end]).rstrip())
    if not document.pages:
        click.echo(safe(document.text).rstrip())
    for note in document.notes:
        say_aside(text_of(note))
    say_aside(tr("{characters} characters, {count} passages.", characters=len(document.text), count=len(chunks)))


def show_removed(sources: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"removed": list(sources)})
        return
    for source in sources:
        click.echo(shown_path(source))
    say_aside(tr("{count} removed.", count=len(sources)))


def show_problems(problems: Sequence[Message], *, as_json: bool) -> None:
    if as_json:
        print_json({"problems": [str(problem) for problem in problems]})
        return
    for problem in problems:
        click.echo(text_of(problem))
    if not problems:
        click.echo(tr("The index is sound."))
    else:
        say_aside(tr("What concerns Chroma mends itself at the next search; for the catalog, restore a backup."))
