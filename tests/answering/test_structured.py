"""Answers by a JSON Schema: each value with its proof, from a language model and from the embedded default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ragkit import RagKit
from ragkit.answering.structured.schema import make_form, read_reply, why_invalid
from ragkit.config.resolving import resolve
from ragkit.frontends.cli import main
from ragkit.models.embedded.e5 import weights_path
from ragkit.testing import Scripted, ScriptedOllama
from ragkit.text.numbers_and_dates import dates, numbers, support_of
from ragkit.types.errors import BadReply, InputError
from ragkit.types.structured import StructuredAnswer
from tests.helpers.json_outputs import assert_fits

FILES = {
    "leave.md": "# Leave\n\nStaff have 15 days of annual leave. Leave is asked for in writing.\n",
    "contract.md": "# Contract\n\nThe contract with Acme Ltd was signed on 3 March 2025. It is renewed every month.\n",
    "费用.md": "# 费用\n\n每次检测的费用为三百二十元，合同于2025年3月3日签订。\n",
}
SCHEMA = {
    "type": "object",
    "properties": {
        "days": {"type": "integer", "description": "days of annual leave"},
        "signed": {"type": ["string", "null"], "format": "date"},
        "renewal": {"enum": ["monthly", "yearly"]},
    },
    "required": ["days"],
}
DAYS = ("Staff have 15 days of annual leave", 15)
SIGNED = ("The contract with Acme Ltd was signed on 3 March 2025", "2025-03-03")
RENEWAL = ("It is renewed every month", "monthly")
NOTHING: tuple[str, Any] = ("", None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "docs"
    found.mkdir()
    for name, text in FILES.items():
        (found / name).write_text(text, "utf-8")
    return found


def part(quote: str, value: Any, passage: int = 1) -> dict[str, Any]:
    return {"quote": quote, "passage": passage, "value": value}


def form(**fields: tuple[str, Any]) -> str:
    return json.dumps({name: part(*field) for name, field in fields.items()}, ensure_ascii=False)


@contextmanager
def opened(folder: Path, *replies: str, **settings: str) -> Iterator[tuple[RagKit, ScriptedOllama]]:
    """A kit whose model gives these replies in turn, the last one again and again."""
    waiting = list(replies)

    def answer(body: dict[str, Any]) -> str:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    with ScriptedOllama(answer=answer) as server:
        flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
        flags |= {"models.backend": "ollama", **{name.replace("__", "."): value for name, value in settings.items()}}
        with RagKit.open(folder.parent / "index", resolve(environ={}, flags=flags)[0]) as kit:
            kit.index([folder])
            yield kit, server


def states(answer: StructuredAnswer) -> dict[str, str]:
    return {".".join(map(str, field.path)): field.state for field in answer.fields}


# -- with a language model -----------------------------------------------------------------------


def test_every_value_comes_with_the_quote_that_proves_it(folder: Path) -> None:
    with opened(folder, form(days=DAYS, signed=SIGNED, renewal=RENEWAL)) as (kit, server):
        answer = kit.ask_structured("The rules", SCHEMA)
        [body] = server.prompts()
    assert answer.value == {"days": 15, "signed": "2025-03-03", "renewal": "monthly"}
    assert states(answer) == {"days": "stated", "signed": "stated", "renewal": "read"}
    assert (answer.complete, answer.asked) == (True, 1)
    for field in answer.fields:
        assert field.citation is not None
        document = FILES[Path(field.citation.source).name]
        assert document[field.citation.start : field.citation.end] == field.citation.quote
    assert body["format"]["properties"]["days"]["required"] == ["quote", "passage", "value"]
    assert '"days of annual leave"' in body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (("Staff have 15 days of annual leave", 16), "its quote does not say this value"),
        (("Staff have 16 days of annual leave", 16), "the quote is in none of the passages"),
        (("", 16), "no quote was given"),
    ],
    ids=["number not in the quote", "quote not in the documents", "no quote"],
)
def test_what_is_not_proved_is_asked_for_again_and_then_marked(
    folder: Path, field: tuple[str, int], reason: str
) -> None:
    with opened(folder, form(days=field, signed=NOTHING, renewal=NOTHING)) as (kit, server):
        answer = kit.ask_structured("The rules", SCHEMA)
        first, second = server.prompts()
    assert (answer.asked, states(answer)["days"]) == (2, "unverified")
    assert str(answer.fields[0].reason) == reason
    assert second["messages"][:2] == first["messages"]
    assert f"days: {reason}" in second["messages"][-1]["content"]


def test_the_better_of_two_replies_is_used_whole(folder: Path) -> None:
    worse = form(days=("Staff have 99 days", 99), signed=SIGNED, renewal=RENEWAL)
    better = form(days=DAYS, signed=NOTHING, renewal=RENEWAL)
    for replies in ((worse, better), (worse, "no JSON at all")):
        with opened(folder, *replies) as (kit, _):
            answer = kit.ask_structured("The rules", SCHEMA)
        expected = json.loads(replies[1] if replies[1] == better else worse)
        assert answer.value == {name: one["value"] for name, one in expected.items()}
        assert answer.asked == 2


def test_what_the_documents_do_not_say_is_null_or_missing_and_never_invented(folder: Path) -> None:
    with opened(folder, form(days=NOTHING, signed=NOTHING, renewal=NOTHING)) as (kit, server):
        answer = kit.ask_structured("The rules", SCHEMA)
        assert len(server.prompts()) == 1
    assert answer.value == {"signed": None}
    assert states(answer) == {"days": "missing", "signed": "null", "renewal": "missing"}
    assert {str(field.reason) for field in answer.fields} == {"the documents do not say"}
    assert [field.required for field in answer.fields] == [True, False, False]
    assert (answer.complete, answer.found) == (False, False)
    assert answer.nearest


@pytest.mark.parametrize("reply", ["I do not know.", '{"days": 15}', "[1", form(days=("", "many"))])
def test_a_reply_that_never_fits_is_one_clear_error(folder: Path, reply: str) -> None:
    with opened(folder, reply) as (kit, server):
        with pytest.raises(BadReply, match="asked twice"):
            kit.ask_structured("The rules", SCHEMA)
        assert len(server.prompts()) == 2


def test_objects_and_lists_within_the_form(folder: Path) -> None:
    parts = {
        "$defs": {"party": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
        "type": "object",
        "properties": {
            "parties": {"type": "array", "items": {"$ref": "#/$defs/party"}},
            "lawyer": {"anyOf": [{"$ref": "#/$defs/party"}, {"type": "null"}]},
            "witness": {"$ref": "#/$defs/party"},
        },
        "required": ["parties"],
    }
    acme = {"name": part("The contract with Acme Ltd", "Acme Ltd")}
    nobody = {"name": part("", None)}
    reply = json.dumps({"parties": [acme, nobody], "lawyer": nobody, "witness": nobody})
    with opened(folder, reply) as (kit, _):
        answer = kit.ask_structured("The contract", parts)
    assert answer.value == {"parties": [{"name": "Acme Ltd"}], "lawyer": None}
    assert states(answer) == {"parties.0.name": "stated", "lawyer": "null", "witness": "missing"}
    assert answer.complete


def test_a_chinese_form_is_asked_for_in_chinese_and_proved(folder: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"费用": {"type": "number"}, "签订": {"type": "string", "format": "date"}},
    }
    reply = form(费用=("每次检测的费用为三百二十元", 320), 签订=("合同于2025年3月3日签订", "2025-03-03"))
    with opened(folder, reply) as (kit, server):
        answer = kit.ask_structured("检测费用是多少？", schema)
        assert "你只根据用户文档" in server.prompts()[0]["messages"][0]["content"]
    assert states(answer) == {"费用": "stated", "签订": "stated"}


def test_an_overflow_is_packed_again_from_the_servers_counts(folder: Path) -> None:
    with opened(folder, form(days=DAYS, signed=NOTHING, renewal=NOTHING)) as (kit, server):
        whole = kit.ask_structured("annual leave", SCHEMA).ledger
        read = whole.prompt_eval_count
        assert read is not None
        server.window_tokens = read - 1
        answer = kit.ask_structured("annual leave", SCHEMA)
    assert len(answer.ledger.sent) < len(whole.sent)
    assert answer.ledger.left_out


def test_a_form_that_fills_the_window_is_said_and_not_asked(folder: Path) -> None:
    many = {"type": "object", "properties": {f"field_{n}": {"type": "string"} for n in range(200)}}
    settings = {"options__num_ctx": "1024", "options__num_predict": "256"}
    with opened(folder, "", **settings) as (kit, server):
        with pytest.raises(InputError, match="leaves no room for passages"):
            kit.ask_structured("The rules", many)
        assert not server.prompts()


def test_a_second_request_that_fails_leaves_the_first_reply(folder: Path) -> None:
    def fails(path: str, body: dict[str, Any]) -> Scripted | None:
        second = path == "/api/chat" and len(body["messages"]) > 2
        return Scripted(500, (b'{"error": "the model has fallen over"}',)) if second else None

    with opened(folder, form(days=("", 16), signed=NOTHING, renewal=NOTHING), requests__retry_s="0") as (kit, server):
        server.behaviour = fails
        answer = kit.ask_structured("The rules", SCHEMA)
    assert (answer.value, answer.asked, states(answer)["days"]) == ({"days": 16, "signed": None}, 1, "unverified")


def test_the_openai_door_asks_for_the_same_form(folder: Path) -> None:
    with ScriptedOllama(answer=f"```json\n{form(days=DAYS, signed=NOTHING, renewal=RENEWAL)}\n```") as server:
        flags = {"models.backend": "openai", "openai.base_url": server.url + "/v1"}
        flags |= {"openai.embed_model": "embed", "openai.chat_model": "chat"}
        with RagKit.open(folder.parent / "index", resolve(environ={}, flags=flags)[0]) as kit:
            kit.index([folder])
            answer = kit.ask_structured("The rules", SCHEMA)
    assert states(answer) == {"days": "stated", "signed": "null", "renewal": "read"}
    [body] = [body for path, body in server.requests if path == "/v1/chat/completions"]
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["days", "signed", "renewal"]


def test_a_server_that_does_not_know_formats_is_asked_without(folder: Path) -> None:
    def refuses(path: str, body: dict[str, Any]) -> Scripted | None:
        if "response_format" not in body:
            return None
        error = {"message": "no such field", "code": "unsupported_parameter", "param": "response_format"}
        return Scripted(400, (json.dumps({"error": error}).encode(),))

    with ScriptedOllama(answer=form(days=DAYS, signed=NOTHING, renewal=NOTHING), behaviour=refuses) as server:
        flags = {"models.backend": "openai", "openai.base_url": server.url + "/v1"}
        flags |= {"openai.embed_model": "embed", "openai.chat_model": "chat"}
        with RagKit.open(folder.parent / "index", resolve(environ={}, flags=flags)[0]) as kit:
            kit.index([folder])
            answer = kit.ask_structured("The rules", SCHEMA)
    assert states(answer)["days"] == "stated"
    assert any("response_format" in str(note) for note in answer.notes)


# -- the command ---------------------------------------------------------------------------------


def test_the_command_prints_the_proof_and_has_its_exit_codes(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "form.json").write_text(json.dumps(SCHEMA), "utf-8")
    replies = [form(days=DAYS, signed=SIGNED, renewal=NOTHING), form(days=NOTHING, signed=NOTHING, renewal=NOTHING)]
    with opened(folder, *replies, "nonsense") as (kit, server):
        words = ["--index", str(kit.directory), "--set", f"ollama.host={server.url}", "--set", "models.backend=ollama"]
        words += ["--set", "ollama.embed_model=embed", "--set", "ollama.chat_model=chat"]
        ask = [*words, "ask", "The rules", "--schema", str(tmp_path / "form.json")]
        shown = CliRunner().invoke(main, ask)
        missing = CliRunner().invoke(main, ask)
        broken = CliRunner().invoke(main, ask)
    assert shown.exit_code == 0, shown.output
    assert "days: 15\n" in shown.stdout
    assert "leave.md, line 3 · verified\n    Staff have 15 days of annual leave\n" in shown.stdout
    assert "renewal: –\n    missing (the documents do not say)" in shown.stdout
    assert (missing.exit_code, broken.exit_code) == (5, 3)
    assert "1 required field is missing" in missing.stderr
    assert broken.stderr.startswith("Error: The model chat was asked twice")


def test_json_is_as_documented(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "form.json").write_text(json.dumps(SCHEMA), "utf-8")
    with opened(folder, form(days=DAYS, signed=NOTHING, renewal=RENEWAL)) as (kit, server):
        words = ["--index", str(kit.directory), "--set", f"ollama.host={server.url}", "--set", "models.backend=ollama"]
        words += ["--set", "ollama.embed_model=embed", "--set", "ollama.chat_model=chat"]
        done = CliRunner().invoke(main, [*words, "ask", "x", "--schema", str(tmp_path / "form.json"), "--json"])
    found = json.loads(done.stdout)
    assert_fits("ask --schema", found)
    assert found["value"].keys() == {"days", "signed", "renewal"}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{", "is not a JSON Schema"),
        ("[]", "is not a JSON Schema: not an object"),
        ('{"type": "numbr"}', "is not a valid JSON Schema: 'numbr'"),
        ('{"properties": {"a": {"$ref": "#/$defs/none"}}}', "#/$defs/none leads nowhere"),
        ('{"properties": {"a": {"$ref": "#"}}}', "refers to itself"),
        ('{"not": {"type": "string"}}', "The schema uses not"),
    ],
)
def test_a_bad_schema_is_one_clear_line(folder: Path, tmp_path: Path, schema: str, said: str) -> None:
    (tmp_path / "form.json").write_text(schema, "utf-8")
    with opened(folder, "") as (kit, server):
        words = ["--index", str(kit.directory), "--set", f"ollama.host={server.url}", "--set", "models.backend=ollama"]
        done = CliRunner().invoke(main, [*words, "ask", "x", "--schema", str(tmp_path / "form.json")])
        assert not server.prompts()
    assert done.exit_code == 2
    assert said in done.stderr.splitlines()[0]


# -- the embedded default ------------------------------------------------------------------------


@pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")
def test_the_embedded_default_quotes_and_never_invents(folder: Path) -> None:
    schema = {
        "type": "object",
        "properties": {
            "days": {"type": "integer", "description": "days of annual leave that staff have"},
            "contract": {
                "type": "object",
                "properties": {"signed": {"type": "string", "format": "date", "title": "when the contract was signed"}},
            },
            "fee": {"type": "number", "description": "每次检测的费用是多少元"},
            "pool": {"type": ["string", "null"], "description": "opening hours of the swimming pool"},
            "paid": {"type": "boolean", "description": "whether annual leave is paid"},
            "parties": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["parties"],
    }
    with RagKit.open(folder.parent / "index", resolve(environ={}, flags={"models.backend": "embedded"})[0]) as kit:
        kit.index([folder])
        answer = kit.ask_structured("What is in these documents?", schema)
    assert answer.value == {"days": 15, "contract": {"signed": "2025-03-03"}, "fee": 320, "pool": None}
    assert states(answer) == {
        "days": "stated", "contract.signed": "stated", "fee": "stated", "pool": "null", "paid": "missing",
        "parties": "missing",
    }  # fmt: skip
    reasons = {field.path[0]: str(field.reason) for field in answer.fields}
    assert reasons["pool"] == "the documents do not say"
    assert "needs a language model" in reasons["paid"]
    assert "needs a language model" in reasons["parties"]
    assert (answer.mode, answer.complete) == ("extractive", False)


# -- rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "quote", "stands"),
    [
        (15, "Staff have 15 days", "stated"),
        (15, "Staff have fifteen days", "stated"),
        (15, "员工有十五天年假", "stated"),
        (15, "a total of 150 days", "absent"),
        (1200, "1,200 euros", "stated"),
        (1_500_000, "1.5 million", "stated"),
        (30000, "奖金为3万元", "stated"),
        (0.5, "half a litre", "absent"),
        (-5, "down to -5 degrees", "stated"),
        (5, "from 3-5 days", "stated"),
        ("2025-03-03", "signed on March 3rd, 2025", "stated"),
        ("2025-03-03", "二〇二五年三月三日签订", "stated"),
        ("2025-03-03", "signed on 4 March 2025", "absent"),
        ("2025-04-03", "due 3/4/2025", "stated"),
        ("within 30 days", "no later than thirty days", "read"),
        ("about 30 days of notice", "notice of forty days", "absent"),
        ("Paris", "The office is in Berlin.", "absent"),
        ("the office of Berlin", "The office is in Berlin.", "read"),
        ("柏林", "The office is in Berlin.", "read"),
        ("30 天", "within 14 days", "absent"),
        (True, "Leave is paid.", "read"),
    ],
)
def test_a_value_beside_its_quote(value: Any, quote: str, stands: str) -> None:
    assert support_of(value, quote, closed=False) == stands


def test_numbers_and_dates_of_a_text() -> None:
    assert {int(n) for n in numbers("三亿五千万, two hundred and five, 12,000 and ３２")} >= {
        350_000_000,
        205,
        12000,
        32,
    }
    assert {day.isoformat() for day in dates("2025年3月3日; 2024-02-30; 1 Sept. 2024")} == {"2025-03-03", "2024-09-01"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "properties": {"value": {"type": "string"}, "quote": {"type": "string"},
          "passage": {"type": "integer"}}}, {"value": "a", "quote": "b", "passage": 1}),
        ({"type": "array", "items": {"type": ["object", "null"], "properties": {"a": {}}}}, [{"a": 1}]),
        ({"type": "string"}, "a"),
        ({"properties": {"a": {}, "b": True}}, {"a": 1, "b": "x"}),
        ({"type": "object", "additionalProperties": {"type": "number"}}, {"x": 1.5}),
    ],
    ids=["names like ours", "a list at the top", "a scalar at the top", "anything", "a map"],
)  # fmt: skip
def test_a_form_gives_back_the_value_that_was_filled_in(schema: Mapping[str, object], value: object) -> None:
    def wrapped(one: object) -> object:
        if isinstance(one, dict):
            return {name: wrapped(inner) for name, inner in one.items()}
        return [wrapped(inner) for inner in one] if isinstance(one, list) else part("q", one)

    asked = make_form(schema)
    assert why_invalid(wrapped(value), asked.asked) == ""
    assert read_reply(wrapped(value), asked).value == value


def test_a_form_without_end_is_refused() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    with pytest.raises(InputError, match="refers to itself"):
        make_form({"$defs": {"node": node}, "$ref": "#/$defs/node"})
    many = {"$defs": {"a": {"properties": {f"p{n}": {} for n in range(50)}}}, "properties": {}}
    many["properties"] = {f"q{n}": {"$ref": "#/$defs/a"} for n in range(50)}
    with pytest.raises(InputError, match="too large"):
        make_form(many)


def test_a_schema_goes_into_the_prompt_as_it_is(folder: Path) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "description": "like {this} or {}"}}}
    with opened(folder, json.dumps({"a": part("", None)})) as (kit, server):
        assert kit.ask_structured("The rules", schema).value == {}
        assert "like {this} or {}" in server.prompts()[0]["messages"][0]["content"]
