"""The embedded models over the wire: the contract of the Ollama and OpenAI APIs, on a real socket."""

from __future__ import annotations

import base64
import json
import math
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from ragkit.models.embedded.e5 import weights_path
from tests.helpers.serving import served_models

pytestmark = pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")

EMBED, CHAT = "multilingual-e5-small", "ragkit-extractive"
ASK = {
    "role": "user",
    "content": "Context: The valve opens at three bar. The pump stops at noon.\nQuestion: When does the pump stop?",
}
ASK_ZH = {"role": "user", "content": "上下文：主阀门在三个大气压时打开。水泵在中午停止。\n问题：主阀门何时打开？"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served_models() as address:
        yield address


@pytest.fixture(scope="module")
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield client


def lines(reply: httpx.Response) -> list[dict[str, Any]]:
    assert reply.headers["content-type"] == "application/x-ndjson"
    assert reply.text.endswith("\n")
    return [json.loads(line) for line in reply.text.splitlines()]


# -- what is there -----------------------------------------------------------------------------


def test_the_server_says_what_it_is_and_has(http: httpx.Client) -> None:
    assert http.get("/").text == "Ollama is running"
    assert http.head("/").status_code == 200
    assert http.get("/api/version").json() == {"version": "0.33.0"}
    entries = {entry["name"]: entry for entry in http.get("/api/tags").json()["models"]}
    assert {name: entry["capabilities"] for name, entry in entries.items()} == {
        f"{EMBED}:latest": ["embedding"],
        f"{CHAT}:latest": ["completion"],
    }
    assert all(len(entry["digest"]) == 64 for entry in entries.values())
    record = http.post("/api/show", json={"model": EMBED.upper()}).json()
    assert record["model_info"]["bert.embedding_length"] == 384
    assert record["model_info"]["bert.context_length"] == 512


def test_a_model_is_loaded_kept_and_unloaded(http: httpx.Client) -> None:
    assert http.post("/api/embed", json={"model": EMBED}).json()["embeddings"] == []
    loaded = http.post("/api/chat", json={"model": CHAT, "messages": [], "options": {"num_ctx": 2048}}).json()
    assert (loaded["done"], loaded["done_reason"]) == (True, "load")
    running = {entry["name"]: entry for entry in http.get("/api/ps").json()["models"]}
    assert running[f"{CHAT}:latest"]["context_length"] == 2048
    assert running[f"{EMBED}:latest"]["expires_at"].endswith("Z")
    for name, path in ((CHAT, "/api/chat"), (EMBED, "/api/generate")):
        assert http.post(path, json={"model": name, "keep_alive": 0}).json()["done_reason"] == "unload"
    assert http.get("/api/ps").json() == {"models": []}


def test_a_model_leaves_when_its_time_is_up(http: httpx.Client) -> None:
    http.post("/api/embed", json={"model": EMBED, "input": "x", "keep_alive": "200ms"})
    end = time.monotonic() + 10
    while http.get("/api/ps").json()["models"] and time.monotonic() < end:
        time.sleep(0.05)
    assert http.get("/api/ps").json() == {"models": []}


def test_a_lifetime_holds_until_another_is_named(http: httpx.Client) -> None:
    def expires(**asked: object) -> str:
        http.post("/api/embed", json={"model": EMBED, "input": "x", **asked})
        return str(http.get("/api/ps").json()["models"][0]["expires_at"])

    assert expires(keep_alive=-1) > "2300"
    assert expires() > "2300"
    assert expires(keep_alive="1h") < "2300"
    assert expires(keep_alive=1e300) > "2300"
    http.post("/api/generate", json={"model": EMBED, "keep_alive": 0})


# -- embeddings --------------------------------------------------------------------------------


def test_vectors_are_the_embedded_models_own(http: httpx.Client) -> None:
    from ragkit.models.embedded.embedder import EmbeddedEmbedder

    texts = ["The valve opens at three bar.", "主阀门在三个大气压时打开。"]
    reply = http.post("/api/embed", json={"model": EMBED, "input": [f"passage: {text}" for text in texts]}).json()
    for got, own in zip(reply["embeddings"], EmbeddedEmbedder().embed_documents(texts), strict=True):
        assert sum(a * b for a, b in zip(got, own, strict=True)) > 0.99999  # type: ignore[arg-type]
    assert reply["prompt_eval_count"] > 10
    alone = http.post("/api/embed", json={"model": EMBED, "input": f"passage: {texts[0]}"}).json()["embeddings"]
    assert alone[0] == pytest.approx(reply["embeddings"][0], abs=1e-6)
    legacy = http.post("/api/embeddings", json={"model": EMBED, "prompt": f"passage: {texts[0]}"}).json()["embedding"]
    assert legacy == pytest.approx(alone[0], abs=1e-6)


def test_dimensions_and_length(http: httpx.Client) -> None:
    short = http.post("/api/embed", json={"model": EMBED, "input": ["hello"], "dimensions": 64}).json()["embeddings"][0]
    assert len(short) == 64
    assert math.isclose(math.hypot(*short), 1, rel_tol=1e-5)
    for whole in (384, 500, 0, -1):
        body = {"model": EMBED, "input": "hello", "dimensions": whole}
        assert len(http.post("/api/embed", json=body).json()["embeddings"][0]) == 384


@pytest.mark.parametrize("words", ["many words ", "水泵在中午停止。"], ids=["en", "zh"])
def test_a_long_text_is_cut_or_refused(http: httpx.Client, words: str) -> None:
    long = {"model": EMBED, "input": [words * 600, words * 600 + "and another end 完"]}
    reply = http.post("/api/embed", json=long).json()
    assert reply["embeddings"][0] == reply["embeddings"][1]  # the head is read, the tail is not
    assert reply["prompt_eval_count"] == 2 * 512
    refused = http.post("/api/embed", json={**long, "truncate": False})
    assert (refused.status_code, refused.json()["error"]) == (400, "the input length exceeds the context length")
    small = http.post("/api/embed", json={"model": EMBED, "input": words * 600, "options": {"num_ctx": 64}}).json()
    assert small["prompt_eval_count"] == 64
    legacy = http.post("/api/embeddings", json={"model": EMBED, "prompt": words * 600})
    assert (legacy.status_code, "too large to process" in legacy.json()["error"]) == (500, True)


def test_what_is_empty(http: httpx.Client) -> None:
    for nothing in ("", [], None):
        assert http.post("/api/embed", json={"model": EMBED, "input": nothing}).json() == {
            "model": EMBED,
            "embeddings": [],
        }
    one = http.post("/api/embed", json={"model": EMBED, "input": [""]}).json()
    assert (len(one["embeddings"]), one["prompt_eval_count"]) == (1, 2)
    assert http.post("/api/embeddings", json={"model": EMBED, "prompt": ""}).json() == {"embedding": []}


# -- answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "said"),
    [(ASK, "“The pump stops at noon.” [1]"), (ASK_ZH, "“主阀门在三个大气压时打开。” [1]")],
    ids=["en", "zh"],
)
def test_an_answer_is_a_quote_streamed_or_whole(http: httpx.Client, message: dict[str, str], said: str) -> None:
    streamed = lines(http.post("/api/chat", json={"model": CHAT, "messages": [message]}))
    assert "".join(part["message"]["content"] for part in streamed) == said
    assert [part["done"] for part in streamed] == [False] * (len(streamed) - 1) + [True]
    assert (streamed[-1]["done_reason"], streamed[-1]["eval_count"] > 3) == ("stop", True)
    whole = http.post("/api/chat", json={"model": CHAT, "messages": [message], "stream": False}).json()
    assert whole["message"]["content"] == said
    generated = http.post("/api/generate", json={"model": CHAT, "prompt": message["content"], "stream": False}).json()
    assert generated["response"] == said


