"""The doctor's look at the models: are they there, can they do their work, what do they really get."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Literal, TypeAlias

from ragkit.config.sections import Config
from ragkit.i18n.messages import Message
from ragkit.types.answers import ChatMessage
from ragkit.types.documents import EmbedFault
from ragkit.types.errors import ModelError, ModelUnavailable, RagkitError
from ragkit.types.ports import Chat, Embedder, complete
from ragkit.types.reports import Check

if TYPE_CHECKING:
    from ragkit.models.ollama.client import Ollama
    from ragkit.models.openai import OpenAIServer

_Severity: TypeAlias = Literal["warning", "fault"]
_PROBE_TIMEOUT_S = 3.0
_FAULTS_BEFORE = (
    ((0, 12, 6), Message("it may cut a long prompt without a word")),
    ((0, 14, 0), Message("one text that it cannot embed gives no clear error")),
    ((0, 30, 1), Message("it may tell fewer prompt tokens than it read")),
)
# Question, answer, another sentence.
_SMOKE = {
    "en": (
        "How long is the notice period?",
        "Either side may end the contract with two months' warning.",
        "The canteen serves soup on Mondays.",
    ),
    "zh": ("合同的通知期是多久？", "任何一方可提前两个月终止协议。", "食堂每周一供应汤。"),
}


def embedded(config: Config) -> Iterator[Check]:
    from ragkit.models.embedded.embedder import EmbeddedEmbedder

    needed: _Severity = "fault" if "embedded" in config.models.named else "warning"
    yield from _tried("embedded models", needed, lambda: _embedding("embedded models", EmbeddedEmbedder()))


def ollama(config: Config) -> Iterator[Check]:
    from ragkit.models.ollama.client import Ollama
    from ragkit.models.ollama.ports import OllamaChat

    if not {"auto", "ollama"} & config.models.named:
        unused = Message("not used: models.backend is {backend}", {"backend": config.models.backend})
        yield Check("ollama", "ok", unused)
        return
    severity: _Severity = "fault" if "ollama" in config.models.named else "warning"
    with closing(Ollama(config)) as ollama:
        try:
            version = ollama.version(_PROBE_TIMEOUT_S)
        except RagkitError as exc:
            yield Check("ollama", severity, exc.message, exc.hint)
            return
        yield _version_check(version, ollama.url)
        yield from _connection("ollama connection", ollama.url, ollama.key_withheld, "OLLAMA_API_KEY")
        if config.models.embedding in ("auto", "ollama"):
            yield from _tried("embedding model", severity, lambda: _ollama_embedding(ollama, config))
        if config.models.backend in ("auto", "ollama"):
            yield from _tried("chat model", severity, lambda: _ollama_chat(ollama, config))
        if config.models.image_model and config.models.backend in ("auto", "ollama"):
            yield from _tried("image model", "warning", lambda: _image(OllamaChat(ollama, config.models.image_model)))


def _version_check(version: str, url: str) -> Check:
    """A server older than the end of a known fault gets a warning that names it."""
    detail = Message("version {version} at {url}", {"version": version or "?", "url": url})
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    for fixed_in, fault in _FAULTS_BEFORE:
        if any(numbers) and numbers < fixed_in:  # 0.0.0 is a development build
            known = Message("{detail}: {fault}", {"detail": detail, "fault": fault})
            return Check("ollama", "warning", known, Message("Update the Ollama server."))
    return Check("ollama", "ok", detail)


def _connection(name: str, url: str, key_withheld: bool, key_name: str) -> Iterator[Check]:
    from ragkit.models.http.addresses import may_carry_key

    if may_carry_key(url):
        return
    detail = Message("documents and questions travel unencrypted to {url}", {"url": url})
    yield Check(name, "warning", detail, Message("Put the server behind https, or use one on this machine."))
    if key_withheld:
        held = Message("{key} is not sent there", {"key": key_name})
        yield Check(name, "warning", held, Message("Put the server behind https, or use one on this machine."))


def _tried(name: str, severity: _Severity, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from look()
    except RagkitError as exc:
        yield Check(name, severity, exc.message, exc.hint)


def _ollama_embedding(ollama: Ollama, config: Config) -> Iterator[Check]:
    from ragkit.models.ollama.ports import OllamaEmbedder

    yield from _embedding("embedding model", OllamaEmbedder(ollama, config.ollama.embed_model))


def _embedding(name: str, embedder: Embedder) -> Iterator[Check]:
    """The model's facts, and whether it tells an answer from another sentence in both languages."""
    facts = Message(
        "{model}: {dimension} dimensions, {tokens} tokens of text, prefixes {query} and {document}",
        {
            "model": embedder.model,
            "dimension": embedder.dimension,
            "tokens": embedder.max_tokens,
            "query": repr(embedder.query_prefix),
            "document": repr(embedder.document_prefix),
        },
    )
    failed = [language for language, texts in _SMOKE.items() if not _prefers_answer(embedder, *texts)]
    if not failed:
        yield Check(name, "ok", facts)
        return
    detail = Message(
        "{facts}; it does not tell an answer from another sentence in: {languages}",
        {"facts": facts, "languages": ", ".join(failed)},
    )
    yield Check(name, "warning", detail, Message("Use a multilingual model such as bge-m3, or check its prefixes."))


