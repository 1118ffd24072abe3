"""A run or a comparison as one HTML page: nothing is loaded, nothing is executed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ragkit.evaluation.report import plots
from ragkit.evaluation.report.labels import TIME_LABELS, label, number, signed
from ragkit.evaluation.runs import Row, Run, figures, kinds, latencies_ms
from ragkit.evaluation.scoring.compare import Comparison, Difference
from ragkit.i18n.messages import Message, say

_FAILURES = 200  # listed at the most


def run_page(run: Run, language: str) -> str:
    found = figures(run.rows)
    ranked = [row for row in run.rows if row.expected]
    parts = [
        _facts(run, language),
        _section(Message("Figures"), language),
        plots.bars([(say(label(name), language), value, number(name, value)) for name, value in found.items()], 1),
        _kinds(run, language),
    ]
    if ranked:
        parts += [_section(Message("Where the right document stood"), language), _ranks(ranked, language)]
    parts += [_section(Message("Latency, from the fastest to the slowest question"), language), _times(run, language)]
    failed = [row for row in run.rows if failure(row)]
    if failed:
        parts += [_section(Message("What went wrong"), language), _failures(failed, language)]
    return _page(run.dataset, parts, language)


def comparison_page(comparison: Comparison, language: str) -> str:
    shares = [one for one in comparison.differences if not one.name.endswith("_ms")]
    times = [one for one in comparison.differences if one.name.endswith("_ms")]
    parts = [
        f"<p>{escape(say(comparison_title(comparison), language))}</p>",
        _section(Message("Differences and their 95 % intervals"), language),
        *(_intervals(group, language) for group in (shares, times) if group),
        _table(comparison_head(comparison, language), comparison_rows(comparison, language)),
        f"<p>{escape(say(METHOD, language))}</p>",
    ]
    return _page(comparison.dataset, parts, language)


def failure(row: Row) -> Message:
    """The first thing that went wrong with a question; empty when nothing did."""
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
        "{dataset}: {second} minus {first}, {count} questions in both",
        {
            "dataset": comparison.dataset,
            "first": comparison.first,
            "second": comparison.second,
            "count": comparison.questions,
        },
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
    values = {"questions": len(run.rows), "documents": run.documents, "made": made}
    return Message("{questions} questions, {documents} documents · {made}", values)


def _facts(run: Run, language: str) -> str:
    return f"<p>{escape(say(facts_of(run), language))}</p>"


def _kinds(run: Run, language: str) -> str:
    groups = kinds(run.rows)
    if not groups:
        return ""
    found = {name: figures(rows) for name, rows in groups.items()}
    every = dict.fromkeys(name for values in found.values() for name in values)
    head = [say(Message("kind of question"), language), *(f"{name} ({len(rows)})" for name, rows in groups.items())]
    rows = [
        [say(label(name), language), *(number(name, of[name]) if name in of else "–" for of in found.values())]
        for name in every
    ]
    return _table(head, rows)


def _ranks(rows: Sequence[Row], language: str) -> str:
    places = [_place(row) for row in rows]
    counts = [(str(place), places.count(place)) for place in range(1, 11)]
    counts.append((say(Message("not in the first ten"), language), places.count(0)))
    top = max(count for _, count in counts)
    return plots.bars([(name, count, f"{count} · {count / len(rows):.1%}") for name, count in counts], top)


def _place(row: Row) -> int:
    """Of the first right document, from 1; 0: not in the first ten."""
    return next((rank for rank, name in enumerate(row.found, 1) if name in row.expected), 0)


def _times(run: Run, language: str) -> str:
    lines = {
        say(TIME_LABELS[name], language): [row.times_ms[name] for row in run.rows if name in row.times_ms]
        for name in latencies_ms(run.rows)
    }
    return plots.curves(lines, "ms")


def _intervals(differences: Sequence[Difference], language: str) -> str:
    return plots.intervals(
        [
            (
                say(label(one.name), language),
                one.second - one.first,
                one.low,
                one.high,
                f"{signed(one.name, one.second - one.first)}",
            )
            for one in differences
        ]
    )


def _failures(rows: Sequence[Row], language: str) -> str:
    words = (Message("question"), Message("what"), Message("expected"), Message("found"), Message("answer"))
    cells = [
        [
            row.question,
            say(failure(row), language),
            ", ".join(row.expected),
            ", ".join(row.found[:3]),
            "" if row.answer is None else row.answer,
        ]
        for row in rows[:_FAILURES]
    ]
    left_out = len(rows) - len(cells)
    note = Message("{count} more are in the JSON.", {"count": left_out})
    return _table([say(word, language) for word in words], cells) + (
        f"<p>{escape(say(note, language))}</p>" if left_out else ""
    )


def _section(title: Message, language: str) -> str:
    return f"<h2>{escape(say(title, language))}</h2>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f'<{tag} dir="auto">{escape(cell)}</{tag}>' for cell in cells) + "</tr>"

    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"


def _page(title: str, parts: Sequence[str], language: str) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>ragkit: {escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24;
  background: #fff; overflow-wrap: anywhere }
svg { display: block; width: 100%; max-width: 46rem; margin: 1rem 0 } svg text { font-size: 12px; fill: currentColor }
table { border-collapse: collapse; font-size: 14px; margin: 1rem 0 }
th, td { border-bottom: 1px solid #d0d7de; padding: .3rem .8rem .3rem 0; text-align: start; vertical-align: top }
.bar { fill: #2f6f9f } .axis { stroke: #8b949e } polyline { fill: none; stroke-width: 2 }
.line0 { stroke: #2f6f9f } .line1 { stroke: #b35c00 }
line.clear { stroke: #2f6f9f; stroke-width: 3 } circle.clear { fill: #2f6f9f }
line.unclear { stroke: #8b949e; stroke-width: 3 } circle.unclear { fill: #8b949e }
@media (prefers-color-scheme: dark) { body { color: #d6dde4; background: #14181c } th, td { border-color: #3a424a } }
"""