@pytest.mark.parametrize(
    ("content", "refusal"), [("hello", "The documents do not say."), ("公司有游泳池吗？", "文档中没有说明。")]
)
def test_without_a_text_there_is_no_answer(http: httpx.Client, content: str, refusal: str) -> None:
    body = {"model": CHAT, "messages": [{"role": "user", "content": content}], "stream": False}
    assert http.post("/api/chat", json=body).json()["message"]["content"] == refusal


def test_limits_are_kept(http: httpx.Client) -> None:
    body = {"model": CHAT, "messages": [ASK], "stream": False}
    cut = http.post("/api/chat", json={**body, "options": {"num_predict": 3}}).json()
    assert (cut["done_reason"], cut["eval_count"] <= 3) == ("length", True)
    stopped = http.post("/api/chat", json={**body, "options": {"stop": [" at"]}}).json()
    assert (stopped["message"]["content"], stopped["done_reason"]) == ("“The pump stops", "stop")
    as_json = http.post("/api/chat", json={**body, "format": "json"}).json()["message"]["content"]
    assert json.loads(as_json) == {"answer": "“The pump stops at noon.” [1]"}
    long = {**body, "messages": [{"role": "user", "content": "many words " * 300}], "options": {"num_ctx": 128}}
    refused = http.post("/api/chat", json=long)
    inner = json.loads(refused.json()["error"])["error"]
    assert (refused.status_code, inner["type"], inner["n_ctx"]) == (400, "exceed_context_size_error", 128)
    assert inner["n_prompt_tokens"] > 128


