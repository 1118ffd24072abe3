"""Dense search that is right whatever state Chroma is in.

The catalog holds every vector; Chroma holds a copy that is fast to search. The copy is trusted only
under its seal: a file, written after a clean publication, with the state of every file of Chroma's.
Without a valid seal the copy is thrown away and made again from the catalog. What is not published
yet, or cannot be because another process is at work, is searched exactly in the catalog.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ragkit.errors import StoreError
from ragkit.evidence import Ordinary
from ragkit.messages import Message
from ragkit.store.catalog import SqliteCatalog
from ragkit.store.locks import FileLock
from ragkit.types import Condition, DenseHits, Vector

if TYPE_CHECKING:
    from ragkit.store.chroma import ChromaVectors

log = logging.getLogger(__name__)

_FEEDBACK_WEIGHT = 0.5  # of the best chunks, beside 1 for the question
_SAMPLE = 512  # chunks that stand for an ordinary chunk
_PUBLISH_WAIT_S = 10.0  # for searches of other processes to end


class DenseVectors:
    """The `DenseIndex` port over a catalog and its Chroma directory."""

    def __init__(self, directory: Path, catalog: SqliteCatalog) -> None:
        self._directory = directory
        self._catalog = catalog
        self._lock = FileLock(directory / "vectors.lock")
        self._open_lock = FileLock(directory / "vectors-open.lock")
        self._chroma: ChromaVectors | None = None
        self._sample: tuple[tuple[int, int], npt.NDArray[np.float32]] | None = None

    def nearest(self, vector: Vector, limit: int, where: Sequence[Condition] = ()) -> DenseHits:
        """The `limit` nearest live chunks, from Chroma plus what Chroma does not have yet. With conditions:
        of the chunks for which they hold, by an exact scan, as Chroma's graph finds few of a few."""
        query = np.asarray(vector, dtype=np.float32)
        mean, deviation = self._usual(query)
        found = None if where else self._published_hits(vector, limit)
        if found is None:
            found = _scan(query, self._catalog.vectors(where), limit)
        else:
            found.update(_scan(query, self._catalog.unpublished_vectors(), limit))
        best = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:limit]
        return DenseHits(dict(best), mean, deviation)

    def similarities(self, vector: Vector, ids: Sequence[str]) -> dict[str, float]:
        """Exact cosines of the given chunks; one without a vector is left out."""
        return _scan(np.asarray(vector, dtype=np.float32), [self._catalog.vectors_of(ids)], len(ids))

    def nearer(self, vector: Vector, like: Mapping[str, float], ids: Sequence[str]) -> DenseHits:
        """Similarities of `ids` to the question moved towards the chunks of `like` (id -> weight, in all up to 1):
        relevance feedback after Rocchio (1971), without the negative part."""
        query = np.asarray(vector, dtype=np.float32)
        known = self._catalog.vectors_of([*ids, *like])
        for name, weight in like.items():
            if name in known:
                query = query + _FEEDBACK_WEIGHT * weight * np.asarray(known[name], dtype=np.float32)
        query = query / max(float(np.linalg.norm(query)), 1e-6)
        return DenseHits(_scan(query, [known], len(known)), *self._usual(query))

    def ordinary(self, vector: Vector) -> Ordinary:
        """How near an ordinary chunk is to a question."""
        return Ordinary(*self._usual(np.asarray(vector, dtype=np.float32)))

    def _usual(self, query: npt.NDArray[np.float32]) -> tuple[float, float]:
        """Mean and deviation of the cosines of a sample of all chunks."""
        sample = self._background()
        cosines = sample @ query if sample.size else np.zeros(1, dtype=np.float32)
        return float(cosines.mean()), max(float(cosines.std()), 0.01)

    def publish(self, *, wait: bool) -> int:
        """Bring Chroma up to the catalog; returns how many chunks are still unpublished.

        Does nothing when all is published under a valid seal. Makes no embedding. A full disk or a
        search in another process leaves the rest for the next time.
        """
        active = self._catalog.active_id()
        if active is None:
            return 0
        self._remove_other_generations(active)
        if self._sealed() and not self._catalog.unpublished_count():
            return 0
        self._close_chroma()
        if not self._lock.acquire(exclusive=True, timeout_s=_PUBLISH_WAIT_S if wait else 0.0):
            return self._catalog.unpublished_count()
        try:
            self._publish_locked()
        finally:
            self._lock.release()
        return self._catalog.unpublished_count()

    def unpublished_count(self) -> int:
        """Chunks with a vector that Chroma does not have, or not under a valid seal."""
        if self._catalog.active_id() is None:
            return 0
        return self._catalog.unpublished_count() if self._sealed() else self._catalog.vector_count()

    def problems(self, *, deep: bool) -> Iterator[Message]:
        """What is wrong with the Chroma copy, a line each; `deep` compares every vector."""
        if self._catalog.active_id() is None:
            return
        if not self._seal_path().exists():
            if self._chroma_path().exists():
                yield Message("The Chroma copy is not sealed: it is made again at the next search.")
            return
        if not self._sealed():
            yield Message("Chroma's files were changed by something other than ragkit.")
        elif deep and self._opened():
            assert self._chroma is not None
            waiting = {name for batch in self._catalog.unpublished_vectors() for name in batch}
            try:
                wrong = sum(self._differing(self._chroma, batch, waiting) for batch in self._catalog.vectors())
            except StoreError as exc:
                yield exc.message
                return
            if wrong:
                yield Message("{count} vectors in Chroma are not those of the catalog.", {"count": wrong})

    @staticmethod
    def _differing(chroma: ChromaVectors, batch: Mapping[str, Vector], waiting: set[str]) -> int:
        expected = {name: vector for name, vector in batch.items() if name not in waiting}
        found = chroma.vectors(list(expected))
        return sum(
            name not in found or not np.allclose(found[name], vector, atol=1e-5) for name, vector in expected.items()
        )

    def discard(self) -> None:
        """Throw the copy away; the next publication makes it again from the catalog."""
        self._close_chroma()
        self._seal_path().unlink(missing_ok=True)
        shutil.rmtree(self._chroma_path(), ignore_errors=True)

    def close(self) -> None:
        self._close_chroma()

    def _publish_locked(self) -> None:
        rebuild = not self._sealed()
        self._seal_path().unlink(missing_ok=True)
        _fsync_folder(self._directory)
        if rebuild:
            log.info("building the Chroma copy from the catalog")
            shutil.rmtree(self._chroma_path(), ignore_errors=True)
            self._catalog.unpublish_all()
        chroma = self._new_chroma()
        try:
            for ids in self._catalog.unpublished_deletes():
                chroma.delete(ids)
            at_once = chroma.plan_writes(self._catalog.unpublished_count())
            for batch in self._catalog.unpublished_vectors(at_once):
                chroma.upsert(batch)
            self._check_count(chroma)
        finally:
            chroma.close()
        self._catalog.mark_published()
        self._write_seal()

    def _check_count(self, chroma: ChromaVectors) -> None:
        expected, found = self._catalog.vector_count(), chroma.count()
        if found != expected:
            raise StoreError("Chroma holds {found} vectors, not {expected}.", found=found, expected=expected)

    def _published_hits(self, vector: Vector, limit: int) -> dict[str, float] | None:
        """Hits out of Chroma that are live in the catalog; None when Chroma can't be used now."""
        if not self._opened():
            return None
        assert self._chroma is not None
        try:
            # Deleted chunks may still be in Chroma: ask for as many more.
            stale = self._catalog.unpublished_count()
            hits = self._chroma.nearest(vector, limit + min(stale, 200))
        except StoreError as exc:
            log.warning("%s Searching the catalog instead.", exc)
            self._close_chroma()
            self._seal_path().unlink(missing_ok=True)
            return None
        live = self._catalog.live(list(hits))
        return {name: similarity for name, similarity in hits.items() if name in live}

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
                    self._write_seal()
            except StoreError as exc:
                log.warning("%s Searching the catalog instead.", exc)
                self._seal_path().unlink(missing_ok=True)
            finally:
                self._open_lock.release()
        if self._chroma is None:
            self._lock.release()
        return self._chroma is not None

    def _new_chroma(self) -> ChromaVectors:
        from ragkit.store.chroma import ChromaVectors  # a second of import, paid only by a search

        generation = self._catalog.active()
        assert generation is not None
        return ChromaVectors(self._chroma_path(), generation.dimension)

    def _close_chroma(self) -> None:
        if self._chroma is not None:
            self._chroma.close()
            self._chroma = None
        self._lock.release()

    def _sealed(self) -> bool:
        try:
            seal = json.loads(self._seal_path().read_text("utf-8"))
        except (OSError, ValueError):
            return False
        return bool(seal) and seal == _files_of(self._chroma_path())

    def _write_seal(self) -> None:
        target = self._seal_path()
        fresh = target.with_suffix(f".{os.getpid()}.new")
        with fresh.open("w", encoding="utf-8") as stream:
            json.dump(_files_of(self._chroma_path()), stream)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(target)

    def _chroma_path(self) -> Path:
        return self._directory / f"vectors-g{self._catalog.active_id()}"

    def _seal_path(self) -> Path:
        return self._directory / f"vectors-g{self._catalog.active_id()}.seal"

    def _remove_other_generations(self, active: int) -> None:
        for path in self._directory.glob("vectors-g*"):
            if path.name.split(".")[0] != f"vectors-g{active}":
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def _background(self) -> npt.NDArray[np.float32]:
        version = self._catalog.version()
        if self._sample is None or self._sample[0] != version:
            self._sample = version, _matrix([vector for _, vector in self._catalog.sample(_SAMPLE)])
        return self._sample[1]


def _files_of(directory: Path) -> dict[str, list[int]]:
    """The state of every file under `directory`, which any later write to one changes."""
    found: dict[str, list[int]] = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            facts = path.stat()
            found[path.relative_to(directory).as_posix()] = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
    return found


def _scan(
    query: npt.NDArray[np.float32], batches: Iterator[Mapping[str, Vector]] | Sequence[Mapping[str, Vector]], limit: int
) -> dict[str, float]:
    """The `limit` best of all batches by exact cosine (the vectors have unit length)."""
    best: list[tuple[float, str]] = []
    for batch in batches:
        if batch:
            scores = _matrix(list(batch.values())) @ query
            best += zip((float(score) for score in scores), batch, strict=True)
            best = sorted(best, key=lambda item: (-item[0], item[1]))[:limit]
    return {name: score for score, name in best}


def _matrix(vectors: list[Vector]) -> npt.NDArray[np.float32]:
    return np.array(vectors, dtype=np.float32) if vectors else np.zeros((0, 0), dtype=np.float32)


def _fsync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError, AttributeError):  # not every system opens folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
