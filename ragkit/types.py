"""The nouns of ragkit: frozen values that pass between the layers."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from ragkit.messages import Message

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Vector: TypeAlias = "array[float]"
"""Typecode "f": float32, of the embedding model's dimension, unit length once stored."""

Scores: TypeAlias = "npt.NDArray[np.float64]"

PageKind = Literal[
    "page", "slide", "sheet", "message", "file", "scan",
    "described", "described_page", "described_slide", "described_picture",
]  # fmt: skip
"""scan: a page read by OCR. described: a picture, in the words of a model; the others of this name are such a picture
on a page, on a slide, or in a document without pages (its number is then the picture's)."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or what a format has in its place, as a span of the document's text."""

    number: int  # from 1, as a viewer counts; of a file within a file: as they come
    start: int  # characters
    end: int
    kind: PageKind = "page"
    name: str = ""  # of a sheet; of a file within an archive or a mail, with its path


@dataclass(frozen=True, slots=True)
class Heading:
    level: int  # 1 is the highest
    title: str
    start: int  # characters; where the heading's line begins in the text


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader finds a passage: a page, a line of the file, or both (row 7 of sheet 2)."""

    page: int | None
    line: int | None  # of the file within, if `name` is one; of a sheet: the row
    kind: PageKind = "page"
    name: str = ""


@dataclass(frozen=True, slots=True)
class WeakPage:
    """A page that was not read, or reads badly."""

    number: int  # 0: the whole of a document without pages
    score: float  # 0: nothing of it was read, to 1: it reads well
    reason: Message


@dataclass(frozen=True, slots=True)
class Document:
    """One file's text. Every other position in ragkit is a character span of `text`."""

    source: str  # the file's absolute path
    media_type: str  # "text/markdown", "application/pdf", ...
    title: str  # "" when the file names none
    text: str  # "\n" line ends; no NUL, no lone surrogate
    pages: tuple[Page, ...] = ()  # in order, not overlapping; text before the first is on none
    headings: tuple[Heading, ...] = ()
    line_marks: tuple[tuple[int, int], ...] = ()
    """(character, line of the file) in rising order, where text and file differ in lines
    (HTML); before the first, a line of the text is a line of the file."""
    notes: tuple[Message, ...] = ()  # what in the file was not read
    author: str = ""  # as the file says
    date: str = ""  # YYYY-MM-DD, of the last change that the file itself names; not the file system's
    weak_pages: tuple[WeakPage, ...] = ()  # by number
    language: str = ""  # "zh" or "en": what a reader of most of the text reads; "": not looked at

    def place(self, offset: int) -> Place:
        """Where the character at `offset` stands."""
        page, since = self._page(offset)
        found = bisect_right(self.line_marks, offset, key=lambda mark: mark[0]) - 1
        line = None
        if found >= 0 and self.line_marks[found][0] >= since:
            line = self.line_marks[found][1]
        elif page is None:
            line = self.text.count("\n", 0, offset) + 1
        if page is None:
            return Place(None, line)
        return Place(None if page.kind == "file" else page.number, line, page.kind, page.name)

    def _page(self, offset: int) -> tuple[Page | None, int]:
        """The page that holds `offset`, and from which character on a line mark speaks of it."""
        found = bisect_right(self.pages, offset, key=lambda page: page.start) - 1
        if found < 0:
            return None, 0
        page = self.pages[found]
        if offset >= page.end and self.text[page.end : offset + 1].strip():
            return None, page.end
        return page, page.start


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of a document: `text == document.text[start:end]` always holds."""

    id: str  # 24 hex digits, the same whenever the same text is split the same way
    source: str
    ordinal: int  # from 0, in reading order
    text: str
    start: int  # characters
    end: int
    place: Place
    heading_path: tuple[str, ...]  # the headings above it, highest first


@dataclass(frozen=True, slots=True)
class EmbedFault:
    """One text that the model could not embed; the others of its batch are not affected."""

    reason: Message


@dataclass(frozen=True, slots=True)
class Generation:
    """What the vectors of an index were made with; vectors of two generations never meet."""

    fingerprint: str
    backend: str  # "ollama", "embedded"
    model: str
    digest: str  # of the model's weights; "" when the server does not tell
    dimension: int
    query_prefix: str
    document_prefix: str
    chunk_tokens: int
    overlap_tokens: int

    def same_vectors(self, other: Generation) -> bool:
        """Whether a text has the same vector in both, so that a question embedded for one can be compared with the
        chunks of the other, and a chunk's vector be used again."""
        return self._vector_facts() == other._vector_facts()

    def _vector_facts(self) -> tuple[object, ...]:
        return self.backend, self.model, self.digest, self.dimension, self.query_prefix, self.document_prefix


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to hold of a passage to be found; made by `filters.parse`."""

    field: str
    operator: str  # =, !=, >=, <=, >, <
    value: str


@dataclass(frozen=True, slots=True)
class Ordinary:
    """How near an ordinary passage of the index is to one question: cosines to a sample of all chunks."""

    mean: float
    deviation: float  # above 0


class ChunkRef(NamedTuple):
    """Which chunk: all that ranking needs of most of those that it ranks."""

    id: str
    source: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near some chunks are to a query, and how near an ordinary chunk is."""

    cosines: Scores  # one for each chunk, NaN for one without a vector
    ordinary: Ordinary


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """A retrieved chunk and what spoke for it. Ranks count from 1; None: not among the candidates."""

    chunk: Chunk
    score: float  # higher is better; comparable only within one retrieval
    rank: int
    dense_rank: int | None
    lexical_rank: int | None
    similarity: float | None  # cosine to the question, -1 to 1; None: the chunk has no vector
    cover: float  # 0 to 1: share of the question's weighted words that the chunk holds


