"""Fusing what the dense and the lexical search found into one order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import basename, splitext

from ragkit import chunking, terms
from ragkit.config import RetrievalConfig
from ragkit.types import Chunk, DenseHits, ScoredChunk

_TRUSTED_COVER = (0.1, 0.4)  # of the best candidate: from no trust in shared words to all of it
_TELLING = 3.0  # the weight of a term that one chunk in twenty holds
_ENOUGH_TERMS = 3
_ALIKE = 0.4  # weight of the score of a passage's double, beside 1 for its own
_REACH = 0.3  # the difference of cosine that makes a neighbour count a third
_K1, _B = 1.2, 0.75  # of BM25, as in the lexical index


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the two searches found for one question."""

    chunks: Mapping[str, Chunk]  # id -> chunk, of both searches
    openings: Mapping[str, Chunk]  # source -> first chunk, of the documents that a later one was found of
    dense: DenseHits
    lexical: Mapping[str, float]  # id -> BM25, best first
    similarities: Mapping[str, float]  # id -> cosine, of every candidate that has a vector
    term_weights: Mapping[str, float]  # of the question's terms


def term_weights(question_terms: tuple[str, ...], frequencies: Mapping[str, int], chunks: int) -> dict[str, float]:
    """The inverse document frequency of each term: ln(1 + (N - n + 0.5) / (n + 0.5)), as in BM25
    (Robertson and Zaragoza 2009). A term that occurs nowhere weighs as much as one that occurs once:
    a question about an unknown word must not look answered by the rest of its words."""
    weights = {}
    for term in question_terms:
        n = max(frequencies.get(term, 0), 1)
        weights[term] = math.log(1 + max(chunks - n, 0) + 0.5) - math.log(n + 0.5) + 0.1
    return {term: max(weight, 0.05) for term, weight in weights.items()}


def telling(weights: Mapping[str, float]) -> list[str]:
    """The terms to look up: those in more than a twentieth of all chunks, whose long lists cost most and
    tell least, are left out where enough others remain."""
    rare = [term for term, weight in weights.items() if weight >= _TELLING]
    return rare if len(rare) >= _ENOUGH_TERMS else list(weights)


class Fusion:
    """One order of all candidates of a question. Four things speak for a chunk: its cosine, in standard
    deviations above an ordinary chunk; its BM25 score, as a share of the best candidate's; the share of the
    question's weighted words that it holds; and the share that its document's name and opening hold, which say
    whose report it is and of when, as the chunk itself seldom does.

    The shares cannot drown the meaning as a raw BM25 score can. Where no candidate holds much of the
    question, as across languages, BM25 has nothing to say: its weight is `trust` of the whole one.
    """

    def __init__(self, found: Candidates, settings: RetrievalConfig) -> None:
        weights, chunks = found.term_weights, found.chunks
        matcher = terms.Matcher(weights)
        texts = {name: _named_text(chunk) for name, chunk in chunks.items()}
        counts = {name: matcher.count(text) for name, text in texts.items()}
        usual = sum(map(len, texts.values())) / max(len(texts), 1)  # characters
        words = {name: _bm25(weights, counts[name], len(texts[name]) / usual) for name in counts}
        most = max(words.values(), default=0.0) or 1.0
        self._found = found
        self._covers = {name: terms.cover(weights, held) for name, held in counts.items()}
        low, high = _TRUSTED_COVER
        self.trust = min(max((max(self._covers.values(), default=0.0) - low) / (high - low), 0.0), 1.0)
        telling = {term: weight**2 for term, weight in weights.items()}  # as in a product of two tf-idf vectors
        told = {name: terms.cover(telling, held) for name, held in counts.items()}
        opened = {
            source: terms.cover(telling, matcher.count(_named_text(chunk))) for source, chunk in found.openings.items()
        }
        self._words = {
            name: settings.words_weight * self.trust * words[name] / most
            + settings.cover_weight * told[name]
            + settings.document_weight * opened.get(chunk.source, told[name])
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


def among_alike(
    scores: Mapping[str, float], alike: Mapping[str, Mapping[str, float]], trust: float
) -> dict[str, float]:
    """The order anew by the score of each chunk averaged with those most like it (`alike`: id -> cosines), the
    nearer the more: what answers a question comes in groups (Diaz 2005). The first stays the first: for a question
    with one answer, that is the likely one. The scores are those of before, dealt out in the new order: averages lie
    closer together, and would make weak chunks look strong."""
    before = _best_first(scores)
    smooth = {}
    for name, own in scores.items():
        heard, weight = own, 1.0
        for other, cosine in alike.get(name, {}).items():
            share = trust * _ALIKE * math.exp((cosine - 1) / _REACH)
            heard += share * scores[other]
            weight += share
        smooth[name] = heard / weight
    order = before[:1] + [name for name in _best_first(smooth) if name != before[0]]
    return {name: scores[place] for name, place in zip(order, before, strict=True)}


def by_one_search(found: Candidates, ranked: Sequence[ScoredChunk], mode: str) -> list[ScoredChunk]:
    """`ranked` in the order of the dense or the lexical search alone, without what it did not find."""
    order = {name: at for at, name in enumerate(found.dense.similarities if mode == "dense" else found.lexical)}
    kept = sorted((hit for hit in ranked if hit.chunk.id in order), key=lambda hit: order[hit.chunk.id])
    return [replace(hit, rank=rank) for rank, hit in enumerate(kept, 1)]


def _bm25(weights: Mapping[str, float], counts: Mapping[str, int], length: float) -> float:
    """Of a text that is `length` times as long as the others."""
    room = _K1 * (1 - _B + _B * length)
    return sum(weights[term] * times * (_K1 + 1) / (times + room) for term, times in counts.items())


def _best_first(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda name: (-scores[name], name))


def _named_text(chunk: Chunk) -> str:
    stem, _ = splitext(basename(chunk.source))  # noqa: PTH119, PTH122  (PurePath takes many times as long)
    return f"{stem}\n{chunking.embedding_text(chunk)}"
