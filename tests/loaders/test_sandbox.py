"""SandboxLoader on real files: what goes wrong is a sentence about one file, never more."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ragkit
from ragkit.config.sections import LoadingConfig
from ragkit.loaders.sandbox.loader import SandboxLoader
from ragkit.types.documents import Document
from ragkit.types.ports import Picture
from tests.helpers.pdfs import bomb_pdf, self_drawing_pdf, text_pdf

CHECKOUT = Path(ragkit.__file__).parent.parent


@pytest.fixture(scope="module")
def loader() -> Iterator[SandboxLoader]:
    with SandboxLoader(LoadingConfig()) as made:
        yield made


@pytest.fixture
def hasty() -> Iterator[SandboxLoader]:
    with SandboxLoader(LoadingConfig(timeout_s=2)) as made:
        yield made


def document(loader: SandboxLoader, path: Path) -> Document:
    loaded = loader.load(path, "")
    assert loaded.failure is None, str(loaded.failure.reason)
    assert loaded.document is not None
    return loaded.document


def reason(loader: SandboxLoader, path: Path) -> str:
    loaded = loader.load(path, "")
    assert loaded.document is None
    assert loaded.failure is not None
    assert loaded.failure.state == "unreadable"
    return str(loaded.failure.reason)


def put(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_a_file_becomes_a_document_with_the_hash_of_its_bytes(loader: SandboxLoader, tmp_path: Path) -> None:
    path = put(tmp_path / "a.md", "# Leave\n\n20 days.\n")
    loaded = loader.load(path, "")
    assert loaded.content_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.document is not None
    assert loaded.document.source == str(path)
    assert loaded.document.title == "Leave"


def test_a_known_hash_is_answered_without_a_document(loader: SandboxLoader, tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "same")
    known = hashlib.sha256(b"same").hexdigest()
    loaded = loader.load(path, known)
    assert (loaded.content_hash, loaded.document, loaded.failure) == (known, None, None)


def test_paths_with_spaces_chinese_and_odd_bytes(loader: SandboxLoader, tmp_path: Path) -> None:
    assert document(loader, put(tmp_path / "我的 文档" / "年假 规定.txt", "年假二十天")).text == "年假二十天"
    try:
        odd = put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")), "x")
    except OSError:
        return  # a file system that wants Unicode
    assert "not valid UTF-8" in reason(loader, odd)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("empty.txt", b"", "empty"),
        ("blank.md", b" \n\t\n", "white space"),
        ("empty.pdf", b"", "empty"),
        ("empty.html", b"", "empty"),
        ("page.pdf", b"<!doctype html><p>Not found</p>", "not a PDF"),
        ("photo.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "PNG"),
        ("noise.txt", bytes((i * 7919 + i * i * 31) % 256 for i in range(5000)), "not a text"),
        ("scan.pdf", text_pdf("", ""), "Nothing is written or drawn"),
        ("cut.pdf", text_pdf("Hello")[:60], "damaged"),
        ("script.html", b"<script>var a", "never closed"),
    ],
)
def test_unreadable_files_say_why(loader: SandboxLoader, tmp_path: Path, name: str, data: bytes, words: str) -> None:
    assert words in reason(loader, put(tmp_path / name, data))


def test_what_is_no_file_says_so(loader: SandboxLoader, tmp_path: Path) -> None:
    (tmp_path / "folder.pdf").mkdir()
    assert reason(loader, tmp_path / "folder.pdf") == "It is not a regular file."
    assert reason(loader, tmp_path / "gone.txt") == "The file is gone."


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_does_not_hang_and_a_link_is_not_followed(loader: SandboxLoader, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "link.txt").symlink_to(put(tmp_path / "real.txt", "secret"))
    assert reason(loader, tmp_path / "pipe.txt") == "It is not a regular file."
    assert "symbolic link" in reason(loader, tmp_path / "link.txt")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(loader: SandboxLoader, tmp_path: Path) -> None:
    path = put(tmp_path / "mine.txt", "x")
    path.chmod(0)
    assert reason(loader, path) == "Permission denied."


def test_an_unsupported_suffix(loader: SandboxLoader, tmp_path: Path) -> None:
    failure = loader.load(put(tmp_path / "a.xyz", "x"), "").failure
    assert failure is not None
    assert (failure.state, str(failure.reason)) == ("unsupported", "There is no reader for .xyz files.")


PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_answers_of_a_child_that_was_taken_over_are_refused(tmp_path: Path) -> None:
    from ragkit.loaders.sandbox.replies import loaded

    fine = {
        "text": "abc",
        "title": "",
        "pages": [],
        "headings": [],
        "author": "",
        "language": "en",
        "date": "",
        "line_marks": [],
        "notes": [],
        "weak_pages": [],
    }
    page = {"number": 1, "start": 0, "end": 3}
    wide = {"text": "{x:>999999999}", "values": {"x": "y"}, "code": "", "plural": ""}
    for change in (
        {"text": "a\0"},
        {"text": 7},
        {"pages": [{**page, "end": 4}]},
        {"pages": [page, page]},
        {"pages": [{**page, "number": True}]},
        {"headings": [{"level": 1, "title": "\ud800", "start": 0}]},
        {"line_marks": [[2, 1], [1, 1]]},
        {"notes": [wide]},
        {"notes": [{"text": "{x}", "values": {}, "code": "", "plural": ""}]},
        {"notes": [{"text": "x", "values": {}, "code": "", "plural": "{x}"}]},
    ):
        reply = {"hash": "0" * 64, "document": {**fine, **change}}
        with pytest.raises((ValueError, TypeError, KeyError)):
            loaded("a.txt", "text/plain", "", reply, [])
    whole: dict[str, object] = {"hash": "0" * 64, "document": fine}
    assert loaded("a.txt", "text/plain", "", whole, []).document
    for places in ([4], [2, 1]):
        with pytest.raises(ValueError, match="order"):
            loaded("a.txt", "text/plain", "", whole, [Picture(at, b"") for at in places])


@pytest.mark.parametrize(
    ("frames", "with_pictures"),
    [
        ([{"image": {"at": 0, "data": coded(PNG)}}], False),
        ([{"image": {"at": -1, "data": coded(PNG)}}], True),
        ([{"image": {"at": 0, "data": coded(b"MZ" + PNG)}}], True),
        ([{"image": {"at": 0, "data": "not base64!"}}], True),
        ([{"image": {"at": 0, "data": coded(PNG + bytes(8 << 20))}}], True),
        ([{"image": {"at": 0, "data": coded(PNG[:16] + b"\x7f" * 8 + PNG[24:])}}], True),
        ([{"image": {"at": 0, "data": coded(PNG[:16])}}], True),
        ([{"image": {"at": 0, "data": coded(PNG)}}] * 49, True),
        ([{"image": {"at": 0, "data": coded(PNG + bytes(7 << 20))}}] * 10, True),
        ([{"preparing": True}] * 1000, True),
    ],
    ids="unasked nowhere no-picture no-base64 too-large too-many-pixels no-size too-many large-together no-end".split(),
)
def test_pictures_of_a_child_that_was_taken_over_are_refused(frames: list[dict[str, Any]], with_pictures: bool) -> None:
    from ragkit.loaders.sandbox.loader import _Asked

    def take_all() -> None:
        asked = _Asked("a.docx", "", "", with_pictures=with_pictures)
        for frame in frames:
            asked.take(frame)

    with pytest.raises(ValueError):  # noqa: PT011  (each has its own words)
        take_all()


def test_limits_of_size(tmp_path: Path) -> None:
    large = put(tmp_path / "large.txt", b"a" * (1 << 20) + b"b")
    with SandboxLoader(LoadingConfig(max_file_mb=1)) as loader:
        assert "loading.max_file_mb" in reason(loader, large)
    with SandboxLoader(LoadingConfig(max_text_mb=1)) as loader:
        assert "loading.max_text_mb" in reason(loader, large)
        assert document(loader, put(tmp_path / "a.txt", "still here")).text == "still here"


def test_a_hang_is_killed_and_the_next_file_is_read(hasty: SandboxLoader, tmp_path: Path) -> None:
    assert "loading.timeout_s" in reason(hasty, put(tmp_path / "hang.pdf", self_drawing_pdf()))
    assert document(hasty, put(tmp_path / "next.pdf", text_pdf("Still here"))).text == "Still here"


def test_a_memory_hog_fails_alone(tmp_path: Path) -> None:
    with SandboxLoader(LoadingConfig(timeout_s=30, memory_mb=256)) as loader:
        said = reason(loader, put(tmp_path / "bomb.pdf", bomb_pdf(300)))
        assert "memory" in said or "crashed" in said or "no text" in said
        said = reason(loader, put(tmp_path / "hog.md", b"# a\n" * (12 << 20)))
        assert "loading.memory_mb" in said
        assert document(loader, put(tmp_path / "next.pdf", text_pdf("Still here"))).text == "Still here"


def test_a_killed_child_is_replaced(loader: SandboxLoader, tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "again")
    document(loader, path)
    for _ in range(3):
        os.kill(child_of(os.getpid()), signal.SIGKILL)
        assert document(loader, path).text == "again"


def test_a_crash_while_reading_is_one_sentence(hasty: SandboxLoader, tmp_path: Path) -> None:
    child, _ = hasty._running()
    watch = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(1); os.kill({child.pid}, 11)"])
    assert "SIGSEGV" in reason(hasty, put(tmp_path / "hang.pdf", self_drawing_pdf()))
    watch.wait()


def test_close_leaves_no_process(tmp_path: Path) -> None:
    loader = SandboxLoader(LoadingConfig())
    document(loader, put(tmp_path / "a.txt", "x"))
    child = loader._child
    assert child is not None
    loader.close()
    loader.close()
    assert child.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_the_child_has_no_network_of_any_kind(tmp_path: Path) -> None:
    own_network = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    if shutil.which("unshare") is None or subprocess.run([*own_network, "true"], check=False).returncode:
        pytest.skip("this system lets no process have a network of its own")
    with SandboxLoader(LoadingConfig()) as loader:
        assert loader.load(put(tmp_path / "a.txt", b"Hello"), "").document is not None
        assert loader._child is not None
        routes = Path(f"/proc/{loader._child.pid}/net/dev").read_text().split("\n")[2:]
        assert [line.split(":")[0].strip() for line in routes if line] == ["lo"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "hanging"])
def test_the_child_dies_with_its_parent(tmp_path: Path, busy: bool) -> None:
    path = put(tmp_path / "a.pdf", self_drawing_pdf() if busy else text_pdf("Hello"))
    program = textwrap.dedent(
        """
        import sys, threading, time
        from pathlib import Path
        from ragkit.config.sections import LoadingConfig
        from ragkit.loaders.sandbox.loader import SandboxLoader
        loader = SandboxLoader(LoadingConfig(timeout_s=3))
        loader._running()
        print(loader._child.pid, flush=True)
        loader.load(Path(sys.argv[1]), "")
        time.sleep(60)
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(1)
        parent.kill()
    for _ in range(300):
        if not alive(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("the child outlived its parent")


def test_the_child_has_no_network_and_starts_nothing(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import socket, subprocess
        from pathlib import Path
        from ragkit.loaders.sandbox.child import _confine
        _confine(1024, 512)
        for trial in (socket.socket, lambda: subprocess.run(["true"]), lambda: Path("made").write_text("x")):
            try:
                trial()
            except OSError as exc:
                print(type(exc).__name__)
        """
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        check=True,
    )
    assert len(ran.stdout.split()) == 3


def test_the_fingerprint_follows_the_limits() -> None:
    assert SandboxLoader(LoadingConfig()).fingerprint == SandboxLoader(LoadingConfig()).fingerprint
    assert SandboxLoader(LoadingConfig()).fingerprint != SandboxLoader(LoadingConfig(max_text_mb=1)).fingerprint


def test_it_starts_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "json.py", "raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    with SandboxLoader(LoadingConfig()) as loader:
        assert document(loader, put(tmp_path / "a.txt", "x")).text == "x"


def child_of(parent: int) -> int:
    found = Path(f"/proc/{parent}/task/{parent}/children")
    return int(found.read_text().split()[-1])


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return "State:\tZ" not in status
