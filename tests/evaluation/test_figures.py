"""The figures of an evaluation, on cases that can be checked by eye."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from ragkit.evaluation.data.questions import Question
from ragkit.evaluation.data.run_files import read_run
from ragkit.evaluation.report.page import comparison_page, run_page
from ragkit.evaluation.runs import Row, Run, answer_scores, figures, kinds, latencies_ms, ranking
from ragkit.evaluation.scoring.compare import compare_runs
from ragkit.evaluation.scoring.judging import precision_omega, span_scores
from ragkit.evaluation.scoring.ranked import ranked_scores
from ragkit.frontends.json_shapes.evaluation import run_json
from ragkit.types.answers import Answer, Citation, ContextLedger
from ragkit.types.documents import Chunk, Document, Page, Place
from ragkit.types.errors import InputError
from ragkit.types.search import ScoredChunk


def test_figures_of_rankings() -> None:
    scores = ranked_scores(
        {"en": ["b", "a", "x", "y", "c"], "zh": ["文档一"], "none": []},
        {"en": {"a": 4, "c": 1, "d": 2}, "zh": {"文档一": 1}, "none": {"a": 1}, "unjudged": {}},
    )
    ideal = 4 + 2 / math.log2(3) + 1 / 2
    assert scores["en"] == {
        "ndcg@10": pytest.approx((4 / math.log2(3) + 1 / math.log2(6)) / ideal),
        "mrr": 0.5,
        "recall@1": 0,
        "recall@5": pytest.approx(2 / 3),
        "recall@10": pytest.approx(2 / 3),
        "precision@1": 0,
        "precision@5": pytest.approx(0.4),
        "precision@10": pytest.approx(0.2),
    }
    assert scores["zh"]["ndcg@10"] == scores["zh"]["mrr"] == scores["zh"]["recall@1"] == 1
    assert set(scores["none"].values()) == {0}
    assert "unjudged" not in scores


def chunk(start: int, end: int, source: str = "/a", text: str = "", page: int | None = None) -> Chunk:
    return Chunk(f"{source}{start}", source, 0, text or "x" * (end - start), start, end, Place(page, None), ())


def test_characters_of_chunks() -> None:
    """30 of 40 wanted characters found; 120 read, one chunk twice and one of another document."""
    wanted = [(10, 30), (90, 110)]
    chunks = [("/a", 0, 40), ("/a", 0, 40), ("/a", 90, 100), ("/a", 500, 520), ("/b", 0, 10)]
    assert span_scores(wanted, chunks, "/a") == {
        "char_recall": 30 / 40,
        "char_precision": 30 / 120,
        "char_iou": 30 / (120 + 10),
    }
    assert span_scores(wanted, [], "/a") == {"char_recall": 0, "char_precision": 0, "char_iou": 0}


def test_the_best_precision_that_chunks_allow() -> None:
    wanted = [(10, 30)]
    assert precision_omega(wanted, [chunk(0, 20), chunk(15, 40), chunk(40, 80)]) == 20 / 40
    assert precision_omega(wanted, [chunk(0, 20)]) == 10 / 30
    assert precision_omega(wanted, []) == 0


def test_a_document_stands_where_its_best_chunk_stands() -> None:
    hits = [hit(chunk(0, 5, "/b"), 1), hit(chunk(0, 5, "/a"), 2), hit(chunk(9, 12, "/b"), 3)]
    assert ranking(Question("1", "?"), hits, {"/a": "文档"}, lambda _: None) == ["/b", "文档"]


def test_a_page_and_a_quote_must_be_in_the_chunk() -> None:
    text = "第一页。\n第二页：十五天年假。"
    pages = (Page(1, 0, 5), Page(2, 5, len(text)))
    document = Document("/a", "text/plain", "", text, pages)
    both = chunk(0, len(text), text=text, page=1)
    first = chunk(0, 4, text=text[:4], page=1)
    hits = [hit(first, 1), hit(both, 2)]
    for question in (Question("1", "?", {"/a": 1}, page=2), Question("1", "?", {"/a": 1}, quote="十五 天年假")):
        assert ranking(question, hits, {}, lambda _: document) == [f"/a#{first.id}", "/a"]
    asked = Question("1", "?", {"/a": 1}, page=1)
    assert ranking(asked, hits, {}, lambda _: document) == ["/a"]


def hit(found: Chunk, rank: int) -> ScoredChunk:
    return ScoredChunk(found, 1.0, rank, rank, None, 0.5, 0.5)


def answer(text: str, *, refused: bool = False, cited: str = "/a", verified: bool = True) -> Answer:
    citations = () if refused else (Citation(1, cited, Place(None, 1), 0, 1, text, verified, 1.0),)
    ledger = ContextLedger(None, 0, 0, (), ())
    return Answer("?", "?", text, citations, refused, "extractive", "m", "stop", ledger, (), 0)


def test_answers_and_refusals_add_up() -> None:
    """Three questions have an answer: one gets it, one another with an unverified quote, one a refusal.

    Two have none: one gets a refusal.
    """
    cases = [
        (Question("1", "?", {"a": 1}, answers=("nine",)), answer("It opens at nine. [1]")),
        (Question("2", "几点？", {"a": 1}, answers=("九点",)), answer("十点", cited="/b", verified=False)),
        (Question("3", "?", {"a": 1}, answers=("no",)), answer("The documents do not say.", refused=True)),
        (Question("4", "?", unanswerable=True), answer("文档中没有说明。", refused=True)),
        (Question("5", "?", unanswerable=True), answer("Yes.", cited="/b")),
    ]
    rows = [
        Row(question.id, "?", scores=answer_scores(question, said, {"/a": "a"}, refusals=True))
        for question, said in cases
    ]
    assert figures(rows) == {
        "answer_right": pytest.approx(1 / 3),
        "source_cited": pytest.approx(1 / 3),
        "quotes_verified": pytest.approx(2 / 3),
        "refusal_precision": 1 / 2,
        "refusal_recall": 1 / 2,
        "refusal_f1": 1 / 2,
        "wrong_refusals": pytest.approx(1 / 3),
    }
    assert "refusal_f1" not in answer_scores(cases[0][0], cases[0][1], {}, refusals=False)


def test_latencies_are_of_the_questions_that_have_them() -> None:
    rows = [Row(str(ms), "?", times_ms={"search": float(ms)}) for ms in range(1, 101)]
    assert latencies_ms(rows) == {"search": (50.0, 95.0)}
    assert latencies_ms([]) == figures([]) == kinds([]) == {}


def run_of(scores: list[float], name: str = "answer_right") -> Run:
    rows = tuple(
        Row(str(at), "几点？", scores={name: (score, 1.0)}, times_ms={"search": 1.0}) for at, score in enumerate(scores)
    )
    return Run("town", {}, {}, 3, 0, 1, rows)


def test_a_clear_difference_is_told_from_chance() -> None:
    clear = compare_runs(run_of([0.0] * 40), run_of([1.0] * 30 + [0.0] * 10)).differences[0]
    assert (clear.name, clear.questions, clear.first, clear.second) == ("answer_right", 40, 0.0, 0.75)
    assert clear.p_value < 0.001
    assert 0.5 < clear.low < 0.75 < clear.high < 0.95


def test_the_p_value_of_a_small_case_is_the_exact_one() -> None:
    """Four questions better, none worse: of 2^4 ways to swap, two are as extreme."""
    small = compare_runs(run_of([0.0] * 4), run_of([1.0] * 4)).differences[0]
    assert small.p_value == pytest.approx(2 / 16, abs=0.02)
    same = compare_runs(run_of([0.0, 1.0]), run_of([0.0, 1.0]))
    assert [(one.name, one.p_value, one.low, one.high) for one in same.differences] == [
        ("answer_right", 1.0, 0.0, 0.0),
        ("search_ms", 1.0, 0.0, 0.0),
    ]


def test_the_f1_of_refusals_is_compared_as_a_whole() -> None:
    due, undue, missed = (2.0, 2.0), (0.0, 1.0), (0.0, 1.0)
    first = Run("t", {}, {}, 1, 0, 1, tuple(Row(str(at), "?", scores={"refusal_f1": missed}) for at in range(20)))
    rows = tuple(Row(str(at), "?", scores={"refusal_f1": due if at % 4 else undue}) for at in range(20))
    [difference] = compare_runs(first, replace(first, rows=rows)).differences
    assert (difference.first, difference.second) == (0.0, pytest.approx(30 / 35))


def test_runs_without_a_common_question_cannot_be_compared() -> None:
    other = replace(run_of([1.0]), rows=(Row("0", "When?"),))
    with pytest.raises(InputError, match="no question in common"):
        compare_runs(run_of([1.0]), other)


def test_a_run_comes_back_from_its_json(tmp_path: Path) -> None:
    run = replace(run_of([1.0, 0.0]), settings={"retrieval.k": 8})
    file = tmp_path / "run.json"
    file.write_text(json.dumps(run_json(run), ensure_ascii=False), "utf-8")
    assert read_run(file) == run
    file.write_text("{}", "utf-8")
    with pytest.raises(InputError, match="is not a run"):
        read_run(file)


@pytest.mark.parametrize(("language", "heading"), [("en", "What went wrong"), ("zh", "出错的问题")])
def test_a_page_holds_everything_and_executes_nothing(language: str, heading: str) -> None:
    row = Row(
        "1",
        "<script>alert('几点？')</script>",
        kind="时间",
        expected=("a",),
        found=("b", "a"),
        answer="<b>",
        scores={"ndcg@10": (0.63, 1.0), "answer_right": (0.0, 1.0)},
        times_ms={"search": 12.0, "ask": 150.0},
    )
    page = run_page(Run("<town>", {}, {"ragkit": "1"}, 3, 0, 1, (row,)), language)
    assert heading in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#x27;几点？&#x27;)" in page
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    assert page.count("<meter") == len(figures((row,))) + 11
    assert '<td dir="auto">ask, ms</td><td dir="auto">150</td>' in page or language == "zh"
    other = comparison_page(compare_runs(run_of([0.0, 1.0]), run_of([1.0, 1.0]), ("<A>", "B")), language)
    assert "&lt;A&gt;" in other
    assert "+0.500" in other


def test_a_run_without_anything_judged_still_makes_a_page() -> None:
    page = run_page(Run("town", {}, {}, 0, 0, 1, (Row("1", "?", times_ms={"search": 0.0}),)), "en")
    assert "<h2>Figures</h2>" in page
