"""Pictures inside documents, described by a model when they are indexed."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from email.message import EmailMessage
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ragkit import RagKit
from ragkit.config.sections import LoadingConfig
from ragkit.loaders.sandbox.loader import SandboxLoader
from ragkit.testing import Scripted, ScriptedOllama, json_reply
from ragkit.text.pictures import is_picture, with_words
from ragkit.text.place_text import place_in_words
from ragkit.types.documents import Document, Heading, Page, PageKind
from ragkit.types.reports import FileOutcome, IndexReport
from tests.helpers.office_files import (
    docx,
    drawing,
    epub,
    frame,
    odf,
    package,
    paragraph,
    pptx,
    shape,
    slide_picture,
    table,
)
from tests.helpers.paths import TEST_DATA
from tests.helpers.pdfs import image_pdf
from tests.helpers.seeing import SEEN, opened, photo, pictures_asked, serving

SAID = f"Picture, described by seer / 图片，由 seer 描述：\n{SEEN}\n(end of the description / 描述到此为止)"
DESCRIBED = "Pictures described by seer: {}. These are its words, not the file's; look at the pictures."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "docs"
    found.mkdir()
    return found


def only(report: IndexReport) -> FileOutcome:
    [outcome] = report.outcomes
    return outcome


def notes(report: IndexReport) -> list[str]:
    return [str(note) for note in only(report).notes]


def indexed(folder: Path, server: ScriptedOllama, **settings: str) -> tuple[Document | None, list[str]]:
    """The only document of the folder, and the notes on it."""
    with opened(folder, server, **settings) as kit:
        report = kit.index([folder])
        return kit.document(only(report).source), notes(report)


def text(document: Document | None) -> str:
    assert document is not None
    return document.text


def on_page(document: Document | None, number: int) -> str:
    assert document is not None
    return "".join(document.text[page.start : page.end] for page in document.pages if page.number == number)


def one_picture(folder: Path) -> Path:
    path = folder / "pumps.docx"
    path.write_bytes(docx(paragraph("Pumps are checked on Mondays.") + drawing("a.png"), pictures={"a.png": photo(1)}))
    return path


def test_progress_tells_which_of_a_documents_pictures_is_looked_at(folder: Path) -> None:
    pictures = {f"{n}.png": photo(n) for n in range(3)}
    (folder / "pumps.docx").write_bytes(docx("".join(map(drawing, pictures)), pictures=pictures))
    seen: list[tuple[int, int]] = []
    with serving() as server, opened(folder, server) as kit:
        kit.index([folder], lambda step: seen.append((step.pages_done, step.pages)))
    assert [step for step in seen if step[1]] == [(0, 3), (1, 3), (2, 3)]


def test_word_pictures_are_described_where_they_stand(folder: Path) -> None:
    body = paragraph("Pumps", "Heading1") + paragraph("Before.") + drawing("a.png") + paragraph("After.")
    row = table(("Part", "Photo")).replace("</w:tc></w:tr>", f"{drawing('b.jpg')}</w:tc></w:tr>")
    (folder / "pumps.docx").write_bytes(
        docx(body + row + paragraph("Valves", "Heading1"), pictures={"a.png": photo(1), "b.jpg": photo(2, "JPEG")})
    )
    with serving() as server:
        document, said = indexed(folder, server)
    assert document is not None
    assert text(document) == f"Pumps\n\nBefore.\n\n{SAID}\n\nAfter.\n\nPart | Photo\n\n{SAID}\n\n\nValves\n"
    assert [document.text[heading.start :][:6].strip() for heading in document.headings] == ["Pumps", "Valves"]
    places = [place_in_words(document.place(document.text.index(words)), "en") for words in (SEEN, "After.")]
    assert places == ["picture 1 (a model's description)", "line 9"]
    assert said == [DESCRIBED.format(2)]


@pytest.mark.parametrize("question", ["Where is the red valve?", "红色阀门在哪里？"])
def test_an_answer_cites_the_slide_that_the_picture_is_on(folder: Path, question: str) -> None:
    slides = (shape("Canteen", "title"), shape("Boiler room", "title") + slide_picture("a.png"), shape("Yard", "title"))
    (folder / "plant.pptx").write_bytes(pptx(*slides, pictures={"a.png": photo(1)}))
    with serving() as server, opened(folder, server) as kit:
        assert only(kit.index([folder])).pages == 3
        server.answer = f'In the boiler room ("{SEEN[:20]}") [1].'
        [citation] = kit.ask(question).citations
        document = kit.document(citation.source)
    assert (citation.verified, citation.place.kind, citation.place.page) == (True, "described_slide", 2)
    assert on_page(document, 2).rstrip() == f"Boiler room\n\n{SAID}"
    assert on_page(document, 3) == "Yard\n"


def test_without_a_model_nothing_is_different(folder: Path) -> None:
    one_picture(folder)
    with serving() as server:
        document, said = indexed(folder, server, models__image_model="")
    assert (text(document), said) == ("Pumps are checked on Mondays.\n", ["Pictures that were not read: 1."])


def test_each_paragraph_of_a_description_says_whose_it_is(folder: Path) -> None:
    one_picture(folder)
    with serving(answer="A pump.\n\n一台水泵。") as server:
        document, _ = indexed(folder, server)
    by = "Picture, described by seer / 图片，由 seer 描述："
    assert f"{by}\nA pump.\n{by}\n一台水泵。\n(end of" in text(document)


def test_a_slide_that_is_only_a_picture_is_a_page(folder: Path) -> None:
    (folder / "plant.pptx").write_bytes(pptx(slide_picture("a.png"), shape("Yard"), pictures={"a.png": photo(1)}))
    with serving() as server:
        document, _ = indexed(folder, server)
    assert on_page(document, 1).strip() == SAID


def test_a_document_without_a_word_is_read_for_its_pictures(folder: Path) -> None:
    (folder / "photo.docx").write_bytes(docx(drawing("a.png"), pictures={"a.png": photo(1)}))
    with serving() as server:
        with opened(folder, server, models__image_model="") as kit:
            assert only(kit.index([folder])).state == "unreadable"
        document, said = indexed(folder, server)
    assert text(document).strip() == SAID
    assert said == [DESCRIBED.format(1)]


def test_the_same_picture_is_described_once_and_what_is_small_is_counted(folder: Path) -> None:
    slides = [shape(f"Step {n}", "title") + slide_picture("logo.png") + slide_picture("icon.png") for n in range(3)]
    pictures = {"logo.png": photo(1), "icon.png": photo(2, size=(20, 20)), "drawing.emf": b"EMF" * 999}
    slides.append(slide_picture("drawing.emf"))
    (folder / "steps.pptx").write_bytes(pptx(*slides, pictures=pictures))
    with serving() as server:
        document, said = indexed(folder, server)
        assert pictures_asked(server) == 1
    assert text(document).count(SAID) == 1
    assert said == [
        "Pictures too small to be described (icons, bullets, rules): 1.",
        "Pictures that are the same as one before them, and were described once: 2.",
        "Pictures of a format that was not described: 1.",
        DESCRIBED.format(1),
    ]


def test_more_than_some_dozens_are_counted(folder: Path) -> None:
    names = [f"{number}.png" for number in range(50)]
    pictures = {name: photo(number) for number, name in enumerate(names)}
    (folder / "many.docx").write_bytes(docx("".join(map(drawing, names)), pictures=pictures))
    with serving() as server:
        _, said = indexed(folder, server)
        assert pictures_asked(server) == 48
    assert said[0] == "Pictures that were not described because there are too many or they are too large: 2."


def test_pictures_of_other_formats_are_sent_as_png(folder: Path) -> None:
    pictures = {name: photo(n, name[-4:].strip(".")) for n, name in enumerate(("a.bmp", "b.gif", "c.tiff", "d.webp"))}
    (folder / "four.docx").write_bytes(docx("".join(map(drawing, pictures)), pictures=pictures))
    with serving() as server:
        _, said = indexed(folder, server)
        sent = [base64.b64decode(image) for body in server.prompts() for image in body["messages"][0].get("images", [])]
    assert [is_picture(data) for data in sent] == [True] * 4
    assert said == [DESCRIBED.format(4)]


def test_a_model_that_fails_costs_a_note_and_is_asked_again(folder: Path) -> None:
    one_picture(folder)

    def down(path: str, body: dict[str, Any]) -> Scripted | None:
        return json_reply({"error": "server busy"}, 503) if path == "/api/chat" else None

    with serving(behaviour=down) as server, opened(folder, server) as kit:
        first = kit.index([folder])
        before = kit.document(only(first).source)
        server.behaviour = None
        second = kit.index([folder])
        after = kit.document(only(second).source)
    assert (only(first).state, text(before).strip()) == ("added", "Pumps are checked on Mondays.")
    assert notes(first)[0].startswith("Pictures that could not be described by seer: 1 (")
    assert (only(second).state, notes(second)) == ("changed", [DESCRIBED.format(1)])
    assert SAID in text(after)


def test_what_was_described_before_the_model_failed_is_not_asked_for_again(folder: Path) -> None:
    pictures = {f"{number}.png": photo(number) for number in range(3)}
    (folder / "three.docx").write_bytes(docx("".join(map(drawing, pictures)), pictures=pictures))
    bad = base64.b64encode(photo(1)).decode()

    def fails_on_one(path: str, body: dict[str, Any]) -> Scripted | None:
        is_bad = path == "/api/chat" and bad in body["messages"][-1].get("images", [])
        return json_reply({"error": "cannot be decoded"}, 400) if is_bad else None

    with serving(behaviour=fails_on_one) as server, opened(folder, server) as kit:
        first = kit.index([folder])
        assert (notes(first)[0], pictures_asked(server)) == (DESCRIBED.format(2), 3)
        server.behaviour = None
        assert notes(kit.index([folder])) == [DESCRIBED.format(3)]
        assert pictures_asked(server) == 4
        assert not (folder.parent / "index" / "reading-pictures.jsonl").exists()


def test_a_model_that_is_turned_on_later_reads_only_what_has_pictures_again(folder: Path) -> None:
    one_picture(folder)
    (folder / "words.docx").write_bytes(docx(paragraph("No picture at all.")))
    (folder / "notes.md").write_text("The canteen opens at noon.\n", "utf-8")

    def states(kit: RagKit) -> dict[str, str]:
        return {Path(outcome.source).name: outcome.state for outcome in kit.index([folder]).outcomes}

    with serving() as server:
        with opened(folder, server, models__image_model="") as kit:
            kit.index([folder])
        with opened(folder, server) as kit:
            assert states(kit) == {"notes.md": "unchanged", "pumps.docx": "changed", "words.docx": "unchanged"}
            assert set(states(kit).values()) == {"unchanged"}
        with opened(folder, server, models__image_model="") as kit:
            assert set(states(kit).values()) == {"unchanged"}
        assert pictures_asked(server) == 1


def test_a_run_that_was_cut_off_does_not_pay_twice(folder: Path) -> None:
    for name in "ab":
        path = one_picture(folder)
        path.rename(folder / f"{name}.docx")

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with serving() as server, opened(folder, server) as kit:
        with pytest.raises(KeyboardInterrupt):
            kit.index([folder], stop)
        kit.index([folder])
        assert pictures_asked(server) == 1


# -- PDF ------------------------------------------------------------------------------------------

FIGURE = (200, 160, 100, 300)


def test_figures_of_a_pdf_are_described_on_their_pages(folder: Path) -> None:
    pages = (
        ("The pump room.", [(1, *FIGURE)]),
        ("The boiler.", []),
        ("The same again.", [(1, *FIGURE), (2, 9, 9, 9, 9)]),
    )
    (folder / "plant.pdf").write_bytes(image_pdf(*pages))
    with serving() as server:
        before, nothing = indexed(folder, server, models__image_model="")
        document, said = indexed(folder, server)
        [sent] = [image for body in server.prompts() for image in body["messages"][0].get("images", [])]
    assert (text(before), nothing) == ("The pump room.\n\nThe boiler.\n\nThe same again.", [])
    assert on_page(document, 1) == f"The pump room.\n\n{SAID}"
    assert (on_page(document, 2), on_page(document, 3)) == ("The boiler.", "The same again.")
    assert said == [
        "Pictures that are the same as one before them, and were described once: 1.",
        "Pictures too small to be described (icons, bullets, rules): 1.",
        DESCRIBED.format(1),
    ]
    shown = Image.open(io.BytesIO(base64.b64decode(sent)))
    assert (shown.size, shown.getcolors(50)) == ((200, 160), None)  # nothing of the white paper around it


def test_a_pdf_page_that_is_a_picture_is_described_whole(folder: Path) -> None:
    pages = (("The pump room.", []), ("", [(1, 600, 780, 6, 6)]), ("", []))
    (folder / "plant.pdf").write_bytes(image_pdf(*pages))
    with serving() as server:
        document, said = indexed(folder, server)
        assert pictures_asked(server) == 1
    assert on_page(document, 2).strip() == SAID
    assert said == ["Pages without text (scanned images?): 2.", DESCRIBED.format(1)]


def test_a_pdf_without_a_word_is_read_by_its_pictures_or_fails_as_before(folder: Path) -> None:
    (folder / "scan.pdf").write_bytes(image_pdf(("", [(1, 600, 780, 6, 6)]), ("", [(2, 600, 780, 6, 6)])))

    def down(path: str, body: dict[str, Any]) -> Scripted | None:
        return json_reply({"error": "server busy"}, 503) if path == "/api/chat" else None

    with serving(behaviour=down) as server, opened(folder, server) as kit:
        first = only(kit.index([folder]))
        server.behaviour = None
        second = only(kit.index([folder]))
        document = kit.document(second.source)
    assert (first.state, str(first.reason)[:44]) == ("unreadable", "The picture could not be described by seer: ")
    assert second.state == "added"
    assert [on_page(document, number).strip() for number in (1, 2)] == [SAID, SAID]


def test_the_scan_behind_a_text_layer_is_not_described(folder: Path) -> None:
    lines = "\n".join(["Every valve of the boiler room is checked on Mondays."] * 10)
    (folder / "scan.pdf").write_bytes(image_pdf((lines, [(1, 612, 792, 0, 0)])))
    with serving() as server:
        _, said = indexed(folder, server)
        assert pictures_asked(server) == 0
    assert said == ["Pictures behind the text of a whole page, which were not described: 1."]


def test_pdfs_are_read_once_more_when_a_model_is_turned_on(folder: Path) -> None:
    (folder / "plant.pdf").write_bytes(image_pdf(("The pump room.", [(1, *FIGURE)])))
    with serving() as server:
        with opened(folder, server, models__image_model="") as kit:
            kit.index([folder])
        with opened(folder, server) as kit:
            assert [only(kit.index([folder])).state for _ in range(2)] == ["changed", "unchanged"]
        with opened(folder, server, models__image_model="embed") as kit:  # another one
            assert only(kit.index([folder])).state == "unchanged"
        assert pictures_asked(server) == 1


def test_a_picture_that_takes_too_long_does_not_cost_the_document(tmp_path: Path) -> None:
    made = io.BytesIO()
    Image.new("P", (12_000, 12_000)).save(made, "GIF")
    path = tmp_path / "pumps.docx"
    path.write_bytes(docx(paragraph("Pumps.") + drawing("a.gif"), pictures={"a.gif": made.getvalue()}))
    with SandboxLoader(LoadingConfig(timeout_s=1.5, ocr="off"), pictures=True) as loader:
        document = loader.load(path, "").document
    assert document is not None
    assert (document.text, [str(note) for note in document.notes]) == (
        "Pumps.\n",
        [
            "Pictures that were not read: 1.",
            "Its pictures could not be made ready to be described: "
            "Reading it took longer than 1.5 s (setting loading.timeout_s).",
        ],
    )


# -- other formats -----------------------------------------------------------------------------------


def test_opendocument_pictures(folder: Path) -> None:
    cell = f"<table:table-cell><text:p>Photo</text:p><text:p>{frame('b.png')}</text:p></table:table-cell>"
    body = (
        f"<text:p>Before.{frame('a.png')}</text:p><table:table><table:table-row>{cell}</table:table-row></table:table>"
    )
    pictures = {"a.png": photo(1), "b.png": photo(2)}
    (folder / "pumps.odt").write_bytes(odf("text", f"{body}<text:p>After.</text:p>", pictures))
    with serving() as server:
        document, said = indexed(folder, server)
    assert [part for part in text(document).split("\n\n") if part.strip()] == [
        "Before.",
        SAID,
        "Photo",
        SAID,
        "\nAfter.\n",
    ]
    assert said == [DESCRIBED.format(2)]


def test_opendocument_slides(folder: Path) -> None:
    slides = (
        f"<draw:page>{frame('a.png')}</draw:page><draw:page><draw:frame><text:p>Yard</text:p></draw:frame></draw:page>"
    )
    (folder / "plant.odp").write_bytes(odf("presentation", slides, {"a.png": photo(1), "unused.png": photo(2)}))
    with serving() as server:
        document, said = indexed(folder, server)
    assert on_page(document, 1).strip() == SAID
    assert on_page(document, 2).strip() == "Yard"
    assert said[0].startswith("Pictures that stand nowhere in the text (headers, footers, masters)")


def test_a_book(folder: Path) -> None:
    page = "<html><head><title>{0}</title></head><body>{1}</body></html>"
    first = page.format("Cover", '<svg><image xlink:href="a.png"/></svg>')
    second = page.format("Pumps", '<p>It <img src="../text/b.png"/> pumps.</p><p>Water.</p>')
    (folder / "book.epub").write_bytes(epub(first, second, pictures={"a.png": photo(1), "b.png": photo(2)}))
    with serving() as server:
        document, said = indexed(folder, server)
    assert document is not None
    assert [part.strip() for part in document.text.split("\n\n") if part.strip()] == [SAID, "It pumps.", SAID, "Water."]
    found = {heading.title: document.text.find("\n", heading.start) for heading in document.headings}
    assert found["Cover"] < document.text.index(SAID) < found["Pumps"] < document.text.rindex(SAID)
    assert said == [DESCRIBED.format(2)]


def test_a_page_with_pictures_in_it(folder: Path) -> None:
    address = "data:image/png;base64," + base64.b64encode(photo(1)).decode()
    page = (
        f'<h1>Pumps</h1>\n<p>See <img src="{address}"> and <img src="http://127.0.0.1:9/b.png">this.</p>\n<p>Water.</p>'
    )
    (folder / "pumps.html").write_text(page, "utf-8")
    with serving() as server:
        document, said = indexed(folder, server)
    assert document is not None
    assert document.text == f"Pumps\n\nSee and this.\n\n{SAID}\n\nWater."
    assert document.place(document.text.index("Water")).line == 3
    assert said == [DESCRIBED.format(1)]


def test_a_picture_file_that_models_do_not_take_is_described_page_by_page(folder: Path) -> None:
    pages = [Image.open(io.BytesIO(photo(number))) for number in (1, 2)]
    pages[0].save(folder / "scan.tiff", save_all=True, append_images=pages[1:])
    with serving() as server:
        with opened(folder, server, models__image_model="") as kit:
            assert only(kit.index([folder])).state == "unsupported"
        with opened(folder, server) as kit:
            report = kit.index([folder])
            document = kit.document(only(report).source)
        assert pictures_asked(server) == 2
    assert on_page(document, 1).strip() == on_page(document, 2).strip() == SAID
    assert document is not None
    assert [page.kind for page in document.pages] == ["described", "described"]


def test_a_page_of_a_file_that_ocr_found_nothing_on_is_described(folder: Path) -> None:
    words = Image.open(TEST_DATA / "scan_en.png").convert("RGB")
    plain = Image.new("RGB", (400, 300), "white")
    plain.paste("red", (100, 100, 250, 250))
    plain.save(folder / "two.tiff", save_all=True, append_images=[words])
    with serving() as server:
        document, said = indexed(folder, server, loading__ocr="auto")
        assert pictures_asked(server) == 1
    assert on_page(document, 1).strip() == SAID
    assert SEEN not in on_page(document, 2)
    assert (said[0][:11], said[1]) == ("Read by OCR", DESCRIBED.format(1))


def test_pictures_of_files_within_an_archive(folder: Path) -> None:
    files = {
        "pumps.docx": docx(paragraph("Pumps.") + drawing("a.png"), pictures={"a.png": photo(1)}),
        "plant.pdf": image_pdf(("The pump room.", []), ("The boiler.", [(2, *FIGURE)])),
        "valve.png": photo(3),
        "words.txt": b"The canteen opens at noon.",
        "same.docx": docx(paragraph("Again.") + drawing("a.png"), pictures={"a.png": photo(1), "b.png": photo(4)}),
    }
    (folder / "all.zip").write_bytes(package(files))
    with serving() as server:
        document, said = indexed(folder, server)
        assert pictures_asked(server) == 3
    assert document is not None
    places = [document.place(found.start()) for found in re.finditer(re.escape(SEEN), document.text)]
    assert [(place.name, place.page, place.kind) for place in places] == [
        ("pumps.docx", 1, "described_picture"),
        ("plant.pdf", 2, "described_page"),
        ("valve.png", 1, "described"),
    ]
    for words, name in (("Pumps.", "pumps.docx"), ("The boiler.", "plant.pdf"), ("Again.", "same.docx")):
        assert document.place(document.text.index(words)).name == name
    assert said == [
        "Pictures that are the same as one before them, and were described once: 1.",
        "Pictures that stand nowhere in the text (headers, footers, masters), which were not described: 1.",
        DESCRIBED.format(3),
    ]


def test_pictures_attached_to_a_mail(folder: Path) -> None:
    mail = EmailMessage()
    mail["Subject"] = "The valve"
    mail.set_content("See the photo.")
    mail.add_attachment(photo(1), maintype="image", subtype="png", filename="valve.png")
    (folder / "valve.eml").write_bytes(bytes(mail))
    with serving() as server:
        with opened(folder, server, models__image_model="") as kit:
            assert notes(kit.index([folder]))[0].startswith("valve.png was not read")
        document, said = indexed(folder, server)
    assert document is not None
    assert document.place(document.text.index(SEEN)).name == "valve.png"
    assert said == [DESCRIBED.format(1)]


# -- the words in their places ---------------------------------------------------------------------


@st.composite
def documents(draw: st.DrawFn) -> tuple[Document, Sequence[tuple[int, str]]]:
    parts = draw(st.lists(st.text("ab\n", max_size=6), min_size=1, max_size=5))
    between = draw(st.sampled_from(["", "\n", "\n\n"]))
    kind: PageKind = draw(st.sampled_from(["page", "slide", "file"]))
    whole = between.join(parts)
    pages, at = [], 0
    for number, part in enumerate(parts, 1):
        pages.append(Page(number, at, at + len(part), kind, f"part {number}"))
        at += len(part) + len(between)
    places = st.lists(st.integers(0, len(whole)), max_size=5).map(sorted)
    headings = tuple(Heading(1, "", start) for start in draw(places))
    marks = tuple((at, line) for line, at in enumerate(draw(places), 1))
    words = [(at, f"<{number}>") for number, at in enumerate(draw(places))]
    has_pages = draw(st.booleans())
    return Document("a", "b", "", whole, tuple(pages) if has_pages else (), headings, marks), words


def letters(text: str) -> list[int]:
    """Where the letters of the document stand, as against what was put in."""
    return [at for at, character in enumerate(text) if character in "ab"]


@given(documents())
def test_words_move_everything_behind_them_and_change_nothing(
    given: tuple[Document, Sequence[tuple[int, str]]],
) -> None:
    document, words = given
    made = with_words(document, words)
    old, new = letters(document.text), letters(made.text)
    assert [document.text[at] for at in old] == [made.text[at] for at in new]
    for before, after in zip(old, new, strict=True):
        place = document.place(before)
        if document.pages or any(at <= before for at, _ in document.line_marks):
            assert made.place(after) == place
    for first, second in pairwise(made.pages):
        assert first.start <= first.end <= second.start <= second.end
    for was, now in zip(document.headings, made.headings, strict=True):
        assert len([at for at in new if at >= now.start]) == len([at for at in old if at >= was.start])
        assert made.text[now.start :].startswith(document.text[was.start : was.start + 1])
    for at, word in words:
        place = made.place(made.text.index(word))
        assert place.kind.startswith("described")
        on = [page for page in document.pages if page.start <= at <= page.end]
        assert not on or (place.name in [page.name for page in on])
    assert {page.name for page in document.pages} <= {page.name for page in made.pages}
