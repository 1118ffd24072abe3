"""What the verbs that look after an index show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ragkit.frontends.cli.show.terminal import place_text, print_json, safe, say_aside, shown_path, style, text_of, tr
from ragkit.frontends.json_shapes import place_json
from ragkit.i18n.messages import runs
from ragkit.types.documents import Page

if TYPE_CHECKING:
    from ragkit.i18n.messages import Message
    from ragkit.types.documents import Chunk, Document, WeakPage
    from ragkit.types.reports import FileOutcome


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


def readiness(outcome: FileOutcome) -> str:
    """ "ready", "partly readable", or why it is not read."""
    if outcome.state in _UNREAD:
        return outcome.state
    return "partly readable" if outcome.weak_pages else "ready"


def show_audit(files: Sequence[FileOutcome], *, as_json: bool) -> None:
    """Files of which nothing was read, then those with bad pages; the worst share of bad pages first."""
    bad = [outcome for outcome in files if readiness(outcome) != "ready"]
    bad.sort(key=lambda outcome: (outcome.state not in _UNREAD, -_bad_share(outcome), outcome.source))
    states = Counter(map(readiness, files))
    if as_json:
        counts = {state: states[state] for state in _READINESS}
        shares = [{"reason": str(why), "files": files, "pages": pages} for why, files, pages in _reasons(bad)]
        print_json({"counts": counts, "reasons": shares, "files": [_audit_json(one) for one in bad]})
        return
    for outcome in bad:
        click.echo(f"{shown_path(outcome.source)}  {style(tr(readiness(outcome)), fg='yellow')}")
        if outcome.state in _UNREAD:
            click.echo(f"  {text_of(outcome.reason)}")
        for reason, numbers in _by_reason(outcome.weak_pages):
            template = "Page {pages} (of {count} in all): {why}"
            named = tr(template, pages=numbers, count=outcome.pages, why=text_of(reason))
            click.echo("  " + (named if outcome.pages else text_of(reason)))
    if len(bad) > _FEW_FILES:
        click.echo()
        for why, count, pages in _reasons(bad):
            template = "{count} files, {pages} pages: {why}" if pages else "{count} files: {why}"
            click.echo(tr(template, count=count, pages=pages, why=text_of(why)))
    counted = ", ".join(f"{states[state]} {tr(state)}" for state in _READINESS if states[state])
    say_aside(tr("{count} files: {states}.", count=len(files), states=counted or "–"))


_FEW_FILES = 5  # after which their reasons are summed up
_READINESS = ("ready", "partly readable", *_UNREAD)


def _reasons(bad: Sequence[FileOutcome]) -> list[tuple[Message, int, int]]:
    """Each reason with how many files and pages it is one of, the commonest first. Where the same is said with
    different numbers and names, these are left open."""
    said: dict[str, list[Message]] = {}
    files, pages = Counter[str](), Counter[str]()
    for outcome in bad:
        whole = [outcome.reason] if outcome.state in _UNREAD else []
        reasons = [*whole, *(page.reason for page in outcome.weak_pages)]
        for reason in reasons:
            said.setdefault(_kind(reason), []).append(reason)
        files.update({_kind(reason) for reason in reasons})
        pages.update(_kind(page.reason) for page in outcome.weak_pages if page.number)
    order = sorted(said, key=lambda kind: (-files[kind], -pages[kind], said[kind][0].text))
    return [(_in_common(said[kind]), files[kind], pages[kind]) for kind in order]


def _kind(reason: Message) -> str:
    """What is the same for all reasons of a kind: the code; in an index of an earlier version the sentence."""
    return reason.code or reason.text


def _in_common(messages: Sequence[Message]) -> Message:
    first = messages[0]
    if all(one == first for one in messages):
        return first
    return replace(first, values=dict.fromkeys(first.values, "…"))


def _bad_share(outcome: FileOutcome) -> float:
    return sum(1 - page.score for page in outcome.weak_pages) / max(outcome.pages, 1)


def _by_reason(pages: Sequence[WeakPage]) -> list[tuple[Message, str]]:
    """Each reason with its pages: "3, 7-9"."""
    numbers: dict[str, tuple[Message, list[int]]] = {}
    for page in pages:
        numbers.setdefault(str(page.reason), (page.reason, []))[1].append(page.number)
    return [(reason, runs(found)) for reason, found in numbers.values()]


def _audit_json(outcome: FileOutcome) -> dict[str, object]:
    return {
        "source": outcome.source,
        "state": readiness(outcome),
        "reason": str(outcome.reason),
        "pages": outcome.pages,
        "weak_pages": [
            {"page": page.number, "score": page.score, "reason": str(page.reason)} for page in outcome.weak_pages
        ],
    }


def show_document(document: Document, chunks: Sequence[Chunk], page: int | None, *, as_json: bool) -> None:
    """The text, with a line before each page, or where there are none the text alone."""
    pages = [one for one in _all_pages(document) if page in (None, one.number)]
    if as_json:
        print_json(
            {
                "source": document.source,
                "media_type": document.media_type,
                "title": document.title,
                "author": document.author,
                "date": document.date,
                "language": document.language,
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
    spoken = {"zh": tr("Chinese"), "en": tr("English")}.get(document.language, "")
    say_aside(" · ".join(filter(None, (document.title, document.author, document.date, spoken))))
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
