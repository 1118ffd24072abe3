"""The graph that Chroma makes of a large index's vectors: a copy, trusted under its seal only.

The seal is a file, written after a clean publication, with the state of every file of Chroma's. Without a
valid seal the copy is thrown away and made again from the catalog, without one embedding.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ragkit.i18n.messages import Message, coded
from ragkit.store.catalog.rows import Matrix, NamedVectors
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.store.locks import FileLock
from ragkit.store.vectors.stored import StoredVectors
from ragkit.types.errors import StoreError

if TYPE_CHECKING:
    from ragkit.store.vectors.chroma import ChromaVectors

log = logging.getLogger(__name__)

_PUBLISH_WAIT_S = 10.0  # for searches of other processes to end
_MAX_DELETED = 0.3  # of the points: deleted ones stay in the graph, are walked through, and break its links
_PROBES = 64  # vectors that the graph is asked for after it was changed
_MIN_FOUND = 0.95  # of the probes; a whole graph misses one or two in a hundred
_SAME_VECTOR = 0.999  # cosine


class ChromaGraph:
    """The Chroma directory of a catalog's active generation."""

    def __init__(self, directory: Path, catalog: SqliteCatalog) -> None:
        self._directory = directory
        self._catalog = catalog
        self._stored = StoredVectors(catalog)
        self._lock = FileLock(directory / "vectors.lock")
        self._open_lock = FileLock(directory / "vectors-open.lock")
        self._chroma: ChromaVectors | None = None
        self._is_aside = False

    def publish(self, *, wait: bool) -> int:
        """Bring Chroma up to the catalog; returns how many chunks are still unpublished.

        Does nothing when all is published under a valid seal. Makes no embedding. A full disk or a
        search in another process leaves the rest for the next time.
        """
        self.remove_other_generations()
        if self._sealed() and not self._stored.unpublished_count():
            return 0
        self._close_chroma()
        if not self._lock.acquire(exclusive=True, timeout_s=_PUBLISH_WAIT_S if wait else 0.0):
            return self._stored.unpublished_count()
        try:
            self._publish_locked()
        finally:
            self._lock.release()
        return self._stored.unpublished_count()

    def unpublished_count(self) -> int:
        """Chunks with a vector that Chroma does not have, or not under a valid seal."""
        return self._stored.unpublished_count() if self._sealed() else self._stored.count()

    def problems(self, *, deep: bool) -> Iterator[Message]:
        """What is wrong with the Chroma copy, a line each; `deep` compares every vector."""
        if not self._seal_path().exists():
            if self._chroma_path().exists():
                yield coded("chroma_not_sealed", "The Chroma copy is not sealed: it is made again at the next search.")
            return
        if not self._sealed():
            yield coded("chroma_changed", "Chroma's files were changed by something other than ragkit.")
        elif deep and self._opened():
            assert self._chroma is not None
            waiting = {name for names, _ in self._stored.unpublished_vectors() for name in names}
            try:
                wrong = sum(self._differing(self._chroma, batch, waiting) for batch in self._stored.all())
            except StoreError as exc:
                yield exc.message
                return
            if wrong:
                yield coded(
                    "chroma_vectors_differ",
                    "{count} vector in Chroma is not that of the catalog.",
                    "{count} vectors in Chroma are not those of the catalog.",
                    count=wrong,
                )

    @staticmethod
    def _differing(chroma: ChromaVectors, batch: NamedVectors, waiting: set[str]) -> int:
        expected = {name: row for name, row in zip(*batch, strict=True) if name not in waiting}
        found = chroma.vectors(list(expected)) if expected else {}
        return sum(
            name not in found or not np.allclose(found[name], vector, atol=1e-5) for name, vector in expected.items()
        )

    def discard(self) -> None:
        """Throw the copy away, unless a search of another process is in it: then it is not trusted any more,
        and thrown away later."""
        self._close_chroma()
        self._seal_path().unlink(missing_ok=True)
        _fsync_folder(self._directory)
        if self._lock.acquire(exclusive=True):
            shutil.rmtree(self._chroma_path(), ignore_errors=True)
            self._lock.release()

    @contextlib.contextmanager
    def set_aside(self) -> Iterator[None]:
        """Inside, `nearest` answers None at once and Chroma's files are not held open."""
        with self._catalog.alone():
            self._close_chroma()
            self._is_aside = True
        try:
            yield
        finally:
            self._is_aside = False

    def close(self) -> None:
        with self._catalog.alone():
            self._close_chroma()

    def _publish_locked(self) -> None:
        deleted = self._deleted() + sum(map(len, self._stored.unpublished_deletes()))
        rebuild = not self._sealed() or deleted > _MAX_DELETED * self._stored.count()
        self._seal_path().unlink(missing_ok=True)
        _fsync_folder(self._directory)
        if not rebuild and not self._brought_up_to_date():
            log.warning("the Chroma graph has lost its way to some vectors")
            rebuild = True
        if rebuild:
            log.info("building the Chroma copy from the catalog")
            shutil.rmtree(self._chroma_path(), ignore_errors=True)
            self._stored.unpublish_all()
            self._brought_up_to_date()
        self._stored.mark_published()
        self._write_seal(0 if rebuild else deleted)

    def _brought_up_to_date(self) -> bool:
        """Tell Chroma what it lacks; whether the graph finds its way afterwards."""
        chroma = self._new_chroma()
        try:
            for ids in self._stored.unpublished_deletes():
                chroma.delete(ids)
            at_once = chroma.plan_writes(self._stored.unpublished_count())
            for names, rows in self._stored.unpublished_vectors(at_once):
                chroma.upsert(names, rows)
            self._check_count(chroma)
            _, probes = self._stored.sample(_PROBES)
            found = sum(max(chroma.nearest(row, 1).values(), default=0.0) > _SAME_VECTOR for row in probes)
            return found >= _MIN_FOUND * len(probes)
        finally:
            chroma.close()

    def _check_count(self, chroma: ChromaVectors) -> None:
        expected, found = self._stored.count(), chroma.count()
        if found != expected:
            raise StoreError("Chroma holds {found} of {expected} vectors.", found=found, expected=expected)

    def nearest(self, query: Matrix, limit: int) -> dict[str, float] | None:
        """Hits out of Chroma that are live in the catalog; None when Chroma can't be used now."""
        with self._catalog.alone():  # `close` of another thread waits for the end of the search
            return self._nearest(query, limit)

    def _nearest(self, query: Matrix, limit: int) -> dict[str, float] | None:
        if self._is_aside or not self._opened():
            return None
        assert self._chroma is not None
        try:
            # Deleted chunks may still be in Chroma: ask for as many more.
            stale = self._stored.unpublished_count()
            hits = self._chroma.nearest(query, limit + min(stale, 200))
        except StoreError as exc:
            log.warning("%s Searching the catalog instead.", exc)
            self._close_chroma()
            self._seal_path().unlink(missing_ok=True)
            return None
        live = (ref.id for ref in self._catalog.refs(list(hits)))
        return {name: hits[name] for name in live}

    def _opened(self) -> bool:
        if self._chroma is not None:
            return True
        if not self._lock.acquire(exclusive=False):
            return False
        # One process at a time looks at the seal and opens: opening itself writes to Chroma's files.
        if self._open_lock.acquire(exclusive=True, timeout_s=_PUBLISH_WAIT_S):
            try:
                if self._sealed():
                    self._chroma = self._new_chroma()
                    self._write_seal(self._deleted())
            except StoreError as exc:
                log.warning("%s Searching the catalog instead.", exc)
                self._seal_path().unlink(missing_ok=True)
            finally:
                self._open_lock.release()
        if self._chroma is None:
            self._lock.release()
        return self._chroma is not None

    def _new_chroma(self) -> ChromaVectors:
        from ragkit.store.vectors.chroma import ChromaVectors

        generation = self._catalog.active()
        assert generation is not None
        return ChromaVectors(self._chroma_path(), generation.dimension)

    def _close_chroma(self) -> None:
        if self._chroma is not None:
            self._chroma.close()
            self._chroma = None
        self._lock.release()

    def _sealed(self) -> bool:
        files = self._seal().get("files")
        return bool(files) and files == _files_of(self._chroma_path())

    def _deleted(self) -> int:
        """How many points were deleted since the graph was built."""
        deleted = self._seal().get("deleted", 0)
        return deleted if isinstance(deleted, int) else 0

    def _seal(self) -> dict[str, Any]:
        """{} where there is none, or none that can be read."""
        try:
            seal = json.loads(self._seal_path().read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return seal if isinstance(seal, dict) else {}

    def _write_seal(self, deleted: int) -> None:
        target = self._seal_path()
        fresh = target.with_suffix(f".{os.getpid()}.new")
        with fresh.open("w", encoding="utf-8") as stream:
            json.dump({"files": _files_of(self._chroma_path()), "deleted": deleted}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(target)

    def _chroma_path(self) -> Path:
        return self._directory / f"vectors-g{self._catalog.active_id()}"

    def _seal_path(self) -> Path:
        return self._directory / f"vectors-g{self._catalog.active_id()}.seal"

    def exists(self) -> bool:
        return self._chroma_path().exists()

    def remove_other_generations(self) -> None:
        active = self._catalog.active_id()
        for path in self._directory.glob("vectors-g*"):
            if path.name.split(".")[0] != f"vectors-g{active}":
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _files_of(directory: Path) -> dict[str, list[int]]:
    """The state of every file under `directory`, which any later write to one changes."""
    found: dict[str, list[int]] = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            facts = path.stat()
            found[path.relative_to(directory).as_posix()] = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
    return found


def _fsync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError, AttributeError):  # not every system opens folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
