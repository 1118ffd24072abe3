"""Runs that were kept as JSON, read again to be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ragkit.evaluation.runs import Row, Run
from ragkit.types.errors import InputError


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
