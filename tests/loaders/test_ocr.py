"""Pictures and scanned pages, in English and Chinese, through the loader and the index."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.config.sections import LoadingConfig
from ragkit.loaders.images.reading_order import Line, in_reading_order
from ragkit.loaders.sandbox.loader import SandboxLoader
from ragkit.types.documents import Document, Place
from tests.helpers.paths import TEST_DATA
from tests.helpers.pdfs import text_pdf

SCANS = {"en": TEST_DATA / "scan_en.png", "zh": TEST_DATA / "scan_zh.png"}
FACTS = {"en": "Its temperature must not exceed 75 degrees.", "zh": "运行温度不得超过七十五摄氏度。"}


@pytest.fixture(scope="module")
def loader() -> Iterator[SandboxLoader]:
    with SandboxLoader(LoadingConfig()) as made:
        yield made


def read(loader: SandboxLoader, path: Path) -> Document:
    loaded = loader.load(path, "")
    assert loaded.failure is None, str(loaded.failure.reason)
    assert loaded.document is not None
    return loaded.document


def why_not(loader: SandboxLoader, path: Path) -> tuple[str, str]:
    failure = loader.load(path, "").failure
    assert failure is not None
    return failure.state, str(failure.reason)


def scan(language: str) -> Image.Image:
    return Image.open(SCANS[language]).convert("RGB")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
def test_a_picture_is_read_and_the_note_says_how(
    loader: SandboxLoader, tmp_path: Path, language: str, suffix: str
) -> None:
    path = tmp_path / f"scan{suffix}"
    scan(language).save(path)
    document = read(loader, path)
    assert FACTS[language] in document.text.split("\n")
    assert document.place(document.text.index(FACTS[language])) == Place(1, None, "scan")
    [note] = document.notes
    assert str(note).startswith("Read by OCR, 9")
    assert not document.weak_pages


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_page_that_lies_on_its_side_is_read_upright(
    loader: SandboxLoader, tmp_path: Path, language: str, degrees: int
) -> None:
    path = tmp_path / "turned.png"
    scan(language).rotate(degrees, expand=True).save(path)
    assert FACTS[language] in read(loader, path).text.split("\n")


def test_the_pages_of_a_tiff_are_pages(loader: SandboxLoader, tmp_path: Path) -> None:
    path = tmp_path / "fax.tiff"
    scan("en").save(path, save_all=True, append_images=[scan("zh")])
    document = read(loader, path)
    assert [(page.number, page.kind) for page in document.pages] == [(1, "scan"), (2, "scan")]
    assert document.place(document.text.index(FACTS["zh"])).page == 2


def test_a_scanned_pdf_is_read_page_by_page(loader: SandboxLoader, tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    scan("zh").save(path, save_all=True, append_images=[scan("en")])
    document = read(loader, path)
    assert document.place(document.text.index(FACTS["zh"])) == Place(1, None, "scan")
    assert document.place(document.text.index(FACTS["en"])) == Place(2, None, "scan")


def test_a_page_with_text_is_not_given_to_ocr(loader: SandboxLoader, tmp_path: Path) -> None:
    path = tmp_path / "drawn.pdf"
    path.write_bytes(text_pdf("The valve closes at 40 bar, says the first page.", "", drawn=[2]))
    document = read(loader, path)
    assert [page.kind for page in document.pages] == ["page", "page"]
    assert [(page.number, str(page.reason)) for page in document.weak_pages] == [(2, "OCR found no text on it")]


def test_a_file_keeps_its_text_where_ocr_takes_too_long(tmp_path: Path) -> None:
    from pypdf import PdfReader, PdfWriter

    dense = Image.new("RGB", (4 * scan("en").width, 4 * scan("en").height))
    for at in range(16):
        dense.paste(scan("en"), (at % 4 * scan("en").width, at // 4 * scan("en").height))
    dense.save(tmp_path / "scan.pdf")
    writer = PdfWriter(io.BytesIO(text_pdf("The valve closes at 40 bar, says the first page.")))
    writer.add_page(PdfReader(tmp_path / "scan.pdf").pages[0])
    writer.write(tmp_path / "a.pdf")
    (tmp_path / "next.txt").write_text("The next file.", "utf-8")
    limit = LoadingConfig(timeout_s=1.5)
    with SandboxLoader(limit) as hasty:
        files = [(tmp_path / name, "") for name in ("a.pdf", "scan.pdf", "next.txt")]
        first, second, third = hasty.load_all(files)
    assert first.document is not None
    assert first.document.place(first.document.text.index("40 bar")) == Place(1, None)
    assert list(map(str, first.document.notes)) == [
        "Pages without text (scanned images?): 2.",
        "OCR took longer than 1.5 s on a page; none of this file was read by it.",
    ]
    assert second.failure is not None
    assert str(second.failure.reason) == "Reading it took longer than 1.5 s (setting loading.timeout_s)."
    assert third.document is not None


def test_pictures_within_archives_and_mail_are_read(loader: SandboxLoader, tmp_path: Path) -> None:
    path = tmp_path / "scans.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(SCANS["zh"], "扫描/保养.png")
    assert FACTS["zh"] in read(loader, path).text
    letter = tmp_path / "letter.eml"
    body = SCANS["en"].read_bytes()
    from email.message import EmailMessage

    message = EmailMessage()
    message["Subject"] = "The record"
    message.set_content("See the picture.")
    message.add_attachment(body, maintype="image", subtype="png", filename="record.png")
    letter.write_bytes(message.as_bytes())
    assert FACTS["en"] in read(loader, letter).text


def test_what_is_no_picture_or_says_nothing_is_named(loader: SandboxLoader, tmp_path: Path) -> None:
    for name, data, said in (
        ("empty.png", b"", "The file is empty."),
        ("words.jpg", b"not a picture at all", "It is not a picture, whatever its name says."),
        ("cut.png", SCANS["en"].read_bytes()[:2000], "The picture is damaged ("),
        ("green.png", _png(Image.new("RGB", (300, 300), "green")), "No text was found on the picture."),
        ("dot.png", _png(Image.new("RGB", (1, 1))), "No text was found on the picture."),
    ):
        (tmp_path / name).write_bytes(data)
        state, reason = why_not(loader, tmp_path / name)
        assert state == "unreadable"
        assert reason.startswith(said), name


def test_a_picture_of_a_billion_pixels_is_refused(loader: SandboxLoader, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(_png(Image.new("1", (30_000, 30_000))))
    assert why_not(loader, path) == ("unreadable", "The picture is too large to be read.")


def test_readings_are_kept_until_their_owner_removes_them(tmp_path: Path) -> None:
    kept, pages = tmp_path / "ocr.jsonl", []
    with SandboxLoader(LoadingConfig(), kept) as first:
        list(first.load_all([(SCANS["en"], "")], lambda *page: pages.append(page)))
    assert pages == [(str(SCANS["en"]), 1, 1)]
    line = json.loads(kept.read_text("utf-8"))
    line["text"] = "What an earlier run has read of it."
    kept.write_text(json.dumps(line) + '\n{"key": "torn', "utf-8")
    with SandboxLoader(LoadingConfig(), kept) as second:
        assert read(second, SCANS["en"]).text == "What an earlier run has read of it."


def test_ocr_that_comes_later_reads_what_was_not_read_and_its_text_stays(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "scan.png").write_bytes(SCANS["zh"].read_bytes())
    (folder / "note.txt").write_text("The door code is on the fridge.", "utf-8")
    index = tmp_path / "index"
    found = []
    for ocr in ("off", "auto", "off"):
        config, _ = resolve(environ={}, flags={"models.backend": "embedded", "loading.ocr": ocr})
        with RagKit.open(index, config) as kit:
            report = kit.index([folder])
            states = [outcome.state for outcome in report.outcomes]
            found.append((states, kit.search("泵的运行温度是多少", 1)[0].chunk.place.kind))
    assert found == [
        (["added", "unsupported"], "page"),
        (["unchanged", "added"], "scan"),
        (["unchanged", "unchanged"], "scan"),
    ]
    assert not (index / "ocr.jsonl").exists()


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


# -- reading order -------------------------------------------------------------------------------


def line(left: float, top: float, text: str, width: float = 0) -> Line:
    return Line(left, top, left + (width or 10 * len(text)), top + 20, text)


def test_columns_are_read_one_after_the_other_under_their_title() -> None:
    left = [line(50, 100 + 30 * n, f"左栏第{n}行", 300) for n in range(4)]
    right = [line(400, 100 + 30 * n, f"right line {n}", 300) for n in range(4)]
    mixed = [one for pair in zip(left, right, strict=True) for one in pair]
    text = in_reading_order([line(50, 20, "A title across both", 650), *mixed, line(360, 300, "12", 30)])
    words = ["A title across both", *(one.text for one in left), *(one.text for one in right), "12"]
    assert [row for row in text.split("\n") if row] == words


def test_the_cells_of_a_row_stay_together() -> None:
    cells = [line(50 + 300 * column, 100 + 40 * row, f"r{row}c{column}") for row in range(5) for column in range(2)]
    assert in_reading_order(cells[::-1]).split() == [f"r{row}c{column}" for row in range(5) for column in range(2)]
    assert in_reading_order(cells).split("\n\n")[0] == "r0c0 r0c1"


def test_a_page_that_hangs_a_little_keeps_its_lines_whole() -> None:
    pieces = [line(50, 100, "one"), line(200, 106, "two"), line(350, 111, "three"), line(50, 134, "four")]
    assert in_reading_order(pieces) == "one two three\nfour"


def test_a_wide_gap_parts_paragraphs() -> None:
    rows = [line(50, 100, "第一段"), line(50, 124, "still the first"), line(50, 190, "第二段")]
    assert in_reading_order(rows) == "第一段\nstill the first\n\n第二段"
