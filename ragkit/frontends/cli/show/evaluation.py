"""Prints figures, comparisons and verdicts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragkit.frontends.cli.show.tables import show_table
from ragkit.frontends.cli.show.terminal import LANGUAGE, print_json, safe, say_aside, short, style, text_of, tr

if TYPE_CHECKING:
    from ragkit.evaluation.checking import Verdict
    from ragkit.evaluation.runs import Run
    from ragkit.evaluation.scoring.compare import Comparison

_FOUND_CHARACTERS = 160  # characters that a line shows of what was found instead
_STEPS = {  # the steps in which an answer is lost, in words
    "index": tr("index"),
    "reading": tr("reading"),
    "search": tr("search"),
    "packing": tr("packing"),
    "answer": tr("answer"),
    "citation": tr("citation"),
}


@contextmanager
def progress(questions: int) -> Iterator[Callable[[int], None]]:
    """Shows a bar on a terminal and nothing elsewhere; what it yields takes how many questions are done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=questions, label=tr("Questions"), file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)


def show_run(run: Run, page: Path | None, *, as_json: bool) -> None:
    from ragkit.evaluation.report.labels import TIME_LABELS, label, number
    from ragkit.evaluation.report.page import facts_of, run_page
    from ragkit.evaluation.runs import figures, kinds, latencies_ms
    from ragkit.frontends.json_shapes.evaluation import run_json

    if page is not None:
        page.write_text(run_page(run, LANGUAGE), "utf-8")
    if as_json:
        print_json(run_json(run))
        return
    groups = {tr("all"): run.rows, **kinds(run.rows)}
    found = [figures(rows) for rows in groups.values()]
    say_aside(f"{safe(run.dataset)}: {text_of(facts_of(run))}")
    head = [tr("figure"), *(f"{safe(name)} ({len(rows)})" for name, rows in groups.items())]
    rows = [
        [text_of(label(name)), *(number(name, of[name]) if name in of else "–" for of in found)] for name in found[0]
    ]
    times = [latencies_ms(rows) for rows in groups.values()]
    for name in times[0]:
        shown = [f"{of[name][0]:.0f} / {of[name][1]:.0f}" for of in times]
        rows.append([tr("{what}, half and 95 % within", what=TIME_LABELS[name]), *shown])
    show_table([head, *rows], numbers=True)


def show_comparison(comparison: Comparison, page: Path | None, *, as_json: bool) -> None:
    from ragkit.evaluation.report.page import (
        METHOD,
        comparison_head,
        comparison_page,
        comparison_rows,
        comparison_title,
    )
    from ragkit.frontends.json_shapes.evaluation import comparison_json

    if page is not None:
        page.write_text(comparison_page(comparison, LANGUAGE), "utf-8")
    if as_json:
        print_json(comparison_json(comparison))
        return
    say_aside(text_of(comparison_title(comparison)))
    show_table([comparison_head(comparison, LANGUAGE), *comparison_rows(comparison, LANGUAGE)], numbers=True)
    say_aside(text_of(METHOD))


def show_verdicts(verdicts: Sequence[Verdict], *, as_json: bool) -> None:
    from ragkit.frontends.json_shapes.evaluation import verdicts_json

    if as_json:
        print_json(verdicts_json(verdicts))
        return
    for verdict in verdicts:
        if verdict.loss is not None:
            mark = style(tr("FAILED"), fg="red", bold=True)
            told = tr(
                "{id} “{question}”: expected {expected}; found {found}; lost in: {step}",
                id=safe(verdict.question.id),
                question=safe(verdict.question.text),
                expected=text_of(verdict.expected),
                found=short(text_of(verdict.loss.found), _FOUND_CHARACTERS),
                step=_STEPS[verdict.loss.step],
            )
            click.echo(f"{mark} {' '.join(told.split())}")
    passed = sum(verdict.loss is None for verdict in verdicts)
    click.echo(
        tr(
            "{passed} of {count} question passed.",
            "{passed} of {count} questions passed.",
            passed=passed,
            count=len(verdicts),
        )
    )
