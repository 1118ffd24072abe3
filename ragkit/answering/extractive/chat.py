"""Serves quoting as a chat model, which answers from the texts that the conversation brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ragkit.answering.extractive import reading_prompts
from ragkit.answering.extractive.answerer import ExtractiveAnswerer, cosines
from ragkit.retrieval import fusion
from ragkit.text import chunking
from ragkit.types.answers import ChatMessage, Completion, Context, ContextLedger, QuestionImages
from ragkit.types.documents import Document
from ragkit.types.ports import CheckIn, Embedder
from ragkit.types.search import Passage

_SPLIT_TOKENS = 256  # texts that come in a conversation are split into passages of this size
_MAX_PASSAGES = 12  # passages that are read for an answer
_PASSAGES_AT_ONCE = 8  # passages that are embedded between two looks at whether the answer is still wanted
_COVER_WEIGHT = 0.3  # the weight of a passage's words beside its cosine, when passages are ranked


class ExtractiveChat:
    """A chat model that quotes: it answers from the texts that the messages bring, and from nothing
    else. With no texts, or weak evidence, it replies that the documents do not say."""

    model = "ragkit-extractive"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._answerer = ExtractiveAnswerer(embedder, f"extractive ({embedder.model})")

    def count_tokens(self, text: str) -> int:
        return self._embedder.count_tokens(text)

    def reply(self, messages: Sequence[ChatMessage], check_in: CheckIn) -> Completion:
        """Returns the whole answer. Raises ModelError, and what `check_in` raises."""
        follow_up = reading_prompts.read_condense_prompt(messages)
        if follow_up is not None:
            return Completion(self._answerer.condense(*follow_up), self.model)
        question, texts = reading_prompts.read_prompt(messages)
        split = [passage for text in texts for passage in self._split(text)]
        passages = self._ranked(question, split, check_in)
        context = Context(passages, ContextLedger(None, 0, 0, (), ()))
        *_, completion = self._answerer.answer(question, context, QuestionImages())
        assert isinstance(completion, Completion)
        return replace(completion, model=self.model)

    def _split(self, text: reading_prompts.SourceText) -> list[Passage]:
        """Splits a text into passages as long as the model reads well, all cited by the text's number."""
        document = Document(source="", media_type="text/plain", title="", text=text.text)
        chunks = chunking.split(document, self.count_tokens, _SPLIT_TOKENS, 0, self._embedder.digest)
        return [
            Passage(text.marker, "", "", chunk.text, chunk.start, chunk.end, chunk.place, (), (), 0.0, None, 0.0)
            for chunk in chunks
        ]

    def _ranked(self, question: str, passages: Sequence[Passage], check_in: CheckIn) -> tuple[Passage, ...]:
        """Returns the best passages, the likeliest first, with what speaks for each, as retrieval does over an
        index."""
        if not passages:
            return ()
        query = self._embedder.embed_query(question)
        near: list[float] = []
        for at in range(0, len(passages), _PASSAGES_AT_ONCE):
            check_in()
            part = passages[at : at + _PASSAGES_AT_ONCE]
            near += cosines(self._embedder, query, [passage.text for passage in part])
        covers = fusion.covers(question, [passage.text for passage in passages])
        found = [
            replace(passage, similarity=cosine, cover=cover, score=cosine + _COVER_WEIGHT * cover)
            for passage, cosine, cover in zip(passages, near, covers, strict=True)
        ]
        return tuple(sorted(found, key=lambda passage: -passage.score)[:_MAX_PASSAGES])
