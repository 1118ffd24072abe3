"""Fusing what the dense and the lexical search found into one order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ragkit import chunking, terms
from ragkit.types import Chunk, DenseHits, ScoredChunk


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the two searches found for one question."""

    chunks: Mapping[str, Chunk]  # id -> chunk, of both searches
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


def fuse(found: Candidates, cover_weight: float) -> list[ScoredChunk]:
    """All candidates, best first: the cosine in standard deviations above an ordinary chunk, plus
    `cover_weight` times the share of the question's weighted words that the chunk holds.

    The share cannot drown the meaning as a raw BM25 score can, and is near 0 where only common
    words are shared. Ties are broken by the chunk's id.
    """
    dense_ranks = {name: rank for rank, name in enumerate(found.dense.similarities, 1)}
    lexical_ranks = {name: rank for rank, name in enumerate(found.lexical, 1)}
    scored = []
    for name, chunk in found.chunks.items():
        similarity = found.similarities.get(name)
        share = terms.cover(found.term_weights, frozenset(terms.document_terms(chunking.embedding_text(chunk))))
        nearness = 0.0 if similarity is None else (similarity - found.dense.mean) / found.dense.deviation
        scored.append((nearness + cover_weight * share, name, chunk, similarity, share))
    scored.sort(key=lambda item: (-item[0], item[1]))
    return [
        ScoredChunk(chunk, score, rank, dense_ranks.get(name), lexical_ranks.get(name), similarity, share)
        for rank, (score, name, chunk, similarity, share) in enumerate(scored, 1)
    ]
