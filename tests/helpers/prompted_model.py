"""An index of a folder, with a language model that replies by the words of its prompt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.testing import ScriptedOllama


def asked(body: dict[str, Any]) -> str:
    """Returns the last message of a request to the chat model."""
    return str(body["messages"][-1]["content"])


class Model:
    """Gives the reply whose name stands in the prompt, with blanks for underscores; else it refuses."""

    def __init__(self, **replies: str) -> None:
        self.replies = replies

    def __call__(self, body: dict[str, Any]) -> str:
        prompt = asked(body)
        found = [reply for words, reply in self.replies.items() if words.replace("_", " ") in prompt]
        return found[0] if found else "The documents do not say."


@contextmanager
def opened(folder: Path, model: Model | None = None, **retrieval: object) -> Iterator[tuple[RagKit, ScriptedOllama]]:
    """Opens a new index of `folder` beside it, with these settings of retrieval."""
    with ScriptedOllama(answer=model or Model()) as server:
        flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
        flags |= {"models.backend": "ollama", "chunking.chunk_tokens": "48", "chunking.overlap_tokens": "0"}
        config = resolve(environ={}, flags=flags)[0]
        config = replace(config, retrieval=replace(config.retrieval, **retrieval))  # type: ignore[arg-type]
        with RagKit.open(folder.parent / "index", config) as kit:
            kit.index([folder])
            yield kit, server
