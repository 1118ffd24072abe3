"""A run of questions over an index: what came of each, and the figures of all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeVar

from ragkit.evaluation.data.questions import Dataset, Question
from ragkit.evaluation.scoring.judging import holds_gold, percentile, precision_omega, span_scores, without_markers
from ragkit.evaluation.scoring.ranked import ranked_scores
from ragkit.text.terms import fold
from ragkit.types.answers import Answer
from ragkit.types.documents import Chunk, Document
from ragkit.types.search import Passage, ScoredChunk

SPAN_PASSAGES = 5  # passages of a search that are judged by characters, as many as in the published tables
_DOCUMENTS_KEPT = 10  # the best documents of a ranking that a row keeps
Value = TypeVar("Value")
Score = tuple[float, float]  # what was got, and of how much


class MeasuredIndex(Protocol):
    """The index that is measured, as `RagKit` offers it."""

    def search(self, question: str, k: int = 8) -> list[ScoredChunk]: ...
    def passages(self, question: str, k: int = 8) -> list[Passage]: ...
    def ask(self, question: str) -> Answer: ...
    def document(self, source: str) -> Document | None: ...
    def read(self, name: str) -> tuple[Document, list[Chunk]]: ...


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one question.

    A figure is the sum of what was got over the sum of how much there was, so that shares of questions, of quotes and
    the F1 of refusals are all made in one way.
    """

    id: str
    question: str
    kind: str = ""
    expected: tuple[str, ...] = ()  # names of documents; empty: none is known, or none is right
    found: tuple[str, ...] = ()  # the best documents, best first
    unanswerable: bool = False
    answer: str | None = None  # None: the question was only searched for
    refused: bool = False
    scores: Mapping[str, Score] = field(default_factory=dict)
    times_ms: Mapping[str, float] = field(default_factory=dict)  # by "search" and "ask"


@dataclass(frozen=True, slots=True)
class Run:
    """A data set put to an index. `settings` are those that differ from the defaults; `made_with` names models."""

    dataset: str
    settings: Mapping[str, object]
    made_with: Mapping[str, str]
    documents: int
    limit: int  # questions that were asked for; 0: all
    seed: int
    rows: tuple[Row, ...]


