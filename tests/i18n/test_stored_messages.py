"""The index keeps what was said of a file, with its code; what earlier versions kept is still understood."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

from ragkit.i18n.messages import coded, say
from ragkit.indexing.picture_descriptions import has_failed
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.text.pictures import BY_OCR
from ragkit.types.documents import WeakPage
from ragkit.types.ports import FileFacts
from ragkit.types.reports import FileOutcome

SOURCE = "/d/scan.pdf"
OUTCOME = FileOutcome(
    SOURCE,
    "unreadable",
    coded("file_not_read", "The file was not read: {why}", why=coded("no_permission", "Permission denied.")),
    (coded("lamps", "{count} lamp is on.", "{count} lamps are on.", count=2), BY_OCR.fill(percent=90, pages="1")),
    pages=1,
    weak_pages=(WeakPage(1, 0.5, coded("ocr_unsure", "OCR is not sure of its letters")),),
)


def _kept(folder: Path, outcome: FileOutcome) -> None:
    with contextlib.closing(SqliteCatalog.open(folder, write=True)) as catalog:
        catalog.commit_unread(FileFacts(SOURCE, "h", 1, 1, 2, "l", outcome))


def _read(folder: Path) -> FileOutcome:
    with contextlib.closing(SqliteCatalog.open(folder, write=False)) as catalog:
        return catalog.files()[SOURCE].outcome


def test_messages_come_back_as_they_were(tmp_path: Path) -> None:
    _kept(tmp_path, OUTCOME)
    assert _read(tmp_path) == OUTCOME


def test_rows_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    _kept(tmp_path, OUTCOME)
    failed = "The picture could not be described by {model}: {why}"
    old = {
        "reason": ["The file was not read: {why}", {"why": ["Permission denied.", {}]}],
        "notes": [[BY_OCR.text, dict(OUTCOME.notes[1].values)], [failed, {"model": "m", "why": "asleep"}]],
        "weak_pages": [[1, 0.5, ["OCR is not sure of its letters", {}]]],
    }
    with sqlite3.connect(tmp_path / "catalog.db") as connection:
        for column, value in old.items():
            connection.execute(f"UPDATE files SET {column} = ?", (json.dumps(value),))
    connection.close()
    found = _read(tmp_path)
    assert str(found.reason) == "The file was not read: Permission denied."
    assert say(found.reason, "zh") == "文件没有读取：没有读取权限。"
    assert found.notes[0] == BY_OCR.fill(percent=90, pages="1")
    assert str(found.weak_pages[0].reason) == "OCR is not sure of its letters"
    assert has_failed(found)
    assert not has_failed(replace(found, notes=found.notes[:1]))
