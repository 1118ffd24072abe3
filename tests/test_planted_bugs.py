"""Bugs that would cost users their documents, planted one at a time in a copy: a named test catches each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ragkit

ROOT = Path(ragkit.__file__).parent.parent
pytestmark = pytest.mark.slow

BUGS = {
    "the writer's lock is off": (
        "ragkit/store/locks.py",
        "        if not self.acquire(exclusive=True):",
        "        if False:",
        "app/test_kit.py::test_a_second_indexer_is_told_to_wait",
    ),
    "a refused batch is not halved": (
        "ragkit/models/batching.py",
        "            if len(texts) > 1:\n                half",
        "            if False:\n                half",
        "app/test_kit.py::test_one_bad_text_fails_alone",
    ),
    "acknowledged before Chroma has it": (
        "ragkit/store/vectors/graph.py",
        "        try:\n            for ids",
        "        self._stored.mark_published()\n        try:\n            for ids",
        "store/test_store.py::test_publishing_makes_chroma_equal_to_the_catalog",
    ),
    "a document is not replaced in one transaction": (
        "ragkit/store/catalog/writer.py",
        "        before = self._drop_chunks(document.source, number)\n",
        '        before = self._drop_chunks(document.source, number)\n        self._db.execute("COMMIT")\n'
        '        self._db.execute("BEGIN")\n',
        "store/test_store.py::test_an_interrupted_commit_changes_nothing",
    ),
    "readers of files have no limits": (
        "ragkit/loaders/sandbox/child.py",
        '    _confine(int(limits["memory_mb"]), MEMORY_MB if limits["ocr"] else 0)\n',
        "",
        "loaders/test_sandbox.py::test_a_memory_hog_fails_alone",
    ),
    "no file is too slow": (
        "ragkit/loaders/sandbox/loader.py",
        "            if time.monotonic() >= self._due_s:",
        "            if False:",
        "loaders/test_sandbox.py::test_a_hang_is_killed_and_the_next_file_is_read",
    ),
    "content is not compared": (
        "ragkit/loaders/sandbox/child.py",
        '        if content_hash == request["known_hash"]:',
        "        if False:",
        "loaders/test_sandbox.py::test_a_known_hash_is_answered_without_a_document",
    ),
    "Chroma is not told of what changed": (
        "ragkit/store/catalog/writer.py",
        '            self._queue("upsert", after - before)\n',
        "",
        "store/test_store.py::test_publishing_makes_chroma_equal_to_the_catalog",
    ),
    "a graph of mostly deleted points is kept": (
        "ragkit/store/vectors/graph.py",
        "deleted > _MAX_DELETED * self._stored.count()",
        "False",
        "store/test_store.py::test_a_graph_of_mostly_deleted_points_is_built_anew",
    ),
    "a touched copy of Chroma is trusted": (
        "ragkit/store/vectors/graph.py",
        "        return bool(files) and files == _files_of(self._chroma_path())",
        "        return bool(files)",
        "store/test_store.py::test_a_lost_or_damaged_chroma_is_rebuilt_from_the_catalog",
    ),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("copy")
    for name in ("ragkit", "tests", "sample_docs", "configs"):
        shutil.copytree(ROOT / name, made / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", made)
    return made


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught(copy: Path, tmp_path: Path, bug: str) -> None:
    name, sound, broken, caught_by = BUGS[bug]
    file = copy / name
    text = file.read_text("utf-8")
    assert text.count(sound) == 1, f"{name} does not read as this test thinks"
    assert _passes(copy, tmp_path / "sound", caught_by)
    file.write_text(text.replace(sound, broken), "utf-8")
    try:
        assert not _passes(copy, tmp_path / "broken", caught_by)
    finally:
        file.write_text(text, "utf-8")


def _passes(copy: Path, base: Path, test: str) -> bool:
    words = [sys.executable, "-B", "-m", "pytest", "-x", f"--basetemp={base}", f"tests/{test}"]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(words, cwd=copy, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode == 0
