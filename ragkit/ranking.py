"""Fusing what the dense and the lexical search found into one order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from os.path import basename, splitext

from ragkit import terms
from ragkit.config import RetrievalConfig
from ragkit.types import Chunk, DenseHits, ScoredChunk

_TRUSTED_COVER = (0.1, 0.4)  # of the best candidate: from no trust in shared words to all of it
ALIKE = 0.4  # weight of the score of a passage's double, beside 1 for its own


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the two searches found for one question."""

    chunks: Mapping[str, Chunk]  # id -> chunk, of both searches
    openings: Mapping[str, str]  # source -> id of the first chunk, of the documents that a later one was found of
    dense: DenseHits
    lexical: Mapping[str, float]  # id -> BM25, best first
    similarities: Mapping[str, float]  # id -> cosine, of every candidate that has a vector
    term_weights: Mapping[str, float]  # of the question's terms
    term_scores: Mapping[str, Mapping[str, float]]  # term -> its share of the BM25 of each that holds it, by id


def term_weights(question_terms: tuple[str, ...], frequencies: Mapping[str, int], chunks: int) -> dict[str, float]:
    """The inverse document frequency of each term: ln(1 + (N - n + 0.5) / (n + 0.5)), as in BM25
    (Robertson and Zaragoza 2009). A term that occurs nowhere weighs as much as one that occurs once:
    a question about an unknown word must not look answered by the rest of its words."""
    weights = {}
    for term in question_terms:
        n = max(frequencies.get(term, 0), 1)
        weights[term] = math.log(1 + max(chunks - n, 0) + 0.5) - math.log(n + 0.5) + 0.1
    return {term: max(weight, 0.05) for term, weight in weights.items()}


class Fusion:
    """One order of all candidates of a question. Four things speak for a chunk: its cosine, in standard
    deviations above an ordinary chunk; its BM25 score, as a share of the best candidate's; the share of the
    question's weighted words that it holds; and the share that its document's name and opening hold, which say
    whose report it is and of when, as the chunk itself seldom does.

    The shares cannot drown the meaning as a raw BM25 score can. Where no candidate holds much of the
    question, as across languages, BM25 has nothing to say: its weight is `trust` of the whole one.
    """

    def __init__(self, found: Candidates, settings: RetrievalConfig) -> None:
        chunks = found.chunks
        held = _held(found)
        words = dict.fromkeys(chunks, 0.0)
        for term, names in held.items():
            scores, once = found.term_scores.get(term, {}), found.term_weights[term]
            for name in names & words.keys():
                words[name] += scores.get(name, once)
        most = max(words.values(), default=0.0) or 1.0
        self._found = found
        self._covers = _covers(held, found.term_weights, words)
        low, high = _TRUSTED_COVER
        self.trust = min(max((max(self._covers.values(), default=0.0) - low) / (high - low), 0.0), 1.0)
        telling = {term: weight**2 for term, weight in found.term_weights.items()}  # as in a product of tf-idf vectors
        told = _covers(held, telling, [*words, *found.openings.values()])
        self._words = {
            name: settings.words_weight * self.trust * words[name] / most
            + settings.cover_weight * told[name]
            + settings.document_weight * told[found.openings.get(chunk.source, name)]
            for name, chunk in chunks.items()
        }

    def scores(self, nearness: DenseHits) -> dict[str, float]:
        """The score of every candidate, by the cosines of `nearness`."""
        near, mean, deviation = nearness.similarities, nearness.mean, nearness.deviation
        return {
            name: words + (near[name] - mean) / deviation if name in near else words
            for name, words in self._words.items()
        }

    def ranked(self, scores: Mapping[str, float]) -> list[ScoredChunk]:
        """All candidates, best first. Ties are broken by the chunk's id."""
        found = self._found
        dense_ranks = {name: rank for rank, name in enumerate(found.dense.similarities, 1)}
        lexical_ranks = {name: rank for rank, name in enumerate(found.lexical, 1)}
        return [
            ScoredChunk(
                chunk=found.chunks[name],
                score=scores[name],
                rank=rank,
                dense_rank=dense_ranks.get(name),
                lexical_rank=lexical_ranks.get(name),
                similarity=found.similarities.get(name),
                cover=self._covers[name],
            )
            for rank, name in enumerate(_best_first(scores), 1)
        ]


