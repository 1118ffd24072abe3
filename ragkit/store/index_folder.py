"""An index's directory and what is open of it: the catalog, the dense index, the writer's lock."""

from __future__ import annotations

import contextlib
import errno
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit.i18n.messages import Message
from ragkit.store.catalog import maintenance
from ragkit.store.catalog.errors import disk_full
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.store.locks import FileLock
from ragkit.store.vectors.publish_in_subprocess import publish_apart
from ragkit.types.errors import StoreError

if TYPE_CHECKING:
    from ragkit.store.vectors.search import DenseVectors


class OpenIndex:
    """Opens what is asked for, once. Reading needs no lock; `writer` takes the index's one writer lock and keeps
    it until `close()`, which may be repeated, and after which all can be opened again."""

    def __init__(self, directory: Path, exact_mb: int) -> None:
        self.directory = directory
        self._exact_mb = exact_mb
        self._catalog: SqliteCatalog | None = None
        self._dense: DenseVectors | None = None
        self._writer_lock = FileLock(directory / "writer.lock")

    def close(self) -> None:
        if self._dense is not None:
            self._dense.close()
        if self._catalog is not None:
            if self._writer_lock.held and self._catalog.changed:
                with contextlib.suppress(StoreError, OSError):  # a seal is a help, not a part of the index
                    maintenance.seal(self._catalog)
            self._catalog.close()
        self._dense = self._catalog = None
        self._writer_lock.release()

    def reader(self) -> SqliteCatalog:
        """Raises IndexMissing, IndexMismatch, IndexDamaged."""
        if self._catalog is None:
            self._catalog = SqliteCatalog.open(self.directory, write=False)
        return self._catalog

    def writer(self) -> SqliteCatalog:
        """Makes the index where there is none. Raises IndexBusy, StoreError."""
        if self._writer_lock.held and self._catalog is not None:
            return self._catalog
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreError(
                "Cannot make the index folder {directory}: {why}.",
                hint="Choose another with --index or RAGKIT_INDEX.",
                directory=self.directory,
                why=exc.strerror,
            ) from exc
        self._writer_lock.acquire_or_fail()
        if self._dense is not None:
            self._dense.close()
            self._dense = None
        if self._catalog is not None:
            self._catalog.close()
        self._catalog = SqliteCatalog.open(self.directory, write=True)
        return self._catalog

    def dense(self) -> DenseVectors:
        from ragkit.store.vectors.search import DenseVectors

        if self._dense is None:
            self._dense = DenseVectors(self.directory, self.reader(), self._exact_mb)
        return self._dense

    def publish(self, *, wait: bool) -> tuple[int, tuple[Message, ...]]:
        """Bring Chroma up to the catalog where this process may write; how many chunks it still
        lacks, and what went wrong. Never fails a command whose result does not need it."""
        try:
            return self._try_to_publish(wait=wait), ()
        except (StoreError, OSError) as exc:
            full = isinstance(exc, OSError) and exc.errno == errno.ENOSPC
            why = disk_full(self.directory).message if full else getattr(exc, "message", str(exc))
            note = Message(
                "Chroma could not be brought up to date ({why}) The catalog is searched instead.", {"why": why}
            )
            return self.dense().unpublished_count(), (note,)

    def rebuild(self, *, in_subprocess: bool = False) -> None:
        """Make Chroma's copy again from the catalog, without one embedding; `apart`: by a process that never read
        a document."""
        self.writer()
        self.dense().discard()
        if in_subprocess and self.dense().has_graph():
            publish_apart(self.directory, self._exact_mb)
        else:
            self.publish(wait=True)

    def _try_to_publish(self, *, wait: bool) -> int:
        dense = self.dense()
        unpublished = dense.unpublished_count()
        if not unpublished or self._writer_lock.held:
            return dense.publish(wait=wait) if unpublished else 0
        if not os.access(self.directory, os.W_OK) or not self._writer_lock.acquire(exclusive=True):
            return unpublished  # an indexer is at work: it will publish
        try:
            dense.close()
            with closing(SqliteCatalog.open(self.directory, write=True)) as catalog:
                return type(dense)(self.directory, catalog, self._exact_mb).publish(wait=wait)
        finally:
            self._writer_lock.release()