def run_questions(
    kit: MeasuredIndex,
    dataset: Dataset,
    names: Mapping[str, str],
    *,
    depth: int,
    ask: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[Row, ...]:
    """Puts the questions to the index and returns a row for each, in order.

    `names` maps a source to its document's name in `dataset`; a source that it lacks is its own name. `depth` is how
    many chunks a search gives, and should be `retrieval.candidates`, because more of them would make it another search.
    `ask` also has each question answered. Raises what the index and the models raise, and InputError without the extra
    `eval`.
    """
    sources = {name: source for source, name in names.items()}
    refusals = any(question.unanswerable for question in dataset.questions)
    kit.search("warm up", 1)  # The model is loaded before the clock runs.
    rankings: dict[str, list[str]] = {}
    rows = []
    for done, question in enumerate(dataset.questions, 1):
        hits, search_ms = _timed_ms(partial(kit.search, question.text, depth))
        rankings[question.id] = ranking(question, hits, names, kit.document)
        row = _searched(question, rankings[question.id], _span_scores(kit, question, sources), search_ms)
        if ask:
            answer, ask_ms = _timed_ms(partial(kit.ask, question.text))
            row = _answered(row, answer, answer_scores(question, answer, names, refusals=refusals), ask_ms)
        rows.append(row)
        progress(done)
    ranked = ranked_scores(rankings, {question.id: question.relevant for question in dataset.questions})
    return tuple(replace(row, scores={**_out_of_one(ranked.get(row.id, {})), **row.scores}) for row in rows)


def _searched(question: Question, found: Sequence[str], scores: Mapping[str, Score], search_ms: float) -> Row:
    return Row(
        id=question.id,
        question=question.text,
        kind=question.kind,
        expected=tuple(question.relevant),
        found=tuple(found[:_DOCUMENTS_KEPT]),
        unanswerable=question.unanswerable,
        scores=scores,
        times_ms={"search": search_ms},
    )


def _answered(row: Row, answer: Answer, scores: Mapping[str, Score], ask_ms: float) -> Row:
    return replace(
        row,
        answer=without_markers(answer.text),
        refused=answer.refused,
        scores={**row.scores, **scores},
        times_ms={**row.times_ms, "ask": ask_ms},
    )


def ranking(
    question: Question,
    hits: Sequence[ScoredChunk],
    names: Mapping[str, str],
    read: Callable[[str], Document | None],
) -> list[str]:
    """Returns the documents of the chunks, each where its best chunk stands.

    Where a page or a quote is asked for, a chunk of the right document without it stands for itself and is wrong.
    """
    found = []
    for hit in hits:
        name = names.get(hit.chunk.source, hit.chunk.source)
        right = name not in question.relevant or is_right(question, hit.chunk, read)
        found.append(name if right else f"{name}#{hit.chunk.id}")
    return list(dict.fromkeys(found))


def is_right(question: Question, chunk: Chunk, read: Callable[[str], Document | None]) -> bool:
    """Returns whether a chunk of the right document holds the page and the quote that are asked for, if any."""
    if question.quote and comparable(question.quote) not in comparable(chunk.text):
        return False
    if question.page is None or chunk.place.page == question.page:
        return True
    document = read(chunk.source)
    last = document.place(chunk.end - 1).page if document is not None else None
    return (chunk.place.page or 0) <= question.page <= (last or 0)


def comparable(text: str) -> str:
    """Returns the form in which quotes are compared: without white space, hyphens, and differences of case."""
    return "".join(character for character in fold(text) if not character.isspace() and character not in "-\u00ad")


def answer_scores(question: Question, answer: Answer, names: Mapping[str, str], *, refusals: bool) -> dict[str, Score]:
    """Returns what an answer and its citations are worth."""
    text = None if answer.refused else without_markers(answer.text)
    scores = outcome_scores(question, text, refusals=refusals)
    if answer.citations:
        scores["quotes_verified"] = (float(sum(one.verified for one in answer.citations)), len(answer.citations))
    if question.relevant:
        cited = {names.get(one.source, one.source) for one in answer.citations if one.verified}
        scores["source_cited"] = (float(not cited.isdisjoint(question.relevant)), 1.0)
    return scores


def outcome_scores(question: Question, text: str | None, *, refusals: bool) -> dict[str, Score]:
    """Returns what saying `text` is worth; None is a refusal.

    With `refusals`, some questions of the set are unanswerable, and refusing is judged too.
    """
    scores: dict[str, Score] = {}
    if question.answers and not question.unanswerable:
        scores["answer_right"] = (float(text is not None and holds_gold(text, question.answers)), 1.0)
    return scores | (_refusal_scores(refused=text is None, due=question.unanswerable) if refusals else {})


def _refusal_scores(*, refused: bool, due: bool) -> dict[str, Score]:
    right = float(refused and due)
    scores = {"refusal_f1": (2 * right, float(refused) + float(due))}
    if refused:
        scores["refusal_precision"] = (right, 1.0)
    if due:
        scores["refusal_recall"] = (right, 1.0)
    else:
        scores["wrong_refusals"] = (float(refused), 1.0)
    return scores


def _span_scores(kit: MeasuredIndex, question: Question, sources: Mapping[str, str]) -> dict[str, Score]:
    """Returns how much of the wanted spans stands in the passages that an answer would be made from."""
    if not question.spans:
        return {}
    [name] = question.relevant
    source = sources.get(name, name)
    passages = kit.passages(question.text, SPAN_PASSAGES)
    scores = span_scores(question.spans, [(one.source, one.start, one.end) for one in passages], source)
    scores["char_precision_omega"] = precision_omega(question.spans, kit.read(source)[1])
    return _out_of_one(scores)


def _out_of_one(scores: Mapping[str, float]) -> dict[str, Score]:
    """Returns scores from 0 to 1 as what was got out of 1."""
    return {name: (score, 1.0) for name, score in scores.items()}


def _timed_ms(call: Callable[[], Value]) -> tuple[Value, float]:
    began = time.perf_counter()
    value = call()
    return value, (time.perf_counter() - began) * 1e3


def figures(rows: Iterable[Row]) -> dict[str, float]:
    """Returns every figure that the rows have something for, in the order of FIGURES."""
    sums: dict[str, list[float]] = {}
    for row in rows:
        for name, (got, whole) in row.scores.items():
            total = sums.setdefault(name, [0.0, 0.0])
            total[0] += got
            total[1] += whole
    return {name: sums[name][0] / sums[name][1] for name in FIGURES if name in sums and sums[name][1]}


def kinds(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Returns the rows of each kind of question; {} when there are no kinds."""
    names = sorted({row.kind for row in rows if row.kind})
    return {name: [row for row in rows if row.kind == name] for name in names}


def latencies_ms(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    """Returns the median and the 95th percentile of "search" and "ask"; {} without rows."""
    return {
        name: (percentile(times, 50), percentile(times, 95))
        for name in ("search", "ask")
        if (times := [row.times_ms[name] for row in rows if name in row.times_ms])
    }


FIGURES = (
    "ndcg@10",
    "mrr",
    "recall@1",
    "recall@5",
    "recall@10",
    "precision@1",
    "precision@5",
    "precision@10",
    "char_recall",
    "char_precision",
    "char_iou",
    "char_precision_omega",
    "answer_right",
    "source_cited",
    "quotes_verified",
    "refusal_precision",
    "refusal_recall",
    "refusal_f1",
    "wrong_refusals",
)
