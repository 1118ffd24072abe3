"""What is not proved is marked, and asked for once more; answers in one language out of documents in another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.frontends.cli import main
from ragkit.testing import Scripted, ScriptedOllama, json_reply
from ragkit.types.answers import Answer, Withdrawn

FILES = {
    "leave.md": "# Leave\n\nStaff have 15 days of annual leave. Unused days expire on 31 March.\n",
    "假期.md": "# 假期\n\n试用期员工每年享有五天年假。\n",
}
QUESTION = "How many days of annual leave do staff have?"
RIGHT = 'Fifteen days ("Staff have 15 days of annual leave") [1].'
WRONG = 'Twenty days ("Staff have 20 days of annual leave") [1].'
HALF = f'{RIGHT} They never expire ("days never expire") [1].'
ZH_QUESTION = "员工每年有多少天年假？"
ZH_RIGHT = "十五天（“Staff have 15 days of annual leave”）[1]。"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "docs"
    found.mkdir()
    for name, text in FILES.items():
        (found / name).write_text(text, "utf-8")
    return found


def flags(server: ScriptedOllama, **more: str) -> dict[str, str]:
    found = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
    return found | {"models.backend": "ollama"} | {name.replace("__", "."): value for name, value in more.items()}


@contextmanager
def opened(folder: Path, *replies: str, **settings: str) -> Iterator[tuple[RagKit, ScriptedOllama]]:
    """A kit whose model gives these replies in turn."""
    waiting = list(replies)
    with ScriptedOllama(answer=lambda _: waiting.pop(0)) as server:
        config = resolve(environ={}, flags=flags(server, **settings))[0]
        with RagKit.open(folder.parent / "index", config) as kit:
            kit.index([folder])
            yield kit, server


@pytest.mark.parametrize(
    ("first", "second", "used"),
    [
        (WRONG, RIGHT, RIGHT),
        (HALF, RIGHT, RIGHT),
        (WRONG, "The documents do not say.", "The documents do not say."),
        ("Fifteen days.", RIGHT, RIGHT),
        ("Fifteen days [9].", RIGHT, RIGHT),
        (HALF, "The documents do not say.", HALF),
        (HALF, WRONG, HALF),
        (WRONG, WRONG.replace("20", "21"), WRONG),
    ],
    ids=["better", "wholly proved", "withdrawn", "no quote", "no such passage", "worse", "worse too", "no better"],
)
def test_the_better_proved_of_two_replies_is_the_answer(folder: Path, first: str, second: str, used: str) -> None:
    with opened(folder, first, second) as (kit, server):
        answer = kit.ask(QUESTION)
        once, again = server.prompts()
    assert answer.text == used
    assert (answer.asked, answer.refused) == (2, used.startswith("The documents"))
    assert again["messages"][:2] == once["messages"]
    assert again["messages"][2] == {"role": "assistant", "content": first}
    assert str(answer.notes[-1]).startswith("The model was asked twice")


def test_the_quotes_that_failed_are_named_to_the_model(folder: Path) -> None:
    with opened(folder, HALF, RIGHT) as (kit, server):
        kit.ask(QUESTION)
        complaint = server.prompts()[1]["messages"][-1]["content"]
    assert "“days never expire”: not in passage 1" in complaint
    assert "Staff have 15" not in complaint


@pytest.mark.parametrize("reply", [RIGHT, "The documents do not say."])
def test_what_is_proved_is_asked_for_once(folder: Path, reply: str) -> None:
    with opened(folder, reply) as (kit, server):
        assert kit.ask(QUESTION).asked == 1
        assert len(server.prompts()) == 1


def test_asking_again_can_be_turned_off(folder: Path) -> None:
    with opened(folder, WRONG, models__ask_again="false") as (kit, _):
        answer = kit.ask(QUESTION)
    assert (answer.asked, answer.text, answer.citations[0].verified) == (1, WRONG, False)


def test_a_stream_says_when_its_text_is_withdrawn(folder: Path) -> None:
    with opened(folder, WRONG, RIGHT) as (kit, _):
        pieces = list(kit.stream(QUESTION))
    at = next(place for place, piece in enumerate(pieces) if isinstance(piece, Withdrawn))
    assert "".join(map(str, pieces[:at])) == WRONG
    assert pieces[at + 1] == RIGHT
    assert isinstance(pieces[-1], Answer)
    assert len(pieces) == at + 3


def test_a_second_request_that_fails_leaves_the_first_reply(folder: Path) -> None:
    def fails(path: str, body: dict[str, Any]) -> Scripted | None:
        second = path == "/api/chat" and len(body["messages"]) > 2
        return json_reply({"error": "the model has fallen over"}, 500) if second else None

    with opened(folder, WRONG, requests__retry_s="0") as (kit, server):
        server.behaviour = fails
        answer = kit.ask(QUESTION)
    assert (answer.text, answer.asked) == (WRONG, 1)


def test_the_terminal_shows_both_and_json_only_the_answer(folder: Path) -> None:
    with opened(folder, WRONG, RIGHT, WRONG, RIGHT) as (kit, server):
        words = ["--index", str(kit.directory)]
        for name, value in flags(server).items():
            words += ["--set", f"{name}={value}"]
        shown = CliRunner().invoke(main, [*words, "ask", QUESTION])
        found = json.loads(CliRunner().invoke(main, [*words, "ask", QUESTION, "--json"]).stdout)
    assert shown.stdout.startswith(f"{WRONG}\n\n{RIGHT}\n")
    assert "Not all of this was proved. Asked once more, the model says:" in shown.stderr
    assert (found["text"], found["asked"]) == (RIGHT, 2)


# -- across languages ----------------------------------------------------------------------------


def test_a_chinese_question_on_an_english_document(folder: Path) -> None:
    (folder / "假期.md").unlink()
    with opened(folder, ZH_RIGHT) as (kit, server):
        answer = kit.ask(ZH_QUESTION)
        assert "用中文简短作答" in server.prompts()[0]["messages"][0]["content"]
    [citation] = answer.citations
    assert (Path(citation.source).name, citation.verified, answer.asked) == ("leave.md", True, 1)


def test_an_english_question_on_a_chinese_document(folder: Path) -> None:
    (folder / "leave.md").unlink()
    reply = 'Five days during probation ("试用期员工每年享有五天年假") [1].'
    with opened(folder, reply) as (kit, server):
        answer = kit.ask("How many days of leave are there during probation?")
        assert "Answer in English" in server.prompts()[0]["messages"][0]["content"]
    [citation] = answer.citations
    assert (Path(citation.source).name, citation.verified, answer.asked) == ("假期.md", True, 1)


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        (ZH_QUESTION, 'They have fifteen days of leave a year ("Staff have 15 days of annual leave") [1].', ZH_RIGHT),
        (QUESTION, "员工每年享有十五天年假（“Staff have 15 days of annual leave”）[1]。", RIGHT),
    ],
)
def test_an_answer_in_the_wrong_language_is_asked_for_again(
    folder: Path, question: str, first: str, second: str
) -> None:
    (folder / "假期.md").unlink()
    with opened(folder, first, second) as (kit, server):
        answer = kit.ask(question)
        assert "not in the language of the question" in server.prompts()[1]["messages"][-1]["content"]
    assert (answer.text, answer.asked) == (second, 2)
