"""The OpenAI-compatible door: any server with /v1, met over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.config.sections import Config
from ragkit.models.embedded.e5 import weights_path
from ragkit.models.openai import OpenAIServer, status_error
from ragkit.testing import Scripted, ScriptedOllama, json_reply
from ragkit.types.errors import (
    BadReply,
    ConfigError,
    ContextOverflow,
    EndpointMissing,
    ModelNotFound,
    ModelTimeout,
    ModelUnavailable,
    RagkitError,
)

BASE = {"models.backend": "openai", "openai.embed_model": "embed", "openai.chat_model": "chat", "requests.retry_s": "1"}


def config_for(server: ScriptedOllama, **flags: str) -> Config:
    extra = {name.replace("__", "."): value for name, value in flags.items()}
    return resolve(environ={}, flags={**BASE, "openai.base_url": server.url + "/v1", **extra})[0]


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama() as running:
        yield running


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "alpha.md").write_text("The alpha valve opens at three bar.\n", "utf-8")
    (folder / "阀门.md").write_text("主阀门在三个大气压时打开。\n", "utf-8")
    return folder


@pytest.mark.parametrize(
    ("question", "answer", "quote"),
    [
        ("When does the alpha valve open?", 'At three bar ("opens at three bar") [1].', "opens at three bar"),
        ("主阀门何时打开？", "三个大气压时（“在三个大气压时打开”）[1]。", "在三个大气压时打开"),
    ],
)
def test_documents_are_indexed_and_asked(
    server: ScriptedOllama, docs: Path, tmp_path: Path, question: str, answer: str, quote: str
) -> None:
    server.answer = answer
    with RagKit.open(tmp_path / "index", config_for(server, options__seed="7")) as kit:
        assert kit.index([docs]).count("added") == 2
        *pieces, found = kit.stream(question)
    assert "".join(map(str, pieces)) == answer
    assert not isinstance(found, str)
    assert [(citation.quote, citation.verified) for citation in found.citations] == [(quote, True)]
    assert found.ledger.prompt_eval_count
    [body] = [body for path, body in server.requests if path == "/v1/chat/completions"]
    assert (body["max_tokens"], body["temperature"], body["seed"]) == (1024, 0.0, 7)
    assert "num_ctx" not in body
    assert {path.split("/")[1] for path, _ in server.requests} == {"v1"}  # nothing of the native API


@pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")
def test_a_chat_server_beside_the_embedded_embeddings(server: ScriptedOllama, docs: Path, tmp_path: Path) -> None:
    server.answer = 'At three bar ("opens at three bar") [1].'
    with RagKit.open(tmp_path / "index", config_for(server, models__embed_backend="embedded")) as kit:
        report = kit.index([docs])
        answer = kit.ask("When does the alpha valve open?")
        checks = {check.name: check.state for check in kit.doctor()}
    assert (report.generation.backend, answer.mode, answer.citations[0].verified) == ("embedded", "generative", True)
    assert not [path for path, _ in server.requests if path == "/v1/embeddings"]
    assert checks["chat model"] == checks["embedded models"] == "ok"
    assert "embedding model" not in checks


def ask(server: ScriptedOllama, docs: Path, tmp_path: Path, **flags: str) -> Any:
    with ScriptedOllama() as healthy, RagKit.open(tmp_path / "index", config_for(healthy)) as kit:
        kit.index([docs])
    with RagKit.open(tmp_path / "index", config_for(server, **flags)) as kit:
        return kit.ask("When does the alpha valve open?")


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(text: str, finish: str | None = None) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


def openai_error(status: int, message: str, **more: object) -> Scripted:
    return json_reply({"error": {"message": message, "type": "invalid_request_error", **more}}, status)


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (Scripted(200, (delta("At three"),), "text/event-stream"), BadReply, "in the middle"),
        (Scripted(200, (delta("At"), event({"error": {"message": "out of memory"}}))), BadReply, "out of memory"),
        (Scripted(200, (b"data: {broken\n\n",)), BadReply, "not JSON"),
        (openai_error(401, "Incorrect API key provided"), ModelUnavailable, "Incorrect API key"),
        (openai_error(404, "The model `chat` does not exist"), ModelNotFound, "does not have the model chat"),
        (Scripted(404, (b"Not Found",), "text/plain"), EndpointMissing, "does not know the request"),
        (openai_error(429, "You exceeded your current quota"), ModelUnavailable, "quota"),
        (Scripted(500, (b"<html>",), "text/html"), BadReply, "status 500"),
        (Scripted(200, (delta("At"),), "text/event-stream", cut=True), BadReply, "broke off"),
        (Scripted(200, (delta("At"),), "text/event-stream", pause_s=5), ModelTimeout, "took too long"),
        (
            openai_error(400, "maximum context length is 2 tokens", code="context_length_exceeded"),
            ContextOverflow,
            "long",
        ),
    ],
)
def test_a_fault_is_one_clear_error(
    server: ScriptedOllama, docs: Path, tmp_path: Path, reply: Scripted, error: type[RagkitError], said: str
) -> None:
    server.behaviour = lambda path, body: reply if path == "/v1/chat/completions" else None
    with pytest.raises(error) as caught:
        ask(server, docs, tmp_path, requests__first_byte_timeout_s="1", requests__idle_timeout_s="0.5")
    assert said in str(caught.value)
    assert caught.value.hint


def test_server_sent_events_are_read_as_servers_write_them(server: ScriptedOllama, docs: Path, tmp_path: Path) -> None:
    pieces = (
        b": keep-alive\n\nevent: message\r\n",
        delta("At three bar "),
        delta('("opens at three'),
        delta(' bar") [1].', "stop"),
        event({"choices": [], "usage": {"prompt_tokens": 400, "completion_tokens": 9}}),
        b"data: [DONE]\n\n",
    )
    reply = Scripted(200, pieces, "text/event-stream")
    server.behaviour = lambda path, body: reply if path == "/v1/chat/completions" else None
    answer = ask(server, docs, tmp_path)
    assert answer.text == 'At three bar ("opens at three bar") [1].'
    assert (answer.citations[0].verified, answer.ledger.prompt_eval_count) == (True, 400)


def test_a_field_that_the_model_refuses_is_left_out_and_named(
    server: ScriptedOllama, docs: Path, tmp_path: Path
) -> None:
    def refuse(path: str, body: dict[str, Any]) -> Scripted | None:
        if path == "/v1/chat/completions" and "temperature" in body:
            return openai_error(400, "'temperature' is not supported", code="unsupported_value", param="temperature")
        return None

    server.behaviour = refuse
    answer = ask(server, docs, tmp_path)
    assert "does not take temperature; it was left out" in str(answer.notes[0])


def test_the_window_that_a_server_tells_is_kept(server: ScriptedOllama, docs: Path, tmp_path: Path) -> None:
    models = {"object": "list", "data": [{"id": "chat", "max_model_len": 2048}]}
    server.behaviour = lambda path, body: json_reply(models) if path == "/v1/models" else None
    answer = ask(server, docs, tmp_path)
    assert answer.ledger.window_tokens == 2048
    assert "has a window of 2048 tokens" in str(answer.notes[0])


def test_one_bad_text_fails_alone(server: ScriptedOllama, docs: Path, tmp_path: Path) -> None:
    (docs / "poison.md").write_text("POISON upsets the model.\n", "utf-8")

    def refuse(path: str, body: dict[str, Any]) -> Scripted | None:
        poisoned = path == "/v1/embeddings" and any("POISON" in text for text in body["input"])
        return openai_error(400, "bad input") if poisoned else None

    server.behaviour = refuse
    with RagKit.open(tmp_path / "index", config_for(server)) as kit:
        report = kit.index([docs])
    assert (report.count("added"), report.chunks_without_vector) == (3, 1)


def test_vectors_are_put_in_the_order_of_their_index(server: ScriptedOllama, docs: Path, tmp_path: Path) -> None:
    def shuffled(path: str, body: dict[str, Any]) -> Scripted | None:
        if path != "/v1/embeddings" or len(body["input"]) < 2:
            return None
        server.behaviour = None
        reply = json.loads(server._openai_embeddings(body, "embed").pieces[0])
        reply["data"].reverse()
        return json_reply(reply)

    server.behaviour = shuffled
    with RagKit.open(tmp_path / "index", config_for(server)) as kit:
        kit.index([docs])
        hit = kit.search("alpha valve opens at three bar", k=1)[0]
    assert hit.chunk.text.startswith("The alpha")
    assert hit.similarity is not None
    assert hit.similarity > 0.5


@pytest.mark.parametrize(
    ("url", "sent"), [("http://127.0.0.1:1/v1", True), ("https://h.example/v1", True), ("http://h.example/v1", False)]
)
def test_a_key_goes_only_where_it_is_safe(url: str, sent: bool) -> None:
    config, _ = resolve(environ={}, flags={"openai.base_url": url, "openai.api_key_env": "MY_KEY"})
    made = OpenAIServer(config, {"MY_KEY": "secret", "OPENAI_ORG_ID": "org"})
    assert ("Authorization" in made.server._headers, made.key_withheld) == (sent, not sent)
    assert made.server._headers["OpenAI-Organization"] == "org"


def test_an_address_that_is_none_is_a_wrong_setting() -> None:
    config, _ = resolve(environ={}, flags={"openai.base_url": "localhost:8000"})
    with pytest.raises(ConfigError, match="must be an http or https address"):
        OpenAIServer(config, {})


@pytest.mark.parametrize(
    ("message", "counts"),
    [
        ("This model's maximum context length is 8192 tokens. However, you requested 9000 tokens", (9000, 8192)),
        ("maximum context length is 4096 tokens, however your request has 5000 input tokens", (5000, 4096)),
        ("the request exceeds the available context size (4096 tokens), context length", (None, 4096)),
    ],
)
def test_an_overflow_tells_its_counts(message: str, counts: tuple[int | None, int]) -> None:
    body = json.dumps({"error": {"message": message, "code": "context_length_exceeded"}}).encode()
    error = status_error(400, body, "m", "OPENAI_API_KEY")
    assert isinstance(error, ContextOverflow)
    assert (error.prompt_tokens, error.window_tokens) == counts
