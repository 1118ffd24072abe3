"""The door of Python to the JSON shapes."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

from ragkit.frontends.json_shapes import answers, indexes
from ragkit.types.answers import Answer, Citation, ExhaustiveAnswer
from ragkit.types.reports import FileOutcome, IndexReport, IndexStatus
from ragkit.types.search import ScoredChunk, WhyNot
from ragkit.types.structured import StructuredAnswer

Shown: TypeAlias = (
    Answer
    | Citation
    | ExhaustiveAnswer
    | FileOutcome
    | IndexReport
    | IndexStatus
    | ScoredChunk
    | StructuredAnswer
    | WhyNot
)


def to_dict(value: Shown) -> dict[str, Any]:
    """Returns a value as `--json` shows it: dictionaries, lists, texts, numbers, True, False and None, nothing else.

    The keys are those of the command line, which docs/json.md explains. `ragkit ask --everything` also shows, in
    "answer", the answer that was made from the rows; here that is None.
    """
    return cast("dict[str, Any]", _shape(value))


def _shape(value: Shown) -> object:
    match value:
        case Answer():
            return answers.answer_json(value)
        case Citation():
            return answers.citation_json(value)
        case ExhaustiveAnswer():
            return answers.exhaustive_answer_json(value, None)
        case StructuredAnswer():
            return answers.structured_answer_json(value)
        case ScoredChunk():
            return answers.hit_json(value)
        case WhyNot():
            return answers.why_not_json(value)
        case IndexReport():
            return indexes.index_report_json(value)
        case IndexStatus():
            return indexes.index_status_json(value)
        case FileOutcome():
            return indexes.file_outcome_json(value)
    raise TypeError(f"{type(value).__name__} is not shown as JSON")
