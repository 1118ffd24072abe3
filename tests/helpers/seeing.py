"""An index beside a folder, with a scripted model that looks at pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.testing import ScriptedOllama

SEEN = "A red valve beside a blue pump in a boiler room. 锅炉房里，红色阀门在蓝色水泵旁边。"


@contextmanager
def opened(folder: Path, server: ScriptedOllama, **settings: str) -> Iterator[RagKit]:
    flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
    flags |= {"models.backend": "ollama", "models.image_model": "seer", "loading.ocr": "off", "requests.retry_s": "0"}
    flags |= {name.replace("__", "."): value for name, value in settings.items()}
    with RagKit.open(folder.parent / "index", resolve(environ={}, flags=flags)[0]) as kit:
        yield kit


def serving(**more: Any) -> ScriptedOllama:
    return ScriptedOllama(models=("embed:latest", "chat:latest", "seer:latest"), **{"answer": SEEN, **more})


def pictures_asked(server: ScriptedOllama) -> int:
    return sum(bool(message.get("images")) for body in server.prompts() for message in body["messages"])


def photo(seed: int, kind: str = "PNG", size: tuple[int, int] = (120, 100)) -> bytes:
    """A picture too full of detail to be small; another one for each `seed`."""
    image = Image.frombytes("RGB", size, Random(seed).randbytes(3 * size[0] * size[1]))
    made = io.BytesIO()
    image.save(made, kind)
    return made.getvalue()
