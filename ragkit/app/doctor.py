"""`ragkit doctor`: what is installed, reachable and configured. Part of the wiring: it knows the doors."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ragkit import __version__
from ragkit.app import doctor_models
from ragkit.config.sections import Config
from ragkit.i18n.messages import Message
from ragkit.types.errors import IndexMissing, RagkitError
from ragkit.types.reports import Check, IndexStatus

_LOW_DISK_MB = 500


def examine(directory: Path, config: Config, status: Callable[[], IndexStatus]) -> list[Check]:
    """Every check, in the order a person would look. A check that fails itself is a fault line."""
    looks: dict[str, Callable[[], Iterator[Check]]] = {
        "ragkit": _program,
        "tokens": _tokens,
        "embedded models": lambda: doctor_models.embedded(config),
        "ollama": lambda: doctor_models.ollama(config),
        "openai": lambda: doctor_models.openai(config),
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


def _index(look: Callable[[], IndexStatus]) -> Iterator[Check]:
    try:
        status = look()
    except IndexMissing as exc:
        yield Check("index", "warning", exc.message, exc.hint)
        return
    generation = status.generation
    made = {"model": generation.model, "backend": generation.backend} if generation else {"model": "?", "backend": "?"}
    detail = Message(
        "{directory}: {documents}, {chunks}, made with {model} ({backend})",
        {
            "directory": status.directory,
            "documents": Message("{count} document", {"count": status.documents}, plural="{count} documents"),
            "chunks": Message("{count} chunk", {"count": status.chunks}, plural="{count} chunks"),
            **made,
        },
    )
    yield Check("index", "ok", detail)
    if status.chunks_unpublished:
        yield Check(
            "chroma",
            "warning",
            Message(
                "{count} chunk is not in Chroma yet; searches find it all the same",
                {"count": status.chunks_unpublished},
                plural="{count} chunks are not in Chroma yet; searches find them all the same",
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
