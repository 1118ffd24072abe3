"""The figures of an evaluation, on cases that can be checked by eye."""

from __future__ import annotations

import math

import pytest

from ragkit.evaluation.ranked import ranked_scores


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
