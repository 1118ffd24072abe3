"""An index run killed at any moment loses nothing: a plain second run makes the same index.

`KILL_POINTS` (default 4) and `KILL_FOLDER` (default: generated files) make it longer; `KILL_SEED` repeats one.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ragkit.testing import ScriptedOllama
from tests.helpers.catalogs import cheap_vectors, chroma_equals, content, documents_in

POINTS = int(os.environ.get("KILL_POINTS", "4"))
SEED = int(os.environ.get("KILL_SEED", "7"))
pytestmark = pytest.mark.slow


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
        "import os, sys; from ragkit.store.vectors.graph import ChromaGraph;"
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