# -- refusals ----------------------------------------------------------------------------------

USER = [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/chat", {"messages": USER}, 400, "model is required"),
        ("/api/embeddings", {"prompt": "x"}, 400, "model is required"),
        ("/api/show", {}, 400, "model is required"),
        ("/api/generate", {"prompt": "x"}, 404, "model '' not found"),
        ("/api/embed", {"input": "x"}, 404, "model '' not found"),
        ("/api/chat", {"model": "no", "messages": USER}, 404, "model 'no' not found"),
        ("/api/generate", {"model": "no", "prompt": "x"}, 404, "model 'no' not found"),
        ("/api/show", {"model": "no"}, 404, "model 'no:latest' not found"),
        ("/api/embed", {"model": "no", "input": "x"}, 404, 'model "no" not found, try pulling it first'),
        ("/api/embeddings", {"model": "no", "prompt": "x"}, 404, 'model "no" not found, try pulling it first'),
        ("/api/chat", {"model": EMBED, "messages": USER}, 400, f'"{EMBED}" does not support chat'),
        ("/api/generate", {"model": EMBED, "prompt": "x"}, 400, f'"{EMBED}" does not support generate'),
        ("/api/embed", {"model": CHAT, "input": "x"}, 501, "does not support embeddings"),
        ("/api/embeddings", {"model": CHAT, "prompt": "x"}, 500, "does not support embeddings"),
        ("/api/chat", {"model": CHAT, "messages": USER, "tools": [{}]}, 400, f"{CHAT}:latest does not support tools"),
        ("/api/generate", {"model": CHAT, "prompt": "x", "suffix": "y"}, 400, "does not support insert"),
        ("/api/chat", {"model": CHAT, "messages": USER, "think": True}, 400, "does not support thinking"),
        ("/api/chat", {"model": CHAT, "messages": USER, "think": "much"}, 400, "invalid think value"),
        ("/api/chat", {"model": CHAT, "messages": USER, "top_logprobs": 21}, 400, "between 0 and 20"),
        ("/api/generate", {"model": CHAT, "prompt": "x", "raw": True, "system": "y"}, 400, "raw mode does not support"),
        ("/api/chat", {"model": CHAT, "messages": USER, "options": {"num_ctx": "4"}}, 500, 'option "num_ctx" must be'),
        ("/api/chat", {"model": CHAT, "messages": USER, "options": {"stop": "x"}}, 500, 'option "stop" must be'),
        ("/api/chat", {"model": CHAT, "messages": USER, "options": {"use_mmap": 1}}, 500, "must be of type boolean"),
        ("/api/chat", {"model": "no", "messages": USER, "options": {"stop": "x"}}, 404, "model 'no' not found"),
        ("/api/chat", {"model": CHAT, "messages": USER, "think": 1}, 400, "think must be"),
        ("/api/embed", {"model": EMBED, "input": "x", "dimensions": 2.5}, 400, "dimensions"),
        ("/api/embed", {"model": EMBED, "input": "x", "options": []}, 400, "options"),
        ("/api/chat", {"model": CHAT, "messages": [{"role": "user", "images": ["aa"]}]}, 400, "support images"),
        ("/api/chat", {"model": CHAT, "messages": USER, "format": "xml"}, 500, "invalid format"),
        ("/api/chat", {"model": CHAT, "messages": USER, "format": {}}, 400, "cannot fill a JSON schema"),
        ("/api/chat", {"model": CHAT, "messages": "x"}, 400, "cannot unmarshal"),
        ("/api/chat", {"model": CHAT, "messages": [{"role": "boss"}]}, 400, "invalid role"),
        ("/api/chat", {"model": CHAT, "messages": USER, "keep_alive": "300"}, 400, "missing unit in duration"),
        ("/api/chat", {"model": CHAT, "messages": USER, "keep_alive": ""}, 400, "invalid duration"),
        ("/api/chat", {"model": CHAT, "messages": USER, "keep_alive": True}, 400, "keep_alive"),
        ("/api/embed", {"model": EMBED, "input": [1]}, 400, "invalid input type"),
        ("/api/generate", {"model": CHAT, "prompt": "x", "images": ["aa"]}, 400, "does not support images"),
    ],
)
def test_a_refusal_is_the_contracts(
    http: httpx.Client, path: str, body: dict[str, object], status: int, error: str
) -> None:
    reply = http.post(path, json=body)
    assert (reply.status_code, error in reply.json()["error"]) == (status, True), reply.text


