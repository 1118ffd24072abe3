"""The benchmark of the embedded default: how it judges, and a whole run over a tiny set."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.embedded import Asked, Searched, sample, summary
from ragkit.evaluation.scoring.judging import holds_gold, normalised, percentile, without_markers
from ragkit.models.embedded.e5 import weights_path
from tests.helpers.paths import CHECKOUT
from tests.helpers.question_sets import EN, EN_QUESTIONS, ZH, ZH_QUESTIONS, write_set

BENCH = CHECKOUT / "bench" / "embedded.py"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The “Panthers”,\n gave up 308!", " the panthers gave up 308 "),
        ("黑豹队的防守只丢了 308分。", " 黑 豹 队 的 防 守 只 丢 了 308 分 "),
        ("ＡＢＣ　１２３", " abc 123 "),
        ("…", "  "),
    ],
)
def test_a_text_is_cut_to_words_and_chinese_characters(text: str, expected: str) -> None:
    assert normalised(text) == expected


@pytest.mark.parametrize(
    ("text", "gold", "right"),
    [
        ("It gave up just 308 points.", ["308"], True),
        ("It gave up 1308 points.", ["308"], False),
        ("He spoke of the Norse-men.", ["the norse men"], True),
        ("He spoke of Norsemen.", ["Norse"], False),
        ("Nothing of the kind.", ["absent", "the kind"], True),
        ("黑豹队只丢了３０８分。", ["308 分"], True),
        ("黑豹队只丢了1308分。", ["308"], False),
        ("曾以「136 次」擒杀", ["136次"], True),
        ("长江全长六千公里", ["黄河"], False),
        ("Anything.", [], False),
        ("Anything at all.", ["!"], False),
    ],
)
def test_a_gold_answer_counts_as_whole_words(text: str, gold: list[str], right: bool) -> None:
    assert holds_gold(text, gold) is right


def test_a_marker_is_no_part_of_an_answer() -> None:
    assert without_markers("“It opens at nine.” [1]\n“早上九点开门。” [2]") == "“It opens at nine.”\n“早上九点开门。”"


@pytest.mark.parametrize(("percent", "expected"), [(0, 1.0), (50, 2.0), (75, 3.0), (95, 4.0), (100, 4.0)])
def test_percentiles_are_measured_values(percent: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == expected


def test_a_sample_is_the_same_for_a_seed() -> None:
    values = list(range(100))
    assert sample(values, 5, "1") == sample(values, 5, "1") != sample(values, 5, "2")
    assert sorted(sample(values, 0, "1")) == sorted(sample(values, 1000, "1")) == values


def asked(kind: str, *, refused: bool, right: bool) -> Asked:
    return Asked(kind, "?", ("九点",), "p0", "九点开门", refused, right, 2, 1, 10.0)


def test_each_rate_counts_its_own_questions() -> None:
    searched = [
        Searched("en", 1, 2, 5.0, 1.0, True, 100),
        Searched("zh", 3, None, 7.0, 1.0, False, 300),
    ]
    figures = summary(
        searched,
        [
            asked("answerable", refused=False, right=True),
            asked("answerable", refused=False, right=False),
            asked("answerable", refused=True, right=False),
            asked("answerable", refused=False, right=True),
            asked("removed", refused=True, right=False),
            asked("removed", refused=False, right=True),
        ],
    )
    assert figures["questions"] == {"answerable": 4, "on topic": 0, "removed": 2}
    assert (figures["hit_at_1"], figures["hit_at_5"]) == (0.5, 1.0)
    assert (figures["floor_hit_at_1"], figures["floor_hit_at_5"]) == (0.0, 0.5)
    assert (figures["answer_rate"], figures["answer_rate_given"]) == (0.5, pytest.approx(2 / 3))
    assert (figures["wrong_refusals"], figures["right_refusals_removed"]) == (0.25, 0.5)
    assert figures["right_refusals_on_topic"] is None
    assert figures["citations_verified"] == 0.5


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCH), *words], capture_output=True, encoding="utf-8", check=False, timeout=300
    )


@pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")
def test_a_whole_run_over_a_tiny_set(tmp_path: Path) -> None:
    write_set(tmp_path / "squad2_dev_part", EN, EN_QUESTIONS)
    write_set(tmp_path / "xquad_zh", ZH, ZH_QUESTIONS)
    report, page = tmp_path / "report.json", tmp_path / "page.md"
    done = run(str(tmp_path), "--questions", "0", "--json", str(report), "--out", str(page))
    assert done.returncode == 0, done.stderr
    assert "drcd_dev: skipped, the folder has no drcd_dev/qa.jsonl" in done.stderr
    assert "| | xquad_zh | squad2_dev_part |" in done.stdout
    assert str(tmp_path) not in page.read_text("utf-8")
    sets = json.loads(report.read_text("utf-8"))["sets"]
    assert sets["xquad_zh"]["questions"] == {"answerable": 3, "on topic": 0, "removed": 1}
    assert sets["squad2_dev_part"]["questions"] == {"answerable": 3, "on topic": 1, "removed": 1}
    for figures in sets.values():
        assert figures["hit_at_1"] == figures["answer_rate"] == figures["citations_verified"] == 1.0
        [removed] = [row for row in figures["asked"] if row["kind"] == "removed"]
        assert not removed["right"], "the paragraph that held the answer was taken out"
        assert figures["peak_mb"] > 50
        assert figures["texts_per_s"] > 0


def test_a_folder_without_any_set_is_said(tmp_path: Path) -> None:
    done = run(str(tmp_path))
    assert done.returncode == 1
    assert "none of xquad_en, xquad_zh" in done.stderr
