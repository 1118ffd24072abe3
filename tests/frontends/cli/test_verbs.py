"""The command: its exit codes, its two streams and its two languages."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from ragkit.testing import Scripted, ScriptedOllama
from tests.helpers.terminal import Terminal, terminal_in


def test_index_reports_every_file(tmp_path: Path, server: ScriptedOllama) -> None:
    terminal = terminal_in(tmp_path, server)
    first = terminal("index", "docs")
    assert first.returncode == 0, first.stderr
    assert "3 files: 2 added, 1 unsupported" in first.stdout
    assert f"docs{os.sep}notes.blob: There is no reader for .blob files." in first.stderr
    second = terminal("index", "docs")
    assert second.stdout.splitlines()[0] == "Nothing to do: all 2 files are up to date."
    (tmp_path / "docs" / "empty.txt").touch()
    assert terminal("index", "docs").returncode == 4


def test_ask_prints_the_answer_then_its_sources(indexed: Terminal, server: ScriptedOllama) -> None:
    server.answer = 'Fifteen ("15 days of annual leave") [1].'
    done = indexed("ask", "How many days of annual leave?")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        'Fifteen ("15 days of annual leave") [1].',
        "",
        "Sources:",
        f"  [1] docs{os.sep}leave.md, line 3 · verified",
        "      15 days of annual leave",
    ]
    assert "1 file of this index could not be read" in done.stderr


def test_ask_speaks_chinese(indexed: Terminal, server: ScriptedOllama) -> None:
    server.answer = "十五天（“每年享有十五天年假”）[1]。"
    done = indexed("ask", "年假有几天？", RAGKIT_LANG="zh")
    assert done.stdout.splitlines()[2:] == [
        "来源：",
        f"  [1] docs{os.sep}假期.md，第 3 行 · 已核对".replace("，第", ", 第"),
        "      每年享有十五天年假",
    ]
    assert "未能读取" in done.stderr


def test_a_refusal_has_its_own_exit_code(indexed: Terminal, server: ScriptedOllama) -> None:
    server.answer = "The documents do not say."
    done = indexed("ask", "Is there a pool?")
    assert done.returncode == 5
    assert "Nearest passages:" in done.stdout


def test_a_question_may_come_from_a_pipe(indexed: Terminal, server: ScriptedOllama) -> None:
    done = indexed("search", "-", stdin="annual leave\n")
    assert done.returncode == 0
    assert done.stdout.startswith(f"1. docs{os.sep}leave.md, line 1  (dense 1, lexical 1, score ")


def test_hostile_text_does_not_reach_the_terminal(tmp_path: Path, server: ScriptedOllama) -> None:
    terminal = terminal_in(tmp_path, server)
    (tmp_path / "docs" / "evil.txt").write_text("annual leave \x9b31m \u202e gone, says the note", "utf-8")
    terminal("index", "docs")
    server.answer = "It \x1b]0;owned\x07is [1]."
    for words in (("ask", "annual leave"), ("search", "annual leave")):
        out = terminal(*words).stdout
        assert not re.search("[\x1b\x07\x9b\u202e]", out)


@pytest.mark.parametrize(
    ("words", "environment", "code", "said"),
    [
        (("frobnicate",), {}, 2, "No such command"),
        (("ask",), {}, 2, "Missing argument"),
        (("ask", " "), {}, 2, "The question is empty."),
        (("index", "nowhere"), {}, 2, "there is no such file or folder"),
        (("--set", "retrieval.kk=3", "status"), {}, 2, "Did you mean retrieval.k?"),
        (("--set", "nonsense", "status"), {}, 2, "KEY=VALUE"),
        (("--config", "none.toml", "status"), {}, 2, "Cannot read the configuration file"),
        (("status",), {"RAGKIT_INDEKS": "x"}, 2, "Did you mean RAGKIT_INDEX?"),
        (("ask", "leave"), {"OLLAMA_HOST": "127.0.0.1:9"}, 3, "No Ollama server answers at http://127.0.0.1:9."),
        (("ask", "leave"), {"RAGKIT_OLLAMA_CHAT_MODEL": "absent"}, 3, "Run: ragkit models pull absent"),
        (("--index", "empty", "ask", "leave"), {}, 6, "Run: ragkit index FOLDER"),
        (("--index", "docs/leave.md", "index", "docs"), {}, 6, "Cannot make the index folder"),
    ],
)
def test_every_failure_is_one_line_with_its_code(
    indexed: Terminal, words: tuple[str, ...], environment: dict[str, str], code: int, said: str
) -> None:
    done = indexed(*words, **environment)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_is_said_in_chinese(indexed: Terminal) -> None:
    done = indexed("ask", "年假", OLLAMA_HOST="127.0.0.1:9", LANG="zh_CN.UTF-8")
    assert done.stderr.splitlines()[0] == "错误：http://127.0.0.1:9 没有 Ollama 服务器应答。"


def test_a_half_answer_is_kept_with_its_error(indexed: Terminal, server: ScriptedOllama) -> None:
    half = b'{"message":{"content":"Half an "},"done":false}\n'
    server.behaviour = lambda path, body: Scripted(200, (half,)) if path == "/api/chat" else None
    done = indexed("ask", "annual leave")
    server.behaviour = None
    assert done.returncode == 3
    assert done.stdout == "Half an "
    assert "ended its answer in the middle" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("index",),
        ("ask",),
        ("chat",),
        ("open",),
        ("check-bundle",),
        ("search",),
        ("status",),
        ("doctor",),
        ("config",),
        ("completion",),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_help_has_an_example(indexed: Terminal, words: tuple[str, ...], language: str) -> None:
    done = indexed(*words, "--help", RAGKIT_LANG=language)
    assert done.returncode == 0
    assert {"en": "Example:", "zh": "示例："}[language] in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(indexed: Terminal, shell: str) -> None:
    assert "_RAGKIT_COMPLETE" in indexed("completion", shell).stdout


def test_config_tells_where_each_value_came_from(indexed: Terminal) -> None:
    settings = json.loads(indexed("--set", "retrieval.k=3", "config", "--json").stdout)["settings"]
    origins = {item["key"]: (item["value"], item["origin"]) for item in settings}
    assert origins["retrieval.k"] == (3, "flag")
    assert origins["ollama.embed_model"] == ("embed", "environment RAGKIT_OLLAMA_EMBED_MODEL")
    assert origins["chunking.chunk_tokens"] == (192, "default")


def test_doctor_names_each_fault_with_its_fix(indexed: Terminal) -> None:
    good = indexed("doctor")
    assert "version 0.33.0" in good.stdout
    bad = indexed("doctor", OLLAMA_HOST="127.0.0.1:9")
    assert bad.returncode == 1
    assert "→ Start it with `ollama serve`" in bad.stdout
    missing = indexed("doctor", RAGKIT_OLLAMA_CHAT_MODEL="absent")
    assert "→ Run: ragkit models pull absent" in missing.stdout


def test_no_colour_reaches_a_pipe(indexed: Terminal) -> None:
    assert "\x1b" not in indexed("doctor").stdout + indexed("ask", "x", OLLAMA_HOST="127.0.0.1:9").stderr
