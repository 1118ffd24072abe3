"""The other ways to ask: every passage is read, or the answer has the form of a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from ragkit.frontends.cli import exit_codes
from ragkit.frontends.cli.show import answers, links, terminal
from ragkit.frontends.cli.show.terminal import style, tr
from ragkit.frontends.json_shapes.answers import exhaustive_answer_json, structured_answer_json
from ragkit.types.answers import Answer, ExhaustiveAnswer
from ragkit.types.errors import ModelError
from ragkit.types.structured import path_text

if TYPE_CHECKING:
    from ragkit.app.kit import RagKit
    from ragkit.types.structured import Field, FieldState, StructuredAnswer


def ask_everything(kit: RagKit, question: str, where: Sequence[str], *, as_json: bool) -> int:
    """Puts the question to every passage and prints the rows as they come. Returns the exit code."""
    found: ExhaustiveAnswer | None = None
    answer: Answer | None = None
    with_links = links.wanted(kit.config.open.links)
    try:
        with answers.reading_progress() as progress:
            for step in kit.stream_everything(question, where):
                if isinstance(step, ExhaustiveAnswer):
                    if not as_json:
                        answers.show_rows(step, since=len(found.rows) if found else 0, with_links=with_links)
                    found = step
                    progress(step)
                elif isinstance(step, Answer):
                    answer = step
    except ModelError:
        if found is not None:
            terminal.say_aside(
                tr(
                    "{read} of {count} passage was read; ask the same again to go on from there.",
                    "{read} of {count} passages were read; ask the same again to go on from there.",
                    read=found.chunks_read,
                    count=found.chunks,
                )
            )
        raise
    assert found is not None
    if as_json:
        terminal.print_json(exhaustive_answer_json(found, answer))
    else:
        answers.show_exhaustive_answer(found, answer, kit.model_notes, with_links=with_links)
    return exit_codes.OK if found.rows else exit_codes.NOTHING_FOUND


def ask_structured(
    kit: RagKit, question: str, schema: Mapping[str, object], where: Sequence[str], *, as_json: bool
) -> int:
    """Prints the value by the schema, with the proof of each field. Returns the exit code."""
    answer = kit.ask_structured(question, schema, where)
    if as_json:
        terminal.print_json(structured_answer_json(answer))
    else:
        _show_structured(answer, kit)
    return exit_codes.OK if answer.complete and answer.found else exit_codes.NOTHING_FOUND


_VERDICTS: dict[FieldState, tuple[str, str]] = {
    "stated": (tr("verified"), "green"),
    "read": (tr("quote verified; the value is read from it"), "yellow"),
    "unverified": (tr("NOT verified"), "red"),
    "null": (tr("null"), "red"),
    "missing": (tr("missing"), "red"),
}


def _show_structured(answer: StructuredAnswer, kit: RagKit) -> None:
    """Prints each field with its proof below it, and what the documents did not give."""
    with_links = links.wanted(kit.config.open.links)
    for field in answer.fields:
        _show_field(field, with_links)
    if answer.asked > 1:
        terminal.say_aside(tr("The model was asked twice, because the first reply was not proved in full."))
    missing = sum(field.state == "missing" and field.required for field in answer.fields)
    if missing:
        terminal.say_aside(
            tr(
                "{count} required field is missing: the documents do not give it.",
                "{count} required fields are missing: the documents do not give them.",
                count=missing,
            )
        )
    if answer.unread_count:
        answers.say_unread(answer.unread_count)
    answers.say_left_out(answer.ledger)
    for note in (*answer.ledger.notes, *answer.notes, *kit.model_notes):
        terminal.say_aside(terminal.text_of(note))


def _show_field(field: Field, with_links: bool) -> None:
    # A schema that is one scalar has no name for its value.
    name = terminal.safe(path_text(field.path)) or tr("(value)")
    verdict, colour = _VERDICTS[field.state]
    shown = terminal.safe(terminal.to_json(field.value)) if field.state not in ("null", "missing") else "–"
    why = f" ({terminal.text_of(field.reason)})" if field.reason else ""
    click.echo(f"{style(name, bold=True)}: {shown}")
    where = f"{terminal.where(field.citation.source, field.citation.place, with_links)} · " if field.citation else ""
    click.echo(f"    {where}{style(verdict, fg=colour)}{why}")
    if field.citation is not None and field.citation.quote:
        click.echo(f"    {terminal.short(field.citation.quote)}")
