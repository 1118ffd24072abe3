"""Picture files without readable text, described by a model that sees.

The process that reads files has no network, so the descriptions are asked for here, beside it. What a model says of a
picture is not what the file says: its text begins with who says it, its page is of the kind "described", and a note
goes with it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ragkit import prompts
from ragkit.errors import LoadError, ModelError, ModelUnable, ModelUnavailable
from ragkit.messages import Message
from ragkit.ports import Chat, FileFacts, KeptReplies, Loaded, Loader, LoadFailure, OnPage
from ragkit.showing import is_picture
from ragkit.types import ChatMessage, Completion, Document, Page

VERSION = 1  # of what is asked about the same picture

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
_NO_TEXT = "No text was found on the picture."
_FAILED = "The picture could not be described by {model}: {why}"
_BY = "Picture, described by {model} / 图片，由 {model} 描述："


class DescribingLoader:
    """A `Loader` around another one. A model that fails costs a line for each picture, not the run; `kept` has the
    descriptions of a run that was cut off, so that none is paid for twice."""

    def __init__(
        self,
        inner: Loader,
        model: str,
        chat: Callable[[], Chat],
        read: Callable[[Path], bytes],
        kept: KeptReplies,
    ) -> None:
        """`chat` may raise ModelError; it is asked for when the first picture comes. `read` raises LoadError."""
        self.fingerprint = f"{inner.fingerprint}+{_mark(model)}"
        self._inner = inner
        self._model = model
        self._make_chat = chat
        self._read = read
        self._kept = kept
        self._chat: Chat | None = None
        self._gone: ModelError | None = None  # why the model is not asked any more

    def trusts(self, before: FileFacts) -> bool:
        """Not a picture that had no description yet, or whose description failed."""
        if not self._inner.trusts(before):
            return False
        waits = _mark(self._model) not in before.loader_fingerprint.split("+")
        unread = before.outcome.state in ("unsupported", "unreadable")
        wanted = unread and Path(before.source).suffix.lower() in _TYPES
        return not (wanted and (waits or before.outcome.reason.template == _FAILED))

    def load_all(self, files: Iterable[tuple[Path, str]], on_page: OnPage = lambda *_: None) -> Iterator[Loaded]:
        asked: deque[Path] = deque()

        def noted() -> Iterator[tuple[Path, str]]:
            for path, known_hash in files:
                asked.append(path)
                yield path, known_hash

        for loaded in self._inner.load_all(noted(), on_page):
            path = asked.popleft()
            yield self._described(path, loaded) if _wants_description(path, loaded) else loaded

    def _described(self, path: Path, loaded: Loaded) -> Loaded:
        """`loaded` as it is when the file turns out to be no picture."""
        try:
            text = self._description(path, loaded.content_hash)
            if not text:
                return loaded
        except (ModelError, LoadError) as exc:
            why = Message(_FAILED, {"model": self._model, "why": exc.message})
            return replace(loaded, failure=LoadFailure("unreadable", why))
        return Loaded(loaded.content_hash, _document(path, text, self._model))

    def _description(self, path: Path, content_hash: str) -> str:
        key = hashlib.sha256(f"{VERSION}\0{self._model}\0{content_hash}".encode()).hexdigest()
        text = self._kept.get(key)
        if text is None:
            image = self._read(path)
            if hashlib.sha256(image).hexdigest() != content_hash:
                raise LoadError("The file changed while it was read.")
            if not is_picture(image):
                return ""
            text = self._asked(image)
            self._kept.put(key, text)
        return text

    def _asked(self, image: bytes) -> str:
        if self._gone is not None:
            raise self._gone
        try:
            chat = self._chat = self._chat or self._seeing()
            *_, completion = chat.stream([ChatMessage("user", prompts.DESCRIBE, (image,))])
        except ModelUnavailable as exc:  # the next picture would wait as long, for nothing
            self._gone = exc
            raise
        assert isinstance(completion, Completion)
        if not completion.text.strip():
            raise ModelUnable("the model said nothing.")
        return completion.text.strip()

    def _seeing(self) -> Chat:
        chat = self._make_chat()
        if not chat.sees:
            raise ModelUnable("the model cannot look at pictures.")
        return chat


def _mark(model: str) -> str:
    return f"image:{model.replace('+', ' ')}"


def _wants_description(path: Path, loaded: Loaded) -> bool:
    """A whole picture that OCR found nothing on, or was not there to read."""
    failure = loaded.failure
    if failure is None or not loaded.content_hash or path.suffix.lower() not in _TYPES:
        return False
    return failure.state == "unsupported" or failure.reason.template == _NO_TEXT


def _document(path: Path, description: str, model: str) -> Document:
    text = f"{_BY.format(model=model)}\n{description}".replace("\0", "").replace("\r\n", "\n")
    text = text.encode("utf-8", "replace").decode()
    note = Message("Described by {model}: these are its words, not the file's. Look at the picture.", {"model": model})
    page = Page(1, 0, len(text), "described")
    return Document(str(path.absolute()), _TYPES[path.suffix.lower()], "", text, pages=(page,), notes=(note,))
