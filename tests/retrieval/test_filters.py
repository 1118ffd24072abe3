"""Conditions on where passages come from, through the whole retrieval."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.frontends.cli import main
from ragkit.testing import ScriptedOllama
from ragkit.types.errors import InputError
from tests.helpers.office_files import docx, paragraph
from tests.helpers.pdfs import text_pdf

LEAVE = "Annual leave is twenty days for all."


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RagKit]:
    base = tmp_path_factory.mktemp("base")
    docs = base / "docs"
    for name in ("hr/2023", "hr/2024", "hr_old"):
        (docs / name).mkdir(parents=True)
    (docs / "hr/2023/leave.md").write_text(f"# Leave\n\n{LEAVE}\n", "utf-8")
    (docs / "hr/2024/leave 100%.md").write_text("# 年假\n\n年假为二十天。annual leave\n", "utf-8")
    (docs / "hr_old/leave.pdf").write_bytes(text_pdf("Cover page. " + LEAVE * 3, "Second page. " + LEAVE * 3))
    (docs / "hr_old/signed.docx").write_bytes(docx(paragraph("Annual leave, signed.")))
    os.utime(docs / "hr/2023/leave.md", (1_680_000_000, 1_680_000_000))  # 2023-03-28
    os.utime(docs / "hr/2024/leave 100%.md", (1_712_000_000, 1_712_000_000))  # 2024-04-01
    os.utime(docs / "hr_old/leave.pdf", (1_500_000_000, 1_500_000_000))  # 2017-07-14
    with ScriptedOllama() as server:
        flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "models.backend": "ollama"}
        flags |= {"ollama.chat_model": "chat", "chunking.chunk_tokens": "32", "chunking.overlap_tokens": "0"}
        with RagKit.open(base / "index", resolve(environ={}, flags=flags)[0]) as made:
            made.index([docs])
            made.index([docs / "hr"], labels=["staff", "人事"])
            made.index([docs / "hr_old" / "leave.pdf"], labels=["staff"])
            yield made


def found(kit: RagKit, *where: str) -> set[str]:
    return {Path(hit.chunk.source).name for hit in kit.search("annual leave", 20, where)}


ALL = {"leave.md", "leave 100%.md", "leave.pdf", "signed.docx"}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ((), ALL),
        (("type=pdf",), {"leave.pdf"}),
        (("type=.PDF",), {"leave.pdf"}),
        (("type!=pdf",), ALL - {"leave.pdf"}),
        (("folder=hr",), {"leave.md", "leave 100%.md"}),
        (("folder=hr/2024/",), {"leave 100%.md"}),
        (("folder!=hr",), {"leave.pdf", "signed.docx"}),
        (("label=staff",), ALL - {"signed.docx"}),
        (("label=人事",), {"leave.md", "leave 100%.md"}),
        (("label!=staff",), {"signed.docx"}),
        (("label=staff", "label!=人事"), {"leave.pdf"}),
        (("label=sta",), set()),
        (("source=leave.md",), {"leave.md"}),
        (("source=leave*",), ALL - {"signed.docx"}),
        (("source=leave 100%.md",), {"leave 100%.md"}),
        (("language=zh",), {"leave 100%.md"}),
        (("author=personnel",), {"signed.docx"}),
        (("date>=2024",), {"leave 100%.md", "signed.docx"}),  # a file's own date comes first: 2024-05-06
        (("date=2024-05",), {"signed.docx"}),
        (("date<2023-03-28",), {"leave.pdf"}),
        (("date<=2023-03-28", "type=md"), {"leave.md"}),
        (("page>=2",), {"leave.pdf"}),
        (("page=1",), {"leave.pdf"}),
        (("type=xlsx",), set()),
    ],
)
def test_only_passages_for_which_all_conditions_hold(kit: RagKit, where: tuple[str, ...], expected: set[str]) -> None:
    assert found(kit, *where) == expected


def test_a_few_passages_among_many_are_all_found(kit: RagKit) -> None:
    hits = kit.search("a question about nothing of the sort", 20, ["page=2"])
    assert {hit.chunk.place.page for hit in hits} == {2}


def test_an_answer_rests_on_what_the_conditions_leave(kit: RagKit) -> None:
    answer = kit.ask("annual leave", where=["type=pdf"])
    assert {Path(entry.source).name for entry in answer.ledger.sent} == {"leave.pdf"}


@pytest.mark.parametrize(
    "written", ["pdf", "kind=pdf", "type>pdf", "date=yesterday", "page=two", "language=fr", "type=", ""]
)
def test_what_is_no_condition_is_said(kit: RagKit, written: str) -> None:
    with pytest.raises(InputError):
        kit.search("annual leave", 5, [written])


def test_labels_are_kept_for_what_comes_later_until_they_are_taken_away(tmp_path: Path) -> None:
    docs, index = tmp_path / "文档", tmp_path / "index"
    docs.mkdir()
    (docs / "one.md").write_text(f"# One\n\n{LEAVE}\n", "utf-8")

    def ragkit(*words: str) -> str:
        with ScriptedOllama() as server:
            flags = ["--set", "models.backend=ollama", "--set", f"ollama.host={server.url}"]
            flags += ["--set", "ollama.embed_model=embed", "--set", "ollama.chat_model=chat"]
            done = CliRunner().invoke(main, ["--index", str(index), *flags, *words], catch_exceptions=False)
        assert done.exit_code in (0, 5), done.output  # 5: nothing was found
        return done.stdout

    def labelled() -> set[str]:
        hits = json.loads(ragkit("search", "annual leave", "--where", "label=人事", "--json"))["hits"]
        return {Path(hit["source"]).name for hit in hits}

    ragkit("index", str(docs), "--label", "人事", "--label", "staff")
    (docs / "two.md").write_text(f"# Two\n\n{LEAVE}\n", "utf-8")
    ragkit("index", str(docs))
    assert labelled() == {"one.md", "two.md"}
    assert f"Labels of {docs}: staff, 人事" in ragkit("status")
    assert json.loads(ragkit("status", "--json"))["labels"] == {str(docs): ["staff", "人事"]}
    ragkit("index", str(docs), "--no-labels")
    assert labelled() == set()
