"""The door to Chroma: ids and vectors in one collection of one directory, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.config import Settings

from ragkit.store.catalog.rows import Matrix
from ragkit.types.errors import StoreError

COLLECTION = "chunks"
_DELETES_AT_ONCE = 500
_FEW = 1000  # records in Chroma's log, which it reads anew at every opening
_MAX_FLUSHES = 8  # flushes of one long publication: each writes the whole graph
_MAX_AT_ONCE = 500  # records of one write, which holds the interpreter all the while


class ChromaVectors:
    """The vectors of one generation. Opening an absent directory makes an empty collection."""

    def __init__(self, directory: Path, dimension: int) -> None:
        self._directory, self._dimension = directory, dimension
        self._open(_FEW)

    def _open(self, new_threshold: int) -> None:
        """`new_threshold` is the sync_threshold of a collection that is made now."""
        with _translated():
            self._client: Any = chromadb.PersistentClient(
                str(self._directory), settings=Settings(anonymized_telemetry=False, allow_reset=False)
            )
            self._collection: Any = self._client.get_or_create_collection(
                COLLECTION,
                embedding_function=None,
                metadata={"dimension": self._dimension},
                configuration={"hnsw": {"space": "cosine", "sync_threshold": new_threshold}},
            )
            space = self._collection.configuration_json["hnsw"]["space"]
            function = self._collection.configuration_json.get("embedding_function") or {}
            self._collection.count()  # the first read may write files anew; later ones write none
        if space != "cosine" or function.get("type", "legacy") != "legacy":
            self.close()
            raise StoreError("The Chroma collection in {directory} is not one of ragkit's.", directory=self._directory)

    def plan_writes(self, count: int) -> int:
        """Prepare for `count` upserts; returns how many to write at once. After the last one, little or
        nothing is left in Chroma's log, which takes room twice and is read anew at every opening."""
        flushes = min(max(count // _FEW, 1), _MAX_FLUSHES)
        parts = -(-count // (flushes * _MAX_AT_ONCE)) or 1  # writes between two flushes
        batch = -(-count // (flushes * parts)) or 1
        threshold = max(count - (flushes - 1) * parts * batch, _FEW)
        if threshold != self._collection.configuration_json["hnsw"]["sync_threshold"]:
            with _translated():
                self._collection.modify(configuration={"hnsw": {"sync_threshold": threshold}})
            self.close()  # the new threshold counts from the next opening on
            self._open(threshold)
        return batch

    def count(self) -> int:
        with _translated():
            return int(self._collection.count())

    def upsert(self, ids: Sequence[str], vectors: Matrix) -> None:
        """Write a vector for each chunk id; repeating it changes nothing."""
        with _translated():
            self._collection.upsert(ids=list(ids), embeddings=vectors)

    def vectors(self, ids: Sequence[str]) -> dict[str, Matrix]:
        """The stored vectors of those `ids` that are there."""
        with _translated():
            found = self._collection.get(ids=list(ids), include=["embeddings"])
            rows = np.asarray(found["embeddings"], dtype=np.float32)
            return dict(zip(found["ids"], rows, strict=True))

    def delete(self, ids: Sequence[str]) -> None:
        """Remove ids; unknown ones are passed over."""
        with _translated():
            for at in range(0, len(ids), _DELETES_AT_ONCE):
                self._collection.delete(ids=list(ids[at : at + _DELETES_AT_ONCE]))

    def nearest(self, query: Matrix, limit: int) -> dict[str, float]:
        """Up to `limit` ids with their cosine similarity, nearest first."""
        with _translated():
            found = self._collection.query(
                query_embeddings=query.reshape(1, -1), n_results=limit, include=["distances"]
            )
            [ids], [distances] = found["ids"], found["distances"]
            return {name: 1.0 - float(distance) for name, distance in zip(ids, distances, strict=True)}

    def close(self) -> None:
        self._client.close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Inside, whatever Chroma raises becomes a StoreError: it raises exceptions of its own, of sqlite3 and bare ones
    alike."""
    try:
        yield
    except Exception as exc:
        why = str(exc).strip().rstrip(".") or type(exc).__name__
        raise StoreError("Chroma could not do its work: {why}.", why=why) from exc
