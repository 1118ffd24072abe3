"""What changes an index or looks after it: each method holds `IndexFolder.writing` while it writes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit.app.models import ChosenModels
from ragkit.i18n.messages import Message
from ragkit.indexing import picture_descriptions, update
from ragkit.indexing.comparing import plan
from ragkit.store.catalog import maintenance
from ragkit.store.index_folder import IndexFolder
from ragkit.store.sidecars import last_answer, reply_cache
from ragkit.store.sidecars.reply_cache import NAME as REPLIES
from ragkit.store.sidecars.reply_cache import RepliesFile
from ragkit.store.vectors.stored import StoredVectors
from ragkit.types.documents import Chunk, Document
from ragkit.types.errors import IndexMissing, InputError
from ragkit.types.ports import Loader, ReportProgress
from ragkit.types.reports import FileOutcome, FoundFile, IndexReport, IndexStatus

if TYPE_CHECKING:
    from ragkit.config.sections import Config

_OCR_READINGS = "ocr.jsonl"  # what OCR read in a run that did not finish
_MAX_PICTURE_MB = 20  # the largest picture that is put before a model


class IndexUpkeep:
    """What `RagKit` does to one index. Its methods are documented there."""

    def __init__(self, index: IndexFolder, chosen: ChosenModels, config: Config) -> None:
        self._index = index
        self._chosen = chosen
        self._config = config
        self._directory = index.directory

    # -- following folders -----------------------------------------------------------------------

    def update(
        self,
        paths: Sequence[str | os.PathLike[str]],
        progress: ReportProgress,
        include: Sequence[str],
        exclude: Sequence[str],
        checksum: bool,
        labels: Sequence[str] | None,
    ) -> IndexReport:
        from ragkit.loaders.sandbox.loader import SandboxLoader

        roots, found = self._found(paths, include, exclude)
        with self._index.writing:
            catalog = self._index.writer()
            if labels is not None:
                for root in roots:
                    catalog.set_labels(str(root), labels)
            embedder = self._chosen.embedder(catalog.active(), to_index=True)
            readings = self._directory / _OCR_READINGS
            described = self._descriptions()
            pictures = bool(self._config.models.image_model)
            with closing(SandboxLoader(self._config.loading, readings, pictures=pictures)) as loader:
                report = update.update(
                    found,
                    roots,
                    catalog=catalog,
                    loader=self._describing(loader, described),
                    embedder=embedder,
                    settings=self._config.chunking,
                    progress=progress,
                    trust_times=not checksum,
                )
            readings.unlink(missing_ok=True)  # the catalog holds them now
            if not any(map(picture_descriptions.has_failed, report.outcomes)):
                described.remove()
            unpublished, trouble = self._index.publish(wait=True)
        return update.published(report, unpublished, (*self._chosen.notes, *trouble))

    def plan(
        self, paths: Sequence[str | os.PathLike[str]], include: Sequence[str], exclude: Sequence[str]
    ) -> list[FileOutcome]:
        from ragkit.loaders.files.access import has_hash
        from ragkit.loaders.sandbox.loader import SandboxLoader

        roots, found = self._found(paths, include, exclude)
        try:
            known = self._index.reader().files()
        except IndexMissing:
            known = {}
        with closing(SandboxLoader(self._config.loading)) as sandbox:
            loader = self._describing(sandbox, self._descriptions())
            return plan(found, roots, known, loader, lambda file, known: has_hash(str(file.path), known))

    def watch(
        self,
        paths: Sequence[str | os.PathLike[str]],
        include: Sequence[str],
        exclude: Sequence[str],
        stop: threading.Event | None,
    ) -> Iterator[IndexReport]:
        from watchfiles import watch

        def updated(there: Sequence[str | os.PathLike[str]]) -> IndexReport:
            return self.update(there, lambda _: None, include, exclude, checksum=False, labels=None)

        roots = [Path(path).expanduser().absolute() for path in paths]
        yield updated(paths)
        own = str(self._directory)
        for changes in watch(*roots, stop_event=stop, debounce=1600, step=1000, raise_interrupt=True):
            if any(not changed.startswith(own) for _, changed in changes):
                report = updated([root for root in roots if root.exists()])
                if any(outcome.state in ("added", "changed", "removed") for outcome in report.outcomes):
                    yield report

    def _found(
        self, paths: Sequence[str | os.PathLike[str]], include: Sequence[str], exclude: Sequence[str]
    ) -> tuple[list[Path], list[FoundFile | FileOutcome]]:
        """Returns the resolved roots and everything that was found under them."""
        from ragkit.loaders.files.discovery import discover

        if not paths:
            raise InputError("No file or folder was given.", hint="Run: ragkit index FOLDER")
        roots = [Path(path).expanduser().absolute() for path in paths]
        found = list(discover(roots, self._directory, include, exclude, self._config.loading.max_age_days))
        return [root.resolve() for root in roots], found

    def _describing(self, loader: Loader, kept: RepliesFile) -> Loader:
        """Returns `loader`, which also has pictures described where a model for that is configured."""
        model = self._config.models.image_model
        if not model:
            return loader
        chat = partial(self._chosen.served_chat, model)
        return picture_descriptions.DescribingLoader(loader, model, chat, picture_bytes, kept)

    def _descriptions(self) -> RepliesFile:
        """Returns the picture descriptions that a run which did not finish has kept."""
        return RepliesFile(self._directory / REPLIES.format(key="pictures"))

    # -- looking into it ---------------------------------------------------------------------------

    def status(self) -> IndexStatus:
        catalog = self._index.reader()
        counts = catalog.counts()
        unread = tuple(
            facts.outcome
            for facts in catalog.files().values()
            if facts.outcome.state in ("unreadable", "unsupported", "skipped") or facts.outcome.notes
        )
        return IndexStatus(
            directory=str(self._directory),
            generation=catalog.active(),
            documents=counts["documents"],
            chunks=counts["chunks"],
            chunks_unpublished=self._index.dense().unpublished_count(),
            chunks_without_vector=counts["without_vector"],
            search="chroma" if self._index.dense().has_graph() else "exact",
            disk_bytes=sum(path.stat().st_size for path in self._directory.rglob("*") if path.is_file()),
            unread=unread,
            labels=catalog.labels(),
        )

    def files(self, pattern: str) -> list[FileOutcome]:
        known = self._index.reader().files()
        return [facts.outcome for source, facts in known.items() if pattern in source]

    def read(self, name: str) -> tuple[Document, list[Chunk]]:
        catalog = self._index.reader()
        sources = maintenance.named([name], catalog.files())
        document = catalog.document(sources[0]) if len(sources) == 1 else None
        if document is None:
            raise InputError("{name} is not one document that was read.", hint="`ragkit list` tells why.", name=name)
        return document, catalog.chunks_of(sources[0])

    # -- looking after it --------------------------------------------------------------------------

    def remove(self, names: Sequence[str]) -> list[str]:
        with self._index.writing:
            catalog = self._index.writer()
            sources = maintenance.named(names, catalog.files())
            for source in sources:
                catalog.remove(source)
            self._index.publish(wait=True)
        return sources

    def forget(self, names: Sequence[str]) -> list[str]:
        with self._index.writing:
            catalog = self._index.writer()
            sources = maintenance.named(names, catalog.files())
            maintenance.forget(catalog, sources)
            last_answer.forget(self._directory)
            (self._directory / _OCR_READINGS).unlink(missing_ok=True)
            reply_cache.remove_all(self._directory)
            self._index.rebuild(in_subprocess=True)
        return sources

    def verify(self, *, deep: bool) -> list[Message]:
        with self._index.writing:
            catalog = self._index.writer()
            return [*maintenance.problems(catalog, deep=deep), *self._index.dense().problems(deep=deep)]

    def rebuild(self) -> int:
        with self._index.writing:
            catalog = self._index.writer()
            self._index.rebuild()
            return StoredVectors(catalog).count() if self._index.dense().has_graph() else 0

    def compact(self) -> tuple[int, int]:
        with self._index.writing:
            sizes = maintenance.compact(self._index.writer())
            self.rebuild()
        return sizes

    def export(self, target: str | os.PathLike[str]) -> int:
        with self._index.writing:
            return maintenance.export(self._index.writer(), Path(target).expanduser().absolute())

    def import_from(self, file: str | os.PathLike[str]) -> IndexStatus:
        if (self._directory / "catalog.db").exists():
            raise InputError(
                "There is an index in {directory} already.",
                hint="Choose another place with --index DIR.",
                directory=self._directory,
            )
        maintenance.import_file(Path(file).expanduser().absolute(), self._directory)
        with self._index.writing:
            self._index.writer()
            self._index.publish(wait=True)
        return self.status()


def picture_bytes(path: Path) -> bytes:
    """Returns the bytes of a picture file that a model is to look at. Raises LoadError."""
    from ragkit.loaders.files.access import read_bytes

    return read_bytes(str(path), _MAX_PICTURE_MB)
