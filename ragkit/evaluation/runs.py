"""A run of questions over an index: what came of each, and the figures of all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from ragkit.evaluation.data.questions import Dataset, Question
from ragkit.evaluation.scoring.judging import holds_gold, percentile, precision_omega, span_scores, without_markers
from ragkit.evaluation.scoring.ranked import ranked_scores
from ragkit.text.terms import fold
from ragkit.types.answers import Answer
from ragkit.types.documents import Chunk, Document
from ragkit.types.search import Passage, ScoredChunk

SPAN_PASSAGES = 5  # of them judged by characters, as many as in the published tables
_KEPT = 10  # documents of a ranking in a row
Value = TypeVar("Value")
Score = tuple[float, float]  # what was got, of how much


class Kit(Protocol):
    """The index that is measured; `RagKit` is one."""

    def search(self, question: str, k: int = 8) -> list[ScoredChunk]: ...
    def passages(self, question: str, k: int = 8) -> list[Passage]: ...
    def ask(self, question: str) -> Answer: ...
    def document(self, source: str) -> Document | None: ...
    def read(self, name: str) -> tuple[Document, list[Chunk]]: ...


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one question. A figure is the sum of what was got over the sum of how much there was,
    so that shares of questions, of quotes and the F1 of refusals are all made in one way."""

    id: str
    question: str
    kind: str = ""
    expected: tuple[str, ...] = ()  # documents; empty: none is known, or none is right
    found: tuple[str, ...] = ()  # the best documents, best first
    unanswerable: bool = False
    answer: str | None = None  # None: only searched
    refused: bool = False
    scores: Mapping[str, Score] = field(default_factory=dict)
    times_ms: Mapping[str, float] = field(default_factory=dict)  # "search", "ask"


@dataclass(frozen=True, slots=True)
class Run:
    """`settings` are those that differ from the defaults, `made_with` names models and versions."""

    dataset: str
    settings: Mapping[str, object]
    made_with: Mapping[str, str]
    documents: int
    limit: int  # 0: all questions
    seed: int
    rows: tuple[Row, ...]


def evaluate(
    kit: Kit,
    dataset: Dataset,
    names: Mapping[str, str],
    *,
    depth: int,
    ask: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[Row, ...]:
    """A row for each question, in order. `names` maps a source to the document's name in `dataset`; a
    source that it lacks is its own name. `depth`: chunks of a search, `retrieval.candidates`, for more of them
    would make it another search. `ask`: also have each question answered.

    Raises what the index and the models raise, and InputError without the extra `eval`.
    """
    sources = {name: source for source, name in names.items()}
    refusals = any(question.unanswerable for question in dataset.questions)
    kit.search("warm up", 1)  # the model is loaded before the clock runs
    rankings, drafts = {}, []
    for done, question in enumerate(dataset.questions, 1):
        hits, search_ms = _timed_ms(partial(kit.search, question.text, depth))
        rankings[question.id] = ranking(question, hits, names, kit.document)
        scores = _span_row(kit, question, sources)
        times, answer = {"search": search_ms}, None
        if ask:
            answer, times["ask"] = _timed_ms(partial(kit.ask, question.text))
            scores |= answer_scores(question, answer, names, refusals=refusals)
        drafts.append((question, answer, scores, times))
        progress(done)
    ranked = ranked_scores(rankings, {question.id: question.relevant for question in dataset.questions})
    return tuple(
        Row(
            id=question.id,
            question=question.text,
            kind=question.kind,
            expected=tuple(question.relevant),
            found=tuple(rankings[question.id][:_KEPT]),
            unanswerable=question.unanswerable,
            answer=None if answer is None else without_markers(answer.text),
            refused=answer is not None and answer.refused,
            scores={name: (value, 1.0) for name, value in ranked.get(question.id, {}).items()} | scores,
            times_ms=times,
        )
        for question, answer, scores, times in drafts
    )


def ranking(
    question: Question,
    hits: Sequence[ScoredChunk],
    names: Mapping[str, str],
    read: Callable[[str], Document | None],
) -> list[str]:
    """The documents of the chunks, each where its best chunk stands. Where a page or a quote is asked for,
    a chunk of the right document without it stands for itself and is wrong."""
    found = []
    for hit in hits:
        name = names.get(hit.chunk.source, hit.chunk.source)
        right = name not in question.relevant or is_right(question, hit.chunk, read)
        found.append(name if right else f"{name}#{hit.chunk.id}")
    return list(dict.fromkeys(found))


def is_right(question: Question, chunk: Chunk, read: Callable[[str], Document | None]) -> bool:
    """Whether a chunk of the right document holds the page and the quote that are asked for, if any."""
    if question.quote and bare(question.quote) not in bare(chunk.text):
        return False
    if question.page is None or chunk.place.page == question.page:
        return True
    document = read(chunk.source)
    last = document.place(chunk.end - 1).page if document is not None else None
    return (chunk.place.page or 0) <= question.page <= (last or 0)


def bare(text: str) -> str:
    """Width, case, white space and hyphenation aside."""
    return "".join(character for character in fold(text) if not character.isspace() and character not in "-\u00ad")


def answer_scores(question: Question, answer: Answer, names: Mapping[str, str], *, refusals: bool) -> dict[str, Score]:
    """What an answer and its citations are worth."""
    text = None if answer.refused else without_markers(answer.text)
    scores = outcome_scores(question, text, refusals=refusals)
    if answer.citations:
        scores["quotes_verified"] = (float(sum(one.verified for one in answer.citations)), len(answer.citations))
    if question.relevant:
        cited = {names.get(one.source, one.source) for one in answer.citations if one.verified}
        scores["source_cited"] = (float(not cited.isdisjoint(question.relevant)), 1.0)
    return scores


def outcome_scores(question: Question, text: str | None, *, refusals: bool) -> dict[str, Score]:
    """What saying `text` is worth; None is a refusal. `refusals`: some questions of the set are unanswerable,
    so refusing is judged."""
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


def _span_row(kit: Kit, question: Question, sources: Mapping[str, str]) -> dict[str, Score]:
    """Of the passages that an answer would be made from."""
    if not question.spans:
        return {}
    [name] = question.relevant
    source = sources.get(name, name)
    passages = kit.passages(question.text, SPAN_PASSAGES)
    scores = span_scores(question.spans, [(one.source, one.start, one.end) for one in passages], source)
    scores["char_precision_omega"] = precision_omega(question.spans, kit.read(source)[1])
    return {name: (score, 1.0) for name, score in scores.items()}


def _timed_ms(call: Callable[[], Value]) -> tuple[Value, float]:
    began = time.perf_counter()
    value = call()
    return value, (time.perf_counter() - began) * 1e3


def figures(rows: Iterable[Row]) -> dict[str, float]:
    """Every figure that the rows have something for, in the order of FIGURES."""
    sums: dict[str, list[float]] = {}
    for row in rows:
        for name, (got, whole) in row.scores.items():
            total = sums.setdefault(name, [0.0, 0.0])
            total[0] += got
            total[1] += whole
    return {name: sums[name][0] / sums[name][1] for name in FIGURES if name in sums and sums[name][1]}


def kinds(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each kind of question; {} when there are no kinds."""
    names = sorted({row.kind for row in rows if row.kind})
    return {name: [row for row in rows if row.kind == name] for name in names}


def latencies_ms(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    """By "search" and "ask": median and 95th percentile; {} without rows."""
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
