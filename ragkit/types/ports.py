"""What the use cases need from the outside world, as protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ragkit.i18n.messages import Message
from ragkit.types.answers import ChatMessage, Completion, Context, QuestionImages, Turn
from ragkit.types.documents import Chunk, ChunkRef, Document, EmbedFault, Generation, Scores, Vector
from ragkit.types.model_server import Format
from ragkit.types.reports import FileOutcome, Progress
from ragkit.types.search import Condition, CosineBaseline, Hit, Nearness, Passage, ReadChunk
from ragkit.types.structured import Filling, FindPassages, Form

CountTokens = Callable[[str], int]
ReadDocument = Callable[[str], Document | None]
"""Returns the indexed document of a source, or None where there is none."""
ReportProgress = Callable[[Progress], None]
OnPage = Callable[[str, int, int], None]
"""Told of each page that OCR has read, or picture that is described: (source, how many are done, of how many)."""
CheckIn = Callable[[], None]
"""Called now and then during long work; what it raises ends the work."""


class Embedder(Protocol):
    """An embedding model. Prefixes are its own business: give it bare text."""

    backend: str
    model: str
    digest: str  # "" when it cannot be told
    dimension: int
    query_prefix: str
    document_prefix: str
    max_tokens: int  # of one text, prefix and special tokens not counted

    def count_tokens(self, text: str) -> int: ...

    def embed_documents(self, texts: Sequence[str]) -> list[Vector | EmbedFault]:
        """One vector of unit length, or the reason there is none, for each text, in order.

        Raises ModelError when no text can be embedded at all: the run ends.
        """
        ...

    def embed_query(self, text: str) -> Vector: ...

    def abort(self) -> None:
        """End the requests that other threads are waiting in; they raise ModelError."""
        ...

    def check_unchanged(self) -> None:
        """Raises ModelChanged when the model is not the one any more that the vectors before came from."""
        ...


class Chat(Protocol):
    """A language model that writes."""

    model: str
    accepts_images: bool  # whether it takes pictures; True also where its server does not tell
    window_tokens: int
    answer_tokens: int  # kept free in the window for the reply

    def count_tokens(self, text: str) -> int: ...

    def stream(self, messages: Sequence[ChatMessage], form: Format = "") -> Iterator[str | Completion]:
        """Pieces of text as they come, and last, once, the Completion. Raises ModelError; FormatMismatch where
        the door checks a reply against `form`, which not every server keeps to."""
        ...


def complete(chat: Chat, messages: Sequence[ChatMessage], form: Format = "") -> Completion:
    """The whole reply of a language model, where nobody reads it as it comes. Raises what `Chat.stream` raises."""
    *_, completion = chat.stream(messages, form)
    assert isinstance(completion, Completion)
    return completion


class LocalModels(Protocol):
    """The embedding model and the answering model of this machine, as a server offers them."""

    embed_model: str
    chat_model: str
    digest: str  # sha256 of the weights
    weights_bytes: int
    dimension: int
    max_tokens: int  # of one text to embed, with the two marks around it

    def load(self) -> None:
        """Raises ModelUnavailable when the weights are not installed or damaged."""
        ...

    def unload(self) -> None: ...

    def count_tokens(self, text: str) -> int:
        """Without the two marks around a text."""
        ...

    def embed(self, texts: Sequence[str], most_tokens: int) -> list[Vector]:
        """Vectors of unit length of the first `most_tokens` of the texts as they stand: no prefix is added."""
        ...

    def reply(self, messages: Sequence[ChatMessage], check_in: CheckIn) -> Completion:
        """The whole answer. Raises ModelError, and what `check_in` raises."""
        ...


class Reranker(Protocol):
    """Puts the best of the ranked chunks into a better order."""

    depth: int  # how many of the best chunks it may move
    keeps_scores: bool
    """True: it adds to scores that can be compared with each other, and what it returns can be compared too.
    False: its order has nothing to do with the scores, so that none is too weak to be used."""

    def rerank(self, question: str, vector: Vector, ranked: Sequence[Hit], read: ReadChunk) -> list[Hit]:
        """Returns all of `ranked`, best first with ranks from 1. `vector` is the question's. Raises ModelError."""
        ...


class Answerer(Protocol):
    """Turns a question and its context into text with [n] markers."""

    model: str
    mode: str  # "extractive" or "generative"
    accepts_images: bool  # whether it takes pictures; True also where its server does not tell

    @property
    def window_tokens(self) -> int | None: ...

    @property
    def passage_tokens(self) -> int:
        """Room for passages; may shrink once the server tells what it really has."""
        ...

    def count_tokens(self, text: str) -> int: ...

    def condense(self, question: str, history: Sequence[Turn]) -> str:
        """The question made to stand without the turns before it."""
        ...

    def answer(self, question: str, context: Context, shown: QuestionImages) -> Iterator[str | Completion]:
        """Pieces of text, and last the Completion; refuses when the context holds no answer."""
        ...

    def retry(
        self, question: str, context: Context, shown: QuestionImages, reply: Completion, complaints: Sequence[str]
    ) -> Completion | None:
        """Another reply, after what is unproved in the first was named; None: it would say the same."""
        ...

    def rows(self, question: str, passages: Sequence[Passage]) -> Completion:
        """Returns a line for each finding in the passages that belongs to the answer, with a quote and a [n] marker;
        text without markers where there is none. Raises ContextOverflow, ModelError."""
        ...


