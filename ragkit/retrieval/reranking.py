"""The two rerankers: by the sentence of each passage that is nearest to the question, and by a language model.

A passage is found by what it says as a whole; a question is mostly answered by one sentence. On eight public sets
(docs/retrieval.md) the nearest sentences order the first five passages better than the passages do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np

from ragkit.retrieval import chat_prompts
from ragkit.text import terms
from ragkit.text.fencing import PASSAGE_OVERHEAD_TOKENS
from ragkit.text.sentences import quotable_sentences
from ragkit.types.documents import EmbedFault, Vector
from ragkit.types.ports import Chat, Embedder, complete
from ragkit.types.search import CosineBaseline, Hit, ReadChunk

_MAX_SENTENCES = 10  # sentences of one passage that are embedded


class SentenceReranker:
    """Adds to the score of a passage the cosine of its nearest sentence, in standard deviations of the cosine of an
    ordinary chunk. The old scores are then given to the passages in the new order, so that they still say how strong a
    passage is."""

    depth = 5
    keeps_scores = True

    def __init__(self, embedder: Embedder, ordinary: Callable[[Vector], CosineBaseline]) -> None:
        """`ordinary` tells how near an ordinary chunk of the index is to a question."""
        self._embedder = embedder
        self._ordinary = ordinary

    def rerank(self, question: str, vector: Vector, ranked: Sequence[Hit], read: ReadChunk) -> list[Hit]:
        best, ordinary = ranked[: self.depth], self._ordinary(vector)
        sentences = [_sentences(question, hit, read) for hit in best]
        embedded = iter(self._embedder.embed_documents([one for some in sentences for one in some]))
        points = []
        for hit, some in zip(best, sentences, strict=True):
            vectors = [one for one in islice(embedded, len(some)) if not isinstance(one, EmbedFault)]
            cosines = [float(np.dot(vector, one)) for one in vectors]
            whole = ordinary.mean if hit.similarity is None else hit.similarity
            points.append(hit.score + max(cosines, default=whole) / ordinary.deviation)
        order = sorted(range(len(best)), key=lambda place: -points[place])
        moved = [best[place]._replace(rank=hit.rank, score=hit.score) for place, hit in zip(order, best, strict=True)]
        return [*moved, *ranked[self.depth :]]


class ChatReranker:
    """Asks a language model which passages help to answer, at the cost of one request. Passages that it does not name
    keep their order behind those that it names."""

    depth = 20
    keeps_scores = False

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def rerank(self, question: str, vector: Vector, ranked: Sequence[Hit], read: ReadChunk) -> list[Hit]:  # noqa: ARG002
        texts = self._fitting([read(hit.ref.id).text for hit in ranked[: self.depth]])
        best: list[int] = []
        if len(texts) > 1:
            reply = complete(self._chat, chat_prompts.rerank_prompt(question, texts))
            best = chat_prompts.read_order(reply.text, len(texts))
        rest = [place for place in range(len(ranked)) if place not in set(best)]
        return [ranked[place]._replace(rank=rank) for rank, place in enumerate([*best, *rest], 1)]

    def _fitting(self, texts: Sequence[str]) -> list[str]:
        """Returns the first of `texts`, as many as fit into half of the model's window."""
        room = max(self._chat.window_tokens - self._chat.answer_tokens, 0) // 2
        found: list[str] = []
        for text in texts:
            room -= self._chat.count_tokens(text) + PASSAGE_OVERHEAD_TOKENS
            if room < 0:
                break
            found.append(text)
        return found


def _sentences(question: str, hit: Hit, read: ReadChunk) -> list[str]:
    """Returns the sentences of a chunk; where they are many, those with the most words of the question."""
    chunk = read(hit.ref.id)
    found = list(quotable_sentences(chunk.text, chunk.heading_path))
    if len(found) <= _MAX_SENTENCES:
        return found
    matcher = terms.Matcher(terms.query_terms(question))
    return sorted(found, key=lambda sentence: -len(matcher.count(sentence)))[:_MAX_SENTENCES]
