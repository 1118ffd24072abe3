"""An index run killed at any moment loses nothing: a plain second run makes the same index.

`KILL_POINTS` (default 4) and `KILL_FOLDER` (default: generated files) make it longer; `KILL_SEED` repeats one.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ragkit.store.catalog.rows import vector_of
from ragkit.testing import Scripted, ScriptedOllama, json_reply

POINTS = int(os.environ.get("KILL_POINTS", "4"))
SEED = int(os.environ.get("KILL_SEED", "7"))
pytestmark = pytest.mark.slow


def cheap_vectors(path: str, body: dict[str, Any]) -> Scripted | None:
    """Vectors that cost nothing, so that the run is ragkit's own work."""
    if path != "/api/embed":
        return None
    digests = [hashlib.sha512(text.encode()).digest() for text in body["input"]]
    return json_reply({"embeddings": [[byte - 127.5 for byte in digest] for digest in digests]})


def generate(folder: Path) -> Path:
    """A few hundred small files in two languages."""
    folder.mkdir()
    for number in range(300):
        text = f"# Rule {number}\n\n" + f"Rule {number} grants {number % 30} days. 规定第 {number} 条。\n" * (
            number % 40 + 1
        )
        (folder / f"{number:03}.md").write_text(text, "utf-8")
    return folder


def start(index: Path, folder: Path, url: str, *program: str, exact_mb: int = 0) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "RAGKIT_STORE_EXACT_MB": str(exact_mb),
        "OLLAMA_HOST": url,
        "RAGKIT_MODELS_BACKEND": "ollama",
        "RAGKIT_OLLAMA_EMBED_MODEL": "embed",
    }
    words = [sys.executable, *(program or ("-m", "ragkit")), "--index", str(index), "index", str(folder)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def content(index: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything an index holds that does not depend on when it was made."""
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
    """How many documents a killed run had committed; it may have come to no table yet."""
    if not (index / "catalog.db").exists():
        return 0
    with closing(sqlite3.connect(index / "catalog.db")) as db:
        made = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'documents'").fetchone()[0]
        return int(db.execute("SELECT count(*) FROM documents").fetchone()[0]) if made else 0


def vectors_in(index: Path) -> int:
    """How many vectors a killed run had kept, of whole documents and of one that was not whole yet."""
    if not (index / "catalog.db").exists():
        return 0
    with closing(sqlite3.connect(index / "catalog.db")) as db:
        made = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        sql = "SELECT count(*) FROM (SELECT key FROM chunks WHERE vector IS NOT NULL UNION SELECT key FROM stage)"
        return int(db.execute(sql).fetchone()[0]) if {"chunks", "stage"} <= made else 0


def chroma_equals(index: Path, expected: dict[str, bytes], *, exact: bool = False) -> bool:
    """Whether Chroma holds these ids and vectors (it brings them to unit length once more), where it has any."""
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
        np.allclose(found[name], np.asarray(vector_of(expected[name])), atol=1e-5) for name in found
    )


@pytest.mark.parametrize("exact_mb", [0, 64], ids=["with Chroma", "without"])
def test_killed_at_random_moments_a_second_run_makes_the_same_index(tmp_path: Path, exact_mb: int) -> None:
    given = os.environ.get("KILL_FOLDER")
    folder = Path(given) if given else generate(tmp_path / "docs")
    with ScriptedOllama(behaviour=cheap_vectors) as server:
        began = time.monotonic()
        assert start(tmp_path / "whole", folder, server.url, exact_mb=exact_mb).wait() in (0, 4)
        whole_s = time.monotonic() - began
        expected = content(tmp_path / "whole")
        vectors = {row[0]: row[-1] for row in expected["chunks"]}
        keys = {row[-2] for row in expected["chunks"]}
        assert chroma_equals(tmp_path / "whole", vectors, exact=exact_mb > 0)
        moments = random.Random(SEED)
        for point in range(POINTS):
            index = tmp_path / f"killed-{point}"
            sent = server.texts_embedded()
            run = start(index, folder, server.url, exact_mb=exact_mb)
            moment_s = moments.uniform(0.3, whole_s)
            time.sleep(moment_s)
            run.send_signal(signal.SIGKILL)
            killed = run.wait() == -signal.SIGKILL
            committed = documents_in(index)
            again = start(index, folder, server.url, exact_mb=exact_mb)
            assert again.wait() in (0, 4)
            assert content(index) == expected, f"killed after {moment_s:.2f} s"
            # a batch of 64 may be paid for twice, and each of the two starts has two samples
            assert server.texts_embedded() - sent <= len(keys) + 64 + 4, f"killed after {moment_s:.2f} s"
            assert chroma_equals(index, vectors, exact=exact_mb > 0), f"killed after {moment_s:.2f} s"
            print(f"point {point}: killed {killed} at {moment_s:.2f} of {whole_s:.2f} s, {committed} documents kept")


def test_a_kill_while_chroma_is_written_costs_no_embedding(tmp_path: Path) -> None:
    """The run dies right after Chroma took the vectors and before they are sealed."""
    from ragkit import RagKit
    from ragkit.config.resolving import resolve

    folder = generate(tmp_path / "docs")
    dies = (
        "import os, sys; from ragkit.store.graph import ChromaGraph;"
        "ChromaGraph._write_seal = lambda self, deleted: os._exit(9);"
        "from ragkit.frontends.cli import main; main(sys.argv[1:])"
    )
    flags = {"ollama.embed_model": "embed", "models.backend": "ollama", "store.exact_mb": "0"}
    with ScriptedOllama(behaviour=cheap_vectors) as server:
        assert start(tmp_path / "index", folder, server.url, "-c", dies).wait() == 9
        config, _ = resolve(environ={}, flags={**flags, "ollama.host": server.url})
        sent = server.texts_embedded()
        with RagKit.open(tmp_path / "index", config) as kit:
            assert len(kit.search("Rule 7", 5)) == 5
            assert kit.status().chunks_unpublished == 0
        assert server.texts_embedded() - sent == 3  # the start's two samples and the question
    chunks = content(tmp_path / "index")["chunks"]
    assert chroma_equals(tmp_path / "index", {row[0]: row[-1] for row in chunks})
