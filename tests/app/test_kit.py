"""The Python door: index, search, ask, against a scripted Ollama on loopback and real files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ragkit import Answer, RagKit, Turn
from ragkit.config.resolving import resolve
from ragkit.config.sections import Config
from ragkit.testing import Scripted, ScriptedOllama, chat_reply, count_tokens, json_reply, stream_reply
from ragkit.types.errors import (
    BadReply,
    IndexBusy,
    IndexMismatch,
    IndexMissing,
    InputError,
    ModelError,
    ModelNotFound,
    ModelTimeout,
    ModelUnavailable,
    RagkitError,
)
from ragkit.types.reports import IndexReport, Progress

FILES = {
    "leave.md": "# Leave\n\nStaff have 15 days of annual leave.\n\nUnused days expire on 31 March.\n",
    "假期.md": "# 假期\n\n员工每年享有十五天年假。\n\n未休完的年假可以结转五天。\n",
    "travel.txt": "Hotels cost at most 120 euros a night.\nTrains are booked in second class.\n",
    "data.blob": "not read",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs 文档"
    made.mkdir()
    for name, text in FILES.items():
        (made / name).write_text(text, "utf-8")
    return made


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama() as running:
        yield running


def config_for(server: ScriptedOllama | str, **flags: str) -> Config:
    url = server if isinstance(server, str) else server.url
    base = {"ollama.host": url, "ollama.embed_model": "embed", "ollama.chat_model": "chat", "models.backend": "ollama"}
    extra = {name.replace("__", "."): value for name, value in flags.items()}
    return resolve(environ={}, flags={**base, **extra})[0]


def kit_for(tmp_path: Path, server: ScriptedOllama | str, **flags: str) -> RagKit:
    return RagKit.open(tmp_path / "index", config_for(server, **flags))


def counts(report: IndexReport) -> dict[str, int]:
    found: dict[str, int] = {}
    for outcome in report.outcomes:
        found[outcome.state] = found.get(outcome.state, 0) + 1
    return found


def test_a_second_run_does_nothing(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    with kit_for(tmp_path, server) as kit:
        assert counts(kit.index([folder])) == {"added": 3, "unsupported": 1}
    sent = server.texts_embedded()
    with kit_for(tmp_path, server) as kit:
        report = kit.index([folder])
        assert counts(report) == {"unchanged": 3, "unsupported": 1}
        assert (report.chunks_embedded, report.chunks_unpublished) == (0, 0)
    assert server.texts_embedded() == sent + 2  # the samples that every start asks for


def test_added_changed_renamed_and_removed_files(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    with kit_for(tmp_path, server) as kit:
        kit.index([folder])
        (folder / "new.md").write_text("The sauna opens at six.\n", "utf-8")
        (folder / "leave.md").write_text(FILES["leave.md"].replace("15 days", "20 days"), "utf-8")
        (folder / "travel.txt").rename(folder / "trips.txt")
        (folder / "data.blob").unlink()
        report = kit.index([folder])
        states = {Path(outcome.source).name: outcome.state for outcome in report.outcomes}
        assert states == {
            "new.md": "added",
            "leave.md": "changed",
            "trips.txt": "added",
            "travel.txt": "removed",
            "假期.md": "unchanged",
        }
        assert (report.chunks_embedded, report.chunks_reused) == (2, 1)  # a rename costs no embedding
        assert kit.search("annual leave days", 1)[0].chunk.text.count("20 days") == 1
        assert {Path(hit.chunk.source).name for hit in kit.search("hotels trains", 9)} >= {"trips.txt"}
        assert "travel.txt" not in {Path(hit.chunk.source).name for hit in kit.search("hotels trains", 9)}


def test_files_outside_the_given_paths_stay(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    with kit_for(tmp_path, server) as kit:
        kit.index([folder])
        assert counts(kit.index([folder / "leave.md"])) == {"unchanged": 1}
        assert kit.status().documents == 3


def test_a_file_that_turns_unreadable_leaves_the_answers(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    with kit_for(tmp_path, server) as kit:
        kit.index([folder])
        (folder / "leave.md").write_bytes(b"")
        report = kit.index([folder])
        assert counts(report)["unreadable"] == 1
        assert all(Path(hit.chunk.source).name != "leave.md" for hit in kit.search("annual leave", 9))
        assert [str(item.reason) for item in kit.status().unread if item.state == "unreadable"] == [
            "The file is empty."
        ]
        assert kit.ask("annual leave").unread_count == 2


@pytest.mark.parametrize(
    ("question", "file", "line"),
    [
        ("How many days of annual leave?", "leave.md", 1),
        ("年假可以结转几天？", "假期.md", 1),
        ("hotel price", "travel.txt", 1),
    ],
)
def test_search_finds_the_right_passage_with_its_ranks(
    tmp_path: Path, folder: Path, server: ScriptedOllama, question: str, file: str, line: int
) -> None:
    with kit_for(tmp_path, server) as kit:
        kit.index([folder])
        hit = kit.search(question, k=2)[0]
    assert (Path(hit.chunk.source).name, hit.chunk.place.line, hit.rank) == (file, line, 1)
    assert hit.lexical_rank == 1
    assert hit.dense_rank is not None
    text = (folder / file).read_text("utf-8")
    assert hit.chunk.text == text[hit.chunk.start : hit.chunk.end]


def test_an_answer_streams_and_its_quotes_are_checked(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    server.answer = 'You have 15 days ("15 days of annual leave") [1], or 99 ("99 days of leave") [1], see [7].'
    with kit_for(tmp_path, server) as kit:
        kit.index([folder])
        *pieces, answer = kit.stream("How many days of annual leave do staff have?")
    assert isinstance(answer, Answer)
    assert "".join(map(str, pieces)) == answer.text == server.answer
    assert len(pieces) > 5
    assert [(c.quote, c.verified) for c in answer.citations] == [
        ("15 days of annual leave", True),
        ("99 days of leave", False),
    ]
    assert (Path(answer.citations[0].source).name, answer.citations[0].place.line) == ("leave.md", 3)
    assert [str(note) for note in answer.notes] == [
        "The answer cites [7], which is not among its passages.",
        "The model was asked twice; its second reply is not proved better.",
    ]
    assert (answer.mode, answer.model, answer.refused) == ("generative", "chat", False)
    prompt, _ = server.prompts()
    read = count_tokens("\n".join(message["content"] for message in prompt["messages"]))
    assert answer.ledger.prompt_eval_count == read
    assert [entry.marker for entry in answer.ledger.sent] == list(range(1, len(answer.ledger.sent) + 1))
    assert len(answer.ledger.sent) + len(answer.ledger.left_out) == 3


def test_a_chat_request_is_explicit_about_its_window(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    with kit_for(tmp_path, server) as kit:
        kit.index([folder])
        kit.ask("leave?")
    [body] = [body for path, body in server.requests if path == "/api/chat"]
    assert (body["truncate"], body["think"], body["shift"], body["stream"]) == (False, False, False, True)
    assert body["options"]["num_ctx"] == 8192
    assert all(body["truncate"] is False for path, body in server.requests if path == "/api/embed")


def test_a_refusal_is_an_answer_with_the_nearest_passages(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    server.answer = "文档中没有说明。"
    with kit_for(tmp_path, server) as kit:
        kit.index([folder])
        answer = kit.ask("公司有游泳池吗？")
    assert answer.refused
    assert answer.citations == ()
    assert answer.nearest


def test_a_follow_up_is_searched_for_as_rewritten(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    def rewrite(path: str, body: dict[str, Any]) -> Scripted | None:
        condensing = path == "/api/chat" and "Last question" in body["messages"][-1]["content"]
        return chat_reply("How much does a hotel cost at most?") if condensing else None

    server.behaviour = rewrite
    with kit_for(tmp_path, server) as kit:
        kit.index([folder])
        answer = kit.ask("And a hotel?", history=[Turn("How do I travel?", "By train [1].")])
    assert answer.query == "How much does a hotel cost at most?"
    assert Path(answer.nearest[0].chunk.source).name == "travel.txt"


def test_what_does_not_fit_is_named(tmp_path: Path, server: ScriptedOllama) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(12):
        (many / f"{number}.txt").write_text(f"Rule {number}: " + f"leave and travel {number} " * 60, "utf-8")
    with kit_for(tmp_path, server, options__num_ctx="2048", options__num_predict="512", retrieval__join="0") as kit:
        kit.index([many])
        ledger = kit.ask("leave and travel").ledger
    assert ledger.left_out
    assert all(str(entry.reason) == "did not fit into the context" for entry in ledger.left_out)
    assert 4 <= len(ledger.sent) + len(ledger.left_out) <= 8  # neighbours are one passage
    assert ledger.planned_tokens <= ledger.budget_tokens < 2048


def test_an_overflow_is_packed_again_from_the_servers_counts(
    tmp_path: Path, folder: Path, server: ScriptedOllama
) -> None:
    counts_of_server = '"type":"exceed_context_size_error","n_prompt_tokens":7901,"n_ctx":4096'
    nested = f'{{"error":{{"code":400,"message":"too long",{counts_of_server}}}}}'
    told = []

    def overflow(path: str, body: dict[str, Any]) -> Scripted | None:
        if path == "/api/chat" and not told:
            told.append(body)
            return json_reply({"error": nested}, 400)
        return None

    server.behaviour = overflow
    with kit_for(tmp_path, server) as kit:
        kit.index([folder])
        answer = kit.ask("leave")
    assert "7901" in str(answer.ledger.notes[0])
    assert answer.ledger.window_tokens == 4096


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (json_reply({"error": "model 'chat' not found"}, 404), ModelNotFound, "chat"),
        (stream_reply([{"message": {"content": "half an"}, "done": False}]), BadReply, "in the middle"),
        (stream_reply([{"message": {"content": "half an"}, "done": False}], cut=True), BadReply, "broke off"),
        (stream_reply([{"message": {"content": "a"}}, {"error": "out of memory"}]), BadReply, "out of memory"),
        (Scripted(500, (b"<html>proxy error</html>",), "text/html"), BadReply, "status 500"),
        (Scripted(200, (b"not json\n",), "application/x-ndjson"), BadReply, "not JSON"),
        (Scripted(401, (b'{"error":"unauthorized"}',)), ModelUnavailable, "refuses access"),
        (Scripted(200, (b"",), pause_s=3), ModelTimeout, "too long"),
    ],
)
def test_a_misbehaving_chat_is_one_clear_error(
    tmp_path: Path, folder: Path, server: ScriptedOllama, reply: Scripted, error: type[RagkitError], said: str
) -> None:
    server.behaviour = lambda path, body: reply if path == "/api/chat" else None
    with kit_for(tmp_path, server, requests__first_byte_timeout_s="1", requests__idle_timeout_s="1") as kit:
        kit.index([folder])
        with pytest.raises(error, match=said) as caught:
            kit.ask("How many days of leave?")
        assert not str(caught.value).count("{")


def vectors_reply(change: Callable[[list[list[float]]], object]) -> Callable[[str, dict[str, Any]], Scripted | None]:
    def behave(path: str, body: dict[str, Any]) -> Scripted | None:
        if path != "/api/embed" or not any("Hotels" in text for text in body["input"]):
            return None
        return json_reply({"embeddings": change([[1.0] * 64 for _ in body["input"]])})

    return behave


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [[0.0] * 64 for _ in rows],
        lambda rows: [[1.0] * 63 for _ in rows],
        lambda rows: [[None] * 64 for _ in rows],
        lambda rows: ["text" for _ in rows],
        lambda rows: rows[:-1],
    ],
)
def test_a_bad_vector_is_reported_and_every_other_chunk_is_indexed(
    tmp_path: Path, folder: Path, server: ScriptedOllama, change: Callable[[list[list[float]]], object]
) -> None:
    server.behaviour = vectors_reply(change)
    with kit_for(tmp_path, server) as kit:
        report = kit.index([folder])
        status = kit.status()
    assert counts(report)["added"] == 3
    assert report.chunks_without_vector == status.chunks_without_vector == 1
    [bad] = [outcome for outcome in report.outcomes if Path(outcome.source).name == "travel.txt"]
    assert "has no vector" in str(bad.notes[0])
    server.behaviour = None
    with kit_for(tmp_path, server) as kit:
        assert Path(kit.search("Hotels cost", 1)[0].chunk.source).name == "travel.txt"  # by its words


def test_one_bad_text_fails_alone(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    def refuse(path: str, body: dict[str, Any]) -> Scripted | None:
        bad = path == "/api/embed" and any("Hotels" in text for text in body["input"])
        return json_reply({"error": "embedding contains NaN or Inf values"}, 400) if bad else None

    server.behaviour = refuse
    with kit_for(tmp_path, server) as kit:
        report = kit.index([folder])
    assert (report.chunks_without_vector, report.chunks_embedded) == (1, 2)


def test_a_dead_server_loses_nothing(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    with kit_for(tmp_path, server) as kit:
        kit.index([folder])
    with kit_for(tmp_path, "http://127.0.0.1:9") as kit:
        with pytest.raises(ModelUnavailable) as caught:
            kit.index([folder])
        assert "ollama serve" in str(caught.value.hint)
        assert kit.status().documents == 3


def test_auto_says_what_it_chose_and_why(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    with kit_for(tmp_path, server, models__backend="auto") as kit:
        report = kit.index([folder])
        assert "Embedding with embed on Ollama." in [str(note) for note in report.notes]
        kit.ask("leave")
        assert "Answering with chat on Ollama." in [str(note) for note in kit.model_notes]


def test_a_new_model_makes_the_index_anew(tmp_path: Path, folder: Path) -> None:
    with ScriptedOllama(models=("embed:latest", "other:latest", "chat:latest")) as server:
        with kit_for(tmp_path, server) as kit:
            kit.index([folder])
        with kit_for(tmp_path, server, ollama__embed_model="other") as kit:
            with pytest.raises(IndexMismatch, match="embed"):
                kit.search("leave")
            report = kit.index([folder])
            assert counts(report)["unchanged"] == 3
            assert "3 documents were embedded again with other" in str(report.notes[0])
            assert kit.search("annual leave", 1)[0].chunk.heading_path == ("Leave",)


def test_other_chunks_of_the_same_model_cost_only_the_new_ones(
    tmp_path: Path, folder: Path, server: ScriptedOllama
) -> None:
    (folder / "long.md").write_text("".join(f"Rule {n} grants {n} days of leave.\n\n" for n in range(60)), "utf-8")
    with kit_for(tmp_path, server, chunking__chunk_tokens="64") as kit:
        kit.index([folder])
        chunks = kit.status().chunks
    sent = server.texts_embedded()
    with kit_for(tmp_path, server, chunking__chunk_tokens="128") as kit:
        report = kit.index([folder])
        assert "4 documents of the index were split anew" in str(report.notes[0])
        assert kit.status().chunks < chunks
        assert report.chunks_embedded == kit.status().chunks - 3  # those of the short files are as they were
        assert server.texts_embedded() - sent == report.chunks_embedded + 2  # and two samples


def test_a_long_document_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    def fails_after(texts: int) -> Callable[[str, dict[str, Any]], Scripted | None]:
        def behaviour(path: str, body: dict[str, Any]) -> Scripted | None:
            over = path == "/api/embed" and server.texts_embedded() > texts
            return json_reply({"error": "the model crashed"}, 500) if over else None

        return behaviour

    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "long.md").write_text("".join(f"Rule {n} grants {n} days of leave.\n\n" for n in range(3000)), "utf-8")
    flags = {"chunking__chunk_tokens": "32", "requests__retry_s": "0"}
    with ScriptedOllama() as server, kit_for(tmp_path / "other", server, **flags) as kit:
        whole = kit.index([folder]).chunks_embedded
    assert whole > 600
    with ScriptedOllama(behaviour=fails_after(500)) as server:
        with kit_for(tmp_path, server, **flags) as kit, pytest.raises(ModelError):
            kit.index([folder])
        with kit_for(tmp_path, server, **flags) as kit:
            assert kit.status().chunks == 0
    with ScriptedOllama() as server, kit_for(tmp_path, server, **flags) as kit:
        report = kit.index([folder])
        assert report.chunks_embedded <= whole - 128 * 2
        assert kit.status().chunks == whole
        assert kit.verify(deep=True) == []


def test_an_edit_of_a_long_document_embeds_what_is_new(tmp_path: Path, server: ScriptedOllama) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    rules = [f"Rule {n} grants {n} days of leave." for n in range(3000)]
    (folder / "a short one.md").write_text("\n\n".join(rules[:20]) + "\n", "utf-8")
    (folder / "long.md").write_text("\n\n".join(rules) + "\n", "utf-8")
    steps: list[Progress] = []
    with kit_for(tmp_path, server, chunking__chunk_tokens="32") as kit:
        first = kit.index([folder], progress=steps.append)
        within = [step for step in steps if step.done_files < 2 and step.source.endswith("long.md")]
        assert len(within) > 5
        for field in ("chunks", "done_bytes"):
            values = [getattr(step, field) for step in within]
            assert values == sorted(values)
            assert len(set(values)) > 5
        assert max(step.done_bytes for step in steps) == steps[-1].total_bytes
        rules[1500] = "Rule 1500 grants 7777 days of leave."
        (folder / "long.md").write_text("\n\n".join(rules) + "\n", "utf-8")
        second = kit.index([folder])
        assert 0 < second.chunks_embedded < 5
        assert second.chunks_reused > 600
        assert second.chunks_without_vector == 0
        assert kit.status().chunks == sum(outcome.chunks for outcome in first.outcomes)
        assert "7777" in kit.search("Rule 1500 grants 7777 days", 1)[0].chunk.text
        assert kit.verify(deep=True) == []
    (rest,) = sqlite3.connect(tmp_path / "index" / "catalog.db").execute("SELECT count(*) FROM stage").fetchone()
    assert rest == 0


def test_chroma_is_rebuilt_without_one_embedding_call(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    with kit_for(tmp_path, server, store__exact_mb="0") as kit:
        kit.index([folder])
        before = [hit.chunk.id for hit in kit.search("annual leave", 3)]
    for damage in ("delete", "flip"):
        [chroma] = [path for path in (tmp_path / "index").glob("vectors-g*") if path.is_dir()]
        if damage == "delete":
            shutil.rmtree(chroma)
        else:
            for path in (path for path in chroma.rglob("*") if path.is_file()):
                path.write_bytes(bytes(byte ^ 0x55 for byte in path.read_bytes()))
        sent = server.texts_embedded()
        with kit_for(tmp_path, server, store__exact_mb="0") as kit:
            assert [hit.chunk.id for hit in kit.search("annual leave", 3)] == before
            assert kit.status().chunks_unpublished == 0
        assert server.texts_embedded() - sent == 3  # the start's two samples and the question


def test_a_second_indexer_is_told_to_wait(tmp_path: Path, folder: Path, server: ScriptedOllama) -> None:
    with kit_for(tmp_path, server) as first, kit_for(tmp_path, server) as second:
        first.index([folder])
        with pytest.raises(IndexBusy, match="Another process"):
            second.index([folder])
        assert second.search("annual leave", 1)  # reading needs no lock


def test_wrong_calls(tmp_path: Path, server: ScriptedOllama) -> None:
    with kit_for(tmp_path, server) as kit:
        with pytest.raises(IndexMissing):
            kit.search("leave")
        with pytest.raises(InputError, match="empty"):
            kit.search("  ")
        with pytest.raises(InputError, match="nowhere"):
            kit.index([tmp_path / "nowhere"])
        with pytest.raises(InputError, match="No file"):
            kit.index([])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_full_disk_is_one_clear_error_and_keeps_what_was_done(
    tmp_path: Path, folder: Path, server: ScriptedOllama
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("this machine mounts no small disk")
    try:
        code = "import sys; from ragkit.frontends.cli import main; sys.argv[0] = 'ragkit'; main(sys.argv[1:])"
        big = tmp_path / "big"
        big.mkdir()
        for number in range(40):
            (big / f"{number:02}.txt").write_text(f"{number} " + os.urandom(20_000).hex(), "utf-8")
        arguments = [
            "--index",
            str(disk / "index"),
            "--set",
            f"ollama.host={server.url}",
            "--set",
            "models.backend=ollama",
        ]
        arguments += ["--set", "ollama.embed_model=embed", "index", str(big)]
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 7, done.stderr
        assert "disk" in done.stderr
        assert "Traceback" not in done.stderr
        with RagKit.open(disk / "index", config_for(server)) as kit:
            assert kit.status().documents > 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)
