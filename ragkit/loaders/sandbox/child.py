"""The process that reads the files of strangers; `SandboxLoader` starts it and may kill it.

Requests come on stdin and replies go to stdout in frames: 8 bytes of length, then JSON. Behind the frame of a document
stands one with its text. The process ends when stdin does.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

from ragkit.i18n.messages import Message, coded
from ragkit.loaders.building.picture_collector import PictureCollector
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.files.access import MB, read_bytes
from ragkit.loaders.formats import parse
from ragkit.loaders.images.ocr import MEMORY_MB, Ocr, Reading, readings
from ragkit.loaders.images.picture import as_png
from ragkit.loaders.reasons import NESTED_TOO_DEEPLY, READER_FAILED
from ragkit.text.readability import why_unreadable, with_weak_pages
from ragkit.text.terms import language
from ragkit.types.errors import LoadError, UnsupportedFormat

_WITH_TEXT = frozenset({"document", "textless_document"})  # a reply has at most one of these
_GRACE_S = 10  # over the time limit of the parent, which ends a slow file; this one counts if the parent is gone
_OWN_NETWORK, _OWN_USERS = 0x40000000, 0x10000000  # CLONE_NEWNET, CLONE_NEWUSER
_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn")


def main(limits: Mapping[str, Any]) -> None:
    """Answer requests until stdin ends. `limits` are what `SandboxLoader` gives: timeout_s, sizes in MB, and so on."""
    requests, replies = sys.stdin.buffer, _private_stdout()
    _confine(int(limits["memory_mb"]), MEMORY_MB if limits["ocr"] else 0)
    ocr = _ocr(replies, limits) if limits["ocr"] else None
    send(replies, {"ready": True}, limits["max_frame"])
    while (request := receive(requests, MB)) is not None:
        _set_alarm(limits["timeout_s"])
        pictures = _picture_collector(replies, limits) if request.get("pictures") else None
        try:
            answer = _answer(request, limits, ocr, pictures)
            _set_alarm(0)  # the parent may be at work on earlier files, for which the rest waits
            if pictures is not None and not answer.keys().isdisjoint(_WITH_TEXT):
                _send_pictures(replies, pictures, limits)
            _reply(replies, answer, limits)
        except (MemoryError, RecursionError) as exc:
            # What else the error has broken is unknown, so that a fresh process reads the next file.
            _reply(replies, {**_failure("", _exhausted(exc, limits)), "last": True}, limits)
            return


def _reply(replies: BinaryIO, reply: dict[str, Any], limits: Mapping[str, Any]) -> None:
    """Send a reply, with the text of its document in a frame of its own.

    Within JSON, a large text would stand in memory several times.
    """
    document = next((reply[name] for name in _WITH_TEXT & reply.keys()), None)
    text = document.pop("text") if document is not None else ""
    try:
        size = sum(map(len, _encoded(text, "strict")))
        send(replies, reply, limits["max_frame"])
    except ValueError:
        send(replies, _failure(reply["hash"], _too_much(limits)), limits["max_frame"])
        return
    if document is not None:
        _write(replies, size, _encoded(text, "strict"))


def receive(stream: BinaryIO, limit: int) -> Any:
    """The next value; None at the end. Raises ValueError, TypeError, KeyError if it is too long or makes no sense."""
    body = _frame(stream, limit)
    if body is None:
        return None
    value = json.loads(body)
    for name in _WITH_TEXT & value.keys() if isinstance(value, dict) else ():
        text = _frame(stream, limit)
        if text is None:
            return None
        value[name]["text"] = text.decode()
    return value


def send(stream: BinaryIO, value: Any, limit: int) -> None:
    """Send a value as JSON. Raises ValueError, and sends nothing, if it does not fit a frame of `limit` bytes."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    if len(body) > limit:
        raise ValueError(f"a frame of {len(body)} bytes")
    _write(stream, len(body), [body])


def _write(stream: BinaryIO, size: int, parts: Iterable[bytes]) -> None:
    stream.write(size.to_bytes(8, "big"))
    for part in parts:
        stream.write(part)
    stream.flush()


def _encoded(text: str, errors: str) -> Iterator[bytes]:
    """The text in UTF-8, in parts: in one go, Python takes room for the longest that such a text might become."""
    for at in range(0, len(text), MB):
        yield text[at : at + MB].encode("utf-8", errors)


def _frame(stream: BinaryIO, limit: int) -> bytes | None:
    head = stream.read(8)
    if len(head) < 8:
        return None
    length = int.from_bytes(head, "big")
    if length > limit:
        raise ValueError(f"a frame of {length} bytes")
    body = stream.read(length)
    return body if len(body) == length else None


def _ocr(replies: BinaryIO, limits: Mapping[str, Any]) -> Ocr:
    """An OCR that sends each reading at once: the time limit is then that of a page, and no reading is lost."""

    def tell(key: str, reading: Reading, done: int, total: int) -> None:
        put({"reading": {"key": key, **asdict(reading)}, "done": done, "total": total})

    def put(frame: dict[str, Any]) -> None:
        _put(replies, frame, limits)

    known = readings(Path(limits["readings"])) if limits["readings"] else {}
    return Ocr(known, _make_room, lambda: put({"picture": True}), tell)


def _put(replies: BinaryIO, frame: dict[str, Any], limits: Mapping[str, Any]) -> None:
    """Send a frame before the reply; the time limit counts anew from here."""
    _set_alarm(0)  # the parent may be at work on earlier files
    send(replies, frame, limits["max_frame"])
    _set_alarm(limits["timeout_s"])


def _picture_collector(replies: BinaryIO, limits: Mapping[str, Any]) -> PictureCollector:
    return PictureCollector(as_png, lambda: _put(replies, {"preparing": True}, limits))


