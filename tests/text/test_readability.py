"""What reads badly is found, and nothing that a person can read is called unreadable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.config.sections import Config
from ragkit.frontends.cli import main
from ragkit.testing import ScriptedOllama
from ragkit.text.readability import BAD, readability
from tests.helpers.pdfs import text_pdf

ENGLISH = "Staff have twenty days of annual leave a year. Up to five unused days may be carried into the next one. " * 3
CHINESE = "员工每年享有二十天带薪年假，未休完的假期可以顺延至次年三月底，逾期作废。试用期内按月折算。" * 3


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        CHINESE,
        CHINESE + ENGLISH,
        "Сотрудники имеют право на двадцать дней оплачиваемого отпуска в год по графику. " * 3,
        "يحق للموظفين الحصول على عشرين يوما من الإجازة السنوية المدفوعة كل عام. " * 3,
        "従業員は年間二十日の有給休暇を取得できます。未使用分は翌年に繰り越せます。" * 3,
        "Größe und Übermaß: façade, naïveté, señor, Ærø, Żółć, Čeština, İstanbul, đường phố. " * 3,
        "\n".join(f"{n} | {n * 7} | {n * 1.5:.2f} | -{n} %" for n in range(60)),
        "def f(x):\n    return {k: v[0] for k, v in x.items() if k != '__init__'}  # x -> y\n" * 5,
        "Introduction ........................................ 1\nScope .......................... 2\n" * 6,
        "a1 a2 a3 b1 b2 b3 1 2 3 4 5 6 7 8 9 0 " * 8,
        "- " * 400,
        "",
        "ok",
    ],
)
def test_what_a_person_can_read(text: str) -> None:
    assert readability(text)[0] >= BAD


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (CHINESE.encode().decode("latin-1"), "encoding"),
        (CHINESE.encode("gb18030").decode("latin-1"), "encoding"),
        (ENGLISH.replace("a", "\ufffd").replace("e", "\ufffd"), "lost"),
        ("(cid:12)(cid:31)(cid:7) " * 60, "lost"),
        ("".join(chr(0xE000 + ord(c) % 90) for c in ENGLISH), "signs without a meaning"),
        (" ".join(ENGLISH.replace(" ", "")), "taken apart"),
        ("".join(chr((ord(c) - 97 + 3) % 26 + 97) if c.islower() else c for c in ENGLISH * 2), "no words"),
        ("".join("аβcδе"[n % 5] if c.isalpha() and n % 2 else c for n, c in enumerate(ENGLISH * 2)), "alphabets"),
        ("§$%&/()=?{[]}\\@<>;#~^" * 12, "signs, not of words"),
    ],
)
def test_what_a_person_cannot_read(text: str, why: str) -> None:
    score, reason = readability(text)
    assert score < BAD
    assert why in str(reason)


@pytest.fixture
def config() -> Iterator[Config]:
    with ScriptedOllama() as server:
        flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "models.backend": "ollama"}
        yield resolve(environ={}, flags=flags)[0]


def test_the_audit_lists_the_worst_first(tmp_path: Path, config: Config) -> None:
    docs, index = tmp_path / "docs", tmp_path / "index"
    docs.mkdir()
    (docs / "good.md").write_text(f"# Leave\n\n{ENGLISH}{CHINESE}", "utf-8")
    (docs / "part.pdf").write_bytes(text_pdf("First page", "", "", "Last page", drawn=(2, 3)))
    (docs / "scan.pdf").write_bytes(text_pdf("", "", drawn=(1, 2)))
    (docs / "乱码.txt").write_text(CHINESE.encode().decode("latin-1"), "utf-8")
    config = replace(config, loading=replace(config.loading, ocr="off"))
    with RagKit.open(index, config) as kit:
        report = kit.index([docs])
        assert report.count("unreadable") == 2
        assert {Path(o.source).name for o in kit.files() if o.weak_pages} == {"part.pdf"}
    shown = CliRunner().invoke(main, ["--index", str(index), "audit"])
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert "scan.pdf" in lines[0] or "乱码.txt" in lines[0]
    assert any("Page 2-3 (of 4 in all): it is a picture without text, perhaps a scan" in line for line in lines)
    assert "good.md" not in shown.stdout
    assert "4 files: 1 ready, 1 partly readable, 2 unreadable." in shown.stderr
    found = json.loads(CliRunner().invoke(main, ["--index", str(index), "audit", "--json"]).stdout)
    assert found["counts"]["ready"] == 1
    assert found["files"][-1]["weak_pages"][0] == {
        "page": 2, "score": 0.0, "reason": "it is a picture without text, perhaps a scan",
    }  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_audit_of_many_files_sums_up_their_reasons(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    docs, index = tmp_path / "docs", tmp_path / "index"
    docs.mkdir()
    for number in range(3):
        (docs / f"part{number}.pdf").write_bytes(text_pdf("First page", "", "Last page", drawn=(2,)))
        (docs / f"empty{number}.txt").write_text("", "utf-8")
        (docs / f"names{number}.qq{number}").write_text("no reader", "utf-8")
    config = replace(config, loading=replace(config.loading, ocr="off"))
    with RagKit.open(index, config) as kit:
        kit.index([docs])
    monkeypatch.setattr("ragkit.frontends.cli.show.terminal.LANGUAGE", language)
    shown = CliRunner().invoke(main, ["--index", str(index), "audit"]).stdout
    summary = shown.split("\n\n")[-1].splitlines()
    if language == "en":
        assert summary == [
            "3 files, 3 pages: it is a picture without text, perhaps a scan",
            "3 files: The file is empty.",
            "3 files: There is no reader for … files.",
        ]
    else:
        assert all(line.startswith("3 个文件") for line in summary)
        assert len(summary) == 3
    found = json.loads(CliRunner().invoke(main, ["--index", str(index), "audit", "--json"]).stdout)
    assert {"reason": "There is no reader for … files.", "files": 3, "pages": 0} in found["reasons"]
