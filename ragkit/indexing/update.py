"""Bringing an index up to date with files:

discover -> compare with catalog -> load -> split -> embed -> commit -> (publish, by the caller) -> IndexReport
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from ragkit.config.sections import ChunkingConfig
from ragkit.i18n.messages import Message, coded
from ragkit.indexing.committing import Committer, ReadyDocument
from ragkit.indexing.comparing import gone, removed, surely_same
from ragkit.indexing.generations import generation_of
from ragkit.text import chunking
from ragkit.types.documents import Chunk, Document, Generation
from ragkit.types.ports import Catalog, Embedder, FileFacts, Loaded, Loader, OnPage, ReportProgress
from ragkit.types.reports import FileOutcome, FileState, FoundFile, IndexReport, Progress


@dataclass(frozen=True, slots=True)
class _Read:
    """A file as it was found and what the loader made of it."""

    file: FoundFile
    seen_ns: int
    is_same: bool  # size and times prove that it is as it was, so that it was not loaded
    loaded: Loaded | None = None


def published(report: IndexReport, chunks_unpublished: int, notes: tuple[Message, ...]) -> IndexReport:
    """`report` as it is after publication was tried; `notes` come before its own."""
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
    generation = generation_of(embedder, settings)
    committer = Committer(catalog, embedder, generation)
    notes = _use_generation(generation, catalog, embedder, committer, progress)
    known = catalog.files()
    shown = _ShownProgress(found, progress)
    reads = _load_changed(found, known, loader, trust_times, shown.reading)
    items = (_ready(read, known, catalog, loader, embedder, generation) for read in reads)
    outcomes = [item for item in found if isinstance(item, FileOutcome)]
    for outcome in committer.run(items, shown.embedding):
        outcomes.append(outcome)
        shown.done(outcome)
    if committer.chunks_embedded:
        embedder.check_unchanged()
    _remember_unread(found, known, catalog)
    for facts in gone(known, {outcome.source for outcome in outcomes}, roots):
        catalog.remove(facts.source)
        outcomes += removed(facts)
    if committer.chunks_without_vector:
        notes.append(
            coded(
                "passages_without_vector",
                "{count} passage has no vector; it is found by its words only.",
                "{count} passages have no vector; they are found by their words only.",
                count=committer.chunks_without_vector,
            )
        )
    return IndexReport(
        outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.source)),
        generation=generation,
        chunks_embedded=committer.chunks_embedded,
        chunks_reused=committer.chunks_reused,
        chunks_without_vector=committer.chunks_without_vector,
        chunks_unpublished=0,
        seconds=time.monotonic() - started,
        notes=tuple(notes),
    )


class _ShownProgress:
    """Tells of each step of a run how much of all files is done."""

    def __init__(self, found: Sequence[FoundFile | FileOutcome], report: ReportProgress) -> None:
        self._report = report
        self._sizes = {str(item.path): item.size_bytes for item in found if isinstance(item, FoundFile)}
        total_bytes = sum(self._sizes.values())
        self._now = Progress(len(found) - len(self._sizes), len(found), 0, "", total_bytes=total_bytes)

    def reading(self, source: str, pages_done: int, pages: int) -> None:
        self._report(replace(self._now, source=source, pages_done=pages_done, pages=pages))

    def embedding(self, source: str, parts_done: int, parts: int) -> None:
        now = self._now
        bytes_done = now.done_bytes + self._sizes.get(source, 0) * parts_done // parts
        self._report(replace(now, source=source, chunks=now.chunks + parts_done, done_bytes=bytes_done))

    def done(self, outcome: FileOutcome) -> None:
        now = self._now
        self._now = replace(
            now,
            done_files=now.done_files + 1,
            chunks=now.chunks + outcome.chunks,
            source=outcome.source,
            done_bytes=now.done_bytes + self._sizes.get(outcome.source, 0),
        )
        self._report(self._now)


def _use_generation(
    generation: Generation, catalog: Catalog, embedder: Embedder, committer: Committer, progress: ReportProgress
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
        ReadyDocument(files[source], document, _split(document, embedder, generation))
        for source, document in documents
        if document is not None
    )
    done = 0

    def embedding(source: str, *_: int) -> None:
        progress(Progress(done, len(waiting), committer.chunks_embedded, source))

    for done, outcome in enumerate(committer.run(items, embedding), 1):
        progress(Progress(done, len(waiting), committer.chunks_embedded, outcome.source))
    embedder.check_unchanged()
    catalog.activate(generation)
    if generation.same_vectors(active):
        return [
            coded(
                "split_again",
                "The document of the index was split anew: how that is done has changed.",
                "The {count} documents of the index were split anew: how that is done has changed.",
                count=len(waiting),
            )
        ]
    return [
        coded(
            "embedded_again",
            "The index was made with {old}; its document was embedded again with {new}.",
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
            is_same = before is not None and trust_times and surely_same(item, before, loader)
            asked.append(_Read(item, time.time_ns(), is_same=is_same))
            if not is_same:
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
) -> ReadyDocument | FileOutcome:
    """What was read as a document to commit, or what else became of the file."""
    before = known.get(str(read.file.path))
    if read.loaded is None:
        assert before is not None
        return _same(before)
    facts = _facts(read.file, read.seen_ns, read.loaded, loader, before)
    if read.loaded.document is not None:
        return ReadyDocument(facts, read.loaded.document, _split(read.loaded.document, embedder, generation))
    if read.loaded.failure is not None:
        catalog.commit_unread(facts)
        return facts.outcome
    catalog.touch(facts)
    return _same(facts)


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
    """The pages of the file. A description of a picture splits its page into pieces, which count once."""
    return len({(page.name, page.number) for page in document.pages if page.kind != "described_picture"})


def _split(document: Document, embedder: Embedder, generation: Generation) -> list[Chunk]:
    return chunking.split(
        document,
        embedder.count_tokens,
        generation.chunk_tokens,
        generation.overlap_tokens,
        generation.fingerprint,
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
