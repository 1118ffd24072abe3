"""What `ragkit doctor` tells of model servers, each fault with its fix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.i18n.messages import say
from ragkit.testing import Scripted, ScriptedOllama, json_reply
from ragkit.types.reports import Check

MODELS = {"embed_model": "embed", "chat_model": "chat"}


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama() as running:
        yield running


def checks(tmp_path: Path, server: ScriptedOllama, **flags: str) -> dict[str, list[Check]]:
    """The checks by their names."""
    base = {f"{door}.{key}": value for door in ("ollama", "openai") for key, value in MODELS.items()}
    base |= {"ollama.host": server.url, "openai.base_url": server.url + "/v1", "models.backend": "ollama"}
    more = {name.replace("__", "."): value for name, value in flags.items()}
    config, _ = resolve(environ={}, flags={**base, "requests.retry_s": "0.2", **more})
    found: dict[str, list[Check]] = {}
    with RagKit.open(tmp_path / "index", config) as kit:
        for check in kit.doctor():
            found.setdefault(check.name, []).append(check)
    return found


def test_healthy_models_are_described(tmp_path: Path, server: ScriptedOllama) -> None:
    server.models = ("nomic-embed-text:v1.5", "chat:latest")
    found = checks(tmp_path, server, ollama__embed_model="nomic-embed-text:v1.5")
    [ollama], [embedding], [chat] = found["ollama"], found["embedding model"], found["chat model"]
    assert (ollama.state, str(ollama.detail)) == ("ok", f"version 0.33.0 at {server.url}")
    assert "64 dimensions" in str(embedding.detail)
    assert "prefixes 'search_query: ' and 'search_document: '" in str(embedding.detail)
    assert str(chat.detail) == "chat answers; window 8192 tokens, capabilities: completion, tools, vision"
    assert "窗口 8192 个词元" in say(chat.detail, "zh")


@pytest.mark.parametrize(
    ("version", "state", "said"),
    [
        ("0.11.4", "warning", "it may cut a long prompt without a word"),
        ("0.13.5", "warning", "gives no clear error"),
        ("0.30.0-rc1", "warning", "fewer prompt tokens"),
        ("0.30.1", "ok", "version 0.30.1"),
        ("1.0", "ok", "version 1.0"),
        ("0.0.0", "ok", "version 0.0.0"),
    ],
)
def test_a_version_with_known_faults_is_told(
    tmp_path: Path, server: ScriptedOllama, version: str, state: str, said: str
) -> None:
    server.behaviour = lambda path, body: json_reply({"version": version}) if path == "/api/version" else None
    [check] = checks(tmp_path, server)["ollama"]
    assert (check.state, said in str(check.detail), bool(check.fix)) == (state, True, state == "warning")


def test_the_window_that_is_really_given_is_told(tmp_path: Path) -> None:
    with ScriptedOllama(window_tokens=4096) as small:
        [check] = checks(tmp_path, small)["chat model"]
    assert (check.state, "window 4096 tokens" in str(check.detail)) == ("warning", True)
    assert str(check.fix) == "Lower options.num_ctx to 4096."


@pytest.mark.parametrize(
    ("flags", "name", "said", "fix"),
    [
        ({"ollama__chat_model": "absent"}, "chat model", "does not have the model absent", "models pull absent"),
        ({"ollama__chat_model": "embed"}, "chat model", "cannot chat (its capabilities: embedding)", "models list"),
        ({"ollama__embed_model": "absent"}, "embedding model", "does not have the model absent", "models pull absent"),
        ({"ollama__host": "127.0.0.1:9"}, "ollama", "No Ollama server answers", "ollama serve"),
    ],
)
def test_each_fault_has_its_fix(
    tmp_path: Path, server: ScriptedOllama, flags: dict[str, str], name: str, said: str, fix: str
) -> None:
    [check] = checks(tmp_path, server, **flags)[name]
    assert (check.state, said in str(check.detail), fix in str(check.fix)) == ("fault", True, True)
    [softer] = checks(tmp_path, server, **flags, models__backend="auto")[name]
    assert softer.state == "warning"  # the embedded models stand in


def test_a_model_that_cannot_embed_is_told(tmp_path: Path) -> None:
    with ScriptedOllama(fault="501-no-embeddings") as unable:
        [check] = checks(tmp_path, unable)["embedding model"]
    assert (check.state, "does not support embeddings" in str(check.detail)) == ("fault", True)


def test_an_empty_answer_is_told(tmp_path: Path, server: ScriptedOllama) -> None:
    server.answer = ""
    [check] = checks(tmp_path, server)["chat model"]
    assert (check.state, "gives empty answers" in str(check.detail)) == ("warning", True)


def test_a_v1_server_is_told_what_it_cannot_carry(tmp_path: Path, server: ScriptedOllama) -> None:
    found = checks(tmp_path, server, models__backend="openai", options__top_k="3")
    told = [str(check.detail) for check in found["openai"]]
    assert "/v1 carries no num_ctx, truncate or keep_alive" in told[0]
    assert told[1] == "these options are not sent over /v1: top_k"
    assert str(found["openai models"][0].detail) == "it has: embed:latest, chat:latest"
    assert {check.state for check in found["chat model"]} == {"ok"}


def test_an_unencrypted_way_is_warned_of(tmp_path: Path, server: ScriptedOllama, monkeypatch: Any) -> None:
    from ragkit.models.http import addresses

    monkeypatch.setenv("OLLAMA_API_KEY", "secret")
    monkeypatch.setattr(addresses, "is_loopback", lambda url: False)
    found = checks(tmp_path, server)["ollama connection"]
    assert [check.state for check in found] == ["warning", "warning"]
    assert "travel unencrypted" in str(found[0].detail)
    assert "OLLAMA_API_KEY is not sent" in str(found[1].detail)
    assert all("authorization" not in record.headers for record in server.records)


def test_another_program_at_the_address_is_no_ollama(tmp_path: Path, server: ScriptedOllama) -> None:
    page = Scripted(200, (b"<html>hello</html>",), "text/html")
    server.behaviour = lambda path, body: page
    [check] = checks(tmp_path, server)["ollama"]
    assert (check.state, "is not JSON" in str(check.detail)) == ("fault", True)
