"""A run that dies, tears a write, or meets a full or broken disk at any of its writes, syncs and renames: what
was acknowledged stays, a plain second run makes the same index, and little is embedded twice.

`FAULT_POINTS` (default 3, of each kind) makes it longer: 0 tries every single one; so do `FAULT_CROWDS`, the times
that 2 to 8 indexers start at once, and `FAULT_RACES`, the runs during which files change.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragkit.testing import ScriptedOllama
from tests.helpers.catalogs import cheap_vectors, chroma_equals, content, vectors_in

POINTS = int(os.environ.get("FAULT_POINTS", "3"))
CROWDS = int(os.environ.get("FAULT_CROWDS", "2"))
RACES = int(os.environ.get("FAULT_RACES", "3"))
Done = subprocess.CompletedProcess[str]
KINDS = ("kill", "torn", "full", "sync")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None or sys.platform != "linux", reason="needs Linux and a C compiler"),
]


class Run:
    """`ragkit index` over one folder of 30 small files and a long one, with or without a fault."""

    def __init__(self, base: Path, url: str) -> None:
        self.shim = base / "faulty.so"
        source = Path(__file__).with_name("faulty_writes.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.shim, source, "-ldl"], check=True)
        self.folder = base / "docs"
        self.folder.mkdir()
        for number in range(30):
            text = f"# Rule {number}\n\n" + f"Rule {number} grants {number} days. 规定第 {number} 条。\n" * (
                number % 7 + 1
            )
            (self.folder / f"{number:02}.md").write_text(text, "utf-8")
        lines = (f"Article {number} grants {number} days. 细则第 {number} 条。\n" for number in range(2500))
        (self.folder / "long.md").write_text("".join(lines), "utf-8")
        self.environment = {
            **os.environ,
            "OLLAMA_HOST": url,
            "RAGKIT_MODELS_BACKEND": "ollama",
            "RAGKIT_OLLAMA_EMBED_MODEL": "embed",
        }

    def __call__(
        self, index: Path, verb: str = "index", kind: str = "", at: int = 0, exact_mb: int = 0
    ) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "ragkit", "--index", str(index), verb]
        words += [str(self.folder)] if verb == "index" else ["--deep"]
        faults = {"LD_PRELOAD": str(self.shim), "FAULT_FOLDER": str(index), "FAULT_KIND": kind, "FAULT_AT": str(at)}
        faults["FAULT_COUNT"] = str(index) + ".count"
        return subprocess.run(
            words,
            env={**self.environment, "RAGKIT_STORE_EXACT_MB": str(exact_mb), **(faults if kind else {})},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama(behaviour=cheap_vectors) as made:
        yield made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, server: ScriptedOllama) -> Run:
    return Run(tmp_path_factory.mktemp("base"), server.url)


@pytest.mark.parametrize("exact_mb", [0, 64], ids=["with Chroma", "without"])
@pytest.mark.parametrize("kind", KINDS)
def test_after_a_fault_at_any_write_a_second_run_makes_the_same_index(
    tmp_path: Path, run: Run, server: ScriptedOllama, kind: str, exact_mb: int
) -> None:
    assert run(tmp_path / "whole", kind="count", exact_mb=exact_mb).returncode == 0
    expected = content(tmp_path / "whole")
    vectors = {row[0]: row[-1] for row in expected["chunks"]}
    most = int((tmp_path / "whole.count").read_text())
    assert most > 50
    tried = range(1, most + 1) if not POINTS else [1 + most * step // POINTS for step in range(POINTS)]
    for at in tried:
        index = tmp_path / f"{kind}-{at}"
        first = run(index, kind=kind, at=at, exact_mb=exact_mb)
        if kind in ("full", "sync") and first.returncode not in (0, 4):
            assert "Traceback" not in first.stderr, f"{kind} at {at}: {first.stderr}"
            assert len(first.stderr.strip().splitlines()) <= 5, first.stderr
        kept, sent = vectors_in(index), server.texts_embedded()
        again = run(index, exact_mb=exact_mb)
        assert again.returncode == 0, f"{kind} at {at} of {most}: {again.stderr}"
        assert content(index) == expected, f"{kind} at {at} of {most}"
        # two samples that recognise the model, and what was not committed
        assert server.texts_embedded() - sent <= len(vectors) - kept + 2, f"{kind} at {at} of {most}"
        deep = run(index, "verify", exact_mb=exact_mb)
        assert deep.returncode == 0, f"{kind} at {at} of {most}: {deep.stdout}"
        assert chroma_equals(index, vectors, exact=exact_mb > 0), f"{kind} at {at} of {most}"
        shutil.rmtree(index)


def test_many_indexers_at_once_make_one_index(tmp_path: Path, run: Run) -> None:
    assert run(tmp_path / "whole").returncode == 0
    expected = content(tmp_path / "whole")
    for turn in range(CROWDS):
        count = 2 + 3 * turn % 7
        index = tmp_path / f"shared-{turn}"
        words = [sys.executable, "-m", "ragkit", "--index", str(index), "index", str(run.folder)]
        started = [
            subprocess.Popen(words, env=run.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(count)
        ]
        codes = [one.wait(120) for one in started]
        assert 0 in codes
        assert run(index).returncode == 0
        assert content(index) == expected
        assert run(index, "verify").returncode == 0
        shutil.rmtree(index)


def test_files_that_change_while_they_are_read(tmp_path: Path, run: Run) -> None:
    """Edits, renames, deletions and new files during a run: a run after the last of them equals a fresh one."""
    folder, chance = tmp_path / "docs", random.Random(5)
    shutil.copytree(run.folder, folder)
    words = [sys.executable, "-m", "ragkit", "--index", str(tmp_path / "index"), "index", str(folder)]
    for turn in range(RACES):
        running = subprocess.Popen(words, env=run.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while running.poll() is None:
            _edit(folder, chance)
            time.sleep(0.01)
        assert running.returncode in (0, 4), turn
    for number in range(2):  # the second one, beside it, starts from nothing
        words[4] = str(tmp_path / ("index", "fresh")[number])
        assert subprocess.run(words, env=run.environment, capture_output=True, check=False).returncode == 0
    assert _texts(tmp_path / "index") == _texts(tmp_path / "fresh")
    assert run(tmp_path / "index", "verify").returncode == 0


def _edit(folder: Path, chance: random.Random) -> None:
    files = sorted(folder.glob("*.md"))
    path, number = chance.choice(files), chance.randrange(1000)
    match chance.randrange(5):
        case 0 if len(files) > 10:
            path.unlink()
        case 1:
            path.rename(folder / f"moved-{number}.md")
        case 2:
            (folder / f"new-{number}.md").write_text(f"New rule {number}. 新规定第 {number} 条。\n", "utf-8")
        case _:
            path.write_text(f"Rule {number} as it is now. 现行规定。\n" * (number % 5 + 1), "utf-8")


def _texts(index: Path) -> dict[str, list[tuple[object, ...]]]:
    found = content(index)
    return {"documents": found["documents"], "chunks": found["chunks"]}
