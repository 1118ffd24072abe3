"""The evidence threshold that an index was found to have, kept beside it: finding it costs a few dozen embeddings."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

from ragkit.text.json_values import value_of
from ragkit.types.search import EvidenceThreshold

_NAME = "gauge.json"


def load(directory: Path, key: str) -> EvidenceThreshold | None:
    """None: none is kept, or it is of another state of the index."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        kept = json.loads((directory / _NAME).read_text("utf-8"))
        if kept["key"] == key:
            return value_of(kept, EvidenceThreshold)
    return None


def save(directory: Path, key: str, threshold: EvidenceThreshold) -> None:
    """Where it can be written."""
    with contextlib.suppress(OSError):
        (directory / _NAME).write_text(json.dumps({"key": key, **asdict(threshold)}), "utf-8")
