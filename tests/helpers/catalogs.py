"""What stands in an index's files, however its run ended, and vectors that cost nothing to make."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from ragkit.store.catalog.rows import vector_of
from ragkit.testing import Scripted, json_reply


def cheap_vectors(path: str, body: dict[str, Any]) -> Scripted | None:
    """Replies with vectors that cost nothing, so that a run is ragkit's own work."""
    if path != "/api/embed":
        return None
    digests = [hashlib.sha512(text.encode()).digest() for text in body["input"]]
    return json_reply({"embeddings": [[byte - 127.5 for byte in digest] for digest in digests]})


def content(index: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Returns everything an index holds that does not depend on when it was made."""
    db = sqlite3.connect(f"file:{index / 'catalog.db'}?mode=ro", uri=True)
    db.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, lexical_1, row)")
    queries = {
        "files": "SELECT source, content_hash, size_bytes, state, reason FROM files ORDER BY source",
        "documents": "SELECT source, media_type, title, structure, body FROM documents ORDER BY source",
        "chunks": "SELECT id, source, ordinal, start, end, place, headings, text, key, vector FROM chunks ORDER BY id",
        "terms": "SELECT term, doc, cnt FROM temp.words ORDER BY term",
        "outbox": "SELECT * FROM outbox",
        "stage": "SELECT key FROM stage",
        "integrity": "PRAGMA integrity_check",
    }
    found = {name: db.execute(sql).fetchall() for name, sql in queries.items()}
    db.close()
    assert found["integrity"] == [("ok",)]
    return found


def documents_in(index: Path) -> int:
    """Returns how many documents a killed run had committed; it may have come to no table yet."""
    if not (index / "catalog.db").exists():
        return 0
    with closing(sqlite3.connect(index / "catalog.db")) as db:
        made = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'documents'").fetchone()[0]
        return int(db.execute("SELECT count(*) FROM documents").fetchone()[0]) if made else 0


def vectors_in(index: Path) -> int:
    """Returns how many vectors a killed run had kept, of whole documents and of one that was not whole yet."""
    if not (index / "catalog.db").exists():
        return 0
    with closing(sqlite3.connect(index / "catalog.db")) as db:
        made = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        sql = "SELECT count(*) FROM (SELECT key FROM chunks WHERE vector IS NOT NULL UNION SELECT key FROM stage)"
        return int(db.execute(sql).fetchone()[0]) if {"chunks", "stage"} <= made else 0


def chroma_equals(index: Path, expected: dict[str, bytes], *, exact: bool = False) -> bool:
    """Returns whether Chroma, where it has any vectors, holds these; it brings them to unit length once more."""
    import chromadb
    import numpy as np

    if exact:
        return not list(index.glob("vectors-g*"))
    [folder] = [path for path in index.glob("vectors-g*") if path.is_dir()]
    client = chromadb.PersistentClient(str(folder))
    collection = client.get_collection("chunks", embedding_function=None)
    found = {}
    for at in range(0, collection.count(), 5000):
        page = collection.get(limit=5000, offset=at, include=["embeddings"])
        for name, vector in zip(page["ids"], page["embeddings"], strict=True):
            found[name] = np.asarray(vector, dtype=np.float32)
    client.close()
    return found.keys() == expected.keys() and all(
        np.allclose(found[name], np.asarray(vector_of(expected[name], len(found[name]))), atol=1e-5) for name in found
    )
