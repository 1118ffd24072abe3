"""Whether a passage looks enough like an answer to be quoted: by a table where the embedding model was measured,
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
QUESTIONS = 48  # sentences that are put to them
MIN_PASSAGES = 24  # passages; fewer tell nothing about the others

_COVER_WEIGHT = 4.0  # of the share of the question's words, in deviations
_BEATS = 0.6  # of the sentences that a question has to score higher than
_WORDS_ALONE = 0.5  # share of the question's weighted words, where nothing else can be told
_CHOICE_WEIGHT = 3.0  # as retrieval ranks: the best passage by deviations and words


WORDS = EvidenceThreshold("words", _WORDS_ALONE, _COVER_WEIGHT)

# By a part of the model's name. On 250 questions each of XQuAD (en, zh), DRCD and SQuAD 2.0, every paragraph a file,
# 0.95 refuses 4.5 % of the questions and 65 % of those whose paragraph was taken away; 0.955: 5.3 and 68 %, 0.941:
# 3.1 and 60 %. Sentences, the lead over the next passages and a regression over all of
# these did no better on a set that they were not fitted to.
_MEASURED: Mapping[str, EvidenceThreshold] = {"multilingual-e5-small": EvidenceThreshold("cosine", 0.95, 0.3)}


def measured(model: str) -> EvidenceThreshold | None:
    """The threshold of an embedding model that is in the table."""
    return next(
        (threshold for name, threshold in _MEASURED.items() if name in model.casefold().replace("_", "-")), None
    )


@dataclass(frozen=True, slots=True)
class Probe:
    """A sentence put to a sample of an index's passages."""

    own: int  # the place of the passage that it is from
    similarities: Sequence[float]  # to each passage
    covers: Sequence[float]  # the share of its words in each


def of_index(probes: Sequence[Probe]) -> EvidenceThreshold:
    """A threshold in deviations: what `_BEATS` of the probes score where their own passage is not looked at."""
    scores = sorted(_best_elsewhere(probe) for probe in probes)
    return EvidenceThreshold("deviations", scores[min(int(len(scores) * _BEATS), len(scores) - 1)], _COVER_WEIGHT)


def ordinary(similarities: Sequence[float]) -> CosineBaseline:
    mean, deviation = mean_and_deviation(similarities)
    return CosineBaseline(mean, max(deviation, 0.01))


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Of the values themselves, not of a sample. The module `statistics` takes longer to import than this."""
    mean = fsum(values) / len(values)
    return mean, sqrt(fsum((float(value) - mean) ** 2 for value in values) / len(values))


def _best_elsewhere(probe: Probe) -> float:
    usual = ordinary(probe.similarities)
    others = [
        ((near - usual.mean) / usual.deviation, cover)
        for at, (near, cover) in enumerate(zip(probe.similarities, probe.covers, strict=True))
        if at != probe.own
    ]
    best = max(others, key=lambda one: one[0] + _CHOICE_WEIGHT * one[1])
    return best[0] + _COVER_WEIGHT * best[1]