class Filler(Protocol):
    """Fills in a form from the documents."""

    model: str
    mode: str  # as an Answerer's

    @property
    def window_tokens(self) -> int | None: ...
    def count_tokens(self, text: str) -> int: ...

    def fill(self, question: str, form: Form, find: FindPassages) -> Filling:
        """`find` may be called for the question, or for each field. Raises what it raises, and ModelError."""
        ...


class KeptReplies(Protocol):
    """Replies that outlive the process until the work they belong to is done."""

    def get(self, key: str) -> str | None: ...
    def put(self, key: str, reply: str) -> None: ...


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """A file that could not be read. `state` is "unreadable" or "unsupported"."""

    state: str
    reason: Message


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture inside a document, for a model that sees to describe."""

    at: int  # the character of the document's text before which it stands
    data: bytes  # PNG, JPEG or WebP


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loader made of a file. `content_hash` is of the very bytes that were read; "" when
    none could be. `document` None with no failure: the hash was the one already known."""

    content_hash: str
    document: Document | None = None
    failure: LoadFailure | None = None
    pictures: Sequence[Picture] = ()  # in rising order
    textless_document: Document | None = None  # with a failure that says there is no text: what the pictures stand in


class Loader(Protocol):
    fingerprint: str  # of how it reads; what was read with one is written down beside it

    def is_current(self, before: FileFacts) -> bool:
        """Whether the same bytes would be read again as they were."""
        ...

    def load_all(self, files: Iterable[tuple[Path, str]], on_page: OnPage = ...) -> Iterator[Loaded]:
        """Each (path, known content hash), in order; a few are read ahead of the caller. Never raises for a
        bad file, never hangs past its limits."""
        ...


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the catalog remembers of a file, read or not."""

    source: str
    content_hash: str
    size_bytes: int
    modified_ns: int
    seen_ns: int  # clock when it was read; a file changed shortly before may change unseen
    loader_fingerprint: str
    outcome: FileOutcome


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A document to be written whole: its file, its text and its chunks."""

    facts: FileFacts
    document: Document
    chunks: Sequence[Chunk]
    vectors: Mapping[str, Vector]  # by embedding key; one that is not here is taken from the stage, if it is there


class Catalog(Protocol):
    """The truth about an index. One write call is one durable transaction."""

    def active(self) -> Generation | None: ...
    def building(self) -> Generation | None: ...
    def start_generation(self, generation: Generation) -> None: ...
    def activate(self, generation: Generation) -> None: ...
    def documents_to_rebuild(self) -> list[str]: ...
    def files(self) -> Mapping[str, FileFacts]: ...
    def document(self, source: str) -> Document | None: ...
    def known_vectors(self, generation: Generation, keys: Sequence[str]) -> Mapping[str, Vector]: ...

    def stage(self, generation: Generation, vectors: Mapping[str, Vector]) -> None:
        """Keep vectors, by embedding key, of a document that is not whole yet: `known_vectors` finds them."""
        ...

    def clear_stage(self) -> None: ...

    def commit(self, generation: Generation, entries: Sequence[CatalogEntry]) -> None:
        """Replace each document whole, all of them or none. What it takes from the stage is gone from there."""
        ...

    def touch(self, facts: FileFacts) -> None: ...
    def commit_unread(self, facts: FileFacts) -> None: ...
    def remove(self, source: str) -> None: ...
    def chunks(self, ids: Sequence[str]) -> Mapping[str, Chunk]: ...
    def chunks_of(self, source: str) -> Sequence[Chunk]: ...

    def refs(self, ids: Sequence[str]) -> Sequence[ChunkRef]:
        """Those of `ids` that there is a chunk of, in their order."""
        ...

    def neighbours(
        self, chunks: Sequence[ChunkRef], reach: int, where: Sequence[Condition] = ()
    ) -> Sequence[ChunkRef]: ...

    def openings(self, sources: Sequence[str]) -> Mapping[str, str]:
        """source -> the id of the first chunk of the document."""
        ...

    def lexical(self, terms: Sequence[str], limit: int, where: Sequence[Condition] = ()) -> Mapping[str, float]: ...
    def document_frequencies(self, terms: Sequence[str]) -> Mapping[str, int]: ...

    def term_scores(self, terms: Sequence[str], ids: Sequence[str]) -> Scores:
        """What each term (row) adds to the BM25 of each chunk (column): above 0 where the chunk holds it."""
        ...

    def counts(self) -> Mapping[str, int]: ...


class DenseIndex(Protocol):
    def nearest(self, vector: Vector, limit: int, where: Sequence[Condition] = ()) -> Mapping[str, float]:
        """id -> cosine, the nearest first."""
        ...

    def among(self, vector: Vector, ids: Sequence[str]) -> NearbyVectors: ...

    def ordinary(self, vector: Vector) -> CosineBaseline:
        """How near an ordinary chunk is to a question."""
        ...


class NearbyVectors(Protocol):
    """A question and some chunks, to be compared with it and with one another. Arrays have one place for each."""

    similarities: Scores  # exact cosines to the question; NaN for a chunk without a vector

    def nearer(self, like: Mapping[str, float]) -> Nearness:
        """To the question, moved towards the chunks of `like`, id -> weight."""
        ...

    def smoothed(self, scores: Scores, most: int, weight: float) -> Scores:
        """The scores, each averaged with those of the `most` nearest and of what ties with them; the nearer one is,
        the nearer to `weight` it counts, beside 1 for the own score. That of a chunk without a vector stays."""
        ...


class KeptConversation(Protocol):
    """A conversation that outlives its process. Raises InputError when it cannot be read or written."""

    def turns(self) -> list[Turn]: ...
    def append(self, turn: Turn) -> None: ...
    def clear(self) -> None: ...
