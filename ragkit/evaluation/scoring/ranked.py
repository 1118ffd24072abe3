"""Figures of rankings, computed by trec_eval, which is the reference of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ragkit.types.errors import InputError

MEASURES = {
    "ndcg@10": "ndcg_cut.10",
    "mrr": "recip_rank",
    "recall@1": "recall.1",
    "recall@5": "recall.5",
    "recall@10": "recall.10",
    "precision@1": "P.1",
    "precision@5": "P.5",
    "precision@10": "P.10",
}
_NOTHING = "(nothing)"


def ranked_scores(
    rankings: Mapping[str, Sequence[str]], relevant: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, float]]:
    """Returns question -> measure -> 0 to 1 for the questions that something is relevant to. A ranking is best
    first and names nothing twice; one that is missing or empty scores 0.

    Raises InputError without the extra `eval`.
    """
    try:
        import pytrec_eval
    except ImportError as exc:
        raise InputError(
            "The library that computes the figures is not installed.",
            hint='Run: python -m pip install "ragkit-docqa[eval]"',
        ) from exc
    judged = {name: dict(grades) for name, grades in relevant.items() if grades}
    evaluator = pytrec_eval.RelevanceEvaluator(judged, set(MEASURES.values()))
    # trec_eval orders by score, so the rank becomes one; an empty ranking would not be scored at all.
    runs = {
        name: {document: -float(rank) for rank, document in enumerate(rankings.get(name) or [_NOTHING])}
        for name in judged
    }
    scores = evaluator.evaluate(runs)
    return {
        name: {ours: found[theirs.replace(".", "_")] for ours, theirs in MEASURES.items()}
        for name, found in scores.items()
    }
