"""Bringing an index up to date with files:

discover -> compare with catalog -> load -> split -> embed -> commit -> (publish, by the caller) -> IndexReport
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import cast

from ragkit.config.sections import ChunkingConfig
from ragkit.i18n.messages import Message, coded
from ragkit.text import chunking, terms
from ragkit.types.documents import Chunk, Document, EmbedFault, Generation, Vector
from ragkit.types.ports import Catalog, CatalogEntry, Embedder, FileFacts, Loaded, Loader, OnPage, ReportProgress
from ragkit.types.reports import FileOutcome, FileState, FoundFile, IndexReport, Progress

_RACY_NS = 2_000_000_000  # a file this young when it was read may change again within its time stamp
_PART_CHUNKS = 32  # embedded at once: of small documents, which are committed together, or of a longer one
_GROUP_FILES = 64  # changed or not, whose outcomes are told together
_PARTS_AHEAD = 1  # that are embedded while the one before is kept; what a kill costs is this and that one

_OnPart = Callable[[str, int, int], None]
"""Told of each part of a long document that is embedded: (source, how many are, of how many)."""


@dataclass(slots=True)
class _Tally:
    embedded: int = 0
    reused: int = 0
    faults: int = 0


@dataclass(frozen=True, slots=True)
class _Ready:
    """A document on its way from the loader to the catalog."""

    facts: FileFacts
    document: Document
    chunks: list[Chunk]


@dataclass(frozen=True, slots=True)
class _Read:
    """A file as it was found and what the loader made of it."""

    file: FoundFile
    seen_ns: int
    is_same: bool  # surely as it was: there is no need to load it
    loaded: Loaded | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """Some chunks of a group, of which those that are new are being embedded."""

    group: Sequence[_Ready | FileOutcome]  # one document, where it has several parts
    place: int  # from 1
    parts: int
    known: Mapping[str, Vector]  # by embedding key, of a group of one part: those of others are on the stage
    new: Sequence[str]  # embedding keys
    made: Future[list[Vector | EmbedFault]] | None  # None: nothing is new
    faults: dict[str, Message]  # of the group, by embedding key

    @property
    def source(self) -> str:
        first = self.group[0]
        return first.facts.source if isinstance(first, _Ready) else first.source

    def vectors(self) -> dict[str, Vector]:
        """Those that were made, by embedding key; adds to the faults."""
        found = zip(self.new, self.made.result() if self.made is not None else (), strict=True)
        good: dict[str, Vector] = {}
        for key, vector in found:
            if isinstance(vector, EmbedFault):
                self.faults[key] = vector.reason
            else:
                good[key] = vector
        return good


def generation_of(embedder: Embedder, settings: ChunkingConfig) -> Generation:
    """The generation that this embedder and these settings make. A change of any part, or of how
    ragkit splits and finds words, is another generation."""
    chunk_tokens = chunking.fit_chunk_tokens(settings.chunk_tokens, embedder.max_tokens)
    overlap_tokens = min(settings.overlap_tokens, chunk_tokens // 2)
    made = Generation(
        "",
        embedder.backend,
        embedder.model,
        embedder.digest,
        embedder.dimension,
        embedder.query_prefix,
        embedder.document_prefix,
        chunk_tokens,
        overlap_tokens,
    )
    _, *parts = astuple(made)
    parts += (chunking.VERSION, terms.VERSION)
    return replace(made, fingerprint=hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16])


def published(report: IndexReport, chunks_unpublished: int, notes: tuple[Message, ...]) -> IndexReport:
    """`report` once publication was tried; `notes` come before its own."""
    return replace(report, chunks_unpublished=chunks_unpublished, notes=notes + report.notes)


def update(
    found: Sequence[FoundFile | FileOutcome],
    roots: Sequence[Path],
    *,
    catalog: Catalog,
    loader: Loader,
    embedder: Embedder,
    settings: ChunkingConfig,
    progress: ReportProgress,
    trust_times: bool = True,
) -> IndexReport:
    """Make the catalog hold exactly the readable files of `found`, for everything under `roots`.

    Documents outside `roots` stay. A file whose size and times are as they were is not read again,
    unless `trust_times` is off: then its content's hash decides. Each document is committed whole
    before the next is reported done; stopped at any point, a second call goes on from there. Raises
    ModelError, StoreError.
    """
    started = time.monotonic()
    tally = _Tally()
    generation = generation_of(embedder, settings)
    notes = _use_generation(generation, catalog, embedder, tally, progress)
    known = catalog.files()
    outcomes = [item for item in found if isinstance(item, FileOutcome)]
    sizes = {str(item.path): item.size_bytes for item in found if isinstance(item, FoundFile)}
    now = Progress(len(outcomes), len(found), 0, "", total_bytes=sum(sizes.values()))

    def reading(source: str, pages_done: int, pages: int) -> None:
        progress(replace(now, source=source, pages_done=pages_done, pages=pages))

    def embedding(source: str, chunks_done: int, chunks: int) -> None:
        bytes_done = sizes.get(source, 0) * chunks_done // chunks
        progress(replace(now, source=source, chunks=now.chunks + chunks_done, done_bytes=now.done_bytes + bytes_done))

    loads = _load_changed(found, known, loader, trust_times, reading)
    items = (_ready(read, known, catalog, loader, embedder, generation) for read in loads)
    for outcome in _embedded_and_committed(_groups(items), catalog, embedder, generation, tally, embedding):
        outcomes.append(outcome)
        now = replace(
            now,
            done_files=now.done_files + 1,
            chunks=now.chunks + outcome.chunks,
            source=outcome.source,
            done_bytes=now.done_bytes + sizes.get(outcome.source, 0),
        )
        progress(now)
    if tally.embedded:
        embedder.check_unchanged()
    _remember_unread(found, known, catalog)
    for facts in _gone(known, {outcome.source for outcome in outcomes}, roots):
        catalog.remove(facts.source)
        outcomes += _removed(facts)
    return IndexReport(
        outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.source)),
        generation=generation,
        chunks_embedded=tally.embedded,
        chunks_reused=tally.reused,
        chunks_without_vector=tally.faults,
        chunks_unpublished=0,
        seconds=time.monotonic() - started,
        notes=tuple(notes) + _fault_notes(tally),
    )


def plan(
    found: Sequence[FoundFile | FileOutcome],
    roots: Sequence[Path],
    known: Mapping[str, FileFacts],
    loader: Loader,
    same_content: Callable[[FoundFile, str], bool],
) -> list[FileOutcome]:
    """What `update` would do with each file, in path order, without doing it. `same_content` tells
    whether a file still has the content of a hash; it is asked where times do not decide."""
    outcomes = {}
    for item in found:
        if isinstance(item, FileOutcome):
            outcomes[item.source] = item
            continue
        source = str(item.path)
        before = known.get(source)
        trusted = before is not None and loader.is_current(before)
        if before is None or before.outcome.state in ("unreadable", "unsupported", "skipped"):
            state: FileState = "added"
        elif trusted and (_surely_same(item, before, loader) or same_content(item, before.content_hash)):
            state = "unchanged"
        else:
            state = "changed"
        outcomes[source] = FileOutcome(source, state)
    removed = [outcome for facts in _gone(known, outcomes, roots) for outcome in _removed(facts)]
    return sorted([*outcomes.values(), *removed], key=lambda outcome: outcome.source)


def _gone(known: Mapping[str, FileFacts], met: Container[str], roots: Sequence[Path]) -> list[FileFacts]:
    """What the index knows of files under `roots` that are not there any more."""
    return [facts for source, facts in sorted(known.items()) if source not in met and _under(source, roots)]


def _removed(facts: FileFacts) -> list[FileOutcome]:
    """How a file that is gone is reported: not at all, if nothing of it was in the index."""
    in_index = facts.outcome.state not in ("unsupported", "skipped")
    return [FileOutcome(facts.source, "removed")] if in_index else []


def _use_generation(
    generation: Generation, catalog: Catalog, embedder: Embedder, tally: _Tally, progress: ReportProgress
) -> list[Message]:
    """Make `generation` the active one, embedding every known document anew when it is another."""
    active, building = catalog.active(), catalog.building()
    if active is not None and active.fingerprint == generation.fingerprint:
        return []
    if building is None or building.fingerprint != generation.fingerprint:
        catalog.start_generation(generation)
    if active is None:
        return []
    waiting = catalog.documents_to_rebuild()
    files = catalog.files()
    documents = ((source, catalog.document(source)) for source in waiting)
    items = (
        _Ready(files[source], document, _split(document, embedder, generation))
        for source, document in documents
        if document is not None
    )
    done = 0

    def embedding(source: str, *_: int) -> None:
        progress(Progress(done, len(waiting), tally.embedded, source))

    rebuilt = _embedded_and_committed(_groups(items), catalog, embedder, generation, tally, embedding)
    for done, outcome in enumerate(rebuilt, 1):
        progress(Progress(done, len(waiting), tally.embedded, outcome.source))
    embedder.check_unchanged()
    catalog.activate(generation)
    if generation.same_vectors(active):
        count = {"count": len(waiting)}
        return [
            coded(
                "split_again",
                "The {count} documents of the index were split anew: how that is done has changed.",
                **count,
            )
        ]
    return [
        coded(
            "embedded_again",
            "The index was made with {old}; its {count} documents were embedded again with {new}.",
            old=active.model,
            new=generation.model,
            count=len(waiting),
        )
    ]


def _load_changed(
    found: Sequence[FoundFile | FileOutcome],
    known: Mapping[str, FileFacts],
    loader: Loader,
    trust_times: bool,
    on_page: OnPage,
) -> Iterator[_Read]:
    """Each file of `found`, in order, read unless it is surely the same."""
    asked: deque[_Read] = deque()  # in order; those that were read ahead wait for what they hold

    def changed() -> Iterator[tuple[Path, str]]:
        for item in found:
            if isinstance(item, FileOutcome):
                continue
            before = known.get(str(item.path))
            surely_same = before is not None and trust_times and _surely_same(item, before, loader)
            asked.append(_Read(item, time.time_ns(), is_same=surely_same))
            if not surely_same:
                trusted = before is not None and loader.is_current(before)
                yield item.path, before.content_hash if before is not None and trusted else ""

    for loaded in loader.load_all(changed(), on_page):
        while asked[0].is_same:
            yield asked.popleft()
        yield replace(asked.popleft(), loaded=loaded)
    yield from asked


def _ready(
    read: _Read,
    known: Mapping[str, FileFacts],
    catalog: Catalog,
    loader: Loader,
    embedder: Embedder,
    generation: Generation,
) -> _Ready | FileOutcome:
    """What was read as a document to commit, or what else became of the file."""
    before = known.get(str(read.file.path))
    if read.loaded is None:
        assert before is not None
        return _same(before)
    facts = _facts(read.file, read.seen_ns, read.loaded, loader, before)
    if read.loaded.document is not None:
        return _Ready(facts, read.loaded.document, _split(read.loaded.document, embedder, generation))
    if read.loaded.failure is not None:
        catalog.commit_unread(facts)
        return facts.outcome
    catalog.touch(facts)
    return _same(facts)


def _surely_same(item: FoundFile, before: FileFacts, loader: Loader) -> bool:
    return (
        loader.is_current(before)
        and bool(before.content_hash)
        and (item.size_bytes, item.modified_ns) == (before.size_bytes, before.modified_ns)
        and before.modified_ns < before.seen_ns - _RACY_NS
    )


def _same(facts: FileFacts) -> FileOutcome:
    """The outcome of a file that did not change: unchanged, or still unreadable for the old reason."""
    if facts.outcome.state in ("unreadable", "unsupported"):
        return facts.outcome
    return replace(facts.outcome, state="unchanged")


def _facts(item: FoundFile, seen_ns: int, loaded: Loaded, loader: Loader, before: FileFacts | None) -> FileFacts:
    source = str(item.path)
    if loaded.failure is not None:
        outcome = FileOutcome(source, cast(FileState, loaded.failure.state), loaded.failure.reason)
    elif loaded.document is not None:
        read_before = before is not None and before.outcome.state in ("added", "changed", "unchanged")
        outcome = FileOutcome(source, "changed" if read_before else "added", notes=loaded.document.notes)
        outcome = replace(outcome, pages=_page_count(loaded.document), weak_pages=loaded.document.weak_pages)
    else:
        assert before is not None
        outcome = before.outcome
    return FileFacts(
        source, loaded.content_hash, item.size_bytes, item.modified_ns, seen_ns, loader.fingerprint, outcome
    )


def _page_count(document: Document) -> int:
    """Those of the file: a picture on a page parts it into pieces."""
    return len({(page.name, page.number) for page in document.pages if page.kind != "described_picture"})


def _split(document: Document, embedder: Embedder, generation: Generation) -> list[Chunk]:
    return chunking.split(
        document,
        embedder.count_tokens,
        generation.chunk_tokens,
        generation.overlap_tokens,
        generation.fingerprint,
    )


def _groups(items: Iterable[_Ready | FileOutcome]) -> Iterator[list[_Ready | FileOutcome]]:
    """Runs of items that hold up to `_PART_CHUNKS` chunks together, or one item of more."""
    group: list[_Ready | FileOutcome] = []
    size = 0
    for item in items:
        chunks = len(item.chunks) if isinstance(item, _Ready) else 0
        if group and (size + chunks > _PART_CHUNKS or len(group) == _GROUP_FILES):
            yield group
            group, size = [], 0
        group.append(item)
        size += chunks
    if group:
        yield group


def _embedded_and_committed(
    groups: Iterable[Sequence[_Ready | FileOutcome]],
    catalog: Catalog,
    embedder: Embedder,
    generation: Generation,
    tally: _Tally,
    on_part: _OnPart,
) -> Iterator[FileOutcome]:
    """Embed the new chunks of each group in a thread while the part before is kept and the next file is read. A group
    is one transaction; groups are committed in order. The vectors of a group of several parts wait on the stage: they
    are not lost with the process, and never in memory all at once."""
    waiting: deque[_Part] = deque()

    def kept(left: int) -> Iterator[FileOutcome]:
        while waiting and (len(waiting) > left or waiting[0].made is None):
            part = waiting.popleft()
            vectors = part.vectors()
            tally.embedded += len(vectors)
            if part.parts > 1:
                catalog.stage(generation, vectors)
                vectors = {}
                on_part(part.source, part.place, part.parts)
            if part.place == part.parts:
                yield from _commit(part.group, {**part.known, **vectors}, part.faults, catalog, generation, tally)

    with ThreadPoolExecutor(_PARTS_AHEAD + 1, "ragkit-part") as pool:
        try:
            for group in groups:
                chunks = [chunk for item in group if isinstance(item, _Ready) for chunk in item.chunks]
                starts = range(0, max(len(chunks), 1), _PART_CHUNKS)
                faults: dict[str, Message] = {}
                for place, start in enumerate(starts, 1):
                    texts = _texts(chunks[start : start + _PART_CHUNKS])
                    known = catalog.known_vectors(generation, list(texts))
                    tally.reused += len(known)
                    new = [key for key in texts if key not in known and key not in faults]
                    if len(starts) > 1:
                        catalog.stage(generation, known)
                        known = {}
                    made = pool.submit(embedder.embed_documents, [texts[key] for key in new]) if new else None
                    waiting.append(_Part(group, place, len(starts), known, new, made, faults))
                    yield from kept(_PARTS_AHEAD)
            yield from kept(0)
            catalog.clear_stage()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            embedder.abort()
            raise


def _texts(chunks: Iterable[Chunk]) -> dict[str, str]:
    """What is to be embedded, by embedding key."""
    return {chunking.embedding_key(chunk): chunking.embedding_text(chunk) for chunk in chunks}


def _commit(
    group: Sequence[_Ready | FileOutcome],
    vectors: Mapping[str, Vector],
    faults: Mapping[str, Message],
    catalog: Catalog,
    generation: Generation,
    tally: _Tally,
) -> list[FileOutcome]:
    """Commit the documents of a group in one transaction, and tell what became of each file."""
    outcomes: list[FileOutcome] = []
    entries = []
    for item in group:
        if isinstance(item, FileOutcome):
            outcomes.append(item)
            continue
        bad = [(chunk, chunking.embedding_key(chunk)) for chunk in item.chunks] if faults else []
        notes = [_fault_note(chunk, faults[key]) for chunk, key in bad if key in faults]
        tally.faults += len(notes)
        outcome = replace(item.facts.outcome, notes=(*item.facts.outcome.notes, *notes))
        entries.append(CatalogEntry(replace(item.facts, outcome=outcome), item.document, item.chunks, vectors))
        outcomes.append(replace(outcome, chunks=len(item.chunks)))
    if entries:
        catalog.commit(generation, entries)
    return outcomes


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


def _fault_notes(tally: _Tally) -> tuple[Message, ...]:
    if not tally.faults:
        return ()
    return (
        coded(
            "passages_without_vector",
            "{count} passages have no vector; they are found by their words only.",
            count=tally.faults,
        ),
    )


def _remember_unread(
    found: Sequence[FoundFile | FileOutcome], known: Mapping[str, FileFacts], catalog: Catalog
) -> None:
    """Write down files met that no reader was tried on, so that `status` can name them later."""
    for outcome in found:
        if isinstance(outcome, FileOutcome):
            before = known.get(outcome.source)
            if before is None or before.outcome != outcome:
                catalog.commit_unread(FileFacts(outcome.source, "", 0, 0, 0, "", outcome))


def _under(source: str, roots: Sequence[Path]) -> bool:
    path = Path(source)
    return any(path == root or root in path.parents for root in roots)
