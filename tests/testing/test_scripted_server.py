"""The scripted server is proved itself: a client without any cleverness sees what each row says."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from ragkit.testing import FAULTS, ScriptedOllama, count_tokens
from tests.helpers.paths import CHECKOUT

GUIDE = CHECKOUT / "docs" / "testing.md"
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hello 你好"}]}
EMBED = {"model": "embed", "input": ["one", "POISON two", "三"]}
WAIT_S = 0.4


def post(server: ScriptedOllama, path: str, body: object) -> httpx.Response:
    return httpx.post(server.url + path, json=body, timeout=WAIT_S, trust_env=False)


def raw(server: ScriptedOllama, path: str, body: object, seconds: float) -> bytes:
    """All bytes that come within `seconds`, as they come; a reset ends them with b"<reset>"."""
    parts = urlsplit(server.url)
    payload = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(payload)}\r\n\r\n"
    found = b""
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        connection.sendall(head.encode() + payload)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                return found
            except ConnectionResetError:
                return found + b"<reset>"
            if not piece:
                return found
            found += piece
    return found


@pytest.mark.parametrize(
    ("name", "path", "body", "error"),
    [
        ("refused", "/api/chat", CHAT, httpx.ConnectError),
        ("accept-then-silence", "/api/chat", CHAT, httpx.ReadTimeout),
        ("slow-load", "/api/chat", CHAT, httpx.ReadTimeout),
        ("headers-then-silence", "/api/chat", CHAT, httpx.ReadTimeout),
        ("one-byte-a-second", "/api/embed", EMBED, httpx.ReadTimeout),
        ("reset-before-headers", "/api/embed", EMBED, httpx.ReadError),
        ("reset-mid-line", "/api/chat", CHAT, httpx.RemoteProtocolError),
    ],
)
def test_a_connection_fails_as_the_row_says(name: str, path: str, body: object, error: type[Exception]) -> None:
    with ScriptedOllama(fault=name) as server, pytest.raises(error):
        post(server, path, body)


@pytest.mark.parametrize(
    ("name", "path", "body", "status", "part"),
    [
        ("500-json", "/api/chat", CHAT, 500, '{"error": "something went wrong"}'),
        ("500-html", "/api/chat", CHAT, 500, "<html>"),
        ("503", "/api/chat", CHAT, 503, "unavailable"),
        ("queue-full", "/api/chat", CHAT, 503, "maximum pending requests exceeded"),
        ("404-model", "/api/chat", CHAT, 404, "not found"),
        ("400-too-long", "/api/chat", CHAT, 400, "exceed_context_size_error"),
        ("400-nan", "/api/embed", EMBED, 400, "NaN"),
        ("bad-text", "/api/embed", EMBED, 400, "NaN"),
        ("crash", "/api/embed", EMBED, 500, "unexpectedly stopped"),
        ("501-no-embeddings", "/api/embed", EMBED, 501, "does not support embeddings"),
        ("redirect", "/api/chat", CHAT, 302, ""),
        ("error-in-stream", "/api/chat", CHAT, 200, '"error"'),
        ("nan-in-vector", "/api/embed", EMBED, 200, "NaN"),
        ("null-in-vector", "/api/embed", EMBED, 200, "null"),
        ("string-in-vector", "/api/embed", EMBED, 200, '"0.1"'),
        ("infinite-vector", "/api/embed", EMBED, 200, "1e999"),
        ("trailing-garbage", "/api/embed", EMBED, 200, "garbage"),
    ],
)
def test_a_reply_is_what_the_row_says(name: str, path: str, body: object, status: int, part: str) -> None:
    with ScriptedOllama(fault=name) as server:
        reply = post(server, path, body)
    assert (reply.status_code, part in reply.text) == (status, True)


def test_rows_about_vectors_spoil_only_the_marked_text() -> None:
    for name in ("wrong-dimension", "zero-vector"):
        with ScriptedOllama(fault=name) as server:
            first, second, third = post(server, "/api/embed", EMBED).json()["embeddings"]
        assert (len(first), len(third)) == (64, 64)
        assert len(second) == 63 or not any(second)
    with ScriptedOllama(fault="fewer-vectors") as server:
        assert len(post(server, "/api/embed", EMBED).json()["embeddings"]) == 2
        assert len(post(server, "/api/embed", {**EMBED, "input": ["one"]}).json()["embeddings"]) == 1


def test_rows_about_streams() -> None:
    def parts(name: str) -> list[dict[str, object]]:
        with ScriptedOllama(fault=name) as server:
            return [json.loads(line) for line in post(server, "/api/chat", CHAT).text.splitlines()]

    assert not any(part["done"] for part in parts("no-done"))
    assert [part["done"] for part in parts("done-twice")][-2:] == [True, True]
    assert parts("cut-prompt")[-1]["prompt_eval_count"] == 40


def test_rows_about_bytes() -> None:
    with ScriptedOllama(fault="reset-in-body") as server:
        assert raw(server, "/api/embed", EMBED, 2).endswith(b"<reset>")
    with ScriptedOllama(fault="invalid-utf8") as server:
        assert b"\xff\xfe" in raw(server, "/api/embed", EMBED, WAIT_S)
    with ScriptedOllama(fault="one-byte-a-second") as server:
        assert raw(server, "/api/embed", EMBED, 1.3).endswith(b"1\r\n{\r\n")
    with ScriptedOllama(fault="gzip-bomb") as server:
        packed = raw(server, "/api/embed", EMBED, 5)
    assert b"Content-Encoding: gzip" in packed
    assert len(packed) < 2_000_000
    with ScriptedOllama(fault="503-retry-after") as server:
        assert post(server, "/api/chat", CHAT).headers["retry-after"] == "1"
    with ScriptedOllama(fault="digest-change") as server:
        first, second = (httpx.get(server.url + "/api/tags", trust_env=False).json()["models"][0] for _ in range(2))
    assert first["digest"] != second["digest"]


def test_every_row_was_looked_at() -> None:
    looked_at = set(re.findall(r'"([a-z0-9-]+)"', Path(__file__).read_text("utf-8")))
    assert set(FAULTS) <= looked_at


def test_a_fault_may_befall_some_paths_and_some_times_only() -> None:
    with ScriptedOllama(fault="503", on=("/api/chat",), times=1) as server:
        assert post(server, "/api/embed", EMBED).status_code == 200
        assert [post(server, "/api/chat", CHAT).status_code for _ in range(2)] == [503, 200]


def test_a_healthy_server_keeps_its_window() -> None:
    long = {**CHAT, "messages": [{"role": "user", "content": "word " * 300}], "options": {"num_ctx": 128}}
    with ScriptedOllama() as server:
        assert json.loads(post(server, "/api/chat", long).json()["error"])["error"]["n_prompt_tokens"] == 300
    with ScriptedOllama(cuts_silently=True) as server:
        last = json.loads(post(server, "/api/chat", long).text.splitlines()[-1])
        assert last["prompt_eval_count"] == 66  # half the window and two
    assert count_tokens("Two words, 四个汉字.") == 8


def test_the_guide_lists_every_fault() -> None:
    listed = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \|$", GUIDE.read_text("utf-8"), re.MULTILINE))
    assert listed == {fault.name: fault.description for fault in FAULTS.values()}
