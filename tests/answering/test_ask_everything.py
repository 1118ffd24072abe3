"""Questions that are put to every passage: rows, their proof, what was read, and going on after a break."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.frontends.cli import main
from ragkit.testing import Scripted, ScriptedOllama, chat_reply, json_reply
from ragkit.types.answers import Answer, ExhaustiveAnswer
from ragkit.types.errors import ModelError

FEES = {f"fee{n:02}.md": f"# Office {n}\n\nOffice {n} charges {n + 10} pounds for a visit.\n" for n in range(20)}
FEES_ZH = {f"收费{n:02}.md": f"# {n} 号办公室\n\n{n} 号办公室每次来访收费 {n + 10} 元。\n" for n in range(20)}
QUESTIONS = {"en": "Which fees are charged?", "zh": "各办公室收费多少？"}


def lister(body: dict[str, Any]) -> str:
    """Lists every sentence with a fee, out of the passages that it is shown."""
    prompt = str(body["messages"][-1]["content"])
    rows = []
    for number, text in re.findall(r"\[(\d+)\] [^\n]*\n<passage-\w+>\n(.*?)\n</passage", prompt, re.S):
        rows += [
            f'- a fee ("{found}") [{number}]' for found in re.findall(r"[^\n]*(?:charges|收费)[^\n]*\d[^\n]*", text)
        ]
    return "\n".join(rows) or "NONE"


@pytest.fixture(params=["en", "zh"])
def docs(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in (FEES if request.param == "en" else FEES_ZH).items():
        (folder / name).write_text(text, "utf-8")
    (folder / "other.md").write_text("# Canteen\n\nThe canteen opens at noon. 食堂中午开门。\n", "utf-8")
    return folder, QUESTIONS[request.param]


def flags(server: ScriptedOllama, **more: str) -> dict[str, str]:
    found = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
    return found | {"models.backend": "ollama", "options.num_ctx": "1200", "options.num_predict": "200"} | more


@contextmanager
def opened(folder: Path, server: ScriptedOllama, **more: str) -> Iterator[RagKit]:
    with RagKit.open(folder.parent / "index", resolve(environ={}, flags=flags(server, **more))[0]) as kit:
        kit.index([folder])
        yield kit


def collected(kit: RagKit, question: str, *where: str) -> tuple[list[ExhaustiveAnswer], list[Answer]]:
    steps = list(kit.stream_everything(question, where))
    return [one for one in steps if isinstance(one, ExhaustiveAnswer)], [
        one for one in steps if isinstance(one, Answer)
    ]


def test_every_passage_is_read_and_every_row_proved(docs: tuple[Path, str]) -> None:
    folder, question = docs
    with ScriptedOllama(answer=lister) as server, opened(folder, server) as kit:
        found, answers = collected(kit, question)
        last = found[-1]
        assert (last.chunks_read, last.chunks) == (21, 21)
        assert len(found) > 2  # it came in batches
        assert len(last.rows) == 20
        assert all(row.verified for row in last.rows)
        assert {Path(row.citations[0].source).name for row in last.rows} == {p.name for p in folder.glob("*0*.md")} | {
            p.name for p in folder.glob("*1*.md")
        }
        [answer] = answers  # a last answer out of the findings, cited like any other
        assert answer.ledger.sent
    assert not list((folder.parent / "index").glob("reading-*"))


def test_a_row_that_no_passage_proves_is_marked(docs: tuple[Path, str]) -> None:
    folder, question = docs
    with (
        ScriptedOllama(answer='A fee nobody charges ("a fee of 99 crowns") [1]') as server,
        opened(folder, server) as kit,
    ):
        rows = collected(kit, question)[0][-1].rows
    assert rows
    assert not any(row.verified for row in rows)


def test_what_stands_in_two_passages_is_one_row(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    sentences = [f"Desk {n} charges {n} pounds for each of its visitors on any day of the week." for n in range(40)]
    (folder / "long.md").write_text(" ".join(sentences), "utf-8")
    settings = {"chunking.chunk_tokens": "64", "chunking.overlap_tokens": "32"}

    def one_by_one(body: dict[str, Any]) -> str:
        prompt = str(body["messages"][-1]["content"])
        found = re.findall(r"\[(\d+)\] [^\n]*\n<passage-\w+>\n(.*?)\n</passage", prompt, re.S)
        each = [(n, one) for n, text in found for one in re.findall(r"Desk \d+ charges \d+ pounds", text)]
        return "\n".join(f'Desk ("{one}") [{n}]' for n, one in each) or "NONE"

    with ScriptedOllama(answer=one_by_one) as server, opened(folder, server, **settings) as kit:
        assert kit.status().chunks > 10
        last = collected(kit, "Which desks charge what?")[0][-1]
    assert len(last.rows) == 40


def prompt_of(path: str, body: dict[str, Any]) -> str:
    """Of a request that asks about passages; "" for others."""
    prompt = str(body["messages"][-1]["content"]) if path == "/api/chat" and body.get("messages") else ""
    return prompt if "<passage-" in prompt and "NONE" in str(body["messages"][0]["content"]) else ""


def test_a_list_that_was_cut_off_is_asked_for_in_halves(docs: tuple[Path, str]) -> None:
    folder, question = docs
    sizes: list[int] = []

    def cut(path: str, body: dict[str, Any]) -> Scripted | None:
        """A reply holds no more than three rows."""
        sizes.append(prompt_of(path, body).count("<passage-"))
        return chat_reply('A fee ("Offi', done_reason="length") if sizes[-1] > 3 else None

    with ScriptedOllama(answer=lister, behaviour=cut) as server, opened(folder, server) as kit:
        last = collected(kit, question)[0][-1]
    assert max(sizes) > 3
    assert (len(last.rows), last.chunks_read, last.notes) == (20, 21, ())


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(docs: tuple[Path, str]) -> None:
    folder, question = docs
    asked: list[str] = []

    def fails_at_third(path: str, body: dict[str, Any]) -> Scripted | None:
        if prompt_of(path, body):
            asked.append(prompt_of(path, body))
        return json_reply({"error": "the model has fallen over"}, 500) if len(asked) == 3 else None

    settings = {"requests.retry_s": "0"}
    with ScriptedOllama(answer=lister, behaviour=fails_at_third) as server, opened(folder, server, **settings) as kit:
        with pytest.raises(ModelError):
            list(kit.stream_everything(question))
        assert list((folder.parent / "index").glob("reading-*"))
        read_before, asked[:] = set(asked[:2]), [*asked, "the failure is over"]
        found, _ = collected(kit, question)
    assert (len(found[-1].rows), found[-1].chunks_read) == (20, 21)
    assert not read_before & set(asked[4:])


def test_a_forgotten_document_is_forgotten_here_too(docs: tuple[Path, str]) -> None:
    folder, question = docs
    with ScriptedOllama(answer=lister) as server, opened(folder, server) as kit:
        next(iter(kit.stream_everything(question)))
        assert list((folder.parent / "index").glob("reading-*"))
        kit.forget(["other.md"])
    assert not list((folder.parent / "index").glob("reading-*"))


def test_only_what_the_conditions_leave_is_read(docs: tuple[Path, str]) -> None:
    folder, question = docs
    with ScriptedOllama(answer=lister) as server, opened(folder, server) as kit:
        last = collected(kit, question, "source=*0[1-3].md")[0][-1]
        assert (last.chunks, len(last.rows)) == (3, 3)
        assert collected(kit, question, "source=nowhere.md")[0][-1].chunks == 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_command_with_the_embedded_model(tmp_path: Path, language: str) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in (FEES if language == "en" else FEES_ZH).items():
        (folder / name).write_text(text, "utf-8")
    words = ["--index", str(tmp_path / "index"), "--set", "models.backend=embedded"]
    assert CliRunner().invoke(main, [*words, "index", str(folder)]).exit_code == 0
    question = "What does an office charge for a visit?" if language == "en" else "办公室每次来访收费多少元？"
    shown = CliRunner().invoke(main, [*words, "ask", "--everything", question])
    assert shown.exit_code == 0, shown.output
    assert "20 of 20 passages read." in shown.stdout
    assert shown.stdout.count("verified") >= 20
    found = json.loads(CliRunner().invoke(main, [*words, "ask", "--everything", question, "--json"]).stdout)
    assert (found["chunks_read"], found["chunks"], found["answer"]) == (20, 20, None)
    assert all(row["verified"] and len(row["citations"]) == 1 for row in found["rows"])
    assert len(found["rows"]) >= 18
