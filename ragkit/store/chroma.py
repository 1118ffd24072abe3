"""The door to Chroma: ids and vectors in one collection of one directory, and nothing else."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.config import Settings

from ragkit.errors import StoreError
from ragkit.types import Vector

COLLECTION = "chunks"
_BATCH = 500  # upserts hold the interpreter for the whole call, and cost least per record from here on


class ChromaVectors:
    """The vectors of one generation. Opening an absent directory makes an empty collection."""

    def __init__(self, directory: Path, dimension: int) -> None:
        try:
            self._client: Any = chromadb.PersistentClient(
                str(directory), settings=Settings(anonymized_telemetry=False, allow_reset=False)
            )
            self._collection: Any = self._client.get_or_create_collection(
                COLLECTION,
                embedding_function=None,
                metadata={"dimension": dimension},
                configuration={"hnsw": {"space": "cosine", "sync_threshold": 5000}},
            )
            space = self._collection.configuration_json["hnsw"]["space"]
            function = self._collection.configuration_json.get("embedding_function") or {}
            self._collection.count()  # the first read may write files anew; later ones write none
        except Exception as exc:  # chromadb raises its own, pyo3's and bare exceptions alike
            raise _failure(exc) from exc
        if space != "cosine" or function.get("type", "legacy") != "legacy":
            self.close()
            raise StoreError("The Chroma collection in {directory} is not one of ragkit's.", directory=directory)

    def count(self) -> int:
        try:
            return int(self._collection.count())
        except Exception as exc:
            raise _failure(exc) from exc

    def upsert(self, vectors: Mapping[str, Vector]) -> None:
        """Write chunk id -> vector; repeating it changes nothing."""
        ids = list(vectors)
        try:
            for at in range(0, len(ids), _BATCH):
                batch = ids[at : at + _BATCH]
                matrix = np.array([vectors[name] for name in batch], dtype=np.float32)
                self._collection.upsert(ids=batch, embeddings=matrix)
        except Exception as exc:
            raise _failure(exc) from exc

    def vectors(self, ids: Sequence[str]) -> dict[str, Vector]:
        """The stored vectors of those `ids` that are there."""
        try:
            found = self._collection.get(ids=list(ids), include=["embeddings"])
        except Exception as exc:
            raise _failure(exc) from exc
        rows = np.asarray(found["embeddings"], dtype=np.float32)
        return {name: array("f", row.tobytes()) for name, row in zip(found["ids"], rows, strict=True)}

    def delete(self, ids: Sequence[str]) -> None:
        """Remove ids; unknown ones are passed over."""
        try:
            for at in range(0, len(ids), _BATCH):
                self._collection.delete(ids=list(ids[at : at + _BATCH]))
        except Exception as exc:
            raise _failure(exc) from exc

    def nearest(self, vector: Vector, limit: int) -> dict[str, float]:
        """Up to `limit` ids with their cosine similarity, nearest first."""
        try:
            found = self._collection.query(
                query_embeddings=np.array([vector], dtype=np.float32), n_results=limit, include=["distances"]
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
