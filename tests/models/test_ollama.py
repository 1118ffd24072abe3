"""The Ollama door: every request of its API, what is always sent, the window, cancelling, old servers."""

from __future__ import annotations

import hashlib
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ragkit import Answer, RagKit
from ragkit.config.resolving import resolve
from ragkit.config.sections import Config
from ragkit.models.ollama.client import Ollama
from ragkit.models.ollama.ports import OllamaChat, OllamaEmbedder
from ragkit.testing import Scripted, ScriptedOllama, count_tokens, hash_vector, json_reply, stream_reply
from ragkit.types.answers import ChatMessage, Completion, ToolCall
from ragkit.types.documents import EmbedFault
from ragkit.types.errors import (
    BadReply,
    ConfigError,
    ContextOverflow,
    InputError,
    ModelNotFound,
    ModelTimeout,
    ModelUnable,
)
from ragkit.types.model_server import ChatRequest, GenerateRequest, Piece, Reply, Transfer
from ragkit.types.options import Options
from tests.helpers.terminal import interruptible

BASE = {"models.backend": "ollama", "ollama.embed_model": "embed", "ollama.chat_model": "chat"}


def config_for(server: ScriptedOllama, **flags: str) -> Config:
    extra = {name.replace("__", "."): value for name, value in flags.items()}
    return resolve(environ={}, flags={**BASE, "ollama.host": server.url, "requests.retry_s": "1", **extra})[0]


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama() as running:
        yield running


@pytest.fixture
def ollama(server: ScriptedOllama) -> Iterator[Ollama]:
    made = Ollama(config_for(server), {})
    yield made
    made.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Ollama]]:
    """Makes doors to a server and closes them after the test."""
    made: list[Ollama] = []

    def new(server: ScriptedOllama, environ: dict[str, str] | None = None, **flags: str) -> Ollama:
        made.append(Ollama(config_for(server, **flags), environ or {}))
        return made[-1]

    yield new
    for one in made:
        one.close()


Connect = Callable[..., Ollama]

# -- every request -----------------------------------------------------------------------------


def test_models_are_listed_shown_copied_and_removed(server: ScriptedOllama, ollama: Ollama) -> None:
    assert [model.name for model in ollama.list()] == ["embed:latest", "chat:latest"]
    assert ollama.version() == "0.33.0"
    record = ollama.show("chat")
    assert record.capabilities == ("completion", "tools", "vision")
    assert (record.context_tokens, record.embedding_dimension) == (32768, 64)
    ollama.copy("chat", "second")
    assert ollama.installed("SECOND") is not None  # names are compared without case, no tag is latest
    ollama.delete("second")
    assert ollama.installed("second") is None
    with pytest.raises(ModelNotFound) as caught:
        ollama.show("absent")
    assert str(caught.value.hint) == "Run: ragkit models pull absent"


def test_a_model_is_loaded_with_its_options_and_unloaded(server: ScriptedOllama, ollama: Ollama) -> None:
    ollama.load("chat")
    ollama.load("embed")  # an embedding model refuses to generate: it is loaded by embedding nothing
    assert [(model.name, model.context_tokens) for model in ollama.running()] == [
        ("chat:latest", 8192),
        ("embed:latest", 2048),
    ]
    ollama.unload("chat")
    assert [model.name for model in ollama.running()] == ["embed:latest"]


def test_a_pull_tells_its_steps_and_fails_without_success(server: ScriptedOllama, ollama: Ollama) -> None:
    steps = list(ollama.pull("bge-m3"))
    assert steps[-1] == Transfer("success")
    assert [step.done_bytes for step in steps if step.total_bytes] == [0, 40, 100]
    with pytest.raises(ModelNotFound, match="registry does not have"):
        list(ollama.pull("absent"))
    server.behaviour = lambda path, body: stream_reply([{"status": "pulling manifest"}]) if "pull" in path else None
    with pytest.raises(BadReply, match="broke off before bge-m3 was done"):
        list(ollama.pull("bge-m3"))


def test_a_pull_that_breaks_off_is_resumed(server: ScriptedOllama, ollama: Ollama) -> None:
    breaks = iter([stream_reply([{"status": "pulling manifest"}], cut=True)])
    server.behaviour = lambda path, body: next(breaks, None) if path == "/api/pull" else None
    assert list(ollama.pull("bge-m3"))[-1].status == "success"


