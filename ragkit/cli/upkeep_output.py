"""What the verbs that look after an index show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ragkit.cli.output import place_json, place_text, print_json, safe, say_aside, shown_path, style, text_of, tr
from ragkit.types import Page

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
    pages = [one for one in _all_pages(document) if page in (None, one.number)]
    if as_json:
        print_json(
            {
                "source": document.source,
                "media_type": document.media_type,
                "title": document.title,
                "pages": [_page_json(one) for one in pages if one.number],
                "chunks": [{"id": c.id, **place_json(c.place), "start": c.start, "end": c.end} for c in chunks],
                "notes": [str(note) for note in document.notes],
                "text": document.text,
            }
        )
        return
    for one in pages:
        if one.number:
            click.echo(style(f"— {place_text(replace(document.place(one.start), line=None))} —", bold=True))
        click.echo(safe(document.text[one.start : one.end]).rstrip())
    for note in document.notes:
        say_aside(text_of(note))
    say_aside(tr("{characters} characters, {count} passages.", characters=len(document.text), count=len(chunks)))


def _page_json(page: Page) -> dict[str, object]:
    return {"number": page.number, "start": page.start, "end": page.end, "page_kind": page.kind, "part": page.name}


def _all_pages(document: Document) -> list[Page]:
    """The pages, and what stands before, between and after them as pages of number 0."""
    found, at = [], 0
    for page in (*document.pages, Page(0, len(document.text), len(document.text))):
        if document.text[at : page.start].strip():
            found.append(Page(0, at, page.start))
        found += [page] if page.number else []
        at = page.end
    return found


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
