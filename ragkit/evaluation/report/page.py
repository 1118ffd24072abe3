"""A run or a comparison as one HTML page: nothing is loaded, nothing is executed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ragkit.evaluation.report.labels import TIME_LABELS, label, number, signed
from ragkit.evaluation.runs import Row, Run, figures, kinds, latencies_ms
from ragkit.evaluation.scoring.compare import Comparison
from ragkit.evaluation.scoring.judging import percentile
from ragkit.i18n.messages import Message, say
from ragkit.text.html_pages import page_of

_MAX_FAILURES = 200  # failed questions that a page lists
_HERE = Path(__file__).parent


def run_page(run: Run, language: str) -> str:
    failed = [row for row in run.rows if failure(row)]
    return page_of(
        _HERE / "run.html.jinja",
        language,
        title=run.dataset,
        facts=say(facts_of(run), language),
        figures=[(say(label(name), language), value, number(name, value)) for name, value in figures(run.rows).items()],
        kinds=_kinds(run, language),
        ranks=_ranks([row for row in run.rows if row.expected], language),
        times=_times(run, language),
        failures=[_failed(row, language) for row in failed[:_MAX_FAILURES]],
        left_out=len(failed[_MAX_FAILURES:]),
    )


def comparison_page(comparison: Comparison, language: str) -> str:
    return page_of(
        _HERE / "comparison.html.jinja",
        language,
        title=comparison.dataset,
        about=say(comparison_title(comparison), language),
        head=comparison_head(comparison, language),
        rows=comparison_rows(comparison, language),
        method=say(METHOD, language),
    )


def failure(row: Row) -> Message:
    """Returns the first thing that went wrong with a question; empty when nothing did."""
    if row.unanswerable and row.answer is not None and not row.refused:
        return Message("answered, though it cannot be answered")
    if row.refused and not row.unanswerable:
        return Message("refused, though it can be answered")
    if row.scores.get("answer_right", (1.0, 1.0))[0] == 0:
        return Message("another answer")
    if row.expected and row.found[:1] and row.found[0] not in row.expected:
        return Message("another document first")
    return Message() if row.found or not row.expected else Message("nothing found")


METHOD = Message(
    "Intervals: paired bootstrap over questions. p-values: two-sided paired randomization test, 10,000 rounds, "
    "not corrected for the number of figures."
)


def comparison_title(comparison: Comparison) -> Message:
    return Message(
        "{dataset}: {second} minus {first}, {count} question in both",
        {
            "dataset": comparison.dataset,
            "first": comparison.first,
            "second": comparison.second,
            "count": comparison.questions,
        },
        plural="{dataset}: {second} minus {first}, {count} questions in both",
    )


def comparison_head(comparison: Comparison, language: str) -> list[str]:
    words = (Message("figure"), Message("difference"), Message("95 % interval"), Message("p-value"))
    name, *others = (say(word, language) for word in words)
    return [name, comparison.first, comparison.second, *others]


def comparison_rows(comparison: Comparison, language: str) -> list[list[str]]:
    return [
        [
            say(label(one.name), language),
            number(one.name, one.first),
            number(one.name, one.second),
            signed(one.name, one.second - one.first),
            f"{signed(one.name, one.low)} … {signed(one.name, one.high)}",
            f"{one.p_value:.4f}",
        ]
        for one in comparison.differences
    ]


def facts_of(run: Run) -> Message:
    made = ", ".join(f"{name} {value}" for name, value in {**run.made_with, **run.settings}.items())
    questions = Message("{count} question", {"count": len(run.rows)}, plural="{count} questions")
    documents = Message("{count} document", {"count": run.documents}, plural="{count} documents")
    values = {"questions": questions, "documents": documents, "made": made}
    return Message("{questions}, {documents} · {made}", values)


def _kinds(run: Run, language: str) -> tuple[list[str], list[list[str]]] | None:
    """Returns the head and the rows of a table; None: the questions are of no kinds."""
    groups = kinds(run.rows)
    if not groups:
        return None
    found = {name: figures(rows) for name, rows in groups.items()}
    every = dict.fromkeys(name for values in found.values() for name in values)
    head = [say(Message("kind of question"), language), *(f"{name} ({len(rows)})" for name, rows in groups.items())]
    rows = [
        [say(label(name), language), *(number(name, of[name]) if name in of else "–" for of in found.values())]
        for name in every
    ]
    return head, rows


def _ranks(rows: Sequence[Row], language: str) -> list[tuple[str, int, str]]:
    """(place, questions whose first right document stood there, what is written beside it)"""
    places = [_place(row) for row in rows]
    counts = [(str(place), places.count(place)) for place in range(1, 11)]
    counts.append((say(Message("not in the first ten"), language), places.count(0)))
    return [(name, count, f"{count} · {count / len(rows):.1%}") for name, count in counts] if rows else []


def _place(row: Row) -> int:
    """Returns the rank of the first right document, from 1; 0: it is not among the first ten."""
    return next((rank for rank, name in enumerate(row.found, 1) if name in row.expected), 0)


def _times(run: Run, language: str) -> list[list[str]]:
    times = {name: [row.times_ms[name] for row in run.rows if name in row.times_ms] for name in latencies_ms(run.rows)}
    return [
        [say(TIME_LABELS[name], language), *(f"{percentile(found, share):.0f}" for share in (0, 50, 95, 100))]
        for name, found in times.items()
    ]


def _failed(row: Row, language: str) -> list[str]:
    expected, found = ", ".join(row.expected), ", ".join(row.found[:3])
    return [row.question, say(failure(row), language), expected, found, row.answer or ""]
