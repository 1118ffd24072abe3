"""The demonstration on the embedded default: real files, real questions, no server, no network."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.models.embedded.e5 import weights_path
from ragkit.text.quotes import find_quote
from tests.helpers.paths import CHECKOUT

QUESTIONS = tomllib.loads((CHECKOUT / "tests/data/sample_questions.toml").read_text("utf-8"))["question"]
ANSWERABLE = [q for q in QUESTIONS if not q.get("unanswerable")]
pytestmark = pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RagKit]:
    config, _ = resolve(CHECKOUT / "configs/embedded.toml", environ={})
    with RagKit.open(tmp_path_factory.mktemp("index"), config) as opened:
        report = opened.index([CHECKOUT / "sample_docs"])
        assert {outcome.state for outcome in report.outcomes} == {"added"}
        assert len(report.outcomes) == 12
        yield opened


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["ask"])
def test_the_place_of_the_answer_is_what_a_person_finds(kit: RagKit, question: dict[str, Any]) -> None:
    document = kit.document(str(CHECKOUT / "sample_docs" / question["source"]))
    assert document is not None
    span = find_quote(question["quote"], document.text)
    assert span is not None
    place = document.place(span[0])
    assert place.page == question.get("page")
    if "line" in question:
        assert place.line == question["line"]


def test_most_answers_quote_the_right_place(kit: RagKit) -> None:
    """Of 20 answerable questions, 2 of them across languages; of 4 that the documents do not answer."""
    right, proved, refused = [], [], []
    for question in QUESTIONS:
        answer = kit.ask(question["ask"])
        if question.get("unanswerable"):
            refused.append(answer.refused)
            continue
        document = kit.document(str(CHECKOUT / "sample_docs" / question["source"]))
        assert document is not None
        span = find_quote(question["quote"], document.text)
        assert span is not None
        cited = [c for c in answer.citations if c.source == document.source and c.start < span[1] and span[0] < c.end]
        right.append(bool(cited))
        proved += [citation.verified for citation in answer.citations]
    assert sum(right) >= 15
    assert sum(refused) >= 1
    assert all(proved)


def test_an_answer_states_only_what_a_document_says(kit: RagKit) -> None:
    answer = kit.ask("机房温度达到多少度会触发 A1 报警？")
    assert answer.mode == "extractive"
    assert [Path(c.source).name for c in answer.citations if c.verified] == ["equipment-room-zh.txt"]
    assert "29 摄氏度" in answer.text
    document = kit.document(answer.citations[0].source)
    assert document is not None
    assert document.text[answer.citations[0].start : answer.citations[0].end].startswith("机房温度达到 29")
