"""Looking after an index: what is in it, taking things out for good, finding damage, moving it."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.config.sections import Config, StoreConfig
from ragkit.testing import ScriptedOllama
from ragkit.types.errors import IndexBusy, IndexDamaged, IndexMismatch, InputError, RagkitError

FLIPS = int(os.environ.get("FLIPS", "40"))  # single bytes turned over, each in a fresh copy of the index
FILES = {
    "leave.md": "# Leave\n\nStaff have 15 days of annual leave.\n",
    "secret.md": "# Secret\n\nThe vault opens with XYZZY-4711-CANARY and nothing else.\n",
    "假期.md": "# 假期\n\n员工每年享有十五天年假。\n",
    "old/leave.md": "# Old\n\nStaff once had ten days of leave.\n",
    "data.bin": "not read",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs 文档"
    for name, text in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, "utf-8")
    return made


@pytest.fixture
def config() -> Iterator[Config]:
    with ScriptedOllama() as server:
        flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
        yield resolve(environ={}, flags={**flags, "models.backend": "ollama", "store.exact_mb": "0"})[0]


@pytest.fixture
def kit(tmp_path: Path, folder: Path, config: Config) -> Iterator[RagKit]:
    with RagKit.open(tmp_path / "index", config) as made:
        made.index([folder])
        made.close()
        yield made


def names(kit: RagKit, question: str) -> set[str]:
    return {Path(hit.chunk.source).name for hit in kit.search(question, k=9)}


def test_every_file_is_listed_with_what_became_of_it(kit: RagKit, folder: Path) -> None:
    listed = {Path(outcome.source).name: outcome for outcome in kit.files()}
    assert listed.keys() == {"leave.md", "secret.md", "假期.md", "data.bin"}
    assert listed["data.bin"].state == "unsupported"
    assert listed["假期.md"].chunks == 1
    assert [outcome.source for outcome in kit.files("old/")] == [str(folder / "old/leave.md")]


def test_a_document_is_read_back(kit: RagKit, folder: Path) -> None:
    document, chunks = kit.read("假期.md")
    assert document.text == FILES["假期.md"]
    assert [document.text[chunk.start : chunk.end] for chunk in chunks] == [chunk.text for chunk in chunks]
    assert kit.read(str(folder / "leave.md"))[0].title == "Leave"


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("leave.md", "leave.md means 2 documents", "more of the path"),
        ("leaves.md", "no document leaves.md", "Did you mean leave.md?"),
        ("qqqq", "no document qqqq", "ragkit list"),
    ],
)
def test_a_name_that_is_not_one_document_is_told(kit: RagKit, name: str, said: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        kit.remove([name])
    assert said in str(caught.value)
    assert hint in str(caught.value.hint)
    assert len(kit.files()) == 5  # nothing was removed


def test_what_is_removed_is_in_no_answer_and_comes_back_with_its_folder(kit: RagKit, folder: Path) -> None:
    assert "secret.md" in names(kit, "vault")
    assert kit.remove([str(folder / "old"), "secret.md"]) == [str(folder / "old/leave.md"), str(folder / "secret.md")]
    assert names(kit, "vault leave 年假") == {"leave.md", "假期.md"}
    report = kit.index([folder])
    assert report.count("added") == 2


def bytes_of(index: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(index.rglob("*")) if path.is_file())


@pytest.mark.slow
def test_what_a_reader_holds_on_to_is_not_said_to_be_gone(kit: RagKit, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM chunks").fetchone()
        with pytest.raises(IndexBusy, match="still on the disk"):  # after ten seconds
            kit.forget(["secret.md"])
    kit.compact()


def test_what_is_forgotten_leaves_no_byte(kit: RagKit, tmp_path: Path) -> None:
    index = tmp_path / "index"
    document, _ = kit.read("secret.md")
    packed = zlib.compress(document.text.encode(), 6)
    before = bytes_of(index)
    assert b"XYZZY-4711-CANARY" in before
    assert packed in before
    kit.forget(["secret.md"])
    kit.close()
    for path in (path for path in sorted(index.rglob("*")) if path.is_file()):
        for trace in (b"XYZZY", b"xyzzy", b"CANARY", b"canary", b"vault", b"secret.md", packed):
            assert trace not in path.read_bytes(), (path.name, trace)
    assert names(kit, "vault leave 年假") == {"leave.md", "假期.md"}
    assert kit.verify(deep=True) == []


def test_a_sound_index_is_said_to_be_sound(kit: RagKit) -> None:
    assert kit.verify() == []
    assert kit.verify(deep=True) == []
    kit.search("leave")
    assert kit.verify(deep=True) == []


def test_a_sound_index_after_a_killed_run_is_sound(kit: RagKit, tmp_path: Path) -> None:
    (tmp_path / "index" / "catalog.seal").unlink()
    assert kit.verify(deep=True) == []


def found_by_verify(index: Path, config: Config) -> bool:
    """Whether `verify --deep` finds something wrong; it must not fail in any other way."""
    with RagKit.open(index, config) as kit:
        try:
            return bool(kit.verify(deep=True))
        except RagkitError:
            return True


def test_every_flipped_byte_is_found(kit: RagKit, tmp_path: Path, config: Config) -> None:
    kit.close()
    index = tmp_path / "index"
    targets = [path for path in index.rglob("*") if path.is_file() and path.stat().st_size and path.suffix != ".lock"]
    chosen = random.Random(7)
    for number in range(FLIPS):
        copy = tmp_path / "copy"
        shutil.copytree(index, copy, copy_function=shutil.copy2)
        with RagKit.open(copy, config) as fresh:  # a copy has its own times: seal it anew
            fresh.rebuild()
        target = copy / chosen.choice(targets).relative_to(index)
        if not target.exists():  # Chroma names a folder anew
            files = (path for path in copy.glob("vectors-g*/**/*") if path.is_file())
            target = chosen.choice([path for path in files if path.stat().st_size])
        data = bytearray(target.read_bytes())
        at = chosen.randrange(len(data))
        data[at] ^= 1 << chosen.randrange(8)
        target.write_bytes(data)
        assert found_by_verify(copy, config), f"flip {number}: byte {at} of {target.relative_to(copy)}"
        shutil.rmtree(copy)


def test_a_search_in_a_damaged_index_finds_something_or_says_so(tmp_path: Path, config: Config) -> None:
    folder, index, copy, chosen = tmp_path / "rules", tmp_path / "rules-index", tmp_path / "copy", random.Random(9)
    folder.mkdir()
    for number in range(60):
        lines = (f"Rule {number}.{line} grants {line} days. 规定第 {line} 条。\n" for line in range(60))
        (folder / f"{number}.md").write_text("".join(lines), "utf-8")
    small = replace(config, store=StoreConfig())
    with RagKit.open(index, small) as kit:
        kit.index([folder])
    whole, said = (index / "catalog.db").read_bytes(), 0
    for _ in range(FLIPS):
        shutil.copytree(index, copy)
        data = bytearray(whole)
        for _ in range(30):
            data[chosen.randrange(100, len(data))] = chosen.randrange(256)
        (copy / "catalog.db").write_bytes(data)
        try:
            with RagKit.open(copy, small) as kit:
                kit.search("How many days does rule 3.5 grant? 规定")
        except (IndexDamaged, IndexMismatch):
            said += 1
        shutil.rmtree(copy)
    assert said > FLIPS / 4


def test_rebuild_and_compact_change_no_answer(kit: RagKit, folder: Path) -> None:
    before = [hit.chunk.id for hit in kit.search("annual leave 年假", k=9)]
    assert kit.rebuild() == 4
    kit.remove(["secret.md"])
    kit.compact()
    after = [hit.chunk.id for hit in kit.search("annual leave 年假", k=9)]
    assert [name for name in before if name in after] == after
    assert kit.status().chunks_unpublished == 0
    assert kit.verify(deep=True) == []


def test_a_small_index_needs_no_copy_in_chroma(kit: RagKit, tmp_path: Path, config: Config) -> None:
    before = [hit.chunk.id for hit in kit.search("annual leave 年假", k=9)]
    assert kit.status().search == "chroma"
    kit.close()
    with RagKit.open(tmp_path / "index", replace(config, store=StoreConfig())) as small:
        assert small.rebuild() == 0
        assert not list((tmp_path / "index").glob("vectors-g*"))
        assert small.status().search == "exact"
        assert [hit.chunk.id for hit in small.search("annual leave 年假", k=9)] == before
        assert small.verify(deep=True) == []


def test_an_index_moves_in_one_file(kit: RagKit, tmp_path: Path, config: Config) -> None:
    target = tmp_path / "moved 索引.ragkit"
    kit.export(target)
    kit.close()
    with pytest.raises(InputError, match="is there already"):
        kit.export(target)
    with RagKit.open(tmp_path / "other", config) as other:
        assert other.import_from(target).documents == 4
        assert names(other, "vault leave 年假") == names(kit, "vault leave 年假")
        assert other.verify(deep=True) == []
        with pytest.raises(InputError, match="There is an index"):
            other.import_from(target)


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + bytes(4096)])
def test_another_file_is_not_taken_for_an_index(tmp_path: Path, config: Config, content: bytes) -> None:
    file = tmp_path / "x.ragkit"
    file.write_bytes(content)
    with RagKit.open(tmp_path / "other", config) as other:
        with pytest.raises(InputError, match="is not an exported index"):
            other.import_from(file)
        with pytest.raises(InputError, match="Cannot read"):
            other.import_from(tmp_path / "absent")
    assert not (tmp_path / "other" / "catalog.db").exists()


def test_an_index_in_use_is_left_alone(kit: RagKit, tmp_path: Path, config: Config, folder: Path) -> None:
    with RagKit.open(tmp_path / "index", config) as writer:
        writer.index([folder])
        with pytest.raises(IndexBusy):
            kit.remove(["secret.md"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_verbs_at_a_terminal(kit: RagKit, tmp_path: Path, config: Config, language: str) -> None:
    kit.close()

    def run(*words: str) -> tuple[int, str, str]:
        environment = {**os.environ, "RAGKIT_LANG": language, "OLLAMA_HOST": config.ollama.host}
        environment |= {"RAGKIT_OLLAMA_EMBED_MODEL": "embed", "RAGKIT_MODELS_BACKEND": "ollama"}
        command = [sys.executable, "-m", "ragkit", "--index", str(tmp_path / "index"), *words]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=False)
        return done.returncode, done.stdout, done.stderr

    assert "假期.md" in run("list")[1]
    assert len(json.loads(run("list", "--json")[1])["files"]) == 5
    assert run("show", "假期.md")[1].strip() == FILES["假期.md"].strip()
    shown = json.loads(run("show", "假期.md", "--json")[1])
    assert (shown["chunks"][0]["line"], shown["language"]) == (1, "zh")
    assert f"Secret · {'英文' if language == 'zh' else 'English'}" in run("show", "secret.md")[2]
    assert run("verify", "--deep")[0] == 0
    assert run("remove", "secret.md")[0] == 0
    assert run("forget", "假期.md")[1].strip().endswith("假期.md")
    assert run("compact")[0] == run("rebuild")[0] == run("export", str(tmp_path / "x.ragkit"))[0] == 0
    (tmp_path / "index" / "catalog.db").write_bytes(b"SQLite format 3\0" + bytes(4096))
    code, _, err = run("verify", "--deep")
    assert code == 6
    assert "Traceback" not in err
