"""Tells whether a passage looks enough like an answer to be quoted: by a table where the embedding model was measured,
else by what the index itself shows.

Cosines of different models are different things: a threshold that refuses one in twenty answerable questions with
one model refuses half of them, or none, with another (docs/answers.md). So an index whose model is not in the table
asks itself: what does the best passage score for something that it does not answer? A sentence of a passage is put
to all passages but its own, a few dozen times; a real question has to do better than most of these do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, sqrt

from ragkit.types.search import CosineBaseline, EvidenceThreshold

SAMPLE = 384  # passages of an index that it is measured on
QUESTIONS = 48  # sentences that are put to these passages
MIN_PASSAGES = 24  # an index with fewer passages is not measured

_COVER_WEIGHT = 4.0  # the weight of the share of the question's words, in deviations
_BEATS = 0.6  # the share of the sentences that a question has to score higher than
_WORDS_ALONE = 0.5  # the share of the question's weighted words that is enough where nothing else can be told
_CHOICE_WEIGHT = 3.0  # the weight of words when the best passage is chosen, about as retrieval ranks

BY_WORDS_ALONE = EvidenceThreshold("words", _WORDS_ALONE, _COVER_WEIGHT)

# The key is a part of the model's name. On 250 questions each of XQuAD (en, zh), DRCD and SQuAD 2.0, every paragraph
# a file, 0.95 refuses 4.5 % of the questions and 65 % of those whose paragraph was taken away; 0.955: 5.3 and 68 %,
# 0.941: 3.1 and 60 %. Sentences, the lead over the next passages and a regression over all of these did no better on
# a set that they were not fitted to.
_MEASURED: Mapping[str, EvidenceThreshold] = {"multilingual-e5-small": EvidenceThreshold("cosine", 0.95, 0.3)}


def known_threshold(model: str) -> EvidenceThreshold | None:
    """Returns the threshold of an embedding model that is in the table, or None."""
    return next(
        (threshold for name, threshold in _MEASURED.items() if name in model.casefold().replace("_", "-")), None
    )


@dataclass(frozen=True, slots=True)
class Probe:
    """A sentence that is put to a sample of an index's passages."""

    own: int  # the place of the passage that the sentence is from
    similarities: Sequence[float]  # cosines of the sentence to each passage
    covers: Sequence[float]  # the share of the sentence's words that each passage holds


def threshold_from_probes(probes: Sequence[Probe]) -> EvidenceThreshold:
    """Returns a threshold in deviations: what `_BEATS` of the probes score where their own passage is not looked
    at."""
    scores = sorted(_best_elsewhere(probe) for probe in probes)
    return EvidenceThreshold("deviations", scores[min(int(len(scores) * _BEATS), len(scores) - 1)], _COVER_WEIGHT)


def cosine_baseline(similarities: Sequence[float]) -> CosineBaseline:
    """Returns how near an ordinary passage is to a question, by the cosines of a sample."""
    mean, deviation = mean_and_deviation(similarities)
    return CosineBaseline(mean, max(deviation, 0.01))


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Returns both for the values themselves, not as a sample of others. The standard library's `statistics` gives
    the same, and takes longer to import."""
    mean = fsum(values) / len(values)
    return mean, sqrt(fsum((float(value) - mean) ** 2 for value in values) / len(values))


def _best_elsewhere(probe: Probe) -> float:
    """Returns what the best passage scores for a sentence that is not from it."""
    usual = cosine_baseline(probe.similarities)
    others = [
        ((near - usual.mean) / usual.deviation, cover)
        for at, (near, cover) in enumerate(zip(probe.similarities, probe.covers, strict=True))
        if at != probe.own
    ]
    best = max(others, key=lambda one: one[0] + _CHOICE_WEIGHT * one[1])
    return best[0] + _COVER_WEIGHT * best[1]
