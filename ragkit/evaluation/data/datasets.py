"""Reading data sets from disk. A folder is one of

- `corpus.jsonl` with `queries.jsonl` and `qrels.tsv` (or `qrels/test.tsv`), with `qa.jsonl`, or with all: texts;
- `corpora/` or `pdfs/` with `qa.jsonl`: files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ragkit.evaluation.data.questions import Dataset, Question
from ragkit.types.errors import InputError

Value = TypeVar("Value")
_FILE_FOLDERS = ("corpora", "pdfs")


def read_folder(folder: Path) -> Dataset:
    """Reads a data set. Raises InputError, which names the file and line, when there is none or it is broken."""
    if (folder / "corpus.jsonl").is_file():
        return _of_texts(folder)
    for name in _FILE_FOLDERS:
        if (folder / name).is_dir() and (folder / "qa.jsonl").is_file():
            return _of_files(folder, folder / name)
    raise InputError(
        "{folder} holds no data set.",
        hint="It needs corpus.jsonl, corpora/ or pdfs/, and qa.jsonl, or queries.jsonl and qrels.tsv.",
        folder=folder,
    )


def _of_texts(folder: Path) -> Dataset:
    """Reads a set whose documents are texts. An empty text is left out, because no search can find it.

    The title of an abstract is put above it unless the text repeats it; that of a paragraph names a whole article and
    is left out.
    """
    asked = _lines(folder / "qa.jsonl") if (folder / "qa.jsonl").is_file() else []
    corpus = {_text(item, "_id"): _whole(item, titled=not asked) for item in _lines(folder / "corpus.jsonl")}
    texts = {name: text for name, text in corpus.items() if text}
    if not (folder / "queries.jsonl").is_file():
        return Dataset(folder.name, tuple(_question(item, {_text(item, "context_id"): 1}) for item in asked), texts)
    plain, split = folder / "qrels.tsv", folder / "qrels" / "test.tsv"
    relevant = _judgments(split if split.is_file() and not plain.is_file() else plain)
    judged = {
        name: Question(name, _text(item, "text"), relevant[name])
        for item in _lines(folder / "queries.jsonl")
        if (name := _text(item, "_id")) in relevant
    }
    answered = {_text(item, "id"): _question(item, relevant.get(_text(item, "id"), {})) for item in asked}
    return Dataset(folder.name, tuple({**judged, **answered}.values()), texts)


def _whole(item: Mapping[str, Any], *, titled: bool) -> str:
    title, text = str(item.get("title") or "").strip(), _text(item, "text").strip()
    return f"{title}\n\n{text}".strip() if titled and not text.startswith(title) else text


def _of_files(folder: Path, place: Path) -> Dataset:
    """Reads a set of files, which go by their path in it; a question may leave out folder and suffix."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(place.rglob("*")) if path.is_file()}
    short = {path.stem: name for name, path in files.items()}
    questions = []
    for item in _lines(folder / "qa.jsonl"):
        named = item.get("context_ids") or [item.get("context_id", "")]
        unknown = [name for name in named if name not in files and name not in short]
        if unknown:
            raise InputError("{folder} has no document {name}.", folder=folder, name=unknown[0])
        questions.append(_question(item, {name if name in files else short[name]: 1 for name in named}))
    return Dataset(folder.name, tuple(questions), files=files)


def _question(item: Mapping[str, Any], relevant: Mapping[str, int]) -> Question:
    """Reads a line of `qa.jsonl`. No document is relevant to an unanswerable question."""
    unanswerable = bool(item.get("unanswerable"))
    return Question(
        id=_text(item, "id"),
        text=_text(item, "question"),
        relevant={} if unanswerable else relevant,
        spans=tuple((part["start"], part["end"]) for part in item.get("references", ())),
        answers=tuple(item.get("answers", ())),
        unanswerable=unanswerable,
        kind=item.get("question_type", ""),
    )


def _judgments(path: Path) -> dict[str, dict[str, int]]:
    """Returns query -> document -> grade of the pairs judged relevant; the file has tabs and one header line."""
    found: dict[str, dict[str, int]] = {}
    for query, document, grade in _parsed(path, _judgment, head=1):
        if grade > 0:
            found.setdefault(query, {})[document] = grade
    return found


def _judgment(line: str) -> tuple[str, str, int]:
    query, document, grade = line.strip().split("\t")
    return query, document, int(grade)


def _lines(path: Path) -> list[dict[str, Any]]:
    return _parsed(path, json.loads)


def _parsed(path: Path, parse: Callable[[str], Value], head: int = 0) -> list[Value]:
    """Returns every line below the first `head` that is not empty. Raises InputError, which names the line."""
    found = []
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, ValueError) as exc:
        raise InputError("Cannot read {path}: {why}.", path=path, why=exc) from exc
    for number, line in enumerate(lines, 1):
        try:
            found += [parse(line)] if line.strip() and number > head else []
        except ValueError as exc:
            raise InputError("{path}, line {line}: {why}.", path=path, line=number, why=exc) from exc
    return found


def _text(item: Mapping[str, Any], name: str) -> str:
    if name not in item:
        raise InputError("An entry of the data set has no {name}: {entry}", name=name, entry=str(item)[:200])
    return str(item[name])
