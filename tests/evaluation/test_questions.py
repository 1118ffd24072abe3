"""A user's own questions: three formats with one meaning, names of documents, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragkit.evaluation.data.binding import bind, unbound
from ragkit.evaluation.data.question_files import read_questions
from ragkit.evaluation.data.questions import Question
from ragkit.types.errors import InputError
from tests.helpers.paths import CHECKOUT

TOML = """
[[question]]
id = "leave"
question = "How much leave is there?"
source = "leave.pdf"
page = 2
quote = "15 days"
answer = "15"
kind = "people"

[[question]]
question = "有游泳池吗？"
unanswerable = true
"""
JSONL = """\ufeff{"id": "leave", "question": "How much leave is there?", "source": "leave.pdf", "page": 2,\
 "quote": "15 days", "answer": "15", "kind": "people"}

{"question": "有游泳池吗？", "unanswerable": true}
"""
CSV = """id,question,source,page,quote,answer,kind,unanswerable
leave,How much leave is there?,leave.pdf,2,15 days,15,people,
,有游泳池吗？,,,,,,true
"""


@pytest.mark.parametrize(("name", "text"), [("q.toml", TOML), ("q.jsonl", JSONL), ("问题.csv", CSV)])
def test_three_formats_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    dataset = read_questions(tmp_path / name)
    assert dataset.questions == (
        Question("leave", "How much leave is there?", {"leave.pdf": 1}, (), 2, "15 days", ("15",), kind="people"),
        Question("2", "有游泳池吗？", unanswerable=True),
    )
    assert not dataset.texts
    assert not dataset.files


def test_the_example_of_the_documentation_is_read(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "evaluation.md").read_text("utf-8")
    (tmp_path / "q.toml").write_text(page.split("```toml\n")[1].split("```")[0], "utf-8")
    first, second, third = read_questions(tmp_path / "q.toml").questions
    assert first.answers == ("30 days",)
    assert (second.page, second.quote, second.kind) == (3, "45 pounds", "prices")
    assert third.unanswerable


def test_several_sources_and_answers(tmp_path: Path) -> None:
    (tmp_path / "q.toml").write_text(
        '[[question]]\nquestion = "?"\nsource = ["a.md", "甲.md"]\nanswer = ["nine", "九点"]\n', "utf-8"
    )
    [question] = read_questions(tmp_path / "q.toml").questions
    assert (question.relevant, question.answers) == ({"a.md": 1, "甲.md": 1}, ("nine", "九点"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no question"),
        ("[[question", "Cannot read"),
        ('[[question]]\nquestion = "?"\nsorce = "a.md"', "question 1: there is no key sorce"),
        ('[[question]]\nsource = "a.md"', "question 1: it has no question"),
        ('[[question]]\nquestion = "?"', "question 1: it has neither source, quote nor answer"),
        ('[[question]]\nquestion = "?"\nanswer = "x"\npage = 1', "question 1: a page or quote needs its source"),
        ('[[question]]\nquestion = "?"\nsource = "a.pdf"\npage = "three"', "question 1: page is not a number"),
        ('[[question]]\nid = "x"\nquestion = "?"\nanswer = "x"\n' * 2, "two questions have the id x"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "q.toml").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        read_questions(tmp_path / "q.toml")
    assert said in str(caught.value)


def test_names_are_the_ends_of_paths(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("question,source\n?,a.md\n?,./x/b.md\n?,甲.md\n?,/docs/y/b.md\n", "utf-8")
    sources = {"/docs/x/a.md": 1, "/docs/x/b.md": 1, "/docs/y/b.md": 1, "/docs/xa.md": 1}
    bound = bind(read_questions(tmp_path / "q.csv"), sources).questions
    assert [name for question in bound for name in question.relevant] == [
        "/docs/x/a.md",
        "/docs/x/b.md",
        "甲.md",
        "/docs/y/b.md",
    ]
    assert [unbound(question, sources) for question in bound] == [[], [], ["甲.md"], []]
    (tmp_path / "q.csv").write_text("question,source\n?,b.md\n", "utf-8")
    with pytest.raises(InputError, match=r"b\.md could be /docs/x/b\.md or /docs/y/b\.md"):
        bind(read_questions(tmp_path / "q.csv"), sources)
