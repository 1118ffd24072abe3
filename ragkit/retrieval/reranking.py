"""The best passages in a new order: by the sentence of each that is nearest to the question, or by a chat model.

A passage is found by what it says as a whole; a question is mostly answered by one sentence. On eight public sets
(docs/retrieval.md) the nearest sentences order the first five passages better than the passages do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from ragkit.config.sections import RetrievalConfig
from ragkit.retrieval.fusion import Hit
from ragkit.retrieval.selection import ReadChunk
from ragkit.text import terms
from ragkit.text.sentences import quotable
from ragkit.types.documents import EmbedFault, Vector
from ragkit.types.ports import Assistant, Embedder
from ragkit.types.search import CosineBaseline

_CHAT_PASSAGES = 20  # the best passages that a language model puts in order
_PASSAGES = 5  # that are put in order by their sentences
_SENTENCES = 10  # of a passage that are embedded: those with the most words of the question


def passages(settings: RetrievalConfig) -> int:
    """How many of the best are put in order anew."""
    return {"chat": _CHAT_PASSAGES, "sentences": _PASSAGES}.get(settings.rerank, 0)


def by_sentences(
    question: str, vector: Vector, ranked: Sequence[Hit], read: ReadChunk, embedder: Embedder, ordinary: CosineBaseline
) -> list[Hit]:
    """To a passage's score comes the cosine of its nearest sentence, in standard deviations of an ordinary chunk's.
    The scores are dealt out in the new order: they stay what a passage's score is measured by. Raises ModelError."""
    best = ranked[:_PASSAGES]
    sentences = [_sentences(question, hit, read) for hit in best]
    embedded = iter(embedder.embed_documents([one for some in sentences for one in some]))
    points = []
    for hit, some in zip(best, sentences, strict=True):
        cosines = [float(np.dot(vector, one)) for one in islice(embedded, len(some)) if not isinstance(one, EmbedFault)]
        whole = ordinary.mean if hit.similarity is None else hit.similarity
        points.append(hit.score + max(cosines, default=whole) / ordinary.deviation)
    order = sorted(range(len(best)), key=lambda place: -points[place])
    dealt = [best[place]._replace(rank=hit.rank, score=hit.score) for place, hit in zip(order, best, strict=True)]
    return [*dealt, *ranked[_PASSAGES:]]


def by_assistant(question: str, ranked: Sequence[Hit], read: ReadChunk, assistant: Assistant) -> list[Hit]:
    """In the order of a chat model. Raises ModelError."""
    best = assistant.reranked(question, [hit.with_text(read(hit.ref.id)) for hit in ranked[:_CHAT_PASSAGES]])
    rest = [at for at in range(len(ranked)) if at not in set(best)]
    return [ranked[at]._replace(rank=rank) for rank, at in enumerate([*best, *rest], 1)]


def _sentences(question: str, hit: Hit, read: ReadChunk) -> list[str]:
    chunk = read(hit.ref.id)
    found = list(quotable(chunk.text, chunk.heading_path))
    if len(found) <= _SENTENCES:
        return found
    matcher = terms.Matcher(terms.query_terms(question))
    return sorted(found, key=lambda sentence: -len(matcher.count(sentence)))[:_SENTENCES]
