"""Runs that were kept as JSON, read again to be compared."""

from __future__ import annotations

import json
from pathlib import Path

from ragkit.evaluation.runs import Run
from ragkit.text.json_values import value_of
from ragkit.types.errors import InputError


def read_run(path: Path) -> Run:
    """A run that `ragkit eval --json` printed. Raises InputError."""
    try:
        return value_of(json.loads(path.read_text("utf-8")), Run)
    except (OSError, ValueError) as exc:
        raise InputError(
            "{path} is not a run that `ragkit eval --json` wrote: {why}",
            path=path,
            why=f"{type(exc).__name__}: {exc}",
        ) from exc
