"""Picture files without readable text, described by a model when they are indexed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from ragkit.config.resolving import resolve
from ragkit.testing import Scripted, json_reply
from ragkit.types.errors import ConfigError
from ragkit.types.reports import IndexReport, Progress
from tests.helpers.paths import TEST_DATA
from tests.helpers.seeing import SEEN, opened, pictures_asked, serving

COLOURS = ("red", "blue", "green")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures without a word on them, and a document."""
    found = tmp_path / "docs"
    found.mkdir()
    for colour, suffix in zip(COLOURS, (".png", ".jpg", ".webp"), strict=True):
        image = Image.new("RGB", (200, 200), "white")
        ImageDraw.Draw(image).ellipse((40, 40, 160, 160), fill=colour)
        image.save(found / f"{colour}{suffix}")
    (found / "notes.md").write_text("The canteen opens at noon.\n", "utf-8")
    return found


def states(report: IndexReport) -> dict[str, str]:
    return {Path(outcome.source).stem: outcome.state for outcome in report.outcomes}


@pytest.mark.parametrize("question", ["Where is the red valve?", "红色阀门在哪里？"])
def test_a_picture_is_found_by_its_description_which_says_whose_it_is(folder: Path, question: str) -> None:
    with serving() as server, opened(folder, server) as kit:
        report = kit.index([folder])
        server.answer = f'In the boiler room ("{SEEN[:20]}") [1].'
        answer = kit.ask(question, where=["type=png"])
        document, _ = kit.read("red.png")
    assert states(report) == {"blue": "added", "green": "added", "notes": "added", "red": "added"}
    notes = [str(note) for outcome in report.outcomes for note in outcome.notes]
    assert notes == ["Described by seer: these are its words, not the file's. Look at the picture."] * 3
    assert document.text == f"Picture, described by seer / 图片，由 seer 描述：\n{SEEN}"
    [citation] = answer.citations
    assert (citation.verified, citation.place.kind, Path(citation.source).name) == (True, "described", "red.png")


def test_an_unchanged_picture_is_described_once(folder: Path) -> None:
    with serving() as server, opened(folder, server) as kit:
        kit.index([folder])
        assert set(states(kit.index([folder], checksum=True)).values()) == {"unchanged"}
        assert pictures_asked(server) == 3


def test_a_model_that_is_turned_on_later_describes_what_was_not_read(folder: Path) -> None:
    with serving() as server:
        with opened(folder, server, models__image_model="") as kit:
            before = kit.index([folder])
        with opened(folder, server) as kit:
            plan = {Path(outcome.source).stem: outcome.state for outcome in kit.plan([folder])}
            after = kit.index([folder])
        with opened(folder, server, models__image_model="") as kit:
            off = kit.index([folder])
    assert states(before) == {"blue": "unsupported", "green": "unsupported", "notes": "added", "red": "unsupported"}
    assert plan == {"blue": "added", "green": "added", "notes": "unchanged", "red": "added"}
    assert states(after) == {"blue": "added", "green": "added", "notes": "unchanged", "red": "added"}
    assert set(states(off).values()) == {"unchanged"}


def test_a_model_that_is_down_costs_a_line_a_picture_and_is_asked_next_time(folder: Path) -> None:
    def down(path: str, body: dict[str, Any]) -> Scripted | None:
        return json_reply({"error": "server busy"}, 503) if path == "/api/chat" else None

    with serving(behaviour=down) as server, opened(folder, server) as kit:
        first = kit.index([folder])
        server.behaviour = None
        second = kit.index([folder])
    assert states(first) == {"blue": "unreadable", "green": "unreadable", "notes": "added", "red": "unreadable"}
    assert all(str(o.reason).startswith("The picture could not be described by seer:") for o in first.outcomes[:2])
    assert states(second) == {"blue": "added", "green": "added", "notes": "unchanged", "red": "added"}


def test_a_run_that_was_cut_off_does_not_pay_twice(folder: Path) -> None:
    asked: list[str] = []

    def noted(path: str, body: dict[str, Any]) -> Scripted | None:
        if path == "/api/chat" and body["messages"][-1].get("images"):
            asked.append(body["messages"][-1]["images"][0])
        return None

    def stop(step: Progress) -> None:
        raise KeyboardInterrupt

    with serving(behaviour=noted) as server, opened(folder, server) as kit:
        with pytest.raises(KeyboardInterrupt):
            kit.index([folder], stop)
        assert (folder.parent / "index" / "reading-pictures.jsonl").exists()
        kit.index([folder])
        assert not (folder.parent / "index" / "reading-pictures.jsonl").exists()
    assert len(asked) == len(set(asked)) == 3


def test_a_model_that_cannot_see_says_so_for_each_picture(folder: Path) -> None:
    with serving(capabilities=("completion",)) as server, opened(folder, server) as kit:
        report = kit.index([folder])
        assert pictures_asked(server) == 0
        doctor = {check.name: check.state for check in kit.doctor()}
    assert str(report.outcomes[0].reason).endswith("the model cannot look at pictures.")
    assert doctor["image model"] == "warning"


def test_a_picture_with_words_on_it_is_read_and_not_described(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "scan.png").write_bytes((TEST_DATA / "scan_en.png").read_bytes())
    Image.new("RGB", (200, 200), "white").save(folder / "white.png")
    with serving() as server, opened(folder, server, loading__ocr="auto") as kit:
        report = kit.index([folder])
        assert pictures_asked(server) == 1
    assert str(report.outcomes[0].notes[0]).startswith("Read by OCR")
    assert str(report.outcomes[1].notes[0]).startswith("Described by seer")


def test_a_file_that_is_no_picture_is_never_sent(folder: Path) -> None:
    (folder / "fake.png").write_text("not a picture", "utf-8")
    with serving() as server, opened(folder, server) as kit:
        report = kit.index([folder])
        assert pictures_asked(server) == 3
    assert states(report)["fake"] == "unsupported"


def test_the_embedded_backend_has_no_eyes() -> None:
    with pytest.raises(ConfigError, match="it cannot look at pictures"):
        resolve(environ={}, flags={"models.backend": "embedded", "models.image_model": "seer"})
