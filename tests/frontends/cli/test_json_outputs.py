"""What every verb prints with `--json` fits its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ragkit.frontends.cli import main
from ragkit.frontends.json_shapes.outputs import OUTPUTS
from ragkit.testing import ScriptedOllama
from tests.helpers.json_outputs import assert_fits
from tests.helpers.pdfs import text_pdf

FORM = {"type": "object", "properties": {"days": {"type": "integer"}, "until": {"type": ["string", "null"]}}}
QUESTIONS = """
[[question]]
question = "How many days of annual leave?"
source = "leave.md"
answer = "15 days"
kind = "people"

[[question]]
question = "How many days of annual leave?"
source = "leave.md"
answer = "16 days"

[[question]]
question = "Is there a pool?"
unanswerable = true
"""
Run = Callable[..., Any]

COMMANDS = {
    "ask": [
        ("ask", "How many days of annual leave?"),
        ("ask", "Is there a pool?"),
        ("--set", "options.num_ctx=1024", "--set", "options.num_predict=256", "ask", "annual leave"),
    ],
    "ask --everything": [("ask", "--everything", "How many days of annual leave?")],
    "ask --schema": [("ask", "The rules of leave", "--schema", "form.json")],
    "audit": [("audit",)],
    "check-bundle": [("check-bundle", "answer.html")],
    "config": [("config",)],
    "doctor": [("doctor",)],
    "embed": [("embed", "annual leave", "年假")],
    "eval": [("eval", "questions.toml"), ("eval", "questions.toml", "--search-only")],
    "eval --compare": [("eval", "--compare", "run.json", "run.json")],
    "forget": [("forget", "old.md")],
    "generate": [("generate", "hello")],
    "import": [("--index", "copy", "import", "all.ragkit")],
    "index": [("index", "docs")],
    "index --dry-run": [("index", "docs", "--dry-run")],
    "list": [("list",)],
    "models create": [("models", "create", "mine", "--from", "chat")],
    "models list": [("models", "list")],
    "models ps": [("models", "ps")],
    "models pull": [("models", "pull", "bge-m3")],
    "models push": [("models", "push", "chat")],
    "models show": [("models", "show", "chat")],
    "remove": [("remove", "older.md")],
    "search": [("search", "annual leave")],
    "show": [("show", "leave.md"), ("show", "two.pdf", "--page", "2")],
    "status": [("status",)],
    "test": [("test", "questions.toml")],
    "verify": [("verify",)],
    "why-not": [("why-not", "annual leave", "--expect", "leave.md"), ("why-not", "leave", "--expect", "nowhere.md")],
}


def reply(body: dict[str, Any]) -> str:
    if body.get("format"):
        quote = {"quote": "15 days of annual leave", "passage": 1, "value": 15}
        return json.dumps({"days": quote, "until": {"quote": "", "passage": 0, "value": None}})
    asked = str(body["messages"][-1]["content"] if "messages" in body else body["prompt"])
    return "The documents do not say." if "pool" in asked else 'Fifteen ("15 days of annual leave") [1].'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs a command in a folder with an index, a bundle, an exported index and a run of questions."""
    folder = tmp_path_factory.mktemp("work 工作")
    _write_files(folder)
    with ScriptedOllama(answer=reply) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
        settings = [part for key, value in flags.items() for part in ("--set", f"{key}={value}")]

        def command(*words: str) -> str:
            before = ["--index", "index", *settings, "--set", "models.backend=ollama"]
            done = CliRunner().invoke(main, [*before, *words])
            assert not isinstance(done.exception, Exception), done.stderr
            return done.stdout

        command("index", "docs")
        command("models", "load", "chat")
        command("ask", "How many days of annual leave?", "--bundle", "answer.html")
        command("export", "all.ragkit")
        (folder / "run.json").write_text(command("eval", "questions.toml", "--json"), "utf-8")
        yield command


def _write_files(folder: Path) -> None:
    docs = folder / "docs"
    docs.mkdir()
    (docs / "leave.md").write_text("# Leave\n\nStaff have 15 days of annual leave.\n", "utf-8")
    (docs / "long.md").write_text(" ".join(f"Annual leave of grade {n} is {n + 9} days." for n in range(200)), "utf-8")
    (docs / "two.pdf").write_bytes(text_pdf("The first page.", ""))
    (docs / "notes.blob").write_text("not read", "utf-8")
    (docs / "old.md").write_text("An old text.", "utf-8")
    (docs / "older.md").write_text("An older text.", "utf-8")
    (folder / "form.json").write_text(json.dumps(FORM), "utf-8")
    (folder / "questions.toml").write_text(QUESTIONS, "utf-8")


def test_every_output_is_tried() -> None:
    assert COMMANDS.keys() == OUTPUTS.keys()


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_output_fits_its_schema(run: Run, verb: str) -> None:
    for words in COMMANDS[verb]:
        assert_fits(verb, json.loads(run(*words, "--json")))
