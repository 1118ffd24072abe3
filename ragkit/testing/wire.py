"""Replies as values, and a server on a real socket that sends them just so."""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_POLL_S = 0.02


@dataclass(frozen=True)
class Scripted:
    """One reply: what is sent, at what pace, and how it ends."""

    status: int = 200  # 0: not one byte, not even headers
    pieces: Sequence[bytes] = ()
    content_type: str = "application/json; charset=utf-8"
    pause_s: float = 0.0  # before each piece
    cut: bool = False  # the connection ends without the end of the reply
    silence_s: float = 0.0  # before the headers
    reset: bool = False  # the connection is reset at the end instead of closed
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(value: object, status: int = 200) -> Scripted:
    return Scripted(status, (json.dumps(value).encode(),))


def stream_reply(parts: Sequence[Mapping[str, object]], *, cut: bool = False, pause_s: float = 0.0) -> Scripted:
    """NDJSON as `/api/chat` streams it."""
    lines = tuple(json.dumps(part).encode() + b"\n" for part in parts)
    return Scripted(200, lines, "application/x-ndjson", pause_s, cut)


@dataclass(frozen=True)
class Request:
    """One request as it came. `at_s` is of a monotonic clock."""

    method: str
    path: str
    body: dict[str, Any]  # {} when there was none, or none of JSON
    headers: Mapping[str, str]
    at_s: float
    raw: bytes = b""


class WireServer:
    """Serves `reply(request)` on a free port of loopback. `closed_early` names the paths of the replies
    whose client left before their end."""

    def __init__(self, reply: Callable[[Request], Scripted]) -> None:
        self.reply = reply
        self.closed_early: list[str] = []
        self.stopping = threading.Event()
        self._server = _Quiet(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Quiet(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet about clients that left; anything else is a fault of the script."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _handler(wire: WireServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            raw = self._body()
            try:
                body = json.loads(raw or b"{}")
            except ValueError:
                body = {}
            headers = {name.lower(): value for name, value in self.headers.items()}
            known = body if isinstance(body, dict) else {}
            request = Request(self.command, self.path, known, headers, time.monotonic(), raw)
            try:
                self._send(wire.reply(request))
            except OSError:
                wire.closed_early.append(self.path)
                self.close_connection = True

        do_POST = do_DELETE = do_HEAD = do_GET

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _send(self, reply: Scripted) -> None:
            self._wait(reply.silence_s)
            if reply.status:
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if self.command != "HEAD":
                    self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                if self.command != "HEAD":
                    self._send_pieces(reply)
            if reply.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            if reply.reset or reply.cut or not reply.status:
                self.close_connection = True

        def _send_pieces(self, reply: Scripted) -> None:
            for piece in reply.pieces:
                self._wait(reply.pause_s)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            if not (reply.cut or reply.reset):
                self.wfile.write(b"0\r\n\r\n")

        def _wait(self, seconds: float) -> None:
            """Sleep, but not longer than the client stays."""
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                if wire.stopping.is_set():
                    raise ConnectionAbortedError
                readable, _, _ = select.select([self.connection], [], [], min(left, _POLL_S))
                if readable and not self.connection.recv(1, socket.MSG_PEEK):
                    raise ConnectionAbortedError

        def finish(self) -> None:
            if self.connection.fileno() >= 0:
                super().finish()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: tests read the server's records."""

    return Handler
