"""Prints what an index holds, file by file, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ragkit.frontends.audit import audit, readiness
from ragkit.frontends.cli.show.terminal import (
    STATES,
    place_text,
    print_json,
    safe,
    say_aside,
    shown_path,
    style,
    text_of,
    tr,
)
from ragkit.frontends.json_shapes.indexes import audit_json, document_json, files_json, problems_json, removed_json
from ragkit.i18n.messages import runs
from ragkit.types.documents import Page
from ragkit.types.reports import UNREAD_STATES

_FEW_FILES = 5  # files; the reasons of more than these are summed up below them

if TYPE_CHECKING:
    from ragkit.i18n.messages import Message
    from ragkit.types.documents import Chunk, Document, WeakPage
    from ragkit.types.reports import FileOutcome


def show_files(files: Sequence[FileOutcome], *, as_json: bool) -> None:
    if as_json:
        print_json(files_json(files))
        return
    for outcome in files:
        why = " ".join(text_of(message) for message in (outcome.reason, *outcome.notes) if message)
        state = STATES[outcome.state] if outcome.state in UNREAD_STATES else _passages(outcome.chunks)
        click.echo(f"{shown_path(outcome.source)}  {style(state, dim=True)}{'  ' + why if why else ''}")
    say_aside(tr("{count} file.", "{count} files.", count=len(files)))


def _passages(count: int) -> str:
    return tr("{count} passage", "{count} passages", count=count)


_READINESS = {**STATES, "ready": tr("ready"), "partly readable": tr("partly readable")}


def show_audit(files: Sequence[FileOutcome], *, as_json: bool) -> None:
    """Prints the files that are not wholly readable, each with its reasons and the pages that have them."""
    found = audit(files)
    if as_json:
        print_json(audit_json(found))
        return
    for outcome in found.files:
        _show_audited(outcome)
    if len(found.files) > _FEW_FILES:
        click.echo()
        for shared in found.reasons:
            places = [tr("{count} file", "{count} files", count=shared.files)]
            places += [tr("{count} page", "{count} pages", count=shared.pages)] if shared.pages else []
            click.echo(tr("{places}: {why}", places=tr(", ").join(places), why=text_of(shared.reason)))
    counted = ", ".join(f"{count} {_READINESS[state]}" for state, count in found.counts.items() if count)
    say_aside(tr("{count} file: {states}.", "{count} files: {states}.", count=len(files), states=counted or "–"))


def _show_audited(outcome: FileOutcome) -> None:
    click.echo(f"{shown_path(outcome.source)}  {style(_READINESS[readiness(outcome)], fg='yellow')}")
    if outcome.state in UNREAD_STATES:
        click.echo(f"  {text_of(outcome.reason)}")
    for reason, numbers in _by_reason(outcome.weak_pages):
        named = tr("Page {pages} (of {count} in all): {why}", pages=numbers, count=outcome.pages, why=text_of(reason))
        click.echo("  " + (named if outcome.pages else text_of(reason)))


def _by_reason(pages: Sequence[WeakPage]) -> list[tuple[Message, str]]:
    """Returns each reason with the numbers of its pages, as "3, 7-9"."""
    numbers: dict[str, tuple[Message, list[int]]] = {}
    for page in pages:
        numbers.setdefault(str(page.reason), (page.reason, []))[1].append(page.number)
    return [(reason, runs(found)) for reason, found in numbers.values()]


def show_document(document: Document, chunks: Sequence[Chunk], page: int | None, *, as_json: bool) -> None:
    """Prints the text of a document, with a line before each page that its format has."""
    if as_json:
        print_json(document_json(document, chunks, page))
        return
    for one in _all_pages(document):
        if page not in (None, one.number):
            continue
        if one.number:
            click.echo(style(f"— {place_text(replace(document.place(one.start), line=None))} —", bold=True))
        click.echo(safe(document.text[one.start : one.end]).rstrip())
    for note in document.notes:
        say_aside(text_of(note))
    spoken = {"zh": tr("Chinese"), "en": tr("English")}.get(document.language, "")
    say_aside(" · ".join(filter(None, (document.title, document.author, document.date, spoken))))
    characters = tr("{count} character", "{count} characters", count=len(document.text))
    say_aside(tr("{characters}, {passages}.", characters=characters, passages=_passages(len(chunks))))


def _all_pages(document: Document) -> list[Page]:
    """Returns the pages, and what stands before, between and after them as pages of number 0."""
    found, at = [], 0
    for page in (*document.pages, Page(0, len(document.text), len(document.text))):
        if document.text[at : page.start].strip():
            found.append(Page(0, at, page.start))
        found += [page] if page.number else []
        at = page.end
    return found


def show_removed(sources: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json(removed_json(sources))
        return
    for source in sources:
        click.echo(shown_path(source))
    say_aside(tr("{count} removed.", count=len(sources)))


def show_problems(problems: Sequence[Message], *, as_json: bool) -> None:
    if as_json:
        print_json(problems_json(problems))
        return
    for problem in problems:
        click.echo(text_of(problem))
    if not problems:
        click.echo(tr("The index is sound."))
    else:
        say_aside(tr("What concerns Chroma mends itself at the next search; for the catalog, restore a backup."))