def merged(lists: Sequence[Sequence[ScoredChunk]]) -> list[ScoredChunk]:
    """Several rankings as one: each chunk by its best rank, the first list first. Sums of reciprocal ranks
    would put what is middling in every list above what one query alone finds, as a translation does."""
    found: dict[str, ScoredChunk] = {}
    for hit in sorted((hit for ranked in lists for hit in ranked), key=lambda hit: hit.rank):  # stable
        found.setdefault(hit.chunk.id, hit)
    return [replace(hit, rank=rank, score=1 / rank) for rank, hit in enumerate(found.values(), 1)]


def feedback(scores: Mapping[str, float], most: int, trust: float) -> dict[str, float]:
    """The best chunks, id -> weight: what is likely to be like the answer.

    The weights sum to `trust` where the best are equals: then the question is about what they have in common. The
    more one of them stands out, the less they sum to: a question with one answer is not to be moved away from it.
    """
    best = _best_first(scores)[:most]
    odds = [math.exp(scores[name] - scores[best[0]]) for name in best]
    total = sum(odds)
    shares = [one / total for one in odds]
    equals = 1 / sum(share**2 for share in shares)  # 1, if one has it all, to as many as there are
    moved = trust * (equals - 1) / max(len(best) - 1, 1)
    return {name: moved * share for name, share in zip(best, shares, strict=True)}


def dealt_anew(scores: Mapping[str, float], smooth: Mapping[str, float]) -> dict[str, float]:
    """The scores in the order of `smooth`, where a chunk's score is averaged with those most like it: what answers
    a question comes in groups (Diaz 2005). The first stays the first: for a question with one answer, that is the
    likely one. The scores are those of before, dealt out in the new order: averages lie closer together, and would
    make weak chunks look strong."""
    before = _best_first(scores)
    order = before[:1] + [name for name in _best_first({**scores, **smooth}) if name != before[0]]
    return {name: scores[place] for name, place in zip(order, before, strict=True)}


def by_one_search(found: Candidates, ranked: Sequence[ScoredChunk], mode: str) -> list[ScoredChunk]:
    """`ranked` in the order of the dense or the lexical search alone, without what it did not find."""
    order = {name: at for at, name in enumerate(found.dense.similarities if mode == "dense" else found.lexical)}
    kept = sorted((hit for hit in ranked if hit.chunk.id in order), key=lambda hit: order[hit.chunk.id])
    return [replace(hit, rank=rank) for rank, hit in enumerate(kept, 1)]


def _held(found: Candidates) -> dict[str, set[str]]:
    """term -> the chunks that hold it, or whose document has it in its name."""
    held = {term: set(found.term_scores.get(term, ())) for term in found.term_weights}
    matcher = terms.Matcher(found.term_weights)
    of_source: dict[str, list[str]] = {source: [name] for source, name in found.openings.items()}
    for name, chunk in found.chunks.items():
        of_source.setdefault(chunk.source, []).append(name)
    if matcher.count("\n".join(map(_stem, of_source))):  # most questions name no document
        for source, names in of_source.items():
            for term in matcher.count(_stem(source)):
                held[term].update(names)
    return held


@lru_cache(maxsize=65_536)
def _stem(source: str) -> str:
    return splitext(basename(source))[0]  # noqa: PTH119, PTH122  (PurePath takes many times as long)


def _covers(held: Mapping[str, Iterable[str]], weights: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """The share, 0 to 1, of the weight of the question's terms that each chunk holds."""
    covers = dict.fromkeys(names, 0.0)
    total = sum(weights.values())
    for term, weight in weights.items():
        for name in held[term]:
            if name in covers:
                covers[name] += weight / total
    return covers


def _best_first(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda name: (-scores[name], name))
