"""The ports `Embedder` and `Chat` over an Ollama server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from ragkit.i18n.messages import Message, coded
from ragkit.models.batching import ServedEmbedder
from ragkit.models.ollama.client import Ollama, full_name
from ragkit.models.tokens import Scale
from ragkit.types.answers import ChatMessage, Completion
from ragkit.types.errors import EndpointMissing, ModelChanged, ModelError, ModelNotFound, ModelUnable
from ragkit.types.model_server import ChatRequest, Format, Piece, Reply


class OllamaEmbedder(ServedEmbedder):
    """The `Embedder` port over `/api/embed`, or `/api/embeddings` on servers that lack it."""

    backend = "ollama"

    def __init__(self, ollama: Ollama, model: str) -> None:
        """Asks the server for the model's record and two test vectors. Raises ModelError."""
        self._ollama = ollama
        self._legacy = False
        entry = ollama.installed(model)
        if entry is None:
            raise ModelNotFound(
                coded("model_missing", "Ollama does not have the model {model}."),
                hint="Run: ragkit models pull {model}",
                model=model,
            )
        self.digest = entry.digest
        super().__init__(model, ollama.expectations(model), ollama.config, ollama.server.abort)

    def check_unchanged(self) -> None:
        """Raises ModelChanged when the server's model has other weights than at the start."""
        entry = self._ollama.installed(self.model)
        if entry is None or entry.digest != self.digest:
            raise ModelChanged(
                "The model {model} was replaced on the server during the run.",
                hint="Run it again: the index is made anew with the model that is there now.",
                model=self.model,
            )

    def _rows(self, texts: Sequence[str], retry: bool) -> Sequence[object]:
        if self._legacy:
            return [self._ollama.embed_legacy(text, self.model) for text in texts]
        try:
            reply = self._ollama.embed_rows(texts, self.model, dimensions=self._dimensions, retry=retry)
        except EndpointMissing:
            self._legacy = True
            return self._rows(texts, retry)
        self._learn(texts, reply.get("prompt_eval_count"))
        rows: Sequence[object] = reply["embeddings"]
        return rows


class OllamaChat:
    """The `Chat` port over `/api/chat`."""

    def __init__(self, ollama: Ollama, model: str) -> None:
        """Asks the server for the model's record. Raises ModelError."""
        self._ollama = ollama
        self._scale = Scale()
        self.model = model
        record = ollama.record(model)
        if record.capabilities and "completion" not in record.capabilities:
            raise ModelUnable(
                "The model {model} cannot chat (its capabilities: {capabilities}).",
                hint="Set ollama.chat_model to a chat model; `ragkit models list` names those installed.",
                model=model,
                capabilities=", ".join(record.capabilities),
            )
        self.accepts_images = not record.capabilities or "vision" in record.capabilities
        asked = ollama.config.window_tokens
        self.window_tokens = min(asked, record.context_tokens or asked)
        self.answer_tokens = min(ollama.config.answer_tokens, self.window_tokens // 2)
        self._asked_tokens = asked
        self._window_seen = False

    def count_tokens(self, text: str) -> int:
        return self._scale.count(text)

    def stream(self, messages: Sequence[ChatMessage], form: Format = "") -> Iterator[str | Completion]:
        for part in self._ollama.stream_chat(ChatRequest(tuple(messages), self.model, format=form)):
            if isinstance(part, Piece):
                if part.text:
                    yield part.text
            else:
                yield self._completion(messages, part)

    def _completion(self, messages: Sequence[ChatMessage], reply: Reply) -> Completion:
        self._see_window()
        return Completion(
            text=reply.text,
            model=self.model,
            done_reason=reply.done_reason,
            prompt_eval_count=reply.prompt_eval_count,
            eval_count=reply.eval_count,
            notes=(
                *window_notes(self.model, self._asked_tokens, self.window_tokens),
                *reply.notes,
                *read_notes(self._scale, messages, reply.prompt_eval_count),
            ),
        )

    def _see_window(self) -> None:
        """Learn, once, the window that the server really gave the model it has loaded now."""
        if self._window_seen:
            return
        self._window_seen = True
        with contextlib.suppress(ModelError):  # the answer is there; an older server need not tell
            for loaded in self._ollama.running():
                if full_name(loaded.name) == full_name(self.model) and loaded.context_tokens:
                    self.window_tokens = min(self.window_tokens, loaded.context_tokens)


def read_notes(scale: Scale, messages: Sequence[ChatMessage], counted: int | None) -> tuple[Message, ...]:
    """A warning when the server read far fewer tokens than it was sent; else `scale` learns from it."""
    if counted is None:
        return ()
    text = "\n".join(message.content for message in messages)
    if not scale.is_cut(text, counted):
        scale.learn(text, counted)
        return ()
    return (
        coded(
            "context_cut",
            "The server read only {read} tokens of about {sent}: it cut the context without a word. "
            "The answer may miss what the passages say.",
            read=counted,
            sent=scale.count(text),
        ),
    )


def window_notes(model: str, asked: int, given: int) -> tuple[Message, ...]:
    if given >= asked:
        return ()
    return (
        coded(
            "smaller_window",
            "{model} has a window of {given} tokens, not the {asked} of options.num_ctx.",
            model=model,
            given=given,
            asked=asked,
        ),
    )


def lacks(ollama: Ollama, model: str, timeout_s: float) -> Message:
    """Why the server cannot serve `model`; empty when it can. Asked once, for `timeout_s` at the most."""
    try:
        found = ollama.installed(model, timeout_s)
    except ModelError as exc:
        return exc.message
    return Message() if found else coded("model_missing", "Ollama does not have the model {model}.", model=model)
