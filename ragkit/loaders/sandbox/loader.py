"""The loader of ragkit: a child process reads the files, so that no file can harm, stop or hang this one.

What the child answers is not trusted: it is JSON of bounded length, and `replies` checks every value.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from ragkit.config import own_process
from ragkit.config.sections import LoadingConfig
from ragkit.i18n.messages import Message, coded
from ragkit.loaders.building.picture_collector import MAX_PREPARED
from ragkit.loaders.extras import is_installed
from ragkit.loaders.files.access import MB, NOT_UTF8, is_utf8
from ragkit.loaders.formats import VERSION, by_name
from ragkit.loaders.images.ocr import entry
from ragkit.loaders.reasons import NO_READER
from ragkit.loaders.sandbox import replies
from ragkit.loaders.sandbox.child import message_json, receive, send
from ragkit.text.pictures import MAX_BYTES, MAX_BYTES_IN_ALL, MAX_PICTURES
from ragkit.types.errors import RagkitError
from ragkit.types.ports import FileFacts, Loaded, LoadFailure, OnPage, Picture

_AHEAD = 8  # files that the child is asked for at once; so many requests fit into a pipe
_LOOK_EVERY_S = 0.2  # how often the watchdog looks at its time limit
_START_TIMEOUT_S = 60.0  # for Python to start, on a busy machine
_FRAME_BYTES_PER_TEXT_BYTE = 4  # for the escapes of JSON, headings and line marks
_ENVIRONMENT = (
    "PATH",
    "LD_LIBRARY_PATH",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "LANG",
    "LC_ALL",
)  # these variables hold nothing secret
_BEFORE_REPLY = frozenset({"reading", "picture", "preparing", "image"})  # frames that may come before a reply


class SandboxLoader:
    """Reads files in one long-lived child, which is started at the first file; for use by one thread.

    `close()` (or leaving the `with` block) ends the child; a later `load` starts another.
    """

    def __init__(self, config: LoadingConfig, readings: Path | None = None, *, pictures: bool = False) -> None:
        """`readings` is a file that keeps what OCR read until its owner removes it.

        After a run that was cut off, the next one does not read it again. With `pictures`, the pictures inside
        documents are asked for too.
        """
        limits = (config.timeout_s, config.memory_mb, config.max_file_mb, config.max_text_mb)
        self._can_read = _extras(config)
        self.fingerprint = "+".join([":".join([VERSION, *(f"{limit:g}" for limit in limits)]), *self._can_read])
        self._config = config
        self._kept = readings
        self._pictures = pictures
        self._on_page: OnPage = lambda *_: None
        self._max_frame = max(config.max_text_mb * MB * _FRAME_BYTES_PER_TEXT_BYTE, 2 * MAX_BYTES) + MB
        self._child: subprocess.Popen[bytes] | None = None
        self._watchdog: _Watchdog | None = None
        self._used = False  # the child has read a file

    def __enter__(self) -> SandboxLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._end()

    def load(self, path: Path, known_hash: str) -> Loaded:
        """One file, read as `load_all` does."""
        [loaded] = self.load_all([(path, known_hash)])
        return loaded

    def is_current(self, before: FileFacts) -> bool:
        """Whether the same bytes would be read now as they were `before`.

        What an extra read then stays when the extra is gone; a new extra reads only what was not read well.
        """
        then, now = before.loader_fingerprint.split("+"), self.fingerprint.split("+")
        if then[0] != now[0] or set(then) >= set(now):
            return then[0] == now[0]
        return before.outcome.state not in ("unsupported", "unreadable") and not before.outcome.weak_pages

    def load_all(self, files: Iterable[tuple[Path, str]], on_page: OnPage = lambda *_: None) -> Iterator[Loaded]:
        """What each file of (path, known hash) holds, in order; the child reads ahead while the caller is at work.

        `on_page` is told of each page read by OCR. Every trouble with a file is a `LoadFailure`. Raises RagkitError if
        no child can be started.
        """
        self._on_page = on_page
        waiting: deque[_Asked] = deque()
        source = iter(files)
        try:
            while True:
                waiting.extend(_asked(*file, self._pictures) for file in islice(source, _AHEAD - len(waiting)))
                if not waiting:
                    return
                asked = waiting.popleft()
                yield asked.settled or self._loaded(asked, waiting)
        finally:
            if waiting:  # the answers that are still to come would be taken for the next ones
                self._end()

    def _loaded(self, asked: _Asked, waiting: Iterable[_Asked]) -> Loaded:
        try:
            reply = self._ask(asked, waiting)
            if isinstance(reply, Message):
                self._end()
                return Loaded("", failure=LoadFailure("unreadable", reply))
            if reply.get("last"):
                self._end()
            return replies.loaded(asked.source, asked.kind, asked.known_hash, reply, asked.pictures)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._end()
            return Loaded(
                "",
                failure=LoadFailure(
                    "unreadable", coded("reader_makes_no_sense", "The reader's answer makes no sense.")
                ),
            )
        except BaseException:
            self._end()
            raise

    def _ask(self, asked: _Asked, waiting: Iterable[_Asked]) -> Any:
        """The reply of the child, or a message that says why there is none.

        A child that read other files may die of them, or be killed from outside, so that only the crash of a fresh one
        is the fault of the file.
        """
        was_used = self._used
        reply = self._ask_once(asked, waiting)
        if isinstance(reply, Message) and asked.busy_with == "picture":
            return self._without_ocr(asked, waiting, reply)
        if was_used and isinstance(reply, _Crash):
            self._end()
            reply = self._ask_once(asked, waiting)
        if isinstance(reply, _Crash):
            reply = coded(
                "reader_crashed", "The reader crashed on this file or ran out of memory ({why}).", why=reply.why
            )
        if isinstance(reply, Message) and asked.busy_with == "preparing":
            return self._without_pictures(asked, waiting, reply)
        return reply

    def _without_ocr(self, asked: _Asked, waiting: Iterable[_Asked], why: Message) -> Any:
        """The reply without OCR, which took too long, with a note; `why` if the file has no text of its own."""
        self._end()
        asked.ocr = False
        reply = self._ask_once(asked, waiting)
        if not isinstance(reply, dict) or "document" not in reply:
            return why
        note = coded(
            "ocr_too_slow", "OCR took longer than {limit} s on a page; none of this file was read by it.", **why.values
        )
        reply["document"]["notes"].append(message_json(note))
        return reply

    def _without_pictures(self, asked: _Asked, waiting: Iterable[_Asked], why: Message) -> Any:
        """The reply without the pictures of the file, with a note; `why` if there is no reply."""
        self._end()
        asked.with_pictures = False
        reply = self._ask_once(asked, waiting)
        if not isinstance(reply, dict):
            return why
        if "document" in reply:
            note = coded("pictures_not_ready", "Its pictures could not be made ready to be described: {why}", why=why)
            reply["document"]["notes"].append(message_json(note))
        return reply

    def _ask_once(self, asked: _Asked, waiting: Iterable[_Asked]) -> Any:
        child, watchdog = self._running()
        self._used = True
        asked.forget()
        with watchdog.limit(self._config.timeout_s):
            try:
                for one in (asked, *waiting):
                    if one.settled is None and one.sent_to is not child:
                        one.sent_to = child
                        send(_pipe(child.stdin), one.request(), MB)
                reply = receive(_pipe(child.stdout), self._max_frame)
                while isinstance(reply, dict) and not _BEFORE_REPLY.isdisjoint(reply):
                    asked.busy_with = next(iter(reply))
                    if "reading" in reply:
                        self._page_read(asked, reply)
                    elif "picture" not in reply:
                        asked.take(reply)
                    watchdog.restart(self._config.timeout_s)
                    reply = receive(_pipe(child.stdout), self._max_frame)
            except OSError:
                reply = None
        if reply is not None:
            return reply
        if watchdog.passed:
            return coded(
                "reading_too_slow",
                "Reading it took longer than {limit} s (setting loading.timeout_s).",
                limit=f"{self._config.timeout_s:g}",
            )
        return _Crash(_end_of(child))

    def _page_read(self, asked: _Asked, reply: dict[str, Any]) -> None:
        """Keep a reading of OCR and tell the caller. Raises ValueError, TypeError, KeyError if it makes no sense."""
        key, reading = replies.reading(reply["reading"])
        done, total = replies.whole(reply["done"], 1), replies.whole(reply["total"], 1)
        if self._kept is not None:
            with contextlib.suppress(OSError), self._kept.open("a", encoding="utf-8") as kept:
                kept.write(entry(key, reading))  # if this fails, only time is lost
        self._on_page(asked.source, done, total)

    def _running(self) -> tuple[subprocess.Popen[bytes], _Watchdog]:
        if self._child is None or self._watchdog is None or self._child.poll() is not None:
            self._end()
            self._child = self._started()
            self._watchdog = _Watchdog(self._child)
            with self._watchdog.limit(_START_TIMEOUT_S):
                if receive(_pipe(self._child.stdout), MB) is None:
                    self._end()
                    raise _does_not_start()
        return self._child, self._watchdog

    def _started(self) -> subprocess.Popen[bytes]:
        config = self._config
        limits = {
            "timeout_s": config.timeout_s,
            "memory_mb": config.memory_mb,
            "max_file_mb": config.max_file_mb,
            "max_text_mb": config.max_text_mb,
            "max_frame": self._max_frame,
            "ocr": "ocr" in self._can_read,
            "readings": str(self._kept or ""),
        }
        try:
            return subprocess.Popen(
                own_process.command("ragkit.loaders.sandbox.child", limits),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                start_new_session=True,  # Ctrl-C in the terminal is for the parent
            )
        except OSError as exc:
            raise _does_not_start() from exc

    def _end(self) -> None:
        if self._child is not None:
            _kill(self._child)
            for pipe in (self._child.stdin, self._child.stdout):
                try:
                    _pipe(pipe).close()
                except OSError:
                    continue  # bytes that it never read
            self._child.wait()
            self._child = None
        if self._watchdog is not None:
            self._watchdog.end()
            self._watchdog = None
        self._used = False


def _does_not_start() -> RagkitError:
    return RagkitError(
        "The process that reads files does not start.",
        hint="Check that there is free memory, and that loading.memory_mb is not too low.",
    )


def _extras(config: LoadingConfig) -> list[str]:
    """The extras that are installed and wanted; they are part of the fingerprint."""
    wanted = ["docs", "ocr"] if config.ocr == "auto" else ["docs"]
    return [extra for extra in wanted if is_installed(extra)]


@dataclass(slots=True)
class _Asked:
    """A file on its way through the child."""

    source: str
    kind: str
    known_hash: str
    settled: Loaded | None = None  # set if the child is not needed
    sent_to: subprocess.Popen[bytes] | None = None
    ocr: bool = True  # whether OCR may be used, if there is one
    with_pictures: bool = False
    busy_with: str = ""  # the first word of the last frame, which says what the child was doing
    pictures: list[Picture] = field(default_factory=list)
    bytes_left: int = MAX_BYTES_IN_ALL
    preparings_left: int = MAX_PREPARED

    def request(self) -> dict[str, str | bool]:
        wanted: dict[str, str | bool] = {"pictures": True} if self.with_pictures else {}
        return wanted | {"path": self.source, "media_type": self.kind, "known_hash": self.known_hash, "ocr": self.ocr}

    def forget(self) -> None:
        """Drop what a child said that is gone now."""
        self.busy_with, self.pictures = "", []
        self.bytes_left, self.preparings_left = MAX_BYTES_IN_ALL, MAX_PREPARED

    def take(self, reply: dict[str, Any]) -> None:
        """Take a picture, or the word that one is being made ready.

        Raises ValueError, TypeError, KeyError if it is no picture, too large, one too many or not asked for.
        """
        if not self.with_pictures:
            raise ValueError("not asked for")
        if "preparing" in reply:
            self.preparings_left -= 1
        else:
            picture = replies.picture(reply["image"])
            self.pictures.append(picture)
            self.bytes_left -= len(picture.data)
        if self.preparings_left < 0 or self.bytes_left < 0 or len(self.pictures) > MAX_PICTURES:
            raise ValueError("pictures")


def _asked(path: Path, known_hash: str, with_pictures: bool) -> _Asked:
    source, found = str(path.absolute()), by_name(path)
    if found is None:
        reason = NO_READER.fill(suffix=path.suffix or path.name)
        return _Asked(source, "", "", Loaded("", failure=LoadFailure("unsupported", reason)))
    if not is_utf8(source):
        return _Asked(source, "", "", Loaded("", failure=LoadFailure("unreadable", NOT_UTF8)))
    return _Asked(source, found.media_type, known_hash, with_pictures=with_pictures)


@dataclass(frozen=True, slots=True)
class _Crash:
    """The child ended without a reply."""

    why: str  # the name of a signal, or an exit code


class _Watchdog:
    """Kills the child when a block lasts too long, which ends the reads of its pipe."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.passed = False
        self._child = child
        self._due_s = math.inf
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name="ragkit-watchdog", daemon=True).start()

    @contextlib.contextmanager
    def limit(self, timeout_s: float) -> Iterator[None]:
        self._due_s = time.monotonic() + timeout_s
        try:
            yield
        finally:
            self._due_s = math.inf

    def restart(self, timeout_s: float) -> None:
        """Within `limit`, allow so much time again."""
        self._due_s = time.monotonic() + timeout_s

    def end(self) -> None:
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            if time.monotonic() >= self._due_s:
                self.passed = True
                _kill(self._child)
                return


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child with all that it started, as its pipes would stay open otherwise."""
    if child.poll() is not None:
        return
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (AttributeError, OSError):  # there are no process groups on Windows, or the child is gone already
        child.kill()


def _pipe(stream: Any) -> BinaryIO:
    return cast(BinaryIO, stream)


def _end_of(child: subprocess.Popen[bytes]) -> str:
    """How the child ended: the name of a signal, or an exit code."""
    try:
        code = child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return "no answer"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit code {code}"
