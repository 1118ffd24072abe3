"""The JSON shapes of answers, searches and bundles.

A text in `Annotated` becomes the description of its field in the JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias, TypedDict

from ragkit.types.bundle import SourceState
from ragkit.types.documents import PageKind
from ragkit.types.search import Stage
from ragkit.types.structured import FieldState, Scalar

Start: TypeAlias = Annotated[int, "The first character, counted from 0 in the document's text."]
End: TypeAlias = Annotated[int, "The character after the last one, counted from 0 in the document's text."]
Source: TypeAlias = Annotated[str, "The file's absolute path."]
Notes: TypeAlias = Annotated[list[str], "Remarks for the reader, in English."]
Mode: TypeAlias = Annotated[str, "extractive: quotes only; generative: a language model wrote it."]
Asked: TypeAlias = Annotated[int, "How often the model was asked; the better reply is the answer."]
UnreadCount: TypeAlias = Annotated[int, "Files of this index that could not be read."]
Score: TypeAlias = Annotated[float, "Higher is better; comparable within one search only."]


class PlaceJson(TypedDict):
    """Where a reader finds a passage."""

    page: Annotated[int | None, "From 1; null where the format has no pages, slides, sheets or messages."]
    line: Annotated[int | None, "The line of the file, or the row of a sheet; null where neither applies."]
    page_kind: Annotated[PageKind, "What `page` counts."]
    part: Annotated[str, "A sheet's name, or the file within an archive or a mail; else empty."]


class CitationJson(PlaceJson):
    """A marker of the answer and the proof behind it."""

    marker: Annotated[int, "The number that the answer gives it."]
    source: Source
    start: Annotated[int, "The first character of the quote if it is verified, else of the cited passage."]
    end: End
    quote: Annotated[str, "As the answer has it; empty when the answer gave none."]
    verified: Annotated[bool, "Whether the quote stands in the cited passage."]
    score: Score


class LedgerEntryJson(PlaceJson):
    """A passage that was, or was not, put before the model."""

    marker: Annotated[int | None, "Its number in the prompt; null when it was left out."]
    source: Source
    tokens: int
    reason: Annotated[str, "Why it was left out; empty when it was sent."]


class LedgerJson(TypedDict):
    """What was put before the model, and what was not."""

    window_tokens: Annotated[int | None, "The model's whole window; null when the answerer has none."]
    budget_tokens: Annotated[int, "What passages may take of the window."]
    planned_tokens: Annotated[int, "The whole prompt, as ragkit counts it."]
    prompt_eval_count: Annotated[int | None, "The tokens that the server read; null where it does not tell."]
    sent: list[LedgerEntryJson]
    left_out: list[LedgerEntryJson]
    notes: Notes


class HitJson(PlaceJson):
    """A passage that a search found."""

    rank: Annotated[int, "From 1."]
    dense_rank: Annotated[int | None, "The rank by meaning; null when that search did not find it."]
    lexical_rank: Annotated[int | None, "The rank by words; null when that search did not find it."]
    score: Score
    similarity: Annotated[float | None, "The cosine to the question; null when the passage has no vector."]
    cover: Annotated[float, "The share of the question's weighted words that the passage holds, 0 to 1."]
    id: str
    source: Source
    start: Start
    end: End
    heading_path: Annotated[list[str], "The headings above the passage, highest first."]
    text: str


class AnswerJson(TypedDict):
    """An answer with its proof."""

    question: str
    query: Annotated[str, "What was searched for; differs from the question after a follow-up."]
    text: Annotated[str, "As the answerer wrote it, never edited."]
    refused: Annotated[bool, "Whether the documents do not say."]
    mode: Mode
    model: str
    done_reason: Annotated[str, "stop, or length when the answer was cut."]
    citations: list[CitationJson]
    ledger: LedgerJson
    nearest: Annotated[list[HitJson], "The best passages for the question, whatever the answer."]
    unread_count: UnreadCount
    notes: Notes
    asked: Asked


class FieldJson(TypedDict):
    """One scalar of a structured answer, or one that is not there."""

    path: Annotated[list[str | int], "Leads from the root of the value to the field: names, and places in lists."]
    value: Scalar
    state: FieldState
    verified: Annotated[bool, "Whether the state is stated or read."]
    required: Annotated[bool, "Whether the schema requires it."]
    reason: Annotated[str, "Why it is unverified, null or missing; else empty."]
    citation: Annotated[CitationJson | None, "Null when no quote was given, or there is no value."]


class StructuredAnswerJson(TypedDict):
    """A value by the user's schema, and the proof of each of its fields."""

    question: str
    value: Annotated[object, "By the user's schema, as far as the documents give it."]
    complete: Annotated[bool, "Whether the value fits the schema."]
    fields: list[FieldJson]
    mode: Mode
    model: str
    asked: Asked
    ledger: LedgerJson
    nearest: Annotated[list[HitJson], "The best passages for the question."]
    unread_count: UnreadCount
    notes: Notes


class RowJson(TypedDict):
    """One finding of a question that was put to every passage."""

    text: str
    verified: Annotated[bool, "Whether one of its citations is."]
    citations: list[CitationJson]


class ExhaustiveAnswerJson(TypedDict):
    """What was found by putting a question to every passage."""

    question: str
    rows: list[RowJson]
    chunks_read: int
    chunks: Annotated[int, "Passages that there were to read."]
    mode: Mode
    model: str
    answer: Annotated[AnswerJson | None, "The answer made from the rows; null when none was made."]
    notes: Notes


class HitsJson(TypedDict):
    """What a search found."""

    question: str
    hits: Annotated[list[HitJson], "Best first."]


class WhyNotJson(TypedDict):
    """What became of an expected passage on its way into an answer."""

    stage: Annotated[Stage, "The stage that lost it; given: none did."]
    why: str
    fix: Annotated[str, "The one thing that would have kept it; empty for given."]
    seen: Annotated[list[str], "What the stages before made of it."]


class QuoteCheckJson(TypedDict):
    """What became of a quote since its bundle was made."""

    marker: int
    quote: str
    verified: Annotated[bool, "What the bundle says of it."]
    stands: Annotated[bool | None, "Whether it is in the file as it is now; null: the file cannot be read."]


class SourceCheckJson(TypedDict):
    """What became of a source since its bundle was made."""

    source: Source
    state: SourceState
    found_at: Annotated[str, "Where the same bytes are now, when the file was moved; else empty."]
    reason: Annotated[str, "Why it could not be read; else empty."]
    quotes: list[QuoteCheckJson]


class BundleCheckJson(TypedDict):
    """What became of the files behind an answer."""

    changed: bool
    page_intact: Annotated[bool | None, "False: the page was edited; null: another version of ragkit made it."]
    question: str
    made_at: Annotated[str, "ISO 8601, UTC."]
    version: Annotated[str, "The version of ragkit that made it."]
    sources: list[SourceCheckJson]
