"""The door to Chroma: ids and vectors in one collection of one directory, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
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
_FLUSHES = 8  # of one long publication, at the most: each writes the whole graph
_MAX_AT_ONCE = 500  # records of one write, which holds the interpreter all the while


class ChromaVectors:
    """The vectors of one generation. Opening an absent directory makes an empty collection."""

    def __init__(self, directory: Path, dimension: int) -> None:
        self._directory, self._dimension = directory, dimension
        self._open(_FEW)

    def _open(self, new_threshold: int) -> None:
        """`new_threshold` is the sync_threshold of a collection that is made now."""
        try:
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
        except Exception as exc:  # chromadb raises its own, pyo3's and bare exceptions alike
            raise _failure(exc) from exc
        if space != "cosine" or function.get("type", "legacy") != "legacy":
            self.close()
            raise StoreError("The Chroma collection in {directory} is not one of ragkit's.", directory=self._directory)

    def plan_writes(self, count: int) -> int:
        """Prepare for `count` upserts; returns how many to write at once. After the last one, little or
        nothing is left in Chroma's log, which takes room twice and is read anew at every opening."""
        flushes = min(max(count // _FEW, 1), _FLUSHES)
        parts = -(-count // (flushes * _MAX_AT_ONCE)) or 1  # of what one flush writes
        batch = -(-count // (flushes * parts)) or 1
        threshold = max(count - (flushes - 1) * parts * batch, _FEW)
        if threshold != self._collection.configuration_json["hnsw"]["sync_threshold"]:
            try:
                self._collection.modify(configuration={"hnsw": {"sync_threshold": threshold}})
            except Exception as exc:
                raise _failure(exc) from exc
            self.close()  # it counts from the next opening on
            self._open(threshold)
        return batch

    def count(self) -> int:
        try:
            return int(self._collection.count())
        except Exception as exc:
            raise _failure(exc) from exc

    def upsert(self, ids: Sequence[str], vectors: Matrix) -> None:
        """Write a vector for each chunk id; repeating it changes nothing."""
        try:
            self._collection.upsert(ids=list(ids), embeddings=vectors)
        except Exception as exc:
            raise _failure(exc) from exc

    def vectors(self, ids: Sequence[str]) -> dict[str, Matrix]:
        """The stored vectors of those `ids` that are there."""
        try:
            found = self._collection.get(ids=list(ids), include=["embeddings"])
        except Exception as exc:
            raise _failure(exc) from exc
        rows = np.asarray(found["embeddings"], dtype=np.float32)
        return dict(zip(found["ids"], rows, strict=True))

    def delete(self, ids: Sequence[str]) -> None:
        """Remove ids; unknown ones are passed over."""
        try:
            for at in range(0, len(ids), _DELETES_AT_ONCE):
                self._collection.delete(ids=list(ids[at : at + _DELETES_AT_ONCE]))
        except Exception as exc:
            raise _failure(exc) from exc

    def nearest(self, query: Matrix, limit: int) -> dict[str, float]:
        """Up to `limit` ids with their cosine similarity, nearest first."""
        try:
            found = self._collection.query(
                query_embeddings=query.reshape(1, -1), n_results=limit, include=["distances"]
            )
        except Exception as exc:
            raise _failure(exc) from exc
        return {
            name: 1.0 - float(distance) for name, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        }

    def close(self) -> None:
        self._client.close()


def _failure(exc: Exception) -> StoreError:
    return StoreError("Chroma could not do its work: {why}.", why=str(exc).strip().rstrip(".") or type(exc).__name__)
