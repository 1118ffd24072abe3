"""Matching the names that a user gives to documents with the sources of an index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ragkit.evaluation.data.questions import Dataset, Question
from ragkit.types.errors import InputError


def bind(dataset: Dataset, sources: Iterable[str]) -> Dataset:
    """Returns the questions with every document named by its source.

    A name that no source ends in stays as it is, and `unbound` finds it. Raises InputError for a name that several
    sources end in.
    """
    known = list(sources)
    questions = tuple(
        replace(question, relevant={_source(name, known): grade for name, grade in question.relevant.items()})
        for question in dataset.questions
    )
    return replace(dataset, questions=questions)


def unbound(question: Question, sources: Mapping[str, object]) -> list[str]:
    """Returns the names of right documents that are no sources of the index."""
    return [name for name in question.relevant if name not in sources]


def _source(name: str, sources: list[str]) -> str:
    found = [source for source in sources if source == name or source.endswith("/" + name.removeprefix("./"))]
    if len(found) > 1:
        raise InputError(
            "{name} could be {first} or {second}.",
            hint="Write more of the path.",
            name=name,
            first=found[0],
            second=found[1],
        )
    return found[0] if found else name
