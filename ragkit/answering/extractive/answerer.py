"""Answers by quoting, with any embedding model: the sentences nearest to the question, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ragkit.answering import prompts
from ragkit.answering.extractive import evidence
from ragkit.answering.extractive.evidence import Probe
from ragkit.answering.extractive.sentences import (
    ScoredSentence,
    candidate_sentences,
    choose_quotes,
    quote_line,
    rank_sentences,
)
from ragkit.retrieval import fusion
from ragkit.text import terms
from ragkit.text.sentences import sentence_spans
from ragkit.types.answers import Completion, Context, ContextLedger, QuestionImages, Turn
from ragkit.types.documents import EmbedFault, Vector
from ragkit.types.ports import Embedder
from ragkit.types.search import CosineBaseline, EvidenceThreshold, Passage

Matrix: TypeAlias = "npt.NDArray[np.float32]"

_PASSAGE_TOKENS = 3000  # what is read for an answer: about a dozen chunks
_MAX_SENTENCES = 48  # sentences that are embedded for one question, at about ten milliseconds each
_MAX_QUOTES = 2
# How much worse than the best sentence a quoted one may be, in the units of `rank_sentences`: at 1, 86 % of answers
# hold the expected one; at 1.5, 87 %.
_QUOTE_DROP = 1.5
_MIN_CHARACTERS = 16  # the shortest sentence that an index is measured with
_UNKNOWN_BASELINE = CosineBaseline(0.0, 1.0)


class ExtractiveAnswerer:
    """The `Answerer` that quotes the best sentences, or says that the documents do not say."""

    mode = "extractive"
    accepts_images = False
    window_tokens: int | None = None
    passage_tokens = _PASSAGE_TOKENS

    def __init__(
        self,
        embedder: Embedder,
        model: str,
        threshold: Callable[[], EvidenceThreshold] | None = None,
        ordinary: Callable[[Vector], CosineBaseline] = lambda _: _UNKNOWN_BASELINE,
    ) -> None:
        """`threshold` and `ordinary` tell what the index shows; an embedding model that was never measured needs
        them."""
        self._embedder = embedder
        self.model = model
        self._threshold = evidence.known_threshold(embedder.model)
        self._make_threshold = threshold
        self._ordinary = ordinary

    def count_tokens(self, text: str) -> int:
        return self._embedder.count_tokens(text)

    def condense(self, question: str, history: Sequence[Turn]) -> str:
        """Returns a follow-up with the words that it leans on, and any other question as it is."""
        if not history:
            return question
        from ragkit.answering.extractive.followups import condense

        return condense(question, history)

    def answer(self, question: str, context: Context, shown: QuestionImages) -> Iterator[str | Completion]:
        ranked = self.best_sentences("\n".join(filter(None, (question, shown.words))), context)
        if not ranked:
            refusal = prompts.REFUSALS[terms.language(question)]
            yield refusal
            yield Completion(refusal, self.model, refused=True)
            return
        text = "\n".join(map(quote_line, choose_quotes(ranked, _MAX_QUOTES, _QUOTE_DROP)))
        yield text
        yield Completion(text, self.model)

    def retry(self, *_: object) -> Completion | None:
        """Returns None: a second try would quote the same sentences."""
        return None

    def best_sentences(self, question: str, context: Context) -> list[ScoredSentence]:
        """Returns the context's sentences, the likeliest answer first; [] when none of it looks like an answer."""
        query = self._embedder.embed_query(question)
        ranked = self._ranked(question, query, context)
        return ranked if ranked and self._enough(query, context.passages[0]) else []

    def rows(self, question: str, passages: Sequence[Passage]) -> Completion:
        """Quotes the likeliest sentence of each passage that looks like an answer by itself."""
        query = self._embedder.embed_query(question)
        asked = terms.query_terms(question)
        matcher = terms.Matcher(asked)
        found = []
        for passage in passages:
            cover = terms.cover(dict.fromkeys(asked, 1.0), matcher.count(passage.text))
            alone = Context((replace(passage, cover=cover),), ContextLedger(None, 0, 0, (), ()))
            if not self._enough(query, alone.passages[0]):
                continue
            ranked = self._ranked(question, query, alone)
            found += [quote_line(best.sentence) for best in ranked[:1]]
        return Completion("\n".join(found) or "NONE", self.model)

    def _enough(self, query: Vector, best: Passage) -> bool:
        """Says whether a passage looks like an answer to this model, whichever model retrieved it."""
        if self._threshold is None:
            self._threshold = self._make_threshold() if self._make_threshold is not None else evidence.BY_WORDS_ALONE
        [similarity] = cosines(self._embedder, query, [best.text])
        return self._threshold.enough(similarity, best.cover, self._ordinary(query))

    def _ranked(self, question: str, query: Vector, context: Context) -> list[ScoredSentence]:
        """Returns the context's sentences, the likeliest answer first, whether or not they are answers."""
        sentences = candidate_sentences(context.passages, _MAX_SENTENCES)
        near = cosines(self._embedder, query, [sentence.text for sentence in sentences])
        return rank_sentences(question, sentences, near, context.passages)


def measure_threshold(embedder: Embedder, texts: Sequence[str], vectors: Matrix) -> EvidenceThreshold:
    """Returns the evidence threshold of an index, measured with a sample of its passages: their texts, and a row of
    `vectors` for each. Costs a few dozen embeddings."""
    if len(texts) < evidence.MIN_PASSAGES:
        return evidence.BY_WORDS_ALONE
    probes = []
    for own in range(0, len(texts), max(len(texts) // evidence.QUESTIONS, 1)):
        sentence = _middle_sentence(texts[own])
        query = np.asarray(embedder.embed_query(sentence), dtype=np.float32)
        probes.append(Probe(own, (vectors @ query).tolist(), fusion.covers(sentence, texts)))
    return evidence.threshold_from_probes(probes)


def _middle_sentence(text: str) -> str:
    """Returns the middle one of a text's sentences."""
    found = [text[start:end].strip() for start, end in sentence_spans(text)]
    long = [sentence for sentence in found if len(sentence) >= _MIN_CHARACTERS] or [text]
    return long[len(long) // 2]


def cosines(embedder: Embedder, query: Vector, texts: Sequence[str]) -> list[float]:
    """Returns the cosine of each text to the question; 0 for one that cannot be embedded."""
    return [
        0.0 if isinstance(vector, EmbedFault) else sum(a * b for a, b in zip(query, vector, strict=True))
        for vector in embedder.embed_documents(texts)
    ]
