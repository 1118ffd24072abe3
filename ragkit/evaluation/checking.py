"""Pass or fail of one question, and for a failure the step in which the right answer was lost:

index (the document is not there) -> reading (it was not read, or not this text) -> search (the passage was not
among those found) -> packing (it did not fit) -> answer -> citation
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ragkit.evaluation.data.binding import unbound
from ragkit.evaluation.data.questions import Question
from ragkit.evaluation.runs import MeasuredIndex, comparable, is_right
from ragkit.evaluation.scoring.judging import holds_gold, without_markers
from ragkit.i18n.messages import Message
from ragkit.types.answers import Answer
from ragkit.types.documents import Document
from ragkit.types.reports import UNREAD_STATES, FileOutcome
from ragkit.types.search import ScoredChunk

Step = Literal["index", "reading", "search", "packing", "answer", "citation"]


@dataclass(frozen=True, slots=True)
class Loss:
    """The step in which the right answer was lost, and what was there in its place."""

    step: Step
    found: Message


@dataclass(frozen=True, slots=True)
class Verdict:
    question: Question
    expected: Message
    loss: Loss | None  # None: the question passed
    seconds: float


def check(
    kit: MeasuredIndex, written: Question, question: Question, files: Mapping[str, FileOutcome], depth: int
) -> Verdict:
    """Asks one question and judges the answer.

    `question` is the one that was `written`, bound to sources; `files` are all that the index knows, by source; `depth`
    is how many chunks are searched for a passage that was not used. Raises what asking raises.
    """
    began = time.perf_counter()
    loss = _before_asking(kit, question, files)
    if loss is None:
        known = {name: grade for name, grade in question.relevant.items() if name in files}
        loss = _in_answer(kit, replace(question, relevant=known), kit.ask(question.text), depth)
    return Verdict(written, expectation(written), loss, time.perf_counter() - began)


def expectation(question: Question) -> Message:
    """Returns what a person would have to see to be content."""
    if question.unanswerable:
        return Message("a refusal")
    wanted = " / ".join(question.answers) or question.quote
    source = ", ".join(question.relevant)
    place: object = source
    if question.page is not None:
        place = Message("{source}, page {page}", {"source": source, "page": question.page})
    if not wanted:
        return Message("a citation of {place}", {"place": place})
    if not source:
        return Message("“{text}”", {"text": wanted})
    return Message("“{text}” from {place}", {"text": wanted, "place": place})


def _before_asking(kit: MeasuredIndex, question: Question, files: Mapping[str, FileOutcome]) -> Loss | None:
    if not question.relevant:
        return None
    missing = unbound(question, files)
    sources = [name for name in question.relevant if name not in missing]
    if not sources:
        return Loss("index", Message("no file of the index has this name: {name}", {"name": missing[0]}))
    unread = [files[source] for source in sources if files[source].state in UNREAD_STATES]
    if len(unread) == len(sources):
        return Loss("reading", unread[0].reason)
    texts = [document.text for source in sources if (document := kit.document(source)) is not None]
    if question.quote and not any(comparable(question.quote) in comparable(text) for text in texts):
        return Loss("reading", Message("the text that was read from the document does not hold the quote"))
    return None


def _in_answer(kit: MeasuredIndex, question: Question, answer: Answer, depth: int) -> Loss | None:
    if question.unanswerable:
        return None if answer.refused else Loss("answer", _said(answer))
    if not _is_right_answer(question, answer):
        return _loss_of_passage(kit, question, answer, depth) or Loss("answer", _said(answer))
    if question.relevant and not _cited(question, answer):
        return _loss_of_passage(kit, question, answer, depth) or Loss("citation", _citations(answer))
    return None


def _is_right_answer(question: Question, answer: Answer) -> bool:
    """Judges by the answer that is asked for; where only a quote is, by a verified citation that overlaps with it."""
    if answer.refused:
        return False
    if question.answers:
        return holds_gold(without_markers(answer.text), question.answers)
    wanted = comparable(question.quote)
    given = [comparable(citation.quote) for citation in answer.citations if citation.verified and citation.quote]
    return not wanted or any(wanted in quote or quote in wanted for quote in given)


def _cited(question: Question, answer: Answer) -> bool:
    return any(citation.verified and citation.source in question.relevant for citation in answer.citations)


def _loss_of_passage(kit: MeasuredIndex, question: Question, answer: Answer, depth: int) -> Loss | None:
    """Returns the step before the answerer in which the right passage was lost; None: the answerer had it."""
    if not question.relevant:
        return None
    if _first_right(kit, question, answer.nearest) is None:
        rank = _first_right(kit, question, kit.search(question.text, depth))
        if rank is None:
            return Loss("search", Message("the passage is not among the {count} best", {"count": depth}))
        values = {"rank": rank, "count": len(answer.nearest)}
        found = Message(
            "the passage is number {rank} of those found; {count} is used",
            values,
            plural="the passage is number {rank} of those found; {count} are used",
        )
        return Loss("search", found)
    if all(entry.source not in question.relevant for entry in answer.ledger.sent):
        reasons = [entry.reason for entry in answer.ledger.left_out if entry.source in question.relevant]
        return Loss("packing", reasons[0] if reasons else Message("the passage was left out"))
    return None


def _first_right(kit: MeasuredIndex, question: Question, hits: Sequence[ScoredChunk]) -> int | None:
    read: dict[str, Document | None] = {}

    def document(source: str) -> Document | None:
        return read.setdefault(source, kit.document(source))

    right = (hit.rank for hit in hits if hit.chunk.source in question.relevant)
    by_rank = {hit.rank: hit.chunk for hit in hits}
    return next((rank for rank in right if is_right(question, by_rank[rank], document)), None)


def _said(answer: Answer) -> Message:
    if answer.refused:
        return Message("a refusal")
    return Message("the answer {text}", {"text": " ".join(without_markers(answer.text).split())})


def _citations(answer: Answer) -> Message:
    if not answer.citations:
        return Message("no citation")
    names = ", ".join(dict.fromkeys(citation.source for citation in answer.citations if citation.verified))
    return Message("a citation of {place}", {"place": names}) if names else Message("no verified citation")