def test_what_is_no_request_is_refused_in_plain_words(http: httpx.Client) -> None:
    assert http.post("/api/chat").json() == {"error": "missing request body"}
    assert http.post("/api/chat", content=b"{").status_code == 400
    assert http.post("/api/chat", content=b"[1]").status_code == 400
    assert http.post("/api/chat", content=b'"\xff"').status_code == 400
    assert http.post("/api/chat", content=b" " * (65 * 2**20)).status_code == 413
    missing = http.get("/api/nothing")
    assert (missing.status_code, missing.text) == (404, "404 page not found")
    assert missing.headers["content-type"].startswith("text/plain")
    wrong = http.get("/api/chat")
    assert (wrong.status_code, wrong.text) == (405, "405 method not allowed")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "8.8.8.8:11434"}, 403),
        ({"Host": "203.0.113.5"}, 403),
        ({"Host": "[2001:4860::1]:11434"}, 403),
        ({"Host": "[::1]:11434"}, 200),
        ({"Host": "localhost:11434"}, 200),
        ({"Host": "printer.local"}, 200),
        ({"Host": "192.168.1.5:11434"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "vscode-webview://abc"}, 200),
        ({"Authorization": "Bearer whatever"}, 200),
    ],
)
def test_foreign_pages_and_names_get_nothing(http: httpx.Client, headers: dict[str, str], status: int) -> None:
    reply = http.get("/api/tags", headers=headers)
    assert reply.status_code == status
    assert bool(reply.content) == (status == 200)


def test_an_allowed_page_may_read_the_answer(http: httpx.Client) -> None:
    page = {"Origin": "http://localhost:3000"}
    asked = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    before = http.options("/api/chat", headers=asked)
    assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, page["Origin"])
    assert http.get("/api/tags", headers=page).headers["access-control-allow-origin"] == page["Origin"]
    with served_models(OLLAMA_ORIGINS="https://notes.example, chrome-extension://*") as url:
        for origin, status in [
            ("https://notes.example", 200),
            ("chrome-extension://abc", 200),
            ("https://notes.example.org", 403),
            ("http://localhost", 200),
        ]:
            assert httpx.get(url, headers={"Origin": origin}, trust_env=False).status_code == status


# -- one piece of work at a time ---------------------------------------------------------------