def _prefers_answer(embedder: Embedder, question: str, answer: str, other: str) -> bool:
    query = embedder.embed_query(question)
    near, far = (
        sum(a * b for a, b in zip(query, vector, strict=True)) if not isinstance(vector, EmbedFault) else 0.0
        for vector in embedder.embed_documents([answer, other])
    )
    return near > far


def _ollama_chat(ollama: Ollama, config: Config) -> Iterator[Check]:
    from ragkit.models.ollama.ports import OllamaChat

    chat = OllamaChat(ollama, config.ollama.chat_model)
    able = ", ".join(ollama.record(chat.model).capabilities) or "?"
    yield from _chat("chat model", chat, config.window_tokens, Message("capabilities: {able}", {"able": able}))


def _chat(name: str, chat: Chat, asked_tokens: int, able: Message) -> Iterator[Check]:
    """One short answer, and the window that the server gives."""
    completion = complete(chat, [ChatMessage("user", "Reply with one word: ready")])
    facts = Message(
        "{model} answers; window {window} tokens, {able}",
        {"model": chat.model, "window": chat.window_tokens, "able": able},
    )
    if not completion.text.strip():
        empty = Message("{model} gives empty answers ({why})", {"model": chat.model, "why": completion.done_reason})
        yield Check(name, "warning", empty, Message("Raise options.num_predict, or choose another model."))
    elif chat.window_tokens < asked_tokens:
        lower = Message("Lower options.num_ctx to {window}.", {"window": chat.window_tokens})
        yield Check(name, "warning", facts, lower)
    else:
        yield Check(name, "ok", facts)


def _image(chat: Chat) -> Iterator[Check]:
    """Whether a model that is to describe pictures can look at them, as far as the server tells."""
    if chat.accepts_images:
        yield Check("image model", "ok", Message("{model} looks at pictures", {"model": chat.model}))
        return
    blind = Message("{model} cannot look at pictures", {"model": chat.model})
    yield Check(
        "image model", "warning", blind, Message("Set models.image_model to a model with the capability vision.")
    )


def openai(config: Config) -> Iterator[Check]:
    from ragkit.models.openai import CARRIED, OpenAIChat, OpenAIEmbedder, OpenAIServer

    if "openai" not in config.models.named:
        return
    with closing(OpenAIServer(config)) as server:
        yield from _connection("openai connection", server.url, server.key_withheld, config.openai.api_key_env)
        lost = sorted(set(config.options.given()) - set(CARRIED) - {"num_ctx", "num_predict"})
        detail = Message(
            "{url}: /v1 carries no num_ctx, truncate or keep_alive: the server may cut a long prompt",
            {"url": server.url},
        )
        yield Check("openai", "ok", detail)
        yield from _openai_models(server)
        if lost:
            names = Message("these options are not sent over /v1: {names}", {"names": ", ".join(lost)})
            yield Check("openai", "warning", names, Message("Use models.backend=ollama where the server is Ollama."))

        def embedding() -> Iterator[Check]:
            return _embedding("embedding model", OpenAIEmbedder(server, config.openai.embed_model))

        def image() -> Iterator[Check]:
            return _image(OpenAIChat(server, config.models.image_model))

        def chat() -> Iterator[Check]:
            model = OpenAIChat(server, config.openai.chat_model)
            return _chat("chat model", model, config.window_tokens, Message("over /v1"))

        if config.models.embedding == "openai":
            yield from _tried("embedding model", "fault", embedding)
        if config.models.backend == "openai":
            yield from _tried("chat model", "fault", chat)
            if config.models.image_model:
                yield from _tried(
                    "image model", "warning", lambda: _image(OpenAIChat(server, config.models.image_model))
                )


def _openai_models(server: OpenAIServer) -> Iterator[Check]:
    try:
        names = ", ".join(server.models(_PROBE_TIMEOUT_S))
    except ModelUnavailable:
        return  # said by the checks of the models
    except ModelError as exc:
        yield Check("openai models", "warning", exc.message, exc.hint)
        return
    yield Check("openai models", "ok", Message("it has: {models}", {"models": names}))