def _send_pictures(replies: BinaryIO, pictures: PictureCollector, limits: Mapping[str, Any]) -> None:
    for picture in pictures.placed:
        data = base64.b64encode(picture.data).decode()
        send(replies, {"image": {"at": picture.at, "data": data}}, limits["max_frame"])


def _answer(
    request: Mapping[str, Any], limits: Mapping[str, Any], ocr: Ocr | None, pictures: PictureCollector | None
) -> dict[str, Any]:
    content_hash = ""
    try:
        data = read_bytes(request["path"], limits["max_file_mb"])
        content_hash = hashlib.sha256(data).hexdigest()
        if content_hash == request["known_hash"]:
            return {"hash": content_hash}
        context = ReadContext(request["media_type"], ocr if request["ocr"] else None, pictures)
        document = parse(request["path"], data, context)
        del data  # large bytes would be in the way of what follows
    except UnsupportedFormat as exc:
        return _failure(content_hash, exc.message, "unsupported")
    except LoadError as exc:
        return _failure(content_hash, exc.message)
    except (MemoryError, RecursionError) as exc:
        raise exc.with_traceback(None) from None  # its frames hold the memory
    except Exception as exc:
        reason = READER_FAILED.fill(why=type(exc).__name__)
        return _failure(content_hash, reason)
    if sum(map(len, _encoded(document.text, "replace"))) > limits["max_text_mb"] * MB:
        return _failure(content_hash, _too_much(limits))
    if pictures is not None:
        document = replace(document, notes=(*document.notes, *pictures.notes()))
        if pictures.without is not None:
            state = "unsupported" if isinstance(pictures.without, UnsupportedFormat) else "unreadable"
            return {**_failure(content_hash, pictures.without.message, state), "textless_document": asdict(document)}
    document = with_weak_pages(document)
    why = why_unreadable(document)
    if why is not None:
        return _failure(content_hash, coded("no_readable_page", "No page of it can be read: {why}.", why=why))
    document = replace(document, language=language(_sample(document.text)))
    return {"hash": content_hash, "document": asdict(document)}


def _sample(text: str) -> str:
    """The text to tell the language from: of a long one sixteen parts."""
    if len(text) <= MB:
        return text
    return "".join(text[at : at + MB // 16] for at in range(0, len(text), len(text) // 15))


def _failure(content_hash: str, reason: Message, state: str = "unreadable") -> dict[str, Any]:
    return {"hash": content_hash, "failure": {"state": state, **message_json(reason)}}


def message_json(message: Message) -> dict[str, Any]:
    values = {
        name: message_json(value) if isinstance(value, Message) else value if isinstance(value, int) else str(value)
        for name, value in message.values.items()
    }
    return {"text": message.text, "values": values, "code": message.code, "plural": message.plural}


def _too_much(limits: Mapping[str, Any]) -> Message:
    return coded(
        "too_much_text",
        "It holds more than {limit} MB of text (setting loading.max_text_mb).",
        limit=limits["max_text_mb"],
    )


def _exhausted(exc: BaseException, limits: Mapping[str, Any]) -> Message:
    if isinstance(exc, RecursionError):
        return NESTED_TOO_DEEPLY
    return coded(
        "too_much_memory",
        "Reading it takes more than {limit} MB of memory (setting loading.memory_mb).",
        limit=limits["memory_mb"],
    )


# -- confinement ---------------------------------------------------------------------------------


def _private_stdout() -> BinaryIO:
    """The pipe for replies under a number of its own, so that nothing that a library prints gets into it."""
    replies = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return replies


def _confine(memory_mb: int, spare_mb: int) -> None:
    """Bound the memory and forbid core dumps, written files, the network and other programs.

    Some systems have no such limits. `_make_room` gives the spare memory free.
    """
    try:
        import resource
    except ImportError:  # the time limit alone remains on Windows
        pass
    else:
        for kind, most in (
            (resource.RLIMIT_AS, (memory_mb + spare_mb) * MB),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
        ):
            _lower(resource, kind, most)
        _bound_memory(resource, memory_mb * MB)

    _leave_the_network()

    def audit(event: str, _arguments: tuple[object, ...]) -> None:
        if event.startswith(_FORBIDDEN):
            raise PermissionError(f"{event} is not for readers of files")

    sys.addaudithook(audit)


def _leave_the_network() -> None:
    """Move into a network of its own, which has no way out: `audit` does not see what a library in C does.

    Only Linux has this, and not every container lets a process have it.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if libc.unshare(_OWN_NETWORK) != 0:  # who is not root becomes the root of a world without rights
            libc.unshare(_OWN_USERS | _OWN_NETWORK)


def _make_room() -> None:
    """Give the spare memory free for the OCR engine; from then on all that is read has this room."""
    try:
        import resource
    except ImportError:
        return
    _bound_memory(resource, resource.getrlimit(resource.RLIMIT_AS)[1])


def _bound_memory(resource: Any, most: int) -> None:
    """Set the limit of memory that may still be raised again."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    with contextlib.suppress(ValueError, OSError):  # macOS refuses; a lower hard limit holds anyway
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _lower(resource: Any, kind: int, most: int) -> None:
    """Set a limit for good."""
    _, hard = resource.getrlimit(kind)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    try:
        resource.setrlimit(kind, (bound, bound))
    except (ValueError, OSError):  # macOS knows RLIMIT_AS but refuses it
        return


def _set_alarm(timeout_s: float) -> None:
    """Have the system end this process some time after the limit, whatever it is doing then; 0 calls that off."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, timeout_s + _GRACE_S if timeout_s else 0)
