"""The JSON shapes of figures, comparisons and verdicts."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from ragkit.evaluation.checking import Step


class LatencyJson(TypedDict):
    """Milliseconds within which half and 95 % of the questions were done."""

    p50: float
    p95: float


class QuestionRowJson(TypedDict):
    """What came of one question of a data set."""

    id: str
    question: str
    kind: str
    expected: Annotated[list[str], "The right documents; empty when none is known, or none is right."]
    found: Annotated[list[str], "The best documents, best first."]
    unanswerable: bool
    answer: Annotated[str | None, "Null when the question was only searched for."]
    refused: bool
    scores: Annotated[dict[str, tuple[float, float]], "For each figure what was got, and of how much."]
    times_ms: dict[str, float]


class RunJson(TypedDict):
    """The figures of a data set and what came of each question."""

    dataset: str
    settings: Annotated[dict[str, object], "Those that differ from the defaults."]
    made_with: Annotated[dict[str, str], "The names and versions of programs and models."]
    documents: int
    questions: int
    limit: Annotated[int, "How many questions were asked for; 0: all."]
    seed: int
    figures: dict[str, float]
    kinds: Annotated[dict[str, dict[str, float]], "For each kind of question how many there are, and their figures."]
    latency_ms: dict[str, LatencyJson]
    rows: list[QuestionRowJson]


class DifferenceJson(TypedDict):
    """One figure in both runs."""

    name: str
    questions: Annotated[int, "How many the figure is about."]
    first: float
    second: float
    low: Annotated[float, "The lower end of the 95 % interval of second minus first."]
    high: Annotated[float, "The upper end of that interval."]
    p_value: float


class ComparisonJson(TypedDict):
    """Two runs side by side."""

    first: str
    second: str
    dataset: str
    questions: Annotated[int, "How many are in both runs."]
    differences: list[DifferenceJson]


class VerdictJson(TypedDict):
    """Whether one question was answered as expected."""

    id: str
    question: str
    passed: bool
    expected: str
    found: Annotated[str, "What was there in its place; empty when it passed."]
    lost_in: Annotated[Step | Literal[""], "The step that lost the right answer; empty when it passed."]
    seconds: float


class VerdictsJson(TypedDict):
    """Whether each question was answered as expected."""

    questions: list[VerdictJson]
