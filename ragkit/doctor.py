"""`ragkit doctor`: what is installed, reachable and configured. Part of the wiring: it knows the doors."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from ragkit import __version__
from ragkit.config import Config
from ragkit.errors import IndexMissing, RagkitError
from ragkit.messages import Message
from ragkit.types import Check, IndexStatus

_LOW_DISK_MB = 500
_PROBE_TIMEOUT_S = 3.0


def examine(directory: Path, config: Config, status: Callable[[], IndexStatus]) -> list[Check]:
    """Every check, in the order a person would look. A check that fails itself is a fault line."""
    looks: dict[str, Callable[[], Iterator[Check]]] = {
        "ragkit": _program,
        "tokens": _tokens,
        "embedded models": lambda: _embedded(config),
        "ollama": lambda: _ollama(config),
        "index": lambda: _index(status),
        "disk": lambda: _disk(directory),
    }
    return [check for name, look in looks.items() for check in _safely(name, look)]


def _safely(name: str, look: Callable[[], Iterator[Check]]) -> list[Check]:
    try:
        return list(look())
    except RagkitError as exc:
        return [Check(name, "fault", exc.message, exc.hint)]


def _program() -> Iterator[Check]:
    detail = Message(
        "ragkit {version}, Python {python}, {system}",
        {"version": __version__, "python": platform.python_version(), "system": platform.platform(terse=True)},
    )
    yield Check("ragkit", "ok", detail)


def _tokens() -> Iterator[Check]:
    from ragkit.models import tokens

    trouble = tokens.exact()
    if not trouble:
        yield Check("tokens", "ok", Message("tiktoken counts with the vocabulary that ships with ragkit"))
        return
    yield Check(
        "tokens",
        "warning",
        Message("tokens are estimated by script, because {why}", {"why": trouble}),
        Message("Install ragkit-docqa again."),
    )


def _embedded(config: Config) -> Iterator[Check]:
    from ragkit.models.embedded import EmbeddedEmbedder

    try:
        embedder = EmbeddedEmbedder()
        near = embedder.embed_query("ragkit")
    except RagkitError as exc:
        needed = config.models.backend == "embedded"
        yield Check("embedded models", "fault" if needed else "warning", exc.message, exc.hint)
        return
    detail = Message(
        "{model}, {dimension} dimensions, prefixes {query} and {document}",
        {
            "model": embedder.model,
            "dimension": len(near),
            "query": repr(embedder.query_prefix),
            "document": repr(embedder.document_prefix),
        },
    )
    yield Check("embedded models", "ok", detail)


def _ollama(config: Config) -> Iterator[Check]:
    from ragkit.models.ollama import OllamaServer, has_model, installed_models, is_loopback

    severity: Literal["warning", "fault"] = "fault" if config.models.backend == "ollama" else "warning"
    server = OllamaServer(config.ollama)
    try:
        version = str(server.get("/api/version", _PROBE_TIMEOUT_S).get("version", "?"))
        installed = installed_models(server, _PROBE_TIMEOUT_S)
    except RagkitError as exc:
        if config.models.backend == "embedded":
            yield Check("ollama", "ok", Message("not used: models.backend is embedded"))
        else:
            yield Check("ollama", severity, exc.message, exc.hint)
        return
    finally:
        server.close()
    yield Check("ollama", "ok", Message("version {version} at {url}", {"version": version, "url": server.url}))
    if server.url.startswith("http://") and not is_loopback(server.url):
        yield Check(
            "ollama connection",
            "warning",
            Message("documents and questions travel unencrypted to {url}", {"url": server.url}),
            Message("Put the server behind https, or use one on this machine."),
        )
    for role, model in (("embedding model", config.ollama.embed_model), ("chat model", config.ollama.chat_model)):
        if has_model(installed, model):
            yield Check(role, "ok", Message("{model} is installed", {"model": model}))
        else:
            missing = Message("Ollama does not have {model}", {"model": model})
            yield Check(role, severity, missing, Message("Run: ollama pull {model}", {"model": model}))


def _index(look: Callable[[], IndexStatus]) -> Iterator[Check]:
    try:
        status = look()
    except IndexMissing as exc:
        yield Check("index", "warning", exc.message, exc.hint)
        return
    generation = status.generation
    made = {"model": generation.model, "backend": generation.backend} if generation else {"model": "?", "backend": "?"}
    detail = Message(
        "{directory}: {documents} documents, {chunks} chunks, made with {model} ({backend})",
        {"directory": status.directory, "documents": status.documents, "chunks": status.chunks, **made},
    )
    yield Check("index", "ok", detail)
    if status.chunks_unpublished:
        yield Check(
            "chroma",
            "warning",
            Message(
                "{count} chunks are not in Chroma yet; searches find them all the same",
                {"count": status.chunks_unpublished},
            ),
            Message("The next `ragkit index`, `search` or `ask` brings it up to date."),
        )


def _disk(directory: Path) -> Iterator[Check]:
    existing = next(folder for folder in (directory, *directory.parents) if folder.exists())
    free_mb = shutil.disk_usage(existing).free // 2**20
    detail = Message("{free} MB free under {folder}", {"free": free_mb, "folder": existing})
    if not os.access(existing, os.W_OK):
        yield Check(
            "disk",
            "fault",
            Message("the folder {folder} cannot be written", {"folder": existing}),
            Message("Choose another with --index or RAGKIT_INDEX."),
        )
    elif free_mb < _LOW_DISK_MB:
        yield Check("disk", "warning", detail, Message("Free some space before you index."))
    else:
        yield Check("disk", "ok", detail)
