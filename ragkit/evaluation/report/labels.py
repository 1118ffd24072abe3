"""The names of the figures, as people read them."""

from __future__ import annotations

from ragkit.i18n.messages import Message

FIGURE_LABELS = {
    "ndcg@10": Message("nDCG@10"),
    "mrr": Message("MRR"),
    "recall@1": Message("recall@1"),
    "recall@5": Message("recall@5"),
    "recall@10": Message("recall@10"),
    "precision@1": Message("precision@1"),
    "precision@5": Message("precision@5"),
    "precision@10": Message("precision@10"),
    "char_recall": Message("recall of characters"),
    "char_precision": Message("precision of characters"),
    "char_iou": Message("intersection over union"),
    "char_precision_omega": Message("precision-omega"),
    "answer_right": Message("answer holds the expected one"),
    "source_cited": Message("right document cited"),
    "quotes_verified": Message("quotes verified"),
    "refusal_precision": Message("refusals: precision"),
    "refusal_recall": Message("refusals: recall"),
    "refusal_f1": Message("refusals: F1"),
    "wrong_refusals": Message("answerable, but refused"),
}
TIME_LABELS = {"search": Message("search, ms"), "ask": Message("ask, ms")}


def label(name: str) -> Message:
    return FIGURE_LABELS.get(name) or TIME_LABELS[name.removesuffix("_ms")]


def number(name: str, value: float) -> str:
    """Returns a figure as it is shown: shares with three decimals, times with one."""
    return f"{value:.1f}" if name.endswith("_ms") else f"{value:.3f}"


def signed(name: str, value: float) -> str:
    return f"{value:+.1f}" if name.endswith("_ms") else f"{value:+.3f}"
