"""What puts one passage above another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.models.embedded.e5 import weights_path
from ragkit.retrieval.fusion import feedback_weights, reorder_keeping_scores
from tests.helpers.prompted_model import opened

REPORTS = {
    "a": "# Harbour branch\n\nThis is the yearly report of the harbour branch on its readers and its loans.",
    "b": "# Mountain branch\n\nThis is the yearly report of the mountain branch on its readers and its loans.",
    "山": "# 山区分馆\n\n本报告说明山区分馆全年的读者人数和借阅册数，由馆员编写。",
    "港": "# 港口分馆\n\n本报告说明港口分馆全年的读者人数和借阅册数，由馆员编写。",
}


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Alike but for their opening and one number."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for number, (name, opening) in enumerate(REPORTS.items()):
        body = (
            f"# 人数\n\n全年到馆读者共 4{number}1 人，比上一年多。"
            if name > "z"
            else f"# Visitors\n\nIn all, 4{number}1 readers came in the year, more than in the year before."
        )
        (folder / f"{name}.md").write_text(f"{opening}\n\n{body}\n", "utf-8")
    return folder


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("How many readers came to the mountain branch?", "b"),
        ("How many readers came to the harbour branch?", "a"),
        ("山区分馆全年到馆读者有多少人？", "山"),
        ("港口分馆全年到馆读者有多少人？", "港"),
    ],
)
def test_the_opening_of_a_document_says_whose_numbers_it_holds(reports: Path, question: str, name: str) -> None:
    with opened(reports) as (kit, _):
        numbers = [hit for hit in kit.search(question) if hit.chunk.ordinal]
        assert Path(numbers[0].chunk.source).stem == name


def test_a_question_is_moved_less_where_one_passage_stands_out() -> None:
    equals = feedback_weights(np.full(5, 2.0), 3, trust=0.5)
    assert list(equals) == [0, 1, 2]
    assert sum(equals.values()) == pytest.approx(0.5)
    one_answer = feedback_weights(np.array([9.0, 2.0, 1.0]), 3, trust=0.5)
    assert one_answer[0] > one_answer[1] > one_answer[2] > 0
    assert sum(one_answer.values()) < 0.01
    assert feedback_weights(np.array([1.0]), 3, trust=1.0) == {0: 0.0}


def test_scores_are_dealt_anew_and_the_first_stays() -> None:
    scores = np.array([5.0, 3.1, 3.0, -1.0])  # the answer, a stranger, the answer's double, the rest
    assert reorder_keeping_scores(scores, np.array([3.5, 1.2, 3.6, -1.0])).tolist() == [5.0, 3.0, 3.1, -1.0]
    assert reorder_keeping_scores(scores, scores).tolist() == scores.tolist()


@pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")
def test_a_question_in_capitals_means_what_it_means_in_small_letters(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("Digital computers help to design band pass filters.\n", "utf-8")
    (folder / "b.md").write_text("The restaurant has room for ninety guests.\n", "utf-8")
    config = resolve(environ={}, flags={"models.backend": "embedded"})[0]
    with RagKit.open(tmp_path / "index", config) as kit:
        kit.index([folder])
        loud, calm = (kit.search(text) for text in ("USE OF COMPUTERS IN FILTERS", "use of computers in filters"))
        assert [(hit.chunk.id, hit.score) for hit in loud] == [(hit.chunk.id, hit.score) for hit in calm]
