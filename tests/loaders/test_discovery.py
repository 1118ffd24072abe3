"""`discover` names everything it meets, once."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ragkit.loaders.files.discovery import discover
from ragkit.types.errors import InputError
from ragkit.types.reports import FileOutcome, FoundFile


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def seen(*roots: Path, exclude: Path | None = None) -> list[tuple[str, str]]:
    """(name, "read" or state: reason) of everything found."""
    return [
        (found.path.name, "read")
        if isinstance(found, FoundFile)
        else (Path(found.source).name, f"{found.state}: {found.reason}")
        for found in discover(list(roots), exclude)
    ]


def test_folders_are_walked_in_order_and_everything_is_named(tmp_path: Path) -> None:
    for name in (
        "b.md",
        "a/z.TXT",
        "a/手册.pdf",
        ".git/config",
        ".env",
        "c.blob",
        "README",
        "index/catalog.md",
    ):
        put(tmp_path / name)
    (tmp_path / "d.pdf").mkdir()
    (tmp_path / "link.md").symlink_to(tmp_path / "b.md")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert seen(tmp_path, exclude=tmp_path / "index") == [
        (".env", "skipped: It is a hidden file."),
        (".git", "skipped: It is a hidden folder."),
        ("README", "unsupported: Its name has no suffix that says what it is."),
        ("z.TXT", "read"),
        ("手册.pdf", "read"),
        ("b.md", "read"),
        ("c.blob", "unsupported: There is no reader for .blob files."),
        ("index", "skipped: It is the index itself."),
        ("link.md", "skipped: It is a symbolic link; links are not followed."),
        ("loop", "skipped: It is a symbolic link; links are not followed."),
    ]


def test_facts_of_a_found_file(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "three")
    assert list(discover([path], None)) == [FoundFile(path.resolve(), 5, path.stat().st_mtime_ns)]


def test_overlapping_roots_meet_a_file_once(tmp_path: Path) -> None:
    put(tmp_path / "a" / "x.md")
    put(tmp_path / "y.md")
    assert seen(tmp_path / "a", tmp_path, tmp_path / "a" / "x.md") == [("x.md", "read"), ("y.md", "read")]


def test_a_hidden_root_and_a_linked_root_are_read(tmp_path: Path) -> None:
    put(tmp_path / ".notes" / "x.md")
    (tmp_path / "link").symlink_to(tmp_path / ".notes")
    assert seen(tmp_path / "link") == [("x.md", "read")]
    assert seen(tmp_path / ".notes") == [("x.md", "read")]


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        discover([tmp_path / "gone"], None)
    assert str(tmp_path / "gone") in str(caught.value)


def test_special_files_and_odd_names(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "s.txt"))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("x")
    assert seen(tmp_path) == [
        ("caf\\xe9.txt", "unreadable: Its name is not valid UTF-8; rename it to have it read."),
        ("pipe.txt", "skipped: It is not a regular file."),
        ("s.txt", "skipped: It is not a regular file."),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    assert seen(tmp_path) == [("closed", "unreadable: Permission denied.")]


def test_very_deep_folders(tmp_path: Path) -> None:
    path = tmp_path
    for _ in range(1200):
        path = path / "d"
        path.mkdir()
    (path / "x.md").write_text("x")
    found = seen(tmp_path)
    (path / "x.md").unlink()
    while path != tmp_path:  # deeper than pytest itself can clear
        path.rmdir()
        path = path.parent
    assert found == [("x.md", "read")]


def test_files_that_are_too_old_are_named(tmp_path: Path) -> None:
    put(tmp_path / "new.md")
    os.utime(put(tmp_path / "旧.md"), (1_600_000_000, 1_600_000_000))
    new, old = discover([tmp_path], None, max_age_days=30)
    assert isinstance(new, FoundFile)
    assert isinstance(old, FileOutcome)
    assert str(old.reason).startswith("It was last changed more than 30 days ago")