MANY = [f"passage number {number} " * 60 for number in range(3000)]  # minutes of work
LONG_TALK = "".join(f"Valve {number} of the plant opens at noon on day {number}. " for number in range(1500))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/embed", {"model": EMBED, "input": MANY}),
        ("/v1/embeddings", {"model": EMBED, "input": MANY}),
        ("/api/generate", {"model": CHAT, "prompt": f"Context: {LONG_TALK}\nQuestion: When does valve 9 open?"}),
    ],
    ids=["embed", "v1", "generate"],
)
def test_a_client_that_leaves_stops_the_work(http: httpx.Client, url: str, path: str, body: dict[str, object]) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url + path, json=body, timeout=httpx.Timeout(60, read=0.5), trust_env=False)
    # The next request would wait for minutes.
    started = time.monotonic()
    assert http.post("/api/embed", json={"model": EMBED, "input": "hello"}).status_code == 200
    assert time.monotonic() - started < 20


def test_a_full_queue_says_so() -> None:
    with served_models(OLLAMA_MAX_QUEUE="1") as url, ThreadPoolExecutor(4) as pool:

        def ask() -> int:
            try:
                body = {"model": EMBED, "input": MANY}
                return httpx.post(
                    url + "/api/embed", json=body, timeout=httpx.Timeout(60, read=3), trust_env=False
                ).status_code
            except httpx.ReadTimeout:
                return 0

        statuses = sorted(pool.map(lambda _: ask(), range(4)))  # one works, one waits
        assert statuses == [0, 0, 503, 503]
        assert httpx.get(url, trust_env=False).status_code == 200
        reply = httpx.post(url + "/api/embed", json={"model": EMBED, "input": "hello"}, timeout=60, trust_env=False)
        assert reply.status_code == 200


# -- /v1 ---------------------------------------------------------------------------------------


def test_v1_lists_embeds_and_answers(http: httpx.Client) -> None:
    assert [entry["id"] for entry in http.get("/v1/models").json()["data"]] == [f"{EMBED}:latest", f"{CHAT}:latest"]
    assert http.get(f"/v1/models/{CHAT}").json()["object"] == "model"
    floats, packed = (
        http.post("/v1/embeddings", json={"model": EMBED, "input": ["hello"], "encoding_format": form}).json()
        for form in ("float", "base64")
    )
    unpacked = struct.unpack("<384f", base64.b64decode(packed["data"][0]["embedding"]))
    assert list(unpacked) == pytest.approx(floats["data"][0]["embedding"], abs=1e-7)
    parts = [{"type": "text", "text": ASK["content"]}]
    body = {"model": CHAT, "messages": [{"role": "user", "content": parts}]}
    whole = http.post("/v1/chat/completions", json=body).json()
    assert whole["choices"][0]["message"]["content"] == "“The pump stops at noon.” [1]"
    assert whole["choices"][0]["finish_reason"] == "stop"
    cut = http.post("/v1/chat/completions", json={**body, "max_tokens": 2}).json()
    assert cut["choices"][0]["finish_reason"] == "length"


