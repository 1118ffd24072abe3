"""A model server that misbehaves in every way of the table, met by `index` and `ask` on the command line:
each way ends in its exit code and a line that says what to do, and nothing bad is stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.frontends.cli import main
from ragkit.testing import FAULTS, ScriptedOllama

FILES = {
    "alpha.md": "# Alpha\n\nThe alpha valve opens at three bar.\n",
    "beta.md": "# Beta\n\nThe beta pump stops at noon.\n",
    "gamma.md": "# Gamma\n\nThe gamma lamp is green.\n",
    "阀门.md": "# 阀门\n\n主阀门在三个大气压时打开。\n",
    "poison.md": "# Poison\n\nPOISON is a text that upsets the model.\n",
}
SETTINGS = {
    "models.backend": "ollama",
    "ollama.embed_model": "embed",
    "ollama.chat_model": "chat",
    "requests.first_byte_timeout_s": "1",
    "requests.idle_timeout_s": "0.5",
    "requests.retry_s": "0.6",
}
HANG_S = 20.0  # far over any deadline above: only a hang takes so long

# What stands in the error, and what the next line says to do.
TIMEOUT = ("took too long", "Raise requests.first_byte_timeout_s")
BROKEN = ("broke off its reply", "Ask again")
BUSY = ("Ollama is busy", "Try again in a moment")
NOT_JSON = ("is not JSON", "`ragkit doctor` looks")
LOG = ("Ollama answered for", "Look into the log")
NO_VECTOR = ("one passage has no vector", "found by its words only")
FINE = ("", "")

# fault: (exit code of index, what it says), (exit code of ask, what it says)
TABLE: dict[str, tuple[tuple[int, tuple[str, str]], tuple[int, tuple[str, str]]]] = {
    "refused": ((3, ("No Ollama server answers", "ollama serve")), (3, ("No Ollama server answers", "ollama serve"))),
    "accept-then-silence": ((3, TIMEOUT), (3, TIMEOUT)),
    "headers-then-silence": ((3, TIMEOUT), (3, TIMEOUT)),
    "one-byte-a-second": ((3, TIMEOUT), (3, TIMEOUT)),
    "reset-before-headers": ((3, BROKEN), (3, BROKEN)),
    "reset-in-body": ((3, BROKEN), (3, BROKEN)),
    "reset-mid-line": ((3, BROKEN), (3, BROKEN)),
    "no-done": ((0, FINE), (3, ("ended its answer in the middle", "Ask again"))),
    "done-twice": ((0, FINE), (0, FINE)),
    "error-in-stream": ((0, FINE), (3, ("CUDA error", "Look into the log"))),
    "500-json": ((3, LOG), (3, LOG)),
    "500-html": ((3, LOG), (3, LOG)),
    "503-retry-after": ((3, BUSY), (3, BUSY)),
    "503": ((3, BUSY), (3, BUSY)),
    "queue-full": ((3, BUSY), (3, BUSY)),
    "404-model": ((3, ("does not have the model", "models pull")), (3, ("does not have the model", "models pull"))),
    "400-too-long": (
        (3, ("too long for the model", "lower embedding.max_tokens")),
        (3, ("too long for the model", "Raise options.num_ctx")),
    ),
    "400-nan": ((3, ("NaN", "Look into the log")), (3, ("NaN", "Look into the log"))),
    "bad-text": ((0, NO_VECTOR), (0, FINE)),
    "nan-in-vector": ((0, NO_VECTOR), (0, FINE)),
    "null-in-vector": ((0, NO_VECTOR), (0, FINE)),
    "string-in-vector": ((0, NO_VECTOR), (0, FINE)),
    "wrong-dimension": ((0, NO_VECTOR), (0, FINE)),
    "zero-vector": ((0, NO_VECTOR), (0, FINE)),
    "infinite-vector": ((0, NO_VECTOR), (0, FINE)),
    "fewer-vectors": ((0, NO_VECTOR), (0, FINE)),
    "crash": ((0, NO_VECTOR), (0, FINE)),
    "gzip-bomb": ((3, ("compressed", "Switch compression off")), (3, ("compressed", "Switch compression off"))),
    "redirect": ((3, ("does not follow", "address that really")), (3, ("does not follow", "address that really"))),
    "invalid-utf8": ((3, NOT_JSON), (3, NOT_JSON)),
    "trailing-garbage": ((3, NOT_JSON), (0, FINE)),
    "digest-change": ((3, ("was replaced", "Run it again")), (6, ("not the one any more", "Run `ragkit index`"))),
    "cut-prompt": ((0, FINE), (0, ("it cut the context", "may miss"))),
    "slow-load": ((3, TIMEOUT), (3, TIMEOUT)),
    "501-no-embeddings": ((3, ("cannot do this", "Choose another model")), (3, ("cannot do this", "Choose another"))),
}
POISONED = [name for name, (index, _) in TABLE.items() if index[1] is NO_VECTOR]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: exit code, standard output, standard error."""

    def call(url: str, *words: str) -> tuple[int, str, str]:
        arguments = ["--index", str(tmp_path / "index")]
        for key, value in {**SETTINGS, "ollama.host": url}.items():
            arguments += ["--set", f"{key}={value}"]
        started = time.monotonic()
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *words])
        assert time.monotonic() - started < HANG_S
        shown = capsys.readouterr()
        return int(str(ended.value.code)), shown.out, shown.err

    return call


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_index_meets_a_fault(name: str, docs: Path, run: Run) -> None:
    code, said = TABLE[name][0]
    with ScriptedOllama(fault=name) as server:
        found, out, err = run(server.url, "index", str(docs))
    assert found == code, err
    assert all(part in err for part in said)
    assert "Traceback" not in err
    if code == 0:
        assert "5 added" in out
    else:
        assert len(err.strip().splitlines()) == 2  # what happened, and what to do
    with ScriptedOllama() as healthy:  # a plain re-run is the only recovery step
        assert run(healthy.url, "index", str(docs))[0] == 0
        assert run(healthy.url, "search", "alpha valve")[1]


