"""Embedding the chunks of documents and committing them, several documents in one transaction.

While one part is kept, the next one is embedded in a thread and the file after it is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from ragkit.i18n.messages import Message, coded
from ragkit.text import chunking
from ragkit.types.documents import Chunk, Document, EmbedFault, Generation, Vector
from ragkit.types.ports import Catalog, CatalogEntry, Embedder, FileFacts
from ragkit.types.reports import FileOutcome

_PART_CHUNKS = 32  # chunks of one part: of several small documents, or of one that is longer
_GROUP_FILES = 64  # files of one group at the most; those that did not change count too
_PARTS_AHEAD = 1  # parts that are embedded while the one before is kept; a kill costs this one and that one

OnPart = Callable[[str, int, int], None]
"""Is told of each part of a long document that was embedded: (source, parts that are done, parts in all)."""


@dataclass(frozen=True, slots=True)
class ReadyDocument:
    """A document on its way from the loader to the catalog."""

    facts: FileFacts
    document: Document
    chunks: list[Chunk]


@dataclass(frozen=True, slots=True)
class _Group:
    """Documents that are committed in one transaction, and outcomes of other files that are told with them."""

    items: Sequence[ReadyDocument | FileOutcome]
    faults: dict[str, Message] = field(default_factory=dict)
    """Why a text could not be embedded, by embedding key, for the parts that are finished."""

    @property
    def source(self) -> str:
        first = self.items[0]
        return first.facts.source if isinstance(first, ReadyDocument) else first.source

    def chunks(self) -> list[Chunk]:
        return [chunk for item in self.items if isinstance(item, ReadyDocument) for chunk in item.chunks]


@dataclass(frozen=True, slots=True)
class _Part:
    """Some chunks of a group, of which those that the index does not know yet are being embedded."""

    group: _Group
    number: int  # from 1
    parts: int  # of the group; a group of several parts is one document
    known: Mapping[str, Vector]  # by embedding key; empty in a group of several parts, whose vectors are on the stage
    new: Sequence[str]  # embedding keys
    embedded: Future[list[Vector | EmbedFault]] | None  # None: nothing is new

    def results(self) -> dict[str, Vector | EmbedFault]:
        """Waits for the embeddings of the new keys. Raises ModelError."""
        return dict(zip(self.new, self.embedded.result() if self.embedded is not None else (), strict=True))


class Committer:
    """Embeds and commits for one generation, and counts what it did."""

    def __init__(self, catalog: Catalog, embedder: Embedder, generation: Generation) -> None:
        self.chunks_embedded = 0
        self.chunks_reused = 0  # the index knew a vector for their text
        self.chunks_without_vector = 0  # the model refused them
        self._catalog = catalog
        self._embedder = embedder
        self._generation = generation

    def run(self, items: Iterable[ReadyDocument | FileOutcome], on_part: OnPart) -> Iterator[FileOutcome]:
        """Commit the documents among `items`, in order; yields what became of each file once it is durable.

        The vectors of a document of several parts wait on the catalog's stage: they are not lost with the process, and
        never in memory all at once. Raises ModelError, StoreError.
        """
        waiting: deque[_Part] = deque()
        with ThreadPoolExecutor(_PARTS_AHEAD + 1, "ragkit-part") as pool:
            try:
                for group in _groups(items):
                    for part in self._begun(group, pool):
                        waiting.append(part)
                        yield from self._finished(waiting, _PARTS_AHEAD, on_part)
                yield from self._finished(waiting, 0, on_part)
                self._catalog.clear_stage()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._embedder.abort()
                raise

    def _begun(self, group: _Group, pool: ThreadPoolExecutor) -> Iterator[_Part]:
        """The parts of a group, each with its embedding under way."""
        chunks = group.chunks()
        starts = range(0, max(len(chunks), 1), _PART_CHUNKS)
        for number, start in enumerate(starts, 1):
            part = chunks[start : start + _PART_CHUNKS]
            texts = {chunking.embedding_key(chunk): chunking.embedding_text(chunk) for chunk in part}
            known = self._catalog.known_vectors(self._generation, list(texts))
            self.chunks_reused += len(known)
            new = [key for key in texts if key not in known and key not in group.faults]
            if len(starts) > 1:
                self._catalog.stage(self._generation, known)
                known = {}
            embedded = pool.submit(self._embedder.embed_documents, [texts[key] for key in new]) if new else None
            yield _Part(group, number, len(starts), known, new, embedded)

    def _finished(self, waiting: deque[_Part], ahead: int, on_part: OnPart) -> Iterator[FileOutcome]:
        """Finish the parts at the head of `waiting` until `ahead` are left, and those that have nothing to wait for."""
        while waiting and (len(waiting) > ahead or waiting[0].embedded is None):
            part = waiting.popleft()
            results = part.results()
            vectors = {key: found for key, found in results.items() if not isinstance(found, EmbedFault)}
            part.group.faults.update(
                (key, found.reason) for key, found in results.items() if isinstance(found, EmbedFault)
            )
            self.chunks_embedded += len(vectors)
            if part.parts > 1:
                self._catalog.stage(self._generation, vectors)
                vectors = {}
                on_part(part.group.source, part.number, part.parts)
            if part.number == part.parts:
                yield from self._committed(part.group, {**part.known, **vectors})

    def _committed(self, group: _Group, vectors: Mapping[str, Vector]) -> list[FileOutcome]:
        """Commit the documents of a group in one transaction, and tell what became of each file."""
        outcomes: list[FileOutcome] = []
        entries = []
        for item in group.items:
            if isinstance(item, FileOutcome):
                outcomes.append(item)
                continue
            notes = _fault_notes(item.chunks, group.faults)
            self.chunks_without_vector += len(notes)
            outcome = replace(item.facts.outcome, notes=(*item.facts.outcome.notes, *notes))
            entries.append(CatalogEntry(replace(item.facts, outcome=outcome), item.document, item.chunks, vectors))
            outcomes.append(replace(outcome, chunks=len(item.chunks)))
        if entries:
            self._catalog.commit(self._generation, entries)
        return outcomes


def _groups(items: Iterable[ReadyDocument | FileOutcome]) -> Iterator[_Group]:
    """Runs of items that hold up to `_PART_CHUNKS` chunks together, or one item of more."""
    group: list[ReadyDocument | FileOutcome] = []
    size = 0
    for item in items:
        chunks = len(item.chunks) if isinstance(item, ReadyDocument) else 0
        if group and (size + chunks > _PART_CHUNKS or len(group) == _GROUP_FILES):
            yield _Group(group)
            group, size = [], 0
        group.append(item)
        size += chunks
    if group:
        yield _Group(group)


def _fault_notes(chunks: Sequence[Chunk], faults: Mapping[str, Message]) -> list[Message]:
    """A note for each chunk that could not be embedded."""
    keys = [(chunk, chunking.embedding_key(chunk)) for chunk in chunks] if faults else []
    return [_fault_note(chunk, faults[key]) for chunk, key in keys if key in faults]


def _fault_note(chunk: Chunk, reason: Message) -> Message:
    found = chunk.place
    place = {"place": found.line if found.page is None else found.page, "reason": reason}
    if found.page is not None:
        return coded(
            "page_without_vector",
            "Page {place}: one passage has no vector ({reason}); it is found by its words only.",
            **place,
        )
    return coded(
        "line_without_vector",
        "Line {place}: one passage has no vector ({reason}); it is found by its words only.",
        **place,
    )
