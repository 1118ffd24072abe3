"""A conversation on disk: a first line that says what the file is, then a line of JSON a turn."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from ragkit.text.json_values import value_of
from ragkit.types.answers import Turn
from ragkit.types.errors import InputError

_HEAD = b'{"ragkit_conversation": 1}\n'


class ConversationFile:
    """Turns are appended when they are complete: what a killed process leaves is a shorter conversation."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def turns(self) -> list[Turn]:
        """The turns so far; a file that is not there yet is made. Raises InputError when it is something else."""
        self._write(os.O_APPEND, b"")
        with self._said_why():
            data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]  # a last line without an end was cut in the middle
        if not data.startswith(_HEAD):
            raise self._not_one()
        if len(whole) < len(data):
            with self._said_why():
                os.truncate(self._path, len(whole))
        # Two processes that begin a file at once both write its first line.
        return [self._turn(line) for line in whole.splitlines(keepends=True) if line != _HEAD]

    def append(self, turn: Turn) -> None:
        self._write(os.O_APPEND, json.dumps(asdict(turn)).encode() + b"\n")

    def clear(self) -> None:
        """Forget the turns."""
        self._write(os.O_TRUNC, b"")

    def _write(self, flag: int, line: bytes) -> None:
        with self._said_why():
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | flag | getattr(os, "O_BINARY", 0), 0o600)
            try:  # in one call, so that two conversations in one file do not mix their lines
                os.write(file, line if os.fstat(file).st_size else _HEAD + line)
            finally:
                os.close(file)

    def _turn(self, line: bytes) -> Turn:
        try:
            return value_of(json.loads(line), Turn)
        except (ValueError, RecursionError) as exc:
            raise self._not_one() from exc

    def _not_one(self) -> InputError:
        return InputError(
            "{path} is not a conversation that ragkit kept.", hint="Choose another name.", path=self._path
        )

    @contextmanager
    def _said_why(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise InputError("Cannot use {path}: {why}.", path=self._path, why=exc.strerror) from exc
