"""Replies of a model on disk, until the work that they are parts of is done: a line of JSON each."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

NAME = "reading-{key}.jsonl"


class RepliesFile:
    """A last line that was cut off, and a folder that cannot be written, cost only time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, str] = {}
        with contextlib.suppress(OSError):
            for line in path.read_text("utf-8", "replace").splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                    entry = json.loads(line)
                    self._found[str(entry["key"])] = str(entry["reply"])

    def get(self, key: str) -> str | None:
        return self._found.get(key)

    def put(self, key: str, reply: str) -> None:
        self._found[key] = reply
        with contextlib.suppress(OSError), self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"key": key, "reply": reply}) + "\n")

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def remove_all(directory: Path) -> None:
    """They quote documents: when one is forgotten, they go too."""
    for path in directory.glob(NAME.format(key="*")):
        path.unlink(missing_ok=True)
