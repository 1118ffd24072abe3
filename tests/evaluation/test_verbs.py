"""`ragkit eval` and `ragkit test` as a user runs them, against a scripted model server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ragkit.testing import ScriptedOllama
from tests.helpers.terminal import Terminal

FILES = {
    "leave.md": "# Leave\n\nStaff have 15 days of annual leave.\n",
    "假期.md": "# 假期\n\n员工每年享有十五天年假。\n",
    "travel.md": "# Travel\n\nEconomy class is booked for flights under six hours.\n",
    "sheet.xyz": "nobody reads this",
}
REPLIES = {
    "annual leave": 'Fifteen ("15 days of annual leave") [1].',
    "多少天年假": "十五天（“每年享有十五天年假”）[1]。",
    "flights": 'Business class ("Business class is booked") [1].',
    "class is booked": "The documents do not say.",
    "who pays": "The company pays.",
}
QUESTIONS = """
[[question]]
id = "leave"
question = "How many days of annual leave?"
source = "leave.md"
answer = ["15 days", "fifteen"]
kind = "people"

[[question]]
id = "年假"
question = "员工每年享有多少天年假？"
source = "假期.md"
quote = "享有十五天年假"
kind = "people"

[[question]]
id = "pool"
question = "Is there a swimming pool?"
unanswerable = true
kind = "house"
"""
BROKEN = """
[[question]]
id = "flights"
question = "What is booked for flights?"
source = "travel.md"
answer = "economy"

[[question]]
id = "uncited"
question = "What is booked for flights?"
source = "travel.md"

[[question]]
id = "refused"
question = "Which class is booked?"
source = "travel.md"
answer = "economy"

[[question]]
id = "unread"
question = "Anything?"
source = "sheet.xyz"

[[question]]
id = "other text"
question = "How many days of annual leave?"
source = "leave.md"
quote = "16 days"

[[question]]
id = "没有"
question = "年假有几天？"
source = "没有.md"

[[question]]
id = "pays"
question = "And who pays for it?"
unanswerable = true

