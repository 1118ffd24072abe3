"""Files as ragkit reads them, through the child process."""

from __future__ import annotations

from pathlib import Path

from ragkit.i18n.messages import say
from ragkit.loaders.sandbox.loader import Loaded, SandboxLoader
from ragkit.types.documents import Document


class Reader:
    """Puts bytes into a file and has it read."""

    def __init__(self, loader: SandboxLoader, folder: Path) -> None:
        self._loader, self._folder = loader, folder

    def load(self, name: str, data: bytes | str) -> Loaded:
        return self._loader.load(self._put(name, data), "")

    def __call__(self, name: str, data: bytes | str) -> Document:
        loaded = self.load(name, data)
        assert loaded.failure is None, str(loaded.failure.reason)
        assert loaded.document is not None
        return loaded.document

    def refusal(self, name: str, data: bytes | str, state: str = "unreadable") -> str:
        loaded = self.load(name, data)
        assert loaded.document is None
        assert loaded.failure is not None
        assert loaded.failure.state == state
        assert say(loaded.failure.reason, "zh") != str(loaded.failure.reason)
        return str(loaded.failure.reason)

    def _put(self, name: str, data: bytes | str) -> Path:
        path = self._folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path


def line_of(document: Document, words: str) -> int | None:
    return document.place(document.text.index(words)).line


def titles(document: Document) -> list[tuple[int, str]]:
    return [(heading.level, heading.title) for heading in document.headings]


def notes(document: Document) -> str:
    return " ".join(map(str, document.notes))