@dataclass(frozen=True, slots=True)
class Passage:
    """A numbered piece of context: one chunk, or neighbours of one document joined."""

    marker: int  # from 1; what [n] in an answer means
    source: str
    title: str
    text: str
    start: int
    end: int
    place: Place
    heading_path: tuple[str, ...]
    chunk_ids: tuple[str, ...]
    score: float
    similarity: float | None
    cover: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A chunk that ranked well enough and was kept out by a rule."""

    chunk: Chunk
    reason: Message


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    source: str
    place: Place
    tokens: int
    marker: int | None  # None: left out
    reason: Message = field(default_factory=Message)  # why it was left out; empty when it was sent


@dataclass(frozen=True, slots=True)
class ContextLedger:
    """What was to be put before the model, what was, and what was not."""

    window_tokens: int | None  # the model's whole window; None: the answerer has no window
    budget_tokens: int  # of it, for passages
    planned_tokens: int  # ragkit's own count of the whole prompt
    sent: tuple[LedgerEntry, ...]
    left_out: tuple[LedgerEntry, ...]
    prompt_eval_count: int | None = None  # the server's count of what it really read
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
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
    role: Literal["system", "user", "assistant", "tool"]
    content: str
    images: tuple[bytes, ...] = ()  # of PNG, JPEG or WebP files
    tool_calls: tuple[ToolCall, ...] = ()  # of the assistant
    tool_name: str = ""  # of a tool's result: whose it is
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """The pictures that go with a question."""

    images: tuple[bytes, ...] = ()  # for a model that sees; of PNG, JPEG or WebP files
    words: str = ""  # that OCR read on them; searched for with the question
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
    citations: tuple[Citation, ...] = ()  # of the answer, for the reader; a question needs none


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
    score: float  # of the cited passage


@dataclass(frozen=True, slots=True)
class Answer:
    question: str
    query: str  # what was searched for; differs from the question after a follow-up
    text: str  # as the answerer wrote it, never edited
    citations: tuple[Citation, ...]
    refused: bool  # the documents do not say
    mode: str  # "extractive": quotes only; "generative": a language model wrote it
    model: str
    done_reason: str
    ledger: ContextLedger
    nearest: tuple[ScoredChunk, ...]  # the best passages, whatever the answer
    unread_count: int  # files of this index that could not be read
    notes: tuple[Message, ...] = ()
    asked: int = 1  # how often the model was; after the second time the better reply is the answer

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
    """In a stream: the text so far is not the answer. Another reply was proved better; it follows whole."""

    why: Message


@dataclass(frozen=True, slots=True)
class Row:
    """One finding of a question that was put to every passage."""

    text: str  # the line as the reader wrote it
    citations: tuple[Citation, ...]  # their markers are the row's number

    @property
    def verified(self) -> bool:
        return any(citation.verified for citation in self.citations)


@dataclass(frozen=True, slots=True)
class Collected:
    """What was found in all passages that were read so far."""

    question: str
    rows: tuple[Row, ...]
    chunks_read: int
    chunks: int  # to be read
    mode: str  # as an Answer's
    model: str
    notes: tuple[Message, ...] = ()


Stage = Literal[
    "index", "reading", "splitting", "conditions", "candidates", "ranking", "reranking", "selection", "packing", "given"
]


@dataclass(frozen=True, slots=True)
class WhyNot:
    """What became of an expected passage on its way into an answer."""

    stage: Stage  # that lost it; "given": none did, the answerer had it
    why: Message
    fix: Message  # the one thing that would have kept it; empty for "given"
    seen: tuple[Message, ...] = ()  # what the stages before made of it


FileState = Literal["added", "changed", "removed", "unchanged", "unreadable", "unsupported", "skipped"]
FILE_STATES: tuple[FileState, ...] = get_args(FileState)


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file. `reason` is set for all but added, changed, removed, unchanged."""

    source: str
    state: FileState
    reason: Message = field(default_factory=Message)
    notes: tuple[Message, ...] = ()  # parts of a readable file that were not read
    chunks: int = 0
    pages: int = 0  # of a readable file; 0: its format has none
    weak_pages: tuple[WeakPage, ...] = ()  # of a readable file: those that are not, or hardly


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a folder that a reader exists for."""

    path: Path
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Every file met, in path order, and what the run cost."""

    outcomes: tuple[FileOutcome, ...]
    generation: Generation
    chunks_embedded: int
    chunks_reused: int  # vectors taken over because the text was known
    chunks_without_vector: int  # found by words only, because the model refused them
    chunks_unpublished: int  # in the catalog, not yet in Chroma; searched all the same
    seconds: float
    notes: tuple[Message, ...] = ()

    def count(self, state: FileState) -> int:
        return sum(outcome.state == state for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What an index holds."""

    directory: str
    generation: Generation | None  # None: nothing was indexed yet
    documents: int
    chunks: int
    chunks_unpublished: int
    chunks_without_vector: int
    search: Literal["exact", "chroma"]  # of vectors: one by one, or by Chroma's graph of a large index
    disk_bytes: int
    unread: tuple[FileOutcome, ...]  # as of the last run over each file
    labels: Mapping[str, tuple[str, ...]]  # of roots, by path


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `ragkit doctor`."""

    name: str
    state: Literal["ok", "warning", "fault"]
    detail: Message
    fix: Message = field(default_factory=Message)  # the one thing to do; empty when all is well


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an index run is. `total_files` counts all files of the run."""

    done_files: int
    total_files: int
    chunks: int
    source: str
    pages_done: int = 0  # of pictures and pages that are pictures, in the file `source`
    pages: int = 0
    done_bytes: int = 0  # of files; with the total, how much is done: files differ in size more than in cost a byte
    total_bytes: int = 0  # 0: not known
