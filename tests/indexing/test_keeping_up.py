"""Keeping up with a folder: what is left alone, what would be done, and following it as it changes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.config.sections import Config
from ragkit.testing import ScriptedOllama
from ragkit.types.errors import InputError
from ragkit.types.reports import IndexReport
from tests.helpers.terminal import interruptible

FILES = {
    "leave.md": "Staff have 15 days of annual leave.\n",
    "假期.md": "员工每年享有十五天年假。\n",
    "drafts/plan.md": "A plan that nobody agreed to.\n",
    "drafts/keep.md": "The one draft to keep.\n",
    "build/out.txt": "made by a machine\n",
    "notes/2024/old.md": "An old note.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs 文档"
    for name, text in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, "utf-8")
    return made


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama() as running:
        yield running


@pytest.fixture
def config(server: ScriptedOllama) -> Config:
    flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
    return resolve(environ={}, flags={**flags, "models.backend": "ollama"})[0]


@pytest.fixture
def kit(tmp_path: Path, config: Config) -> Iterator[RagKit]:
    with RagKit.open(tmp_path / "index", config) as made:
        yield made


def states(report: IndexReport, folder: Path) -> dict[str, str]:
    return {Path(one.source).relative_to(folder).as_posix(): one.state for one in report.outcomes}


def read(report: IndexReport, folder: Path) -> set[str]:
    return {name for name, state in states(report, folder).items() if state in ("added", "changed", "unchanged")}


def test_an_ignore_file_is_read_as_git_reads_its_own(kit: RagKit, folder: Path) -> None:
    (folder / ".ragkitignore").write_text("# machine-made\nbuild/\ndrafts/*\n!drafts/keep.md\n/假期.md\n", "utf-8")
    (folder / "notes" / ".ragkitignore").write_text("2024\n", "utf-8")
    report = kit.index([folder])
    assert read(report, folder) == {"leave.md", "drafts/keep.md"}
    reasons = {Path(one.source).name: str(one.reason) for one in report.outcomes if one.state == "skipped"}
    assert reasons["build"] == f"It is excluded by {folder / '.ragkitignore'}."
    assert reasons["2024"] == f"It is excluded by {folder / 'notes' / '.ragkitignore'}."


def test_patterns_on_the_command_line(kit: RagKit, folder: Path) -> None:
    assert read(kit.index([folder], include=["*.md"], exclude=["drafts/", "notes/**"]), folder) == {
        "leave.md",
        "假期.md",
    }
    report = kit.index([folder], exclude=["假期.md"])
    assert states(report, folder)["假期.md"] == "skipped"
    assert "年假" not in {hit.chunk.text for hit in kit.search("年假", k=9)}  # what is left alone answers nothing
    assert all(Path(hit.chunk.source).name != "假期.md" for hit in kit.search("年假", k=9))


def test_a_pattern_that_is_none_is_told(kit: RagKit, folder: Path) -> None:
    with pytest.raises(InputError, match="A pattern is wrong"):
        kit.index([folder], exclude=["!"])


def test_a_dry_run_tells_and_does_nothing(kit: RagKit, folder: Path, server: ScriptedOllama) -> None:
    assert {one.state for one in kit.plan([folder])} == {"added"}
    assert not (kit.directory / "catalog.db").exists()
    kit.index([folder])
    (folder / "leave.md").write_text("Staff have 20 days of annual leave.\n", "utf-8")
    (folder / "new.md").write_text("Something new.\n", "utf-8")
    (folder / "drafts" / "plan.md").unlink()
    os.utime(folder / "假期.md", (1, 1))  # other times, the same content
    sent = len(server.requests)
    planned = {Path(one.source).name: one.state for one in kit.plan([folder])}
    assert planned == {
        "leave.md": "changed",
        "new.md": "added",
        "plan.md": "removed",
        "假期.md": "unchanged",
        "keep.md": "unchanged",
        "out.txt": "unchanged",
        "old.md": "unchanged",
    }
    assert len(server.requests) == sent
    done = states(kit.index([folder]), folder)
    assert {Path(name).name: state for name, state in done.items()} == planned


def test_checksum_finds_what_times_hide(kit: RagKit, folder: Path) -> None:
    path = folder / "leave.md"
    os.utime(path, (10**9, 10**9))
    kit.index([folder])
    path.write_text("Staff have 99 days of annual leave.\n", "utf-8")  # as long as before
    os.utime(path, (10**9, 10**9))
    assert states(kit.index([folder]), folder)["leave.md"] == "unchanged"
    report = kit.index([folder], checksum=True)
    assert states(report, folder)["leave.md"] == "changed"
    assert report.chunks_embedded == 1
    assert "99 days" in kit.search("annual leave", k=1)[0].chunk.text


def test_a_folder_is_followed(kit: RagKit, folder: Path) -> None:
    stop = threading.Event()
    reports = kit.watch([folder], stop=stop)
    assert next(reports).count("added") == len(FILES)

    def change() -> None:
        time.sleep(1.0)
        for number in range(30):  # a burst is one run, or a few
            (folder / f"burst-{number}.md").write_text(f"Rule {number} of the burst.\n", "utf-8")
        (folder / "leave.md").unlink()

    writer = threading.Thread(target=change)
    writer.start()
    seen: dict[str, str] = {}
    end = time.monotonic() + 60
    while len(seen) < 31 and time.monotonic() < end:
        seen |= {Path(one.source).name: one.state for one in next(reports).outcomes if one.state != "unchanged"}
    stop.set()
    writer.join()
    assert seen.pop("leave.md") == "removed"
    assert set(seen.values()) == {"added"}
    reports.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_watch_at_a_terminal_ends_with_an_interrupt(tmp_path: Path, folder: Path, config: Config) -> None:
    environment = {**os.environ, "RAGKIT_LANG": "en", "OLLAMA_HOST": config.ollama.host}
    environment |= {"RAGKIT_OLLAMA_EMBED_MODEL": "embed", "RAGKIT_MODELS_BACKEND": "ollama"}
    command = interruptible("--index", str(tmp_path / "index"), "watch", str(folder))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=environment
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "6 files: 6 added\n"
            time.sleep(1.0)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err


def test_dry_run_at_a_terminal(tmp_path: Path, folder: Path, config: Config) -> None:
    environment = {**os.environ, "RAGKIT_LANG": "en", "OLLAMA_HOST": config.ollama.host}
    command = [sys.executable, "-m", "ragkit", "--index", str(tmp_path / "index"), "index", str(folder), "--dry-run"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=True)
    assert "假期.md  would be read" in done.stdout
    assert "6 files, 0 of them unchanged. Nothing was done." in done.stderr
    as_json = subprocess.run([*command, "--json"], capture_output=True, encoding="utf-8", env=environment, check=True)
    assert len(json.loads(as_json.stdout)["files"]) == 6
