"""The folder of an index and what is open of it: the catalog to read, the catalog to write, the vectors."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit.i18n.messages import Message, coded
from ragkit.store.catalog import maintenance
from ragkit.store.catalog.errors import disk_full
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.store.locks import FileLock
from ragkit.store.vectors.publish_in_subprocess import publish_in_subprocess
from ragkit.types.errors import StoreError

if TYPE_CHECKING:
    from ragkit.store.vectors.search import DenseVectors


class IndexFolder:
    """Opens each part of an index when it is first asked for, and keeps it open until `close()`.

    Reading and writing go through connections of their own, so that threads can search while another one indexes.
    Reading needs no lock. `writer` takes the one lock that all processes share, until `close()`; threads of this
    process that write hold `writing` meanwhile, so that they wait for each other. `close` may be repeated, and
    everything can be opened again after it.
    """

    def __init__(self, directory: Path, exact_mb: int) -> None:
        self.directory = directory
        self.writing = threading.RLock()
        self._exact_mb = exact_mb
        self._opening = threading.RLock()
        self._reader: SqliteCatalog | None = None
        self._writer: SqliteCatalog | None = None
        self._dense: DenseVectors | None = None
        self._writer_lock = FileLock(directory / "writer.lock")

    def close(self) -> None:
        with self._opening:
            if self._dense is not None:
                self._dense.close()
            if self._reader is not None:
                self._reader.close()
            if self._writer is not None:
                if self._writer.changed:
                    with contextlib.suppress(
                        StoreError, OSError
                    ):  # the seal helps to verify an index; it can be missing
                        maintenance.seal(self._writer)
                self._writer.close()
            self._dense = self._reader = self._writer = None
            self._writer_lock.release()

    def reader(self) -> SqliteCatalog:
        """Raises IndexMissing, IndexMismatch, IndexDamaged."""
        with self._opening:
            if self._reader is None:
                self._reader = SqliteCatalog.open(self.directory, write=False)
            return self._reader

    def writer(self) -> SqliteCatalog:
        """Makes the index where there is none. Raises IndexBusy, StoreError."""
        with self._opening:
            if self._writer is None:
                self._make_folder()
                self._writer_lock.acquire_or_fail()
                self._writer = SqliteCatalog.open(self.directory, write=True)
            return self._writer

    def dense(self) -> DenseVectors:
        """The vectors to search in. Raises what `reader` raises."""
        from ragkit.store.vectors.search import DenseVectors

        with self._opening:
            if self._dense is None:
                self._dense = DenseVectors(self.directory, self.reader(), self._exact_mb)
            return self._dense

    def publish(self, *, wait: bool) -> tuple[int, tuple[Message, ...]]:
        """Bring Chroma up to the catalog where this process may write and no other thread does. Returns how many
        chunks Chroma still lacks, and what went wrong; a command whose result does not need it never fails by it."""
        try:
            return self._try_to_publish(wait=wait), ()
        except (StoreError, OSError) as exc:
            full = isinstance(exc, OSError) and exc.errno == errno.ENOSPC
            why = disk_full(self.directory).message if full else getattr(exc, "message", str(exc))
            note = coded(
                "chroma_not_updated",
                "Chroma could not be brought up to date ({why}) The catalog is searched instead.",
                why=why,
            )
            return self.dense().unpublished_count(), (note,)

    def rebuild(self, *, in_subprocess: bool = False) -> None:
        """Make Chroma's copy again from the catalog, without one embedding. `in_subprocess` has it made by a process
        that never read a document, so that no text of one can get into Chroma's files."""
        with self._dense_to_write(self.writer()) as dense:
            dense.discard()
            if in_subprocess and dense.has_graph():
                publish_in_subprocess(self.directory, self._exact_mb)
                return
        self.publish(wait=True)

    def _make_folder(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreError(
                "Cannot make the index folder {directory}: {why}.",
                hint="Choose another with --index or RAGKIT_INDEX.",
                directory=self.directory,
                why=exc.strerror,
            ) from exc

    def _try_to_publish(self, *, wait: bool) -> int:
        unpublished = self.dense().unpublished_count()
        if not unpublished or not self.writing.acquire(blocking=wait):
            return unpublished  # the thread that writes will publish
        try:
            if self._writer is not None:
                return self._publish_by(self._writer, wait=wait)
            if not os.access(self.directory, os.W_OK) or not self._writer_lock.acquire(exclusive=True):
                return unpublished  # the process that writes will publish
            try:
                with closing(SqliteCatalog.open(self.directory, write=True)) as catalog:
                    return self._publish_by(catalog, wait=wait)
            finally:
                self._writer_lock.release()
        finally:
            self.writing.release()

    def _publish_by(self, catalog: SqliteCatalog, *, wait: bool) -> int:
        with self._dense_to_write(catalog) as dense:
            return dense.publish(wait=wait)

    @contextlib.contextmanager
    def _dense_to_write(self, catalog: SqliteCatalog) -> Iterator[DenseVectors]:
        """The vectors to be written through `catalog`. Searches of this process do without Chroma's files meanwhile."""
        searched = self.dense()
        with searched.without_graph():
            yield type(searched)(self.directory, catalog, self._exact_mb)