def test_a_model_is_made_from_a_file_through_blobs(server: ScriptedOllama, ollama: Ollama, tmp_path: Path) -> None:
    file = tmp_path / "模型 m.gguf"
    file.write_bytes(b"GGUF" + bytes(3_000_000))
    digest = "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
    for _ in range(2):
        steps = list(ollama.create("mine", file=file, parameters=Options(num_ctx=512)))
        assert steps[-1].status == "success"
    uploads = [record for record in server.records if record.method == "POST" and "/blobs/" in record.path]
    assert [record.path for record in uploads] == [f"/api/blobs/{digest}"]  # the second time it is there
    [first, _] = [body for path, body in server.requests if path == "/api/create"]
    assert first == {"model": "mine", "files": {file.name: digest}, "parameters": {"num_ctx": 512}, "stream": True}
    with pytest.raises(InputError, match="Cannot read"):
        list(ollama.create("mine", file=tmp_path / "none.gguf"))


def test_generate_sends_what_it_is_given(server: ScriptedOllama, ollama: Ollama) -> None:
    server.answer = "Two cats. 两只猫。"
    request = GenerateRequest(
        "What is this? 这是什么？",
        images=(b"\x89PNG",),
        system="Be short.",
        options=Options(num_predict=64, stop=("END",), seed=7),
        keep_alive=-1,
    )
    reply = ollama.generate(request)
    assert (reply.text, reply.done_reason, reply.eval_count) == ("Two cats. 两只猫。", "stop", 3)
    [body] = [body for path, body in server.requests if path == "/api/generate"]
    assert body["images"] == ["iVBORw=="]
    assert body["options"] == {"num_predict": 64, "stop": ["END"], "seed": 7, "num_ctx": 8192, "temperature": 0.0}
    assert (body["system"], body["keep_alive"], body["think"], body["truncate"], body["shift"]) == (
        "Be short.",
        -1,
        False,
        False,
        False,
    )


def test_pieces_come_before_the_reply_and_a_cut_answer_says_so(server: ScriptedOllama, ollama: Ollama) -> None:
    server.answer = "one two three"
    request = ChatRequest((ChatMessage("user", "count"),), options=Options(num_predict=2))
    *pieces, reply = ollama.stream_chat(request)
    assert [piece.text for piece in pieces if isinstance(piece, Piece)] == ["one ", "two "]
    assert isinstance(reply, Reply)
    assert (reply.text, reply.done_reason) == ("one two ", "length")
    assert "Raise options.num_predict" in str(reply.notes[0])


def test_thinking_and_tools_are_kept_apart_from_the_text(server: ScriptedOllama, ollama: Ollama) -> None:
    call = {"id": "call_1", "function": {"name": "weather", "arguments": {"city": "上海"}}}
    lines = [
        {"message": {"role": "assistant", "content": "", "thinking": "Hm."}, "done": False},
        {"message": {"role": "assistant", "content": "", "tool_calls": [call]}, "done": False},
        {"message": {"role": "assistant", "content": "Wait."}, "done": True, "done_reason": "stop"},
    ]
    server.behaviour = lambda path, body: stream_reply(lines) if path == "/api/chat" else None
    tool = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    reply = ollama.chat(ChatRequest((ChatMessage("user", "weather?"),), tools=(tool,)))
    assert (reply.text, reply.thinking) == ("Wait.", "Hm.")
    assert reply.tool_calls == (ToolCall("weather", {"city": "上海"}, "call_1"),)
    result = ChatMessage("tool", "20 °C", tool_name="weather")
    ollama.chat(ChatRequest((ChatMessage("assistant", "", tool_calls=reply.tool_calls), result)))
    sent = server.prompts()[-1]["messages"]
    assert sent[0]["tool_calls"][0]["function"]["arguments"] == {"city": "上海"}
    assert sent[1] == {"role": "tool", "content": "20 °C", "tool_name": "weather"}


