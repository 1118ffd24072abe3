"""Figures, comparisons and verdicts as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragkit.evaluation.runs import figures, kinds, latencies_ms

if TYPE_CHECKING:
    from ragkit.evaluation.checking import Verdict
    from ragkit.evaluation.runs import Row, Run
    from ragkit.evaluation.scoring.compare import Comparison
    from ragkit.frontends.json_shapes.evaluation_shapes import (
        ComparisonJson,
        QuestionRowJson,
        RunJson,
        VerdictJson,
        VerdictsJson,
    )


def run_json(run: Run) -> RunJson:
    """Returns what `ragkit.evaluation.data.run_files.read_run` reads."""
    return {
        "dataset": run.dataset,
        "settings": dict(run.settings),
        "made_with": dict(run.made_with),
        "documents": run.documents,
        "questions": len(run.rows),
        "limit": run.limit,
        "seed": run.seed,
        "figures": figures(run.rows),
        "kinds": {name: {"questions": len(rows), **figures(rows)} for name, rows in kinds(run.rows).items()},
        "latency_ms": {name: {"p50": p50, "p95": p95} for name, (p50, p95) in latencies_ms(run.rows).items()},
        "rows": [_row_json(row) for row in run.rows],
    }


def _row_json(row: Row) -> QuestionRowJson:
    return {
        "id": row.id,
        "question": row.question,
        "kind": row.kind,
        "expected": list(row.expected),
        "found": list(row.found),
        "unanswerable": row.unanswerable,
        "answer": row.answer,
        "refused": row.refused,
        "scores": dict(row.scores),
        "times_ms": dict(row.times_ms),
    }


def comparison_json(comparison: Comparison) -> ComparisonJson:
    return {
        "first": comparison.first,
        "second": comparison.second,
        "dataset": comparison.dataset,
        "questions": comparison.questions,
        "differences": [
            {
                "name": difference.name,
                "questions": difference.questions,
                "first": difference.first,
                "second": difference.second,
                "low": difference.low,
                "high": difference.high,
                "p_value": difference.p_value,
            }
            for difference in comparison.differences
        ],
    }


def verdicts_json(verdicts: Sequence[Verdict]) -> VerdictsJson:
    return {"questions": [_verdict_json(verdict) for verdict in verdicts]}


def _verdict_json(verdict: Verdict) -> VerdictJson:
    loss = verdict.loss
    return {
        "id": verdict.question.id,
        "question": verdict.question.text,
        "passed": loss is None,
        "expected": str(verdict.expected),
        "found": str(loss.found) if loss else "",
        "lost_in": loss.step if loss else "",
        "seconds": round(verdict.seconds, 3),
    }
