"""What an Ollama server's refusals mean: a status and a text as one of our errors."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson

from ragkit.i18n.messages import coded
from ragkit.types.errors import (
    BadReply,
    ContextOverflow,
    EndpointMissing,
    ModelError,
    ModelNotFound,
    ModelUnable,
    ModelUnavailable,
)

# In the text of a 400 or 500 that says nothing about the request: the same one may succeed later.
_PASSING = ("eof", "no slots", "runner", "terminated", "timed out waiting", "connection reset", "connection refused")
_TOO_LONG = (
    "prompt is longer than the context",
    "exceeds the context length",
    "exceeds maximum context",
    "exceeds the available context",
    "cannot be truncated further",
)


def status_error(status: int, body: bytes, model: str) -> ModelError:
    """The error of an HTTP status that is not 200."""
    text, is_json = _text_of(body)
    if status == 404 and not is_json:
        return EndpointMissing(
            "The server at this address does not know the request.",
            hint="Is it an Ollama server, and a current one? `ragkit doctor` looks.",
        )
    return text_error(text or f"status {status}", model, status)


def text_error(text: str, model: str, status: int = 200) -> ModelError:
    """The error of the server's text, which may be JSON once more; status 200: inside a stream."""
    said, kind, counts = _unpacked(text)
    low = said.casefold()
    end = said.rstrip(".")
    if "not found" in low and "model" in low:
        return ModelNotFound(
            coded("model_missing", "Ollama does not have the model {model}."),
            hint="Run: ragkit models pull {model}",
            model=model,
        )
    if "pull model manifest: file does not exist" in low:
        return ModelNotFound(
            "The registry does not have the model {model}.", hint="Check the name and its tag.", model=model
        )
    if kind == "exceed_context_size_error" or any(part in low for part in _TOO_LONG):
        overflow = ContextOverflow(
            "The text is too long for the model {model}: {said}.",
            hint="Raise options.num_ctx, or lower retrieval.k; to embed, lower embedding.max_tokens.",
            model=model,
            said=end,
        )
        overflow.prompt_tokens, overflow.window_tokens = counts
        return overflow
    if "does not support" in low or status == 501:
        return ModelUnable(
            "The model {model} cannot do this: {said}.",
            hint="Choose another model; `ragkit models show {model}` tells what it can do.",
            model=model,
            said=end,
        )
    if status in (502, 503):
        return ModelUnavailable("Ollama is busy: {said}.", hint="Try again in a moment.", passing=True, said=end)
    if status in (401, 403):
        return ModelUnavailable(
            "Ollama refuses access (status {status}).",
            hint="Check OLLAMA_HOST and, for a remote server, OLLAMA_API_KEY.",
            status=status,
        )
    if status == 429:
        return ModelUnavailable("Ollama limits the rate: {said}.", hint="Try again later.", passing=True, said=end)
    return BadReply(
        "Ollama answered for {model}: {said}.",
        hint="Look into the log of the Ollama server; `ragkit doctor` tries the models.",
        passing=any(part in low for part in _PASSING),
        model=model or "?",
        said=end,
    )


def _text_of(body: bytes) -> tuple[str, bool]:
    """The server's own words, and whether they came as JSON."""
    try:
        found = orjson.loads(body).get("error", "")
    except (ValueError, AttributeError, RecursionError):
        return "", False
    return found if isinstance(found, str) else orjson.dumps(found).decode(), True


def _unpacked(text: str) -> tuple[str, str, tuple[int | None, int | None]]:
    """The message inside an error text that is JSON itself, its type, and its two token counts."""
    nested: dict[str, Any] = {}
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        inner = orjson.loads(text)
        found = inner.get("error", inner)
        nested = found if isinstance(found, dict) else {}
    said = " ".join(str(nested.get("message", text)).split())
    return said, str(nested.get("type", "")), (count(nested.get("n_prompt_tokens")), count(nested.get("n_ctx")))


def count(value: object) -> int | None:
    """A number of tokens as a server tells it; None when it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