def test_thinking_is_asked_for_only_where_the_model_can(server: ScriptedOllama, ollama: Ollama) -> None:
    with pytest.raises(ModelUnable, match="cannot think"):
        ollama.chat(ChatRequest((ChatMessage("user", "x"),), think="high"))
    assert server.prompts() == []


@pytest.mark.parametrize(
    ("text", "fits"), [('{"rivers": ["长江"]}', True), ('{"rivers": "Rhine"}', False), ('{"rivers": [', False)]
)
def test_a_format_is_checked_when_the_server_did_not(
    server: ScriptedOllama, ollama: Ollama, text: str, fits: bool
) -> None:
    server.answer = text
    schema = {"type": "object", "properties": {"rivers": {"type": "array"}}, "required": ["rivers"]}
    request = GenerateRequest("Name rivers.", format=schema)
    if fits:
        assert ollama.generate(request).text == text
    else:
        with pytest.raises(BadReply, match="does not fit the format") as caught:
            ollama.generate(request)
        assert caught.value.partial_text == text
    assert server.requests[-1][1]["format"] == schema


def test_embed_gives_the_servers_own_vectors(server: ScriptedOllama, ollama: Ollama) -> None:
    reply = ollama.embed(["one", "二"], dimensions=32)
    assert [len(vector) for vector in reply.vectors] == [64, 64]
    assert server.requests[-1][1]["dimensions"] == 32
    assert server.requests[-1][1]["truncate"] is False
    server.max_embed_tokens = 3
    with pytest.raises(ContextOverflow):
        ollama.embed(["one two three four"])
    assert len(ollama.embed(["one two three four"], truncate=True).vectors) == 1
    assert ollama.embed([]).vectors == ()
    assert math.isclose(math.hypot(*ollama.embed_legacy("one")), 3, rel_tol=1e-5)  # as the server gives it


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 3.0}, {"top_p": 1.1}, {"num_predict": 0}, {"num_ctx": 2}, {"stop": ("",)}, {"top_k": -1}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_option_out_of_range_never_leaves(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="options"):
        Options(**wrong)


# -- what stays the same, and what is learned --------------------------------------------------