def test_v1_streams_events(http: httpx.Client) -> None:
    body = {"model": CHAT, "messages": [ASK_ZH], "stream": True, "stream_options": {"include_usage": True}}
    reply = http.post("/v1/chat/completions", json=body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    *events, end, rest = reply.text.split("\n\n")
    assert (end, rest) == ("data: [DONE]", "")
    *parts, last, usage = [json.loads(event.removeprefix("data: ")) for event in events]
    assert "".join(part["choices"][0]["delta"]["content"] for part in parts) == "“主阀门在三个大气压时打开。” [1]"
    assert (last["choices"][0]["finish_reason"], usage["choices"]) == ("stop", [])
    assert usage["usage"]["total_tokens"] == usage["usage"]["prompt_tokens"] + usage["usage"]["completion_tokens"]


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/v1/chat/completions", {"messages": USER}, 400, "invalid_request_error"),
        ("/v1/chat/completions", {"model": CHAT, "messages": USER, "tools": [{}]}, 400, "invalid_request_error"),
        (
            "/v1/chat/completions",
            {"model": CHAT, "messages": USER, "reasoning_effort": "low"},
            400,
            "invalid_request_error",
        ),
        ("/v1/embeddings", {"model": "no", "input": "x"}, 404, "not_found_error"),
        ("/v1/embeddings", {"model": EMBED, "input": [[1, 2]]}, 400, "invalid_request_error"),
        ("/v1/chat/completions", {"model": "no", "messages": USER}, 404, "not_found_error"),
        ("/v1/chat/completions", {"model": CHAT, "messages": []}, 400, "invalid_request_error"),
        ("/v1/chat/completions", {"model": EMBED, "messages": USER}, 400, "invalid_request_error"),
        ("/v1/embeddings", {"model": EMBED, "input": []}, 400, "invalid_request_error"),
        ("/v1/embeddings", {"model": CHAT, "input": "x"}, 501, "api_error"),
    ],
)
def test_v1_refuses_in_its_own_form(
    http: httpx.Client, path: str, body: dict[str, object], status: int, kind: str
) -> None:
    reply = http.post(path, json=body)
    assert (reply.status_code, reply.json()["error"]["type"]) == (status, kind)


# -- the command -------------------------------------------------------------------------------


def command(*words: str, **environment: str) -> list[str]:
    return [sys.executable, "-m", "ragkit", "serve-models", *words]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_tells_its_address_and_ends_quietly(end: signal.Signals) -> None:
    environment = {**os.environ, "RAGKIT_LANG": "en"}
    with subprocess.Popen(command("--port", "0"), stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        address = said.split(" at ")[1].split()[0]
        assert httpx.get(address, trust_env=False).text == "Ollama is running"
        process.send_signal(end)
        assert process.wait(timeout=15) in (0, -end)
        assert process.stderr.read() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_the_command_ends_soon_and_quietly_with_work_in_hand() -> None:
    environment = {**os.environ, "RAGKIT_LANG": "zh"}
    with (
        subprocess.Popen(command("--port", "0"), stderr=subprocess.PIPE, encoding="utf-8", env=environment) as process,
        ThreadPoolExecutor(1) as pool,
    ):
        assert process.stderr is not None
        address = process.stderr.readline().split()[1]
        body = {"model": EMBED, "input": MANY}
        work = pool.submit(lambda: httpx.post(address + "/api/embed", json=body, timeout=60, trust_env=False))
        end = time.monotonic() + 30
        while not httpx.get(address + "/api/ps", trust_env=False).json()["models"] and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) in (0, -signal.SIGTERM)
        assert process.stderr.read() == ""
        assert work.exception() or work.result().status_code == 503


def test_a_port_in_use_and_an_open_address_are_one_line() -> None:
    environment = {**os.environ, "RAGKIT_LANG": "en"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(command("--port", port), capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Cannot listen on 127.0.0.1, port {port}" in done.stderr
    assert "Choose another with --port" in done.stderr
    done = subprocess.run(command("--host", "0.0.0.0"), capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert "--insecure-any-host" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_an_open_address_is_served_with_a_warning_if_asked_for() -> None:
    words = command("--host", "0.0.0.0", "--port", "0", "--insecure-any-host")
    environment = {**os.environ, "RAGKIT_LANG": "en"}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        assert "every machine that reaches 0.0.0.0" in process.stderr.readline()
        port = process.stderr.readline().split()[5].rpartition(":")[2]
        reply = httpx.get(f"http://127.0.0.1:{port}", headers={"Host": "lab.example"}, trust_env=False)
        assert reply.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) in (0, -signal.SIGTERM)


@pytest.mark.parametrize(("missing", "extra", "status"), [("starlette", "server", 2), ("onnxruntime", "embedded", 3)])
def test_what_is_not_installed_is_named_with_its_command(missing: str, extra: str, status: int) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from ragkit.frontends.cli import main; main(['serve-models'])"
    environment = {**os.environ, "RAGKIT_LANG": "en"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (status, "")
    assert f'Run: python -m pip install "ragkit-docqa[{extra}]"' in done.stderr
