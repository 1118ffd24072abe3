"""The process that reads files: `python -m ragkit.loaders.child MEMORY_MB MAX_TEXT_CHARACTERS`.

It takes requests on standard input and answers on standard output, each a length of four bytes and
as many bytes of JSON. It may be killed at any moment, and it ends when its parent does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from ragkit.errors import LoadError
from ragkit.loaders import parse
from ragkit.messages import Message


def main() -> None:
    memory_mb, text_limit = int(sys.argv[1]), int(sys.argv[2])
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library's print must not get into the replies
    _limit(memory_mb)
    _forbid_network()
    while (size := requests.read(4)) and len(size) == 4:
        request = json.loads(requests.read(int.from_bytes(size, "big")))
        _send(replies, _answer(request, text_limit))


def _answer(request: dict[str, Any], text_limit: int) -> dict[str, Any]:
    content_hash = ""
    try:
        data = _bytes_of(request["path"], request["max_bytes"])
        content_hash = hashlib.sha256(data).hexdigest()
        if content_hash == request["known_hash"]:
            return {"content_hash": content_hash}
        document = parse(request["path"], data, request["media_type"])
    except LoadError as exc:
        return _failure(content_hash, exc.message)
    except OSError as exc:
        return _failure(content_hash, Message("{why}", {"why": exc.strerror or type(exc).__name__}))
    except MemoryError:
        return _failure(content_hash, Message("it needs more memory than loading.memory_mb allows"))
    except RecursionError:
        return _failure(content_hash, Message("it is nested too deeply"))
    except Exception as exc:
        return _failure(content_hash, Message("its reader failed: {why}", {"why": type(exc).__name__}))
    if len(document.text) > text_limit:
        return _failure(content_hash, Message("it holds more text than loading.max_text_mb allows"))
    return {"content_hash": content_hash, "document": asdict(document)}


def _bytes_of(path: str, max_bytes: int) -> bytes:
    """The file's bytes, only of a regular file and never more than `max_bytes`."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as stream:
        facts = os.fstat(stream.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise LoadError("it is not a regular file")
        if facts.st_size > max_bytes:
            raise LoadError("it is larger than loading.max_file_mb allows")
        data = stream.read(facts.st_size + 1)
    if len(data) > facts.st_size:
        raise LoadError("it grew while it was read")
    return data


def _failure(content_hash: str, reason: Message) -> dict[str, Any]:
    return {"content_hash": content_hash, "failure": {"template": reason.template, "values": _texts(reason)}}


def _texts(reason: Message) -> dict[str, str]:
    return {name: str(value)[:500] for name, value in reason.values.items()}


def _send(replies: BinaryIO, reply: dict[str, Any]) -> None:
    raw = json.dumps(reply).encode()  # ASCII: a lone surrogate cannot break it
    replies.write(len(raw).to_bytes(4, "big") + raw)
    replies.flush()


def _limit(memory_mb: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # not every system has these limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_mb * 2**20, memory_mb * 2**20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write


def _forbid_network() -> None:
    def audit(event: str, arguments: tuple[object, ...]) -> None:
        del arguments
        if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen"):
            raise PermissionError(f"{event} is not allowed while a file is read")

    sys.addaudithook(audit)


if __name__ == "__main__":
    main()
