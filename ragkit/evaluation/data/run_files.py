"""Runs as JSON, to be kept and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ragkit.evaluation.runs import Row, Run, figures, kinds, latencies_ms
from ragkit.evaluation.scoring.compare import Comparison
from ragkit.types.errors import InputError


def to_json(run: Run) -> dict[str, Any]:
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
        "rows": [asdict(row) for row in run.rows],
    }


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    return asdict(comparison)


def read_run(path: Path) -> Run:
    """A run that `ragkit eval --json` printed. Raises InputError."""
    try:
        found = json.loads(path.read_text("utf-8"))
        rows = tuple(_row(row) for row in found["rows"])
        return Run(
            dataset=found["dataset"],
            settings=found["settings"],
            made_with=found["made_with"],
            documents=found["documents"],
            limit=found["limit"],
            seed=found["seed"],
            rows=rows,
        )
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InputError(
            "{path} is not a run that `ragkit eval --json` wrote: {why}",
            path=path,
            why=f"{type(exc).__name__}: {exc}",
        ) from exc


def _row(item: Mapping[str, Any]) -> Row:
    scores = {name: (float(got), float(whole)) for name, (got, whole) in item["scores"].items()}
    return Row(**{**item, "expected": tuple(item["expected"]), "found": tuple(item["found"]), "scores": scores})
