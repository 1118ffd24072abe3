"""Reading the files that are named on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ragkit.types.errors import InputError


def read_bytes(path: Path) -> bytes:
    """Returns the content of a file. Raises InputError when it cannot be read."""
    try:
        return path.expanduser().read_bytes()
    except OSError as exc:
        raise InputError("Cannot read {path}: {why}.", path=path, why=exc.strerror) from exc


def read_schema(path: Path) -> Mapping[str, object]:
    """Returns the JSON object in a file. Raises InputError when there is none."""
    try:
        schema = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as exc:
        raise InputError("{path} is not a JSON Schema: {why}.", path=path, why=exc) from exc
    if not isinstance(schema, dict):
        raise InputError("{path} is not a JSON Schema: {why}.", path=path, why="not an object")
    return schema
