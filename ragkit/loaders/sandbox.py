"""Reading files in another process, which can be killed: a hostile or broken file costs one line in
the report, never the run."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import ragkit
from ragkit.config import LoadingConfig
from ragkit.loaders import VERSION, media_type
from ragkit.messages import Message
from ragkit.ports import Loaded, LoadFailure
from ragkit.types import Document, Heading, Page

_START_TIMEOUT_S = 60.0  # on top of the first file's time: a busy machine starts Python slowly
_BYTES_PER_CHARACTER = 12  # of JSON, at the most: two escaped surrogates


class SandboxLoader:
    """The `Loader` port. One child process, started at the first file and again after each death."""

    def __init__(self, settings: LoadingConfig) -> None:
        self._settings = settings
        self._child: subprocess.Popen[bytes] | None = None
        self._replies: queue.Queue[bytes | None] = queue.Queue()
        self._receiver: threading.Thread | None = None
        self.fingerprint = f"{VERSION}:{settings.memory_mb}:{settings.max_file_mb}:{settings.max_text_mb}"

    def load(self, path: Path, known_hash: str) -> Loaded:
        kind = media_type(path)
        if kind is None:
            return _failed("", "unsupported", Message("no reader for {suffix} files", {"suffix": path.suffix}))
        request = {
            "path": os.fspath(path),
            "known_hash": known_hash,
            "media_type": kind,
            "max_bytes": self._settings.max_file_mb * 2**20,
        }
        try:
            raw = self._ask(json.dumps(request).encode())
        except queue.Empty:
            self._kill()
            return _failed("", "unreadable", Message("it took longer than loading.timeout_s allows"))
        if raw is None:
            self._kill()
            return _failed("", "unreadable", Message("its reader crashed"))
        try:
            return _loaded(os.fspath(path), json.loads(raw))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._kill()  # what answers so is not to be trusted any further
            return _failed("", "unreadable", Message("its reader gave a wrong answer"))

    def close(self) -> None:
        """End the child. The loader may be used again."""
        self._kill()

    def _ask(self, request: bytes) -> bytes | None:
        """The child's reply; None when it died. Raises queue.Empty when it takes too long."""
        timeout_s = self._settings.timeout_s
        if self._child is None or self._child.poll() is not None:
            self._start()
            timeout_s += _START_TIMEOUT_S
        assert self._child is not None
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(len(request).to_bytes(4, "big") + request)
            self._child.stdin.flush()
        except OSError:
            return None
        return self._replies.get(timeout=timeout_s)

    def _start(self) -> None:
        self._kill()
        package_parent = str(Path(ragkit.__file__).parent.parent)
        paths = [package_parent, os.environ.get("PYTHONPATH", "")]
        limit = self._settings.max_text_mb * 2**20
        self._child = subprocess.Popen(
            [sys.executable, "-m", "ragkit.loaders.child", str(self._settings.memory_mb), str(limit)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONIOENCODING": "utf-8"},
            start_new_session=True,  # Ctrl-C is for the parent to handle
        )
        self._replies = queue.Queue()
        assert self._child.stdout is not None
        most = limit * _BYTES_PER_CHARACTER + 2**20
        self._receiver = threading.Thread(target=_receive, args=(self._child.stdout, self._replies, most), daemon=True)
        self._receiver.start()

    def _kill(self) -> None:
        if self._child is None:
            return
        self._child.kill()
        self._child.wait()
        if self._child.stdin is not None:
            with contextlib.suppress(OSError):
                self._child.stdin.close()
        if self._receiver is not None:
            self._receiver.join()
        self._child = None


def _receive(stream: IO[bytes], replies: queue.Queue[bytes | None], most: int) -> None:
    """Put each reply into the queue, and None when there can be no more; closes the stream."""
    with contextlib.suppress(OSError, ValueError), stream:
        while len(size := stream.read(4)) == 4:
            length = int.from_bytes(size, "big")
            if length > most:
                break
            body = stream.read(length)
            if len(body) < length:
                break
            replies.put(body)
    replies.put(None)


def _loaded(source: str, reply: dict[str, Any]) -> Loaded:
    content_hash = str(reply["content_hash"])
    failure = reply.get("failure")
    if failure is not None:
        values = {str(name): str(value) for name, value in failure["values"].items()}
        message = Message(str(failure["template"]), values)
        str(message)  # a template that does not fit its values is a wrong answer
        return _failed(content_hash, "unreadable", message)
    found = reply.get("document")
    return Loaded(content_hash, None if found is None else _document(source, found))


def _document(source: str, found: dict[str, Any]) -> Document:
    """The child's document, each part of the right type and each span inside the text."""
    text = str(found["text"])
    text.encode()  # a lone surrogate cannot be stored
    if "\0" in text:
        raise ValueError("NUL in a text")
    pages = tuple(Page(int(p["number"]), int(p["start"]), int(p["end"])) for p in found["pages"])
    headings = tuple(Heading(int(h["level"]), _plain(h["title"]), int(h["start"])) for h in found["headings"])
    marks = tuple((int(start), int(line)) for start, line in found["line_marks"])
    starts = [*(p.start for p in pages), *(p.end for p in pages), *(h.start for h in headings), *(m[0] for m in marks)]
    if any(not 0 <= start <= len(text) for start in starts):
        raise ValueError("a span outside the text")
    if list(headings) != sorted(headings, key=lambda heading: heading.start):
        raise ValueError("headings out of order")
    notes = tuple(Message(str(n["template"]), {str(k): str(v) for k, v in n["values"].items()}) for n in found["notes"])
    return Document(source, str(found["media_type"]), _plain(found["title"]), text, pages, headings, marks, notes)


def _plain(text: object) -> str:
    return str(text).encode("utf-8", "replace").decode().replace("\0", "")


def _failed(content_hash: str, state: str, reason: Message) -> Loaded:
    return Loaded(content_hash, None, LoadFailure(state, reason))
