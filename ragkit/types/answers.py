"""Values that say what was answered: the context and its ledger, completions, citations, answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ragkit.i18n.messages import Message
from ragkit.types.documents import Place
from ragkit.types.search import Passage, ScoredChunk


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A passage that was sent to the model, or left out."""

    source: str
    place: Place
    tokens: int
    marker: int | None  # None: the passage was left out
    reason: Message = field(default_factory=Message)  # why it was left out; empty when it was sent


@dataclass(frozen=True, slots=True)
class ContextLedger:
    """What was to be put before the model, what was, and what was not."""

    window_tokens: int | None  # the model's whole window; None: the answerer has no window
    budget_tokens: int  # the part of the window that passages may take
    planned_tokens: int  # ragkit's own count of the whole prompt
    sent: tuple[LedgerEntry, ...]
    left_out: tuple[LedgerEntry, ...]
    prompt_eval_count: int | None = None  # the server's count of what it really read
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """The passages that are put before the model, and the account of what was left out."""

    passages: tuple[Passage, ...]
    ledger: ContextLedger


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that a model wants called."""

    name: str
    arguments: Mapping[str, object]
    id: str = ""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation with a language model."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    images: tuple[bytes, ...] = ()  # the bytes of PNG, JPEG or WebP files
    tool_calls: tuple[ToolCall, ...] = ()  # the calls that an assistant asks for
    tool_name: str = ""  # the tool that a message of the role "tool" is the result of
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class QuestionImages:
    """The pictures that go with a question."""

    images: tuple[bytes, ...] = ()  # the bytes of PNG, JPEG or WebP files, for a model that accepts images
    words: str = ""  # what OCR read on the pictures; it is searched for with the question
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's whole reply. `refused` is set by an answerer that knows it found nothing."""

    text: str
    model: str
    done_reason: str = "stop"  # "length": the answer was cut by the token limit
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    refused: bool = False
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the conversation and the text that answered it."""

    question: str
    answer: str
    citations: tuple[Citation, ...] = ()  # for the reader to look up; the next question needs none


@dataclass(frozen=True, slots=True)
class Citation:
    """A marker of the answer and the proof behind it."""

    marker: int
    source: str
    place: Place
    start: int  # characters of the document's text: the quote's span if verified, else the passage's
    end: int
    quote: str  # as the answer has it; "" when the answer gave none
    verified: bool  # the quote stands in the cited passage
    score: float  # the score of the cited passage


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question, with its proof and its receipts."""

    question: str
    query: str  # what was searched for; differs from the question after a follow-up
    text: str  # as the answerer wrote it, never edited
    citations: tuple[Citation, ...]
    refused: bool  # the answer is that the documents do not say
    mode: str  # "extractive": quotes only; "generative": a language model wrote it
    model: str
    done_reason: str
    ledger: ContextLedger
    nearest: tuple[ScoredChunk, ...]  # the best passages, whatever the answer
    unread_count: int  # files of this index that could not be read
    notes: tuple[Message, ...] = ()
    asked: int = 1  # how often the model was asked; after the second time the better reply is the answer

    @property
    def sources(self) -> tuple[Citation, ...]:
        """What a reader can open by its number: the citations, or the nearest passages of a refusal."""
        if not self.refused:
            return self.citations
        return tuple(
            Citation(hit.rank, hit.chunk.source, hit.chunk.place, hit.chunk.start, hit.chunk.end, "", False, hit.score)
            for hit in self.nearest
        )


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Says, within a stream, that the text so far is not the answer: another reply was proved better, and follows
    whole."""

    why: Message


@dataclass(frozen=True, slots=True)
class Row:
    """One finding of a question that was put to every passage."""

    text: str  # the line as the answerer wrote it
    citations: tuple[Citation, ...]  # their markers are the row's number

    @property
    def verified(self) -> bool:
        return any(citation.verified for citation in self.citations)


@dataclass(frozen=True, slots=True)
class ExhaustiveAnswer:
    """What was found in all passages that were read so far."""

    question: str
    rows: tuple[Row, ...]
    chunks_read: int
    chunks: int  # how many are to be read in all
    mode: str  # "extractive" or "generative"
    model: str
    notes: tuple[Message, ...] = ()