[[question]]
id = "far"
question = "annual leave"
source = "travel.md"
"""


def reply(body: dict[str, Any]) -> str:
    asked = str(body["messages"][-1]["content"]).rstrip().splitlines()[-1]
    return next((text for part, text in REPLIES.items() if part in asked), "The documents do not say.")


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    folder = tmp_path_factory.mktemp("work 工作")
    (folder / "docs").mkdir()
    for name, text in FILES.items():
        (folder / "docs" / name).write_text(text, "utf-8")
    (folder / "questions.toml").write_text(QUESTIONS, "utf-8")
    (folder / "broken.toml").write_text(BROKEN, "utf-8")
    with ScriptedOllama(answer=reply) as server:
        terminal = Terminal(folder, server.url)
        assert terminal("index", "docs").returncode == 0
        yield terminal


def test_all_answers_as_expected(indexed: Terminal) -> None:
    done = indexed("test", "questions.toml")
    assert (done.returncode, done.stdout) == (0, "3 of 3 questions passed.\n"), done.stderr
    assert indexed("test", "questions.toml", RAGKIT_LANG="zh").stdout == "3 个问题中通过 3 个。\n"


def test_each_failure_says_where_the_answer_was_lost(indexed: Terminal) -> None:
    words = ("--set", "retrieval.k=1", "--set", "models.ask_again=false", "test", "broken.toml")
    done = indexed(*words, "--junit", "out.xml")
    assert done.returncode == 9, done.stderr
    *lines, last = done.stdout.splitlines()
    assert last == "0 of 8 questions passed."
    assert lines[0] == (
        "FAILED flights “What is booked for flights?”: expected “economy” from travel.md; "
        'found the answer Business class ("Business class is booked") [1].; lost in: answer'
    )
    steps = {line.split(" “")[0].removeprefix("FAILED "): line.rpartition(": ")[2] for line in lines}
    assert steps == {
        "flights": "answer",
        "uncited": "citation",
        "refused": "answer",
        "unread": "reading",
        "other text": "reading",
        "没有": "index",
        "pays": "answer",
        "far": "search",
    }
    suite = ElementTree.parse(indexed.folder / "out.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("8", "8")
    assert [failure.get("type") for failure in suite.iter("failure")] == list(steps.values())
    chinese = indexed(*words, RAGKIT_LANG="zh").stdout
    assert "出错环节：检索" in chinese
    assert "8 个问题中通过 0 个。" in chinese


def test_the_verdicts_as_json(indexed: Terminal) -> None:
    found = json.loads(indexed("test", "broken.toml", "--json").stdout)["questions"]
    assert set(found[0]) == {"id", "question", "passed", "expected", "found", "lost_in", "seconds"}
    assert found[5]["found"] == "no file of the index has this name: 没有.md"


def test_figures_of_own_questions(indexed: Terminal) -> None:
    done = indexed("eval", "questions.toml", "--json", "--html", "report.html")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["figures"]["ndcg@10"] == run["figures"]["answer_right"] == run["figures"]["refusal_f1"] == 1.0
    assert run["kinds"]["people"]["questions"] == 2
    assert run["made_with"]["embedding"] == "embed (ollama)"
    assert set(run["latency_ms"]["ask"]) == {"p50", "p95"}
    assert "<meter" in (indexed.folder / "report.html").read_text("utf-8")
    shown = indexed("eval", "questions.toml", RAGKIT_LANG="zh").stdout
    assert "引用了正确文档" in shown
    assert "people (2)" in shown


def test_a_name_that_the_index_does_not_know_is_an_error(indexed: Terminal) -> None:
    done = indexed("eval", "broken.toml")
    assert done.returncode == 2
    assert "Question 没有: no file of the index has this name: 没有.md" in done.stderr


def test_a_data_set_has_its_own_index_and_two_configurations_are_compared(indexed: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "town"
    folder.mkdir()
    texts = [{"_id": name, "title": "", "text": text} for name, text in FILES.items()]
    asked = [
        {"id": "a", "question": "How many days of annual leave?", "answers": ["15 days"], "context_id": "leave.md"},
        {"id": "b", "question": "年假有几天？", "answers": ["十五天"], "context_id": "假期.md"},
        {"id": "c", "question": "Who pays?", "answers": [], "context_id": "leave.md", "unanswerable": True},
    ]
    for name, items in {"corpus.jsonl": texts, "qa.jsonl": asked}.items():
        (folder / name).write_text("".join(json.dumps(item) + "\n" for item in items), "utf-8")
    work = tmp_path / "work"
    done = indexed("eval", str(folder), "--work", str(work), "--json", "--limit", "2", "--seed", "3")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert (run["dataset"], run["questions"], run["documents"], run["seed"]) == ("town", 2, 4, 3)
    assert {name for row in run["rows"] for name in row["expected"]} <= {"leave.md", "假期.md"}
    (tmp_path / "a.json").write_text(done.stdout, "utf-8")
    for name, tokens in (("small", 64), ("large", 128)):
        (tmp_path / f"{name}.toml").write_text(f"[chunking]\nchunk_tokens = {tokens}\n", "utf-8")
    paths = [str(tmp_path / name) for name in ("small.toml", "large.toml")]
    both = indexed("eval", str(folder), "--work", str(work), "--compare", *paths, "--html", str(tmp_path / "c.html"))
    assert both.returncode == 0, both.stderr
    assert both.stdout.splitlines()[0].split()[:3] == ["figure", "small", "large"]
    assert "</table>" in (tmp_path / "c.html").read_text("utf-8")
    assert len(list((work / "town").glob("index-*"))) == 3
    again = indexed("eval", "--compare", str(tmp_path / "a.json"), str(tmp_path / "a.json"), "--json")
    assert {one["p_value"] for one in json.loads(again.stdout)["differences"]} == {1.0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("eval",), "Missing argument DATASET"),
        (("eval", "questions.toml", "--compare", "questions.toml", "out.json"), "--compare takes two runs alone"),
        (("eval", "--compare", "questions.toml", "questions.toml"), "--compare takes two runs alone"),
        (("eval", "docs"), "holds no data set"),
        (("eval", "--compare", "out.json", "out.json"), "is not a run"),
    ],
)
def test_wrong_usage(indexed: Terminal, words: tuple[str, ...], said: str) -> None:
    (indexed.folder / "out.json").write_text("[]", "utf-8")
    done = indexed(*words)
    assert done.returncode == 2
    assert said in done.stderr
