"""What Python gives of a value is what the command line prints of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ragkit import ExhaustiveAnswer, RagKit, resolve, to_dict
from ragkit.frontends.cli import main
from ragkit.testing import ScriptedOllama
from tests.helpers.json_outputs import assert_fits

QUESTION = "How many days of annual leave?"
ANSWER = 'Fifteen ("15 days of annual leave") [1].'
FORM = {"type": "object", "properties": {"days": {"type": "integer"}}}


def reply(body: dict[str, Any]) -> str:
    quoted = {"days": {"quote": "15 days of annual leave", "passage": 1, "value": 15}}
    return json.dumps(quoted) if body.get("format") else ANSWER


def test_values_of_python_have_the_shapes_of_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "leave.md").write_text("# Leave\n\nStaff have 15 days of annual leave.\n", "utf-8")
    with ScriptedOllama(answer=reply) as server:
        flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
        flags["models.backend"] = "ollama"
        with RagKit.open(tmp_path / "index", resolve(environ={}, flags=flags)[0]) as kit:
            assert_fits("index", to_dict(kit.index([tmp_path / "leave.md"])))
            assert_fits("status", to_dict(kit.status()))
            assert_fits("why-not", to_dict(kit.why_not(QUESTION, "leave.md")))
            assert_fits("search", {"question": QUESTION, "hits": [to_dict(hit) for hit in kit.search(QUESTION)]})
            assert_fits("list", {"files": [{**to_dict(outcome), "state": "read"} for outcome in kit.files()]})
            answer = kit.ask(QUESTION)
            assert to_dict(answer)["citations"] == [to_dict(citation) for citation in answer.citations]
            every = [step for step in kit.stream_everything(QUESTION) if isinstance(step, ExhaustiveAnswer)]
            assert_fits("ask --everything", to_dict(every[-1]))
            assert_fits("ask --schema", to_dict(kit.ask_structured(QUESTION, FORM)))
        before = [part for key, value in flags.items() for part in ("--set", f"{key}={value}")]
        words = ["--index", str(tmp_path / "index"), *before, "ask", QUESTION, "--json"]
        assert json.loads(CliRunner().invoke(main, words).stdout) == to_dict(answer)


def test_a_value_without_a_shape_is_refused() -> None:
    with pytest.raises(TypeError, match="str is not shown as JSON"):
        to_dict("an answer")  # type: ignore[arg-type]