def test_models_are_loaded_once(server: ScriptedOllama, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("The alpha valve opens at three bar.\n", "utf-8")
    with RagKit.open(tmp_path / "index", config_for(server)) as kit:
        kit.index([tmp_path / "a.md"])
        for question in ("When does alpha open?", "阀门何时打开？"):
            kit.ask(question)
        kit.models.generate(GenerateRequest("hello"))
        kit.models.chat(ChatRequest((ChatMessage("user", "hello"),), options=Options(temperature=1.0)))
        kit.models.load()
        kit.models.embed(["hello"])
    assert server.loads == ["embed:latest", "chat:latest"]
    assert {body.get("keep_alive") for path, body in server.requests if path in ("/api/chat", "/api/embed")} == {"30m"}


def test_a_slow_load_is_waited_for(connect: Connect) -> None:
    with ScriptedOllama(load_s=1.5) as slow:
        chat = OllamaChat(connect(slow, requests__idle_timeout_s="0.5"), "chat")
        assert isinstance(list(chat.stream([ChatMessage("user", "hello")]))[-1], Completion)
        with pytest.raises(ModelTimeout):
            OllamaEmbedder(connect(slow, requests__first_byte_timeout_s="0.5"), "embed")


def test_a_family_gets_its_prefixes_and_the_configuration_overrides_them(
    server: ScriptedOllama, connect: Connect
) -> None:
    server.models = ("nomic-embed-text:v1.5", "chat:latest")
    made = OllamaEmbedder(connect(server), "nomic-embed-text:v1.5")
    made.embed_documents(["hello"])
    made.embed_query("你好")
    assert [body["input"] for path, body in server.requests if path == "/api/embed"][-2:] == [
        ["search_document: hello"],
        ["search_query: 你好"],
    ]
    assert server.requests[-1][1]["options"] == {"num_ctx": 2048, "num_batch": 2048}
    door = connect(server, embedding__query_prefix="", embedding__max_tokens="300")
    other = OllamaEmbedder(door, "nomic-embed-text:v1.5")
    assert (other.query_prefix, other.document_prefix) == ("", "search_document: ")
    assert other.max_tokens < 300


def test_token_counts_follow_what_the_server_counts(server: ScriptedOllama, connect: Connect) -> None:
    made = OllamaEmbedder(connect(server), "embed")
    for text in ("The pump stops at noon, and the lamp turns green. " * 5, "水泵在中午停止，指示灯重新变绿。" * 5):
        assert count_tokens(text) <= made.count_tokens(text) <= 1.35 * count_tokens(text)


def test_no_more_than_the_allowed_requests_run_at_once(connect: Connect) -> None:
    def answer(path: str, body: dict[str, Any]) -> Scripted | None:
        if path != "/api/embed" or len(body["input"]) < 2:
            return None
        rows = [list(hash_vector(text)) for text in body["input"]]
        return replace(json_reply({"embeddings": rows}), silence_s=0.02)

    with ScriptedOllama(behaviour=answer) as server:
        made = OllamaEmbedder(connect(server), "embed")
        found = made.embed_documents([f"text {number}" for number in range(400)])
        assert not any(isinstance(vector, EmbedFault) for vector in found)
        times = sorted(record.at_s for record in server.records if len(record.body.get("input", ())) > 1)
    assert len(times) >= 6
    # Two at a time, each 20 ms: of any three requests in a row, the third waited for the first.
    assert all(third - first >= 0.018 for first, third in zip(times, times[2:], strict=False))


def test_an_old_server_without_embed_is_asked_the_older_way(server: ScriptedOllama, connect: Connect) -> None:
    missing = Scripted(404, (b"404 page not found",), "text/plain")
    server.behaviour = lambda path, body: missing if path == "/api/embed" else None
    made = OllamaEmbedder(connect(server), "embed")
    [vector] = made.embed_documents(["hello 你好"])
    assert not isinstance(vector, EmbedFault)
    assert math.isclose(math.hypot(*vector), 1, rel_tol=1e-5)


# -- the window --------------------------------------------------------------------------------

LONG = "Chapter {n} tells how valve number {n} is opened, cleaned, checked and closed again. " * 24


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    """Forty chapters, together about twelve thousand tokens."""
    folder = tmp_path / "manual"
    folder.mkdir()
    for number in range(40):
        (folder / f"chapter-{number:02}.md").write_text(LONG.format(n=number), "utf-8")
    return folder


def asked(kit: RagKit, folder: Path) -> Answer:
    kit.index([folder])
    return kit.ask("How is the valve opened and cleaned?")


WIDE = {
    "retrieval__k": "60",
    "retrieval__least_share": "0",
    "chunking__chunk_tokens": "400",
    "options__num_predict": "512",
}


def test_what_does_not_fit_a_small_window_is_named(server: ScriptedOllama, manual: Path, tmp_path: Path) -> None:
    config = config_for(server, options__num_ctx="4096", **WIDE)
    with RagKit.open(tmp_path / "index", config) as kit:
        answer = asked(kit, manual)
    ledger = answer.ledger
    assert sum(entry.tokens for entry in (*ledger.sent, *ledger.left_out)) > 12_000
    assert ledger.window_tokens == 4096
    assert {(e.source, e.place) for e in (*ledger.sent, *ledger.left_out)} >= {
        (hit.chunk.source, hit.chunk.place) for hit in answer.nearest
    }
    assert all(str(entry.reason) == "did not fit into the context" for entry in ledger.left_out)
    assert ledger.prompt_eval_count is not None
    assert ledger.prompt_eval_count + 512 <= 4096
    [prompt] = server.prompts()
    sent = prompt["messages"][-1]["content"]
    assert all(Path(entry.source).name in sent for entry in ledger.sent)


def test_a_window_smaller_than_asked_for_is_packed_again(manual: Path, tmp_path: Path) -> None:
    with ScriptedOllama(window_tokens=4096) as small:
        config = config_for(small, options__num_ctx="32768", **WIDE)
        with RagKit.open(tmp_path / "index", config) as kit:
            answer = asked(kit, manual)
            again = kit.ask("How is the valve closed?")
    first, second, *_ = small.prompts()
    assert len(str(first)) > len(str(second))
    assert answer.ledger.left_out
    assert any("4096" in str(note) for note in answer.ledger.notes)
    assert again.ledger.window_tokens == 4096  # known now
    assert len(small.prompts()) == 3  # and not run into again


def test_a_server_that_cuts_silently_is_found_out(manual: Path, tmp_path: Path) -> None:
    with ScriptedOllama(window_tokens=4096, cuts_silently=True) as cutting:
        config = config_for(cutting, options__num_ctx="32768", **WIDE)
        with RagKit.open(tmp_path / "index", config) as kit:
            answer = asked(kit, manual)
    said = " ".join(map(str, answer.notes))
    assert "it cut the context without a word" in said
    assert "has a window of 4096 tokens, not the 32768" in said


def test_a_model_trained_on_less_is_not_asked_for_more(manual: Path, tmp_path: Path) -> None:
    with ScriptedOllama(trained_tokens=2048) as trained:
        config = config_for(trained, options__num_ctx="8192", **WIDE)
        with RagKit.open(tmp_path / "index", config) as kit:
            answer = asked(kit, manual)
    assert answer.ledger.window_tokens == 2048
    assert len(trained.prompts()) == 1


# -- cancelling --------------------------------------------------------------------------------


def left_within(server: ScriptedOllama, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.closed_early:
            return True
        time.sleep(0.02)
    return False


def test_leaving_a_stream_stops_the_server(connect: Connect) -> None:
    with ScriptedOllama(answer="word " * 500, piece_pause_s=0.05) as paced:
        parts = connect(paced).stream_chat(ChatRequest((ChatMessage("user", "go"),)))
        assert next(parts) == Piece("word ")
        parts.close()
        assert left_within(paced, 1.0)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("verb", ["ask", "index"])
def test_an_interrupt_stops_the_server(tmp_path: Path, verb: str) -> None:
    (tmp_path / "a.md").write_text("The alpha valve opens at three bar.\n", "utf-8")
    with ScriptedOllama() as healthy, RagKit.open(tmp_path / "index", config_for(healthy)) as kit:
        kit.index([tmp_path / "a.md"])
    fault_on = {"ask": ("/api/chat",), "index": ("/api/embed",)}[verb]
    with ScriptedOllama(fault="accept-then-silence", on=fault_on) as silent:
        flags = {**BASE, "ollama.host": silent.url}
        words = interruptible("--index", str(tmp_path / "index"))
        for key, value in flags.items():
            words += ["--set", f"{key}={value}"]
        words += {"ask": ["ask", "alpha valve"], "index": ["index", str(tmp_path / "a.md")]}[verb]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            end = time.monotonic() + 30
            while not any(path in fault_on for path, _ in list(silent.requests)) and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            try:
                _, err = process.communicate(timeout=15)
            finally:
                process.kill()
            assert left_within(silent, 1.0)
        assert (process.returncode, err.strip()) == (130, "Interrupted. What was done so far is kept.")


# -- credentials -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "sent"), [("http://127.0.0.1:1", True), ("https://models.example", True), ("http://10.1.2.3:11434", False)]
)
def test_a_key_goes_only_where_it_is_safe(host: str, sent: bool) -> None:
    config, _ = resolve(environ={}, flags={"ollama.host": host})
    made = Ollama(config, {"OLLAMA_API_KEY": "secret"})
    assert ("Authorization" in made.server._headers, made.key_withheld) == (sent, not sent)


def test_the_key_is_on_the_request_and_no_origin(server: ScriptedOllama, connect: Connect) -> None:
    connect(server, {"OLLAMA_API_KEY": "secret"}).version()
    headers = server.records[-1].headers
    assert headers["authorization"] == "Bearer secret"
    assert "origin" not in headers


def test_the_digest_of_a_listed_model_is_the_embedders(server: ScriptedOllama, connect: Connect) -> None:
    made = OllamaEmbedder(connect(server), "embed")
    [entry, _] = connect(server).list()
    assert made.digest == entry.digest
    made.check_unchanged()


def test_the_reply_of_another_program_is_not_taken_for_a_models(server: ScriptedOllama, ollama: Ollama) -> None:
    server.behaviour = lambda path, body: json_reply(["not", "an", "object"])
    with pytest.raises(BadReply, match="not an object"):
        ollama.version()
