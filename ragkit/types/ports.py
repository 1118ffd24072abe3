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
"""Is told of each page that OCR has read, or picture that is described: (source, how many are done, of how many)."""
CheckIn = Callable[[], None]
"""Is called now and then during long work; what it raises ends the work."""


class Embedder(Protocol):
    """An embedding model. Prefixes are its own business: give it bare text."""

    backend: str
    model: str
    digest: str  # "" when it cannot be told
    dimension: int
    query_prefix: str
    document_prefix: str
    max_tokens: int  # the longest text that is embedded whole; prefix and special tokens are not counted

    def count_tokens(self, text: str) -> int: ...

    def embed_documents(self, texts: Sequence[str]) -> list[Vector | EmbedFault]:
        """Returns one vector of unit length, or the reason why there is none, for each text, in order.

        Raises ModelError when no text can be embedded at all, so that the run ends.
        """
        ...

    def embed_query(self, text: str) -> Vector: ...

    def abort(self) -> None:
        """Ends the requests that other threads are waiting in; they raise ModelError."""
        ...

    def check_unchanged(self) -> None:
        """Raises ModelChanged when the model is another one than the vectors so far came from."""
        ...


class Chat(Protocol):
    """A language model that writes."""

    model: str
    accepts_images: bool  # whether it takes pictures; True also where its server does not tell
    window_tokens: int
    answer_tokens: int  # what is kept free in the window for the reply

    def count_tokens(self, text: str) -> int: ...

    def stream(self, messages: Sequence[ChatMessage], form: Format = "") -> Iterator[str | Completion]:
        """Yields pieces of text as they come, and last, once, the Completion. Raises ModelError, and FormatMismatch
        where a reply is checked and does not fit `form`, which not every server keeps to."""
        ...


def complete(chat: Chat, messages: Sequence[ChatMessage], form: Format = "") -> Completion:
    """Returns the whole reply of a language model, where nobody reads it as it comes. Raises what `Chat.stream`
    raises."""
    *_, completion = chat.stream(messages, form)
    assert isinstance(completion, Completion)
    return completion


class LocalModels(Protocol):
    """The embedding model and the answering model of this machine, as a server offers them."""

    embed_model: str
    chat_model: str
    digest: str  # SHA-256 of the weights
    weights_bytes: int
    dimension: int
    max_tokens: int  # the longest text that is embedded whole, with the two marks around it

    def load(self) -> None:
        """Raises ModelUnavailable when the weights are not installed or damaged."""
        ...

    def unload(self) -> None: ...

    def count_tokens(self, text: str) -> int:
        """Counts the tokens of a text without the two marks around it."""
        ...

    def embed(self, texts: Sequence[str], most_tokens: int) -> list[Vector]:
        """Returns vectors of unit length for the first `most_tokens` of each text; no prefix is added to them."""
        ...

    def reply(self, messages: Sequence[ChatMessage], check_in: CheckIn) -> Completion:
        """Returns the whole answer. Raises ModelError, and what `check_in` raises."""
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
        """How many tokens of passages fit; it may shrink once the server tells how large its window really is."""
        ...

    def count_tokens(self, text: str) -> int: ...

    def condense(self, question: str, history: Sequence[Turn]) -> str:
        """Returns the question made to stand without the turns before it."""
        ...

    def answer(self, question: str, context: Context, shown: QuestionImages) -> Iterator[str | Completion]:
        """Yields pieces of text, and last the Completion, which refuses when the context holds no answer."""
        ...

    def retry(
        self, question: str, context: Context, shown: QuestionImages, reply: Completion, complaints: Sequence[str]
    ) -> Completion | None:
        """Returns another reply, after what is unproved in the first was named; None where it would be the same."""
        ...

    def rows(self, question: str, passages: Sequence[Passage]) -> Completion:
        """Returns a line for each finding in the passages that belongs to the answer, with a quote and a [n] marker;
        text without markers where there is none. Raises ContextOverflow, ModelError."""
        ...


class Filler(Protocol):
    """Fills in a form from the documents."""

    model: str
    mode: str  # "extractive" or "generative"

    @property
    def window_tokens(self) -> int | None: ...
    def count_tokens(self, text: str) -> int: ...

    def fill(self, question: str, form: Form, find: FindPassages) -> Filling:
        """Fills in the form with passages from `find`, which may be called for the question or for each field. Raises
        what `find` raises, and ModelError."""
        ...


