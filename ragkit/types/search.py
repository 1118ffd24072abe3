"""Values that say what was found: conditions, scored chunks, passages, and why a passage was not found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from ragkit.i18n.messages import Message
from ragkit.types.documents import Chunk, ChunkRef, Place, Scores


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to hold of a passage for it to be found; `filters.parse` makes it."""

    field: str  # one of `filters.FIELDS`
    operator: str  # =, !=, >=, <=, >, <
    value: str


@dataclass(frozen=True, slots=True)
class CosineBaseline:
    """How near an ordinary passage of the index is to one question: cosines to a sample of all chunks."""

    mean: float
    deviation: float  # above 0


@dataclass(frozen=True, slots=True)
class EvidenceThreshold:
    """The least evidence that an answer needs."""

    scale: Literal["cosine", "deviations", "words"]
    """Evidence is counted in cosines as they are, in deviations from an ordinary passage, or by words alone."""
    refuse_below: float
    cover_weight: float  # the weight of the share of the question's words beside the cosine

    def enough(self, similarity: float, cover: float, ordinary: CosineBaseline) -> bool:
        """Says whether the best passage is evidence enough, by its cosine (`similarity`) and by the share of the
        question's words in it (`cover`)."""
        if self.scale == "words":
            return cover >= self.refuse_below
        nearness = similarity if self.scale == "cosine" else (similarity - ordinary.mean) / ordinary.deviation
        return nearness + self.cover_weight * cover >= self.refuse_below


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near some chunks are to a query, and how near an ordinary chunk is."""

    cosines: Scores  # one for each chunk, NaN for one without a vector
    ordinary: CosineBaseline


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """A retrieved chunk and what spoke for it."""

    chunk: Chunk
    score: float  # higher is better; comparable only within one retrieval
    rank: int  # from 1
    dense_rank: int | None  # from 1; None: the dense search did not find the chunk
    lexical_rank: int | None  # from 1; None: the lexical search did not find the chunk
    similarity: float | None  # cosine to the question, -1 to 1; None: the chunk has no vector
    cover: float  # 0 to 1: share of the question's weighted words that the chunk holds


class Hit(NamedTuple):
    """A `ScoredChunk` without its text, which is read only for the few chunks that are used."""

    ref: ChunkRef
    score: float
    rank: int
    dense_rank: int | None
    lexical_rank: int | None
    similarity: float | None
    cover: float

    def with_text(self, chunk: Chunk) -> ScoredChunk:
        return ScoredChunk(chunk, *self[1:])


ReadChunk: TypeAlias = "Callable[[str], Chunk]"
"""Returns the chunk that an id names."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A numbered piece of context: one chunk, or neighbours of one document joined."""

    marker: int  # from 1; [n] in an answer cites passage n
    source: str
    title: str
    text: str
    start: int  # characters of the document's text
    end: int
    place: Place
    heading_path: tuple[str, ...]
    chunk_ids: tuple[str, ...]
    score: float  # this and what follows are those of the best chunk
    similarity: float | None
    cover: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A chunk that ranked well enough and was kept out by a rule."""

    chunk: Chunk
    reason: Message


Stage = Literal[
    "index", "reading", "splitting", "conditions", "candidates", "ranking", "reranking", "selection", "packing", "given"
]


@dataclass(frozen=True, slots=True)
class WhyNot:
    """What became of an expected passage on its way into an answer."""

    stage: Stage  # the stage that lost it; "given": none did, and the answerer had it
    why: Message
    fix: Message  # the one thing that would have kept it; empty for "given"
    seen: tuple[Message, ...] = ()  # what the stages before made of it