@pytest.mark.parametrize("name", POISONED)
def test_only_the_bad_text_is_without_a_vector(name: str, docs: Path, tmp_path: Path, run: Run) -> None:
    with ScriptedOllama(fault=name) as server:
        run(server.url, "index", str(docs))
        config, _ = resolve(environ={}, flags={**SETTINGS, "ollama.host": server.url})
        with RagKit.open(tmp_path / "index", config) as kit:
            assert (kit.status().chunks, kit.status().chunks_without_vector) == (5, 1)
            found = {
                Path(hit.chunk.source).name: hit.similarity
                for hit in kit.search("a text that upsets the valve 阀门", k=9)
            }
    assert found.pop("poison.md") is None
    assert len(found) == 4
    assert all(near is not None and -1.0001 <= near <= 1.0001 for near in found.values())


@pytest.mark.parametrize("name", FAULTS)
def test_ask_meets_a_fault(name: str, docs: Path, run: Run) -> None:
    with ScriptedOllama() as healthy:
        assert run(healthy.url, "index", str(docs))[0] == 0
    code, said = TABLE[name][1]
    on = () if FAULTS[name].on in (("/api/embed",), ("/api/tags",)) else ("/api/chat",)
    with ScriptedOllama(fault=name, on=on, answer='At three bar ("opens at three bar") [1].') as server:
        found, out, err = run(server.url, "ask", "When does the alpha valve open?")
    assert found == code, err
    assert all(part in err for part in said)
    assert "Traceback" not in err
    if code == 0:
        assert "verified" in out
    else:
        assert len(err.strip().splitlines()) == 2


@pytest.mark.parametrize("name", ["reset-before-headers", "503", "503-retry-after", "queue-full"])
def test_a_fault_that_passes_is_not_even_noticed(name: str, docs: Path, run: Run) -> None:
    with ScriptedOllama(fault=name, times=1) as server:
        url = ("--set", "requests.retry_s=20")
        code, out, err = run(server.url, *url, "index", str(docs))
    assert (code, err) == (0, "")
    assert "5 added" in out


def test_text_that_came_is_never_asked_for_twice(docs: Path, run: Run) -> None:
    with ScriptedOllama() as healthy:
        run(healthy.url, "index", str(docs))
    with ScriptedOllama(fault="reset-mid-line", on=("/api/chat",), times=1) as server:
        code, out, _ = run(server.url, "ask", "When does the alpha valve open?")
        assert code == 3
        assert out.startswith("The ")
        assert len(server.prompts()) == 1


def test_the_first_faults_of_a_batch_do_not_outlive_it(docs: Path, run: Run) -> None:
    with ScriptedOllama(fault="bad-text") as server:
        run(server.url, "index", str(docs))
        sent = len(server.requests)
    assert sent < 20  # halving five texts, not asking for each again and again