class KeptReplies(Protocol):
    """Replies that outlive the process until the work they belong to is done."""

    def get(self, key: str) -> str | None: ...
    def put(self, key: str, reply: str) -> None: ...


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """Why a file could not be read."""

    state: str  # "unreadable" or "unsupported"
    reason: Message


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture inside a document, which a model that accepts images may describe."""

    at: int  # the character of the document's text before which it stands
    data: bytes  # PNG, JPEG or WebP


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loader made of a file. Without a document and without a failure, the file's hash was the known one."""

    content_hash: str  # SHA-256 of the very bytes that were read; "" when none could be read
    document: Document | None = None
    failure: LoadFailure | None = None
    pictures: Sequence[Picture] = ()  # in the order of the text
    textless_document: Document | None = None  # what the pictures stand in, where the failure says there is no text


class Loader(Protocol):
    """Reads files, each in a process of its own that a bad file cannot harm others from."""

    fingerprint: str  # names how files are read; it is written down beside what was read

    def is_current(self, before: FileFacts) -> bool:
        """Says whether the same bytes would be read as they were before."""
        ...

    def load_all(self, files: Iterable[tuple[Path, str]], on_page: OnPage = ...) -> Iterator[Loaded]:
        """Reads each (path, known content hash), in order; a few are read ahead of the caller. Never raises for a
        bad file, and never hangs past its limits."""
        ...


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the catalog remembers of a file, read or not."""

    source: str
    content_hash: str
    size_bytes: int
    modified_ns: int
    seen_ns: int  # the time when it was read; a file changed shortly before that may change again unseen
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
        """Keeps vectors, by embedding key, of a document that is not whole yet: `known_vectors` finds them."""
        ...

    def clear_stage(self) -> None: ...

    def commit(self, generation: Generation, entries: Sequence[CatalogEntry]) -> None:
        """Replaces each document whole, all of them or none. What it takes from the stage is gone from there."""
        ...

    def touch(self, facts: FileFacts) -> None: ...
    def commit_unread(self, facts: FileFacts) -> None: ...
    def remove(self, source: str) -> None: ...
    def chunks(self, ids: Sequence[str]) -> Mapping[str, Chunk]: ...
    def chunks_of(self, source: str) -> Sequence[Chunk]: ...

    def refs(self, ids: Sequence[str]) -> Sequence[ChunkRef]:
        """Returns the chunks that `ids` name, in their order, without those that do not exist."""
        ...

    def neighbours(self, chunks: Sequence[ChunkRef], reach: int, where: Sequence[Condition] = ()) -> Sequence[ChunkRef]:
        """Returns up to `reach` chunks on either side of each chunk, in the same document."""
        ...

    def openings(self, sources: Sequence[str]) -> Mapping[str, str]:
        """Returns, by source, the id of the first chunk of the document."""
        ...

    def lexical(self, terms: Sequence[str], limit: int, where: Sequence[Condition] = ()) -> Mapping[str, float]:
        """Returns the BM25 scores of the best chunks by their ids, the best first."""
        ...

    def document_frequencies(self, terms: Sequence[str]) -> Mapping[str, int]: ...

    def term_scores(self, terms: Sequence[str], ids: Sequence[str]) -> Scores:
        """Returns what each term (row) adds to the BM25 of each chunk (column): above 0 where the chunk holds it."""
        ...

    def counts(self) -> Mapping[str, int]: ...


class DenseIndex(Protocol):
    """Searches the chunks of an index by their vectors."""

    def nearest(self, vector: Vector, limit: int, where: Sequence[Condition] = ()) -> Mapping[str, float]:
        """Returns the cosines of the nearest chunks by their ids, the nearest first."""
        ...

    def among(self, vector: Vector, ids: Sequence[str]) -> NearbyVectors:
        """Returns the chunks of `ids`, to be compared with a question and with one another."""
        ...

    def ordinary(self, vector: Vector) -> CosineBaseline:
        """Returns how near an ordinary chunk is to a question."""
        ...


class NearbyVectors(Protocol):
    """A question and some chunks, to be compared with it and with one another. Arrays have one place a chunk."""

    similarities: Scores  # exact cosines to the question; NaN for a chunk without a vector

    def nearer(self, like: Mapping[str, float]) -> Nearness:
        """Returns how near the chunks are to the question after it was moved towards some of them: `like` gives their
        weights by id."""
        ...

    def smoothed(self, scores: Scores, most: int, weight: float) -> Scores:
        """Returns the scores, each averaged with those of the `most` nearest chunks and of what ties with them. The
        nearer a chunk is, the nearer to `weight` its score counts, beside 1 for the own score. A chunk without a
        vector keeps its score."""
        ...
