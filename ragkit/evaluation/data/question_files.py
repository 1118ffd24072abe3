"""Reading a user's own questions, in TOML (`[[question]]`), JSON Lines or CSV with a header.

Keys: `question`, and what is expected: `source` (the path of a document, or the end of one), `page`, `quote`,
`answer`, or `unanswerable = true`; also `id` and `kind`. `source` and `answer` may be lists (not in CSV).
"""

from __future__ import annotations

import csv
import difflib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ragkit.evaluation.data.questions import Dataset, Question
from ragkit.i18n.messages import Message
from ragkit.types.errors import InputError

_KEYS = ("question", "source", "page", "quote", "answer", "unanswerable", "id", "kind")


def read_questions(path: Path) -> Dataset:
    """Reads a file of questions. Raises InputError, which names the question that is wrong."""
    entries = _entries(path)
    if not entries:
        raise InputError("{path} holds no question.", path=path)
    questions = tuple(_question(path, number, entry) for number, entry in enumerate(entries, 1))
    names = [question.id for question in questions]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError("{path}: two questions have the id {id}.", path=path, id=twice)
    return Dataset(path.stem, questions)


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix == ".toml":
            found = tomllib.loads(text).get("question", [])
        elif path.suffix == ".csv":
            found = list(csv.DictReader(text.splitlines(keepends=True), strict=True))
        else:
            found = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (OSError, ValueError, csv.Error) as exc:
        raise InputError("Cannot read {path}: {why}.", path=path, why=exc) from exc
    return [{key: value for key, value in entry.items() if value not in ("", None)} for entry in found]


def _question(path: Path, number: int, entry: Mapping[str, Any]) -> Question:
    _check(path, number, entry)
    unanswerable = str(entry.get("unanswerable", "")).casefold() in ("true", "1", "yes")
    if not unanswerable and not entry.keys() & {"source", "answer", "quote"}:
        raise _wrong(path, number, Message("it has neither source, quote nor answer, nor unanswerable = true"))
    if entry.keys() & {"page", "quote"} and "source" not in entry:
        raise _wrong(path, number, Message("a page or quote needs its source"))
    return Question(
        id=str(entry.get("id", number)),
        text=str(entry["question"]),
        relevant=dict.fromkeys(_texts(entry.get("source", ())), 1),
        page=int(entry["page"]) if "page" in entry else None,
        quote=str(entry.get("quote", "")),
        answers=_texts(entry.get("answer", ())),
        unanswerable=unanswerable,
        kind=str(entry.get("kind", "")),
    )


def _check(path: Path, number: int, entry: Mapping[str, Any]) -> None:
    for key in entry:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1, cutoff=0)[0]
            raise InputError(
                "{path}, question {number}: there is no key {key}.",
                hint="Did you mean {near}?",
                path=path,
                number=number,
                key=key,
                near=near,
            )
    if "question" not in entry:
        raise _wrong(path, number, Message("it has no question"))
    if not str(entry.get("page", 1)).isdecimal():
        raise _wrong(path, number, Message("page is not a number"))


def _wrong(path: Path, number: int, why: Message) -> InputError:
    return InputError("{path}, question {number}: {why}.", path=path, number=number, why=why)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)
