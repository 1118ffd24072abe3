"""Word's and PowerPoint's old binary files, through the child process."""

from __future__ import annotations

import pytest

from tests.helpers.old_office import doc, ppt
from tests.helpers.ole import container
from tests.helpers.reading import Reader, notes, titles


@pytest.mark.parametrize("wide", [True, False])
def test_text_headings_and_rows_of_an_old_word_file(read: Reader, wide: bool) -> None:
    data = doc(
        ("Leave\r", 1, False),
        ("Twenty days a year.\r", 0, False),
        ("Item\x07", 0, False),
        ("Price\x07", 0, False),
        ("\x07", 0, True),
        ("Pump\x07", 0, False),
        ("\x07", 0, False),  # an empty cell ends no row
        ("7\x07", 0, False),
        ("\x07", 0, True),
        ("The end.\r", 0, False),
        wide=wide,
    )
    document = read("old.doc", data)
    assert titles(document) == [(1, "Leave")]
    assert document.text == "Leave\nTwenty days a year.\nItem | Price\nPump | 7\nThe end.\n"


def test_chinese_text_fields_and_footnotes_of_an_old_word_file(read: Reader) -> None:
    link = '\x13 HYPERLINK "http://a.example/" \x01\x14员工手册\x15'
    data = doc((f"参见{link}第二章。\r", 0, False), ("可\x1f选\x1e项\x0b下一行\r", 0, False), notes="\x02 脚注一\r")
    document = read("旧.doc", data)
    assert document.text == "参见员工手册第二章。\n可选-项\n下一行\n\n脚注一\n"
    assert notes(document) == ""  # the field's own mark is no picture


def test_pictures_in_an_old_word_file_are_counted(read: Reader) -> None:
    assert notes(read("a.doc", doc(("See \x01 and \x01\r", 0, False)))) == "Pictures that were not read: 2."


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (doc(("secret\r", 0, False), flags=0x0300), "It needs a password: save a copy that needs none."),
        (doc(("old\r", 0, False), version=0x0065), "It was written by a Word older than Word 97: save it as .docx."),
        (doc(("\r", 0, False)), "The file holds no text."),
        (container({"WordDocument": b"\xec\xa5\xc1\0" + bytes(20), "0Table": b"\x02"}), "It is damaged (error)."),
        (container({"WordDocument": bytes(600)}), "save it as .docx."),
    ],
    ids=["locked", "Word 95", "empty", "cut off", "zeros"],
)
def test_old_word_files_that_cannot_be_read(read: Reader, data: bytes, why: str) -> None:
    assert why in read.refusal("a.doc", data)


def test_slides_notes_and_comments_of_an_old_presentation(read: Reader) -> None:
    data = ppt(("Costs", "A pump\rA valve", "Say why."), ("费用", "阀门七元", "备注"), comment="Is it right?", hidden=2)
    document = read("old.ppt", data)
    assert titles(document) == [(1, "Costs"), (1, "费用")]
    for words, slide in (
        ("A pump\nA valve", 1),
        ("Say why.", 1),
        ("(Li: Is it right?)", 1),
        ("阀门七元", 2),
        ("备注", 2),
    ):
        place = document.place(document.text.index(words))
        assert (place.page, place.kind) == (slide, "slide"), words
    assert notes(document) == "Hidden slides, which were read all the same: 2."


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (ppt(("a", "b", "c"), token=0xF3D1C4DF), "It needs a password: save a copy that needs none."),
        (container({"Current User": bytes(40), "PowerPoint Document": bytes(100)}), "It is damaged"),
        (container({"PowerPoint Document": bytes(100)}), "its part Current User cannot be read"),
    ],
    ids=["locked", "zeros", "a part is missing"],
)
def test_old_presentations_that_cannot_be_read(read: Reader, data: bytes, why: str) -> None:
    assert why in read.refusal("a.ppt", data)


@pytest.mark.parametrize("made", [doc(("Pump\r", 0, False)), ppt(("Pump", "b", "c"))], ids=["doc", "ppt"])
def test_no_single_damaged_byte_stops_the_reader(read: Reader, made: bytes) -> None:
    name = "a.doc" if b"W\0o\0r\0d\0" in made else "a.ppt"
    for at in range(0, len(made), 97):
        data = bytearray(made)
        data[at] ^= 0xFF
        loaded = read.load(name, bytes(data))
        assert loaded.document is not None or "failed on this file" not in str(loaded.failure.reason), at
