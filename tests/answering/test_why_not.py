"""Losses of every kind, planted, and the stage that `why-not` names for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.config.sections import Config
from ragkit.frontends.cli import main
from ragkit.testing import ScriptedOllama
from ragkit.types.search import Stage
from tests.helpers.pdfs import text_pdf

QUESTION = "How many days of annual leave?"
SENTENCE = "Annual leave is twenty days for every member of staff."
ZH = "年假为二十天，未休完的可以顺延到次年三月。"
OTHERS = "The canteen opens at noon and closes at two. "


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Config]]:
    base = tmp_path_factory.mktemp("base")
    docs = base / "docs"
    docs.mkdir()
    (docs / "leave.md").write_text(f"# Leave\n\n{SENTENCE}\n", "utf-8")
    (docs / "假期.md").write_text(f"{ZH}\n", "utf-8")
    for number in range(12):
        (docs / f"canteen{number:02}.md").write_text(f"{OTHERS * 2}Days of leave: number {number}.\n", "utf-8")
    (docs / "long.md").write_text(f"{OTHERS * 3}\n\nTwo parts of it:\n\n{OTHERS * 4} The {'very ' * 30}end.\n", "utf-8")
    (docs / "plan.pdf").write_bytes(text_pdf("The plan of the year. " + OTHERS * 3, "", "The end of it.", drawn=(2,)))
    (docs / "scan.pdf").write_bytes(text_pdf("", drawn=(1,)))
    (docs / "notes.blob").write_bytes(b"x")
    with ScriptedOllama() as server:
        flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
        flags |= {"models.backend": "ollama", "chunking.chunk_tokens": "48", "chunking.overlap_tokens": "0"}
        config = resolve(environ={}, flags=flags)[0]
        with RagKit.open(base / "index", config) as kit:
            kit.index([docs])
        yield base / "index", config


def stage(place: tuple[Path, Config], expect: str, where: tuple[str, ...] = (), **retrieval: object) -> str:
    index, config = place
    changed = replace(config, retrieval=replace(config.retrieval, **retrieval))  # type: ignore[arg-type]
    with RagKit.open(index, changed) as kit:
        found = kit.why_not(QUESTION, expect, where)
    assert bool(found.fix) == (found.stage != "given")
    assert "{" not in str(found.why) + str(found.fix)
    return found.stage


@pytest.mark.parametrize(
    ("expect", "expected"),
    [
        ("policy.docx", "index"),  # no such file
        ("Sabbaticals are granted after ten years.", "reading"),  # not in the texts, and there are unread files
        ("scan.pdf", "reading"),
        ("notes.blob", "reading"),
        ("plan.pdf:2", "reading"),  # a page that is a picture
        ("Two parts of it: " + OTHERS.strip() + " " + OTHERS.strip() + " " + OTHERS.strip(), "splitting"),
        (SENTENCE, "given"),
        ("leave.md", "given"),
    ],
)
def test_what_was_lost_before_the_search(place: tuple[Path, Config], expect: str, expected: str) -> None:
    assert stage(place, expect) == expected


def test_what_the_search_lost(place: tuple[Path, Config]) -> None:
    assert stage(place, ZH, ("language=en",)) == "conditions"
    assert stage(place, "leave.md", ("folder=elsewhere",)) == "conditions"
    assert stage(place, ZH, candidates=1, k=1) == "candidates"
    assert stage(place, "plan.pdf:1", k=1) == "ranking"
    assert stage(place, "假期.md", k=1, candidates=20) == "ranking"


def test_what_did_not_fit(place: tuple[Path, Config]) -> None:
    index, config = place
    small = replace(config, options=replace(config.options, num_ctx=800, num_predict=100))
    with RagKit.open(index, replace(small, retrieval=replace(config.retrieval, k=30, least_share=0))) as kit:
        order = [hit.chunk for hit in kit.search(QUESTION, 30)]
        last = next(chunk.source for chunk in reversed(order) if "canteen" in chunk.source)  # of one chunk each
        found = kit.why_not(QUESTION, last)
    assert found.stage == "packing"


def test_what_was_much_weaker_than_the_best(place: tuple[Path, Config]) -> None:
    assert stage(place, "canteen03.md", k=30) == "selection"
    assert stage(place, "canteen03.md", k=30, least_share=0) == "given"


def test_the_settings_that_would_have_kept_it(place: tuple[Path, Config]) -> None:
    index, config = place
    with RagKit.open(index, replace(config, retrieval=replace(config.retrieval, k=1))) as kit:
        found = kit.why_not(QUESTION, "plan.pdf:1")
    assert "least_share to 0" in str(found.fix)
    needed = int(str(found.fix).split()[3])
    with RagKit.open(index, replace(config, retrieval=replace(config.retrieval, k=needed, least_share=0))) as kit:
        assert kit.why_not(QUESTION, "plan.pdf:1").stage in ("given", "packing")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("expect", "more", "said"),
    [
        ("canteen03.md", ["--set", "retrieval.k=30"], {"en": "left out by a rule: ", "zh": "被规则略去"}),
        (
            "canteen03.md",
            ["--set", "retrieval.rerank=chat", "--set", "retrieval.k=2"],
            {"en": "reranked too low: ", "zh": "重排后名次太低"},
        ),
        (SENTENCE, [], {"en": "given: ", "zh": "已提供"}),
    ],
)
def test_the_command_names_every_stage(
    place: tuple[Path, Config], expect: str, more: list[str], said: dict[str, str], language: str
) -> None:
    index, config = place
    words = ["-c", "import sys; from ragkit.frontends.cli import main; main(sys.argv[1:])", "--index", str(index)]
    words += ["--set", f"ollama.host={config.ollama.host}", "--set", "models.backend=ollama"]
    words += [
        "--set",
        "ollama.embed_model=embed",
        "--set",
        "ollama.chat_model=chat",
        "--set",
        "chunking.chunk_tokens=48",
    ]
    words += [*more, "why-not", QUESTION, "--expect", expect]
    env = {**os.environ, "RAGKIT_LANG": language}
    shown = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, env=env)
    assert said[language] in shown.stdout.splitlines()[-1], shown.stdout + shown.stderr


def test_every_stage_has_a_name_on_the_command_line() -> None:
    from ragkit.frontends.cli.show.answers import STAGES

    assert set(STAGES) == set(get_args(Stage))


def test_the_command(place: tuple[Path, Config]) -> None:
    index, config = place
    words = ["--index", str(index), "why-not", QUESTION, "--expect", "scan.pdf"]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 5
    assert "not read: The file was not read" in shown.stdout
    assert "ragkit audit" in shown.stderr
    found = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert (found["stage"], found["fix"]) == ("reading", "Run: ragkit audit")
    assert config
