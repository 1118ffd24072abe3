"""`ragkit chat`, through a pipe and on a real pseudo-terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ragkit.models.embedded.e5 import weights_path
from ragkit.testing import ScriptedOllama
from tests.helpers.paths import CHECKOUT
from tests.helpers.terminal import Terminal, terminal_in

DEADLINE_S = 60


@pytest.fixture(autouse=True)
def _answers(server: ScriptedOllama) -> None:
    """The server rewrites a follow-up, and answers in the language of the question."""

    def reply(body: dict[str, Any]) -> str:
        said = body["messages"][-1]["content"]
        if said.startswith("Rewrite the last question"):
            return "How many days of annual leave do contractors get?"
        if said.startswith("请改写最后一个问题"):
            return "实习生的年假有几天？"
        return "十五天（“每年享有十五天年假”）[1]。" if "问题：" in said else 'Fifteen ("15 days of annual leave") [1].'

    server.answer = reply
    server.piece_pause_s = 0.0


def test_a_question_a_line_comes_through_a_pipe(indexed: Terminal) -> None:
    done = indexed("chat", stdin="How many days of annual leave?\n\nAnd for contractors?\n")
    assert (done.returncode, done.stdout.count("Fifteen")) == (0, 2)
    assert "> " not in done.stdout
    assert done.stderr.count("Searched for: ") == 1
    assert "Searched for: How many days of annual leave do contractors get?" in done.stderr


def test_a_chinese_conversation(indexed: Terminal) -> None:
    done = indexed("chat", stdin="年假有几天？\n那实习生呢？\n/sources\n", RAGKIT_LANG="zh")
    assert done.returncode == 0
    assert "实习生的年假有几天？" in done.stderr
    assert done.stdout.count("每年享有十五天年假\n") == 3
    assert done.stdout.count("来源：") == 3


def test_the_commands(indexed: Terminal) -> None:
    lines = ["/sources", "annual leave", "/sources", "/why", "/nonsense", "/help", "/bye", "never asked"]
    done = indexed("chat", stdin="\n".join(lines))
    assert "There is no answer yet." in done.stderr
    assert "There is no /nonsense" in done.stderr
    assert done.stdout.count(f"  [1] docs{os.sep}leave.md, line 3 · verified") == 2
    assert re.search(rf"  \[1\] docs\{os.sep}leave.md, line 1 · \d+ tokens", done.stdout)
    assert re.search(rf"  1\. docs\{os.sep}leave.md, line 1  \(dense 1, lexical 1, score", done.stdout)
    assert "/save FILE" in done.stdout
    assert done.stdout.count("Fifteen") == 1


def test_why_names_what_was_left_out(tmp_path: Path, server: ScriptedOllama) -> None:
    terminal = terminal_in(tmp_path, server)
    (tmp_path / "docs" / "long.md").write_text(
        " ".join(f"Annual leave of grade {grade} is {grade + 9} days." for grade in range(200)), "utf-8"
    )
    terminal("index", "docs")
    settings = ("--set", "options.num_ctx=1024", "--set", "options.num_predict=256", "--set", "retrieval.least_share=0")
    out = terminal(*settings, "chat", stdin="annual leave?\n/why\n").stdout
    assert re.search(rf"Left out:\n  docs\{os.sep}long.md, line 1 · \d+ tokens: did not fit", out)


def test_reset_begins_anew(indexed: Terminal) -> None:
    done = indexed("chat", stdin="annual leave?\n/reset\nAnd for contractors?\n/why\n")
    assert "Searched for: And for contractors?" in done.stdout


def test_a_failure_does_not_end_the_conversation(indexed: Terminal, server: ScriptedOllama) -> None:
    done = indexed("chat", stdin="annual leave\n/save\nannual leave\n")
    assert done.returncode == 2
    assert done.stdout.count("Fifteen") == 2
    assert "/save takes the name of a file." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_index_is_said_at_once(indexed: Terminal) -> None:
    assert indexed("--index", "nowhere", "chat", stdin="annual leave\n").returncode == 6


def test_a_server_that_is_not_there_is_said_at_once(indexed: Terminal) -> None:
    done = indexed("chat", stdin="annual leave\nannual leave\n", OLLAMA_HOST="127.0.0.1:9")
    assert (done.returncode, done.stdout, done.stderr.count("No Ollama server")) == (3, "", 1)


def test_a_conversation_is_kept_and_gone_on_with(indexed: Terminal, tmp_path: Path) -> None:
    file = str(tmp_path / "gespräch.jsonl")
    indexed("chat", "--history", file, stdin="How many days of annual leave?\n")
    second = indexed("chat", "--history", file, stdin="/sources\nAnd for contractors?\n")
    assert "Going on with a conversation of 1 question." in second.stderr
    assert second.stdout.startswith(f"Sources:\n  [1] docs{os.sep}leave.md, line 3 · verified")
    assert "Searched for: How many days of annual leave do contractors get?" in second.stderr
    indexed("chat", "--history", file, stdin="/reset\n")
    assert "Going on" not in indexed("chat", "--history", file, stdin="").stderr


def test_a_turn_that_was_cut_in_writing_is_dropped(indexed: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "talk.jsonl"
    indexed("chat", "--history", str(file), stdin="annual leave\n")
    with file.open("ab") as stream:
        stream.write(b'{"question": "half')
    indexed("chat", "--history", str(file), stdin="annual leave\n")
    assert "of 2 questions" in indexed("chat", "--history", str(file), stdin="").stderr


@pytest.mark.parametrize("content", [b"my diary\n", b"", b'{"ragkit_conversation": 1}\n{"question": 1}\n'])
def test_another_file_is_not_taken_for_a_conversation(indexed: Terminal, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "diary.txt"
    file.write_bytes(content)
    done = indexed("chat", "--history", str(file), stdin="")
    assert done.returncode == (2 if content else 0)
    assert file.read_bytes() == content or not content


def test_two_conversations_in_one_file_lose_nothing(indexed: Terminal, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "ragkit", "chat", "--history", str(tmp_path / "both.jsonl")]
    running = [
        subprocess.Popen(
            words,
            cwd=indexed.folder,
            env=indexed.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    for one in running:
        assert one.stdin is not None
        one.stdin.write(b"annual leave\n" * 5)
        one.stdin.close()
    assert [one.wait(DEADLINE_S) for one in running] == [0, 0]
    assert "of 10 questions" in indexed("chat", "--history", str(tmp_path / "both.jsonl"), stdin="").stderr


def test_a_conversation_that_two_began_at_once_is_one(indexed: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "both.jsonl"
    words = ("chat", "--history", str(file))
    indexed(*words, stdin="annual leave\n")
    head, turn = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(head + head + turn + head + turn)
    assert "of 2 questions" in indexed(*words, stdin="").stderr


def test_saved_markdown_shows_hostile_text_as_text(indexed: Terminal, tmp_path: Path, server: ScriptedOllama) -> None:
    server.answer = '<script>x</script> ![](http://evil/x.png) \u202e "15 days of annual leave" [1]\n- # `item`'
    file = tmp_path / "saved talk.md"
    done = indexed("chat", stdin=f"年假 <b>?\n/save {file}\n/save {file}\n")
    saved = file.read_text("utf-8")
    assert "## 年假 \\<b\\>?" in saved
    assert "\\<script\\>x\\</script\\> \\!\\[\\]\\(http://evil/x.png\\)" in saved
    assert "\n\\- \\# \\`item\\`" in saved
    assert "- \\[1\\] " in saved
    assert "\n  > 15 days of annual leave" in saved
    assert "\u202e" not in saved
    assert "is there already" in done.stderr


@pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")
def test_follow_ups_without_a_language_model(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "127.0.0.1:9")
    terminal.environment["RAGKIT_MODELS_BACKEND"] = "embedded"
    samples = CHECKOUT / "sample_docs"
    names = ["canteen-shuttle-zh.md", "leave-policy.md"]
    assert terminal("index", *(str(samples / name) for name in names)).returncode == 0
    done = terminal("chat", stdin="餐厅的午餐几点开始？\n那晚餐呢？\n/reset\n餐厅有多少个座位？\n班车要付钱吗？\n")
    assert "晚餐 | 17:40–19:00" in done.stdout
    assert re.findall("Searched for: .*", done.stderr) == ["Searched for: 晚餐呢？ (餐厅的午餐几点开始)"]
    question = "How many days of annual leave do employees in Bristol receive?"
    done = terminal("chat", stdin=f"{question}\nWhat about Suzhou?\nWho approves carrying days over?\n")
    assert "Employees in Suzhou receive 15 working days" in done.stdout
    assert re.findall("Searched for: .*", done.stderr) == [
        "Searched for: Suzhou? (days annual leave employees Bristol receive)"
    ]


# -- on a terminal -----------------------------------------------------------------------------------

pytest.importorskip("pty")


def test_a_conversation_on_a_terminal(indexed: Terminal, server: ScriptedOllama) -> None:
    from tests.helpers.screens import Screen

    screen = Screen(indexed, "chat")
    screen.wait_for("> ")
    screen.type("How many days of \\\n")
    screen.wait_for(". ")
    screen.type("annual leave?\n")
    screen.wait_for("Fifteen")
    screen.wait_for("verified")
    screen.wait_for("> ")
    screen.type("\x1b[A")  # the line before comes back: readline is at work
    screen.wait_for("annual leave?")
    screen.press("\x03", until="> ")
    screen.type("\x1b[200~annual\nleave\x1b[201~\n")  # pasted: two lines, one question
    screen.wait_for("Fifteen")
    screen.wait_for("> ")
    screen.type("\x04")
    assert screen.code() == 0
    asked = [body["messages"][-1]["content"] for body in server.prompts()]
    assert any(text.endswith("Last question: annual\nleave") for text in asked)


def test_ctrl_c_ends_the_answer_not_the_conversation(indexed: Terminal, server: ScriptedOllama) -> None:
    from tests.helpers.screens import Screen

    screen = Screen(indexed, "chat")
    screen.wait_for("> ")
    server.piece_pause_s = 1.0
    server.answer = "One two three four five six seven eight nine ten eleven twelve."
    screen.type("annual leave?\n")
    screen.wait_for("One two")
    screen.type("\x03")
    screen.wait_for("Stopped.")
    server.piece_pause_s = 0.0
    screen.type("And for contractors?\n")
    screen.wait_for("twelve.")
    screen.type("/why\n")
    screen.wait_for("Searched for: And for contractors?")  # the stopped question is no part of it
    screen.type("/bye\n")
    assert screen.code() == 0
