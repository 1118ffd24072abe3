"""Where the sources of an index's last answer stand, so that another process can open them.

The texts of the documents are not kept. What cannot be written is not remembered: no answer fails for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ragkit.text.json_values import value_of
from ragkit.types.answers import Citation

_NAME = "last-answer.json"


def save(directory: Path, citations: Sequence[Citation]) -> None:
    """Whole or not at all; of two processes at once, the later one stays."""
    rows = [asdict(replace(citation, quote="")) for citation in citations]
    with contextlib.suppress(OSError):
        handle, fresh = tempfile.mkstemp(".new", "last-answer.", directory)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(rows, stream)
            Path(fresh).replace(directory / _NAME)
        except OSError:
            Path(fresh).unlink()
            raise


def load(directory: Path) -> list[Citation]:
    """[] when none is remembered, or what is there is not readable."""
    try:
        return value_of(json.loads((directory / _NAME).read_text("utf-8")), list[Citation])
    except (OSError, ValueError, RecursionError):
        return []


def forget(directory: Path) -> None:
    with contextlib.suppress(OSError):
        (directory / _NAME).unlink()
