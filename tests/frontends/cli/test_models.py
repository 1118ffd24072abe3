"""The verbs about models as a person at a terminal meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ragkit.frontends.cli import main
from ragkit.testing import ScriptedOllama

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama() as running:
        yield running


@pytest.fixture
def run(server: ScriptedOllama, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
        before = [part for key, value in flags.items() for part in ("--set", f"{key}={value}")]
        with pytest.raises(SystemExit) as ended:
            main([*before, "--set", "models.backend=ollama", *words])
        shown = capsys.readouterr()
        return int(str(ended.value.code)), shown.out, shown.err

    return call


def test_list_ps_and_show_are_tables(run: Run) -> None:
    code, out, _ = run("models", "list")
    assert code == 0
    assert out.splitlines()[0].split() == ["model", "size", "parameters", "quantization", "can", "modified"]
    assert "embed:latest  2.5 GB  4B" in out
    assert run("models", "ps")[2].strip() == "No model is loaded."
    run("models", "load", "chat")
    assert "8192" in run("models", "ps")[1]
    shown = run("models", "show", "chat")[1]
    assert "can: completion, tools, vision" in shown
    assert "trained on tokens: 32768" in shown


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("words", [("generate",), ("embed",), ("models",), ("models", "create"), ("serve-models",)])
def test_every_help_has_an_example(words: tuple[str, ...], language: str) -> None:
    environment = {**os.environ, "RAGKIT_LANG": language}
    command = [sys.executable, "-m", "ragkit", *words, "--help"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=True)
    assert {"en": "Example:", "zh": "示例："}[language] in done.stdout


def test_a_model_is_pulled_copied_and_removed(run: Run, server: ScriptedOllama) -> None:
    code, out, err = run("models", "pull", "bge-m3")
    assert (code, out) == (0, "")
    assert err.splitlines() == [
        "pulling manifest",
        "pulling 970aa74c0a90",
        "verifying sha256 digest",
        "writing manifest",
        "success",
        "bge-m3: done.",
    ]
    assert run("models", "copy", "bge-m3", "second")[0] == 0
    assert run("models", "rm", "second", "bge-m3")[0] == 0
    assert set(server.models) == {"embed:latest", "chat:latest"}
    assert run("models", "push", "chat")[0] == 0


def test_create_needs_one_source(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF")
    assert run("models", "create", "mine", "--file", str(file), "--option", "num_ctx=512")[0] == 0
    assert run("models", "create", "mine", "--from", "chat", "--system", "Be short.")[0] == 0
    code, _, err = run("models", "create", "mine")
    assert code == 2
    assert "Name either --from MODEL or --file GGUF." in err


def test_generate_streams_its_answer(run: Run, server: ScriptedOllama, tmp_path: Path) -> None:
    server.answer = "Two cats. 两只猫。"
    image = tmp_path / "photo.jpg"
    image.write_bytes(b"\xff\xd8")
    words = ("generate", "What is this?", "--image", str(image), "--option", "num_predict=64", "--option", "seed=7")
    code, out, err = run(*words)
    assert (code, out, err) == (0, "Two cats. 两只猫。\n", "")
    body = server.requests[-1][1]
    assert (body["images"], body["options"]["num_predict"], body["options"]["seed"]) == (["/9g="], 64, 7)
    found = json.loads(run(*words, "--json")[1])
    assert (found["text"], found["done_reason"], found["eval_count"]) == ("Two cats. 两只猫。", "stop", 3)


def test_a_cut_answer_says_what_to_raise(run: Run, server: ScriptedOllama) -> None:
    server.answer = "one two three four"
    code, out, err = run("generate", "count", "--option", "num_predict=2")
    assert (code, out) == (0, "one two \n")
    assert "Raise options.num_predict" in err


def test_a_schema_is_read_from_a_file_and_held(run: Run, server: ScriptedOllama, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "required": ["a"]}', "utf-8")
    server.answer = '{"a": 1}'
    assert run("generate", "x", "--format", str(schema))[0] == 0
    server.answer = '{"b": 1}'
    code, out, err = run("generate", "x", "--format", str(schema))
    assert (code, out) == (3, '{"b": 1}')
    assert "does not fit the format" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("generate", "x", "--option", "temperature=9"), 2, "options.temperature is 9.0; it must be at most 2."),
        (("generate", "x", "--option", "temprature=1"), 2, "Did you mean options.temperature?"),
        (("generate", "x", "--option", "seed"), 2, "--option takes NAME=VALUE"),
        (("generate", "x", "--image", "/nowhere.png"), 2, "Cannot read /nowhere.png"),
        (("generate", "x", "--format", "/nowhere.json"), 2, "Cannot read /nowhere.json"),
        (("generate", "x", "--model", "absent"), 3, "Run: ragkit models pull absent"),
        (("generate", "x", "--think", "on"), 3, "cannot think"),
        (("generate", "x", "--model", "embed"), 3, "does not support generate"),
        (("models", "show", "absent"), 3, "Run: ragkit models pull absent"),
        (("models", "pull", "absent"), 3, "The registry does not have the model absent."),
        (("models", "create", "m", "--file", "/nowhere.gguf"), 2, "Cannot read /nowhere.gguf"),
    ],
)
def test_a_failure_is_one_line_and_a_code(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    found, out, err = run(*words)
    assert (found, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_embed_shows_vectors_of_questions_and_documents(run: Run, server: ScriptedOllama) -> None:
    code, out, _ = run("embed", "annual leave", "年假")
    assert code == 0
    assert "年假\n  64 numbers: [" in out
    found = json.loads(run("embed", "annual leave", "年假", "--json", "--query")[1])
    assert found["dimension"] == 64
    assert [len(vector) for vector in found["vectors"]] == [64, 64]
