"""What the readers make of text, Markdown, reStructuredText, HTML and PDF."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.formats import by_name, parse
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError, NoText
from tests.helpers.pdfs import pdf, stream, text_pdf

SIMPLIFIED = "员工每年享有二十天带薪年假。未休完的假期可以顺延到下一年三月底。"
TRADITIONAL = "員工每年享有二十天帶薪年假。未休完的假期可以順延到下一年三月底。"


def read(name: str, data: bytes | str) -> Document:
    found = by_name(Path(name))
    assert found is not None
    return parse(name, data.encode() if isinstance(data, str) else data, ReadContext(found.media_type))


def notes(document: Document) -> str:
    return " ".join(map(str, document.notes))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.TXT", "text/plain"),
        ("a.rst.txt", "text/x-rst"),
        ("a.pdf.txt", "text/plain"),
        ("a", None),
        ("a.log", None),
    ],
)
def test_media_types(name: str, kind: str | None) -> None:
    found = by_name(Path(name))
    assert (found and found.media_type) == kind


# -- bytes to text -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SIMPLIFIED, "gb18030"),
        (SIMPLIFIED[:14], "gb18030"),
        ("请假流程", "gb18030"),
        (SIMPLIFIED, "utf-16-le"),
        (SIMPLIFIED, "utf-16-be"),
        (TRADITIONAL, "big5"),
        (TRADITIONAL[:14], "big5"),
        (TRADITIONAL, "gb18030"),
        (TRADITIONAL, "utf-16-le"),
        ("これは日本語の文書です。会議は東京で開きます。", "cp932"),
        ("これは日本語の文書です。会議は東京で開きます。", "euc_jp"),
        ("이것은 한국어 문서입니다. 회의는 서울에서 있습니다.", "cp949"),
        ("Le café est fermé à Noël, même pour les élèves.", "cp1252"),
        ("Müller grüßt", "cp1252"),
        ("It’s “quoted” – 20 €", "cp1252"),
        ("plain words", "utf-16-le"),
        ("Документы не содержат ответа на этот вопрос, поэтому ответа нет.", "cp1251"),
        ("# English first\n" * 500 + SIMPLIFIED, "gb18030"),
    ],
)
def test_encodings_without_a_mark_are_recognised_and_named(text: str, encoding: str) -> None:
    document = read("a.txt", text.encode(encoding))
    assert document.text == text
    assert "does not say its encoding" in notes(document)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marked_and_utf8_texts_need_no_guess(encoding: str) -> None:
    document = read("a.txt", SIMPLIFIED.encode(encoding))
    assert (document.text, document.notes) == (SIMPLIFIED, ())


def test_a_damaged_utf8_file_keeps_the_rest_and_counts() -> None:
    document = read("a.txt", SIMPLIFIED.encode() + b"\xff" + SIMPLIFIED.encode())
    assert document.text == f"{SIMPLIFIED}\ufffd{SIMPLIFIED}"
    assert notes(document).endswith("(places: 1).")


def test_lines_are_those_of_an_editor() -> None:
    text = read("a.txt", b"one\r\ntwo\rthree\x0cstill\x0bthree\n\x00four\x07").text
    assert text == "one\ntwo\nthree still three\nfour "


@pytest.mark.parametrize("data", [b"PK\x03\x04rest", bytes(range(256)) * 40, b"\x00\x01\x02\x03" * 99])
def test_binary_data_is_no_text(data: bytes) -> None:
    with pytest.raises(LoadError):
        read("a.txt", data)


# -- Markdown and reStructuredText ---------------------------------------------------------------


def titles(document: Document) -> list[tuple[int, str]]:
    return [(heading.level, heading.title) for heading in document.headings]


MARKDOWN = """---
title: "Staff: <em>handbook</em> &amp; more"
# no heading
---
# One #
text
```
# code
```
Two
lines
---
<!--
# comment
-->
- item
---
> quote
===
    # indented code
### [Three](x.md) with `code` {#id}
~~~~
~~~
# code
~~~~
#no heading
####### no heading
## 四、休假
"""


def test_markdown_headings() -> None:
    document = read("a.md", MARKDOWN)
    assert document.title == "Staff: handbook & more"
    assert document.text == MARKDOWN
    assert titles(document) == [(1, "One"), (2, "Two lines"), (3, "Three with code"), (2, "四、休假")]
    for heading in document.headings:
        assert document.text[heading.start - 1] == "\n"
    assert document.place(document.headings[0].start).line == 5


def test_markdown_without_front_matter_is_titled_by_its_first_heading() -> None:
    assert read("a.md", "intro\n\n# Leave\n").title == "Leave"
    assert read("a.md", "## Only a section\n").title == ""
    assert read("a.md", "# Who *may* travel\\*, and `why`? \\#2\n").title == "Who may travel*, and why? #2"


RST = """=====
Title
=====

Intro

Part
====

休假规定
--------

  Indented
  --------

======  ===
table   x
======  ===

----

Last ``code``
=============
"""


def test_rst_headings_by_order_of_appearance() -> None:
    document = read("a.rst", RST)
    assert document.title == "Title"
    assert titles(document) == [(1, "Title"), (2, "Part"), (3, "休假规定"), (2, "Last code")]
    assert document.text[document.headings[0].start :].startswith("Title\n")


# -- HTML ----------------------------------------------------------------------------------------

PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Staff
 handbook</title><style>p {}</style></head>
<body><script>var a = "<p>no</p>";</script>
<h1>Leave &amp; <em>holidays</em></h1>
<p>Twenty days
a year.<br>No
   more.</p>
<p>员工每年享有
二十天年假。</p>
<ul><li>one<li><p>two</p>
<ol start=3><li>three</ol></ul>
<table><tr><th></th><th>2024</th></tr>
<tr><td><p>days</p></td><td>20</td><td></td><td>x</td></tr></table>
<pre>
  a
    b
</pre>
<template>no</template><noscript>no</noscript>
<p>The end
"""
PAGE_TEXT = """Leave & holidays

Twenty days a year.
No more.

员工每年享有二十天年假。

- one
- two

  3. three

| 2024
days | 20 | | x

  a
    b

The end"""


def test_html_becomes_readable_text() -> None:
    document = read("a.html", PAGE)
    assert document.title == "Staff handbook"
    assert [line.rstrip() for line in document.text.split("\n") if line.strip()] == [
        line.rstrip() for line in PAGE_TEXT.split("\n") if line.strip()
    ]
    assert titles(document) == [(1, "Leave & holidays")]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("Leave", 5),
        ("Twenty", 6),
        ("a year", 7),
        ("more", 8),
        ("二十天", 10),
        ("three", 12),
        ("2024", 13),
        ("    b", 17),
    ],
)
def test_html_places_are_lines_of_the_file(words: str, line: int) -> None:
    document = read("a.html", PAGE)
    assert document.place(document.text.index(words)).line == line


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ('<meta charset="gb2312"><p>请假</p>'.encode("gb18030"), "请假"),
        ('<meta http-equiv=Content-Type content="text/html; charset=big5"><p>請假'.encode("big5"), "請假"),
        ('<?xml version="1.0" encoding="Shift_JIS"?><p>休暇</p>'.encode("cp932"), "休暇"),
        (f"<p>{SIMPLIFIED}</p>".encode("gb18030"), SIMPLIFIED),
        (f"<p>{SIMPLIFIED}</p>".encode("utf-16"), SIMPLIFIED),
        ("<p>café</p><meta charset=iso-8859-1>".encode("latin-1"), "café"),
        (f'<meta charset="iso-8859-1"><p>{SIMPLIFIED}</p>'.encode(), SIMPLIFIED),
    ],
)
def test_html_charsets(data: bytes, text: str) -> None:
    assert read("a.html", data).text == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a<p>b<div>c</p>d</div></td>e", "a b c d e"),
        ("<script>x</script foo><p>seen", "seen"),
        ("<p/>a<a id='x'/>b<br/>c", "ab c"),
        ("&lt;p&gt; &#20013;&nbsp;&unknown; &", "<p> 中\xa0&unknown; &"),
        ("<p>a<![CDATA[b]]></p>", "ab"),
        ("<td>a<td>b", "a | b"),
        ("<p>one</p" + "\n" + "><p>two", "one two"),
        ("<b>a</b>\n<i>b</i>", "a b"),
        ("<title>never closed<p>text</p>", "text"),
    ],
)
def test_broken_and_odd_html(markup: str, text: str) -> None:
    assert " ".join(read("a.html", markup).text.replace("\n", " ").split(" ")).replace("  ", " ") == text


def test_unread_html_is_noted() -> None:
    assert "<noscript> in line 2 is never closed" in notes(read("a.html", "<p>a\n<noscript>b<p>c"))


# -- PDF -----------------------------------------------------------------------------------------


def test_pdf_pages_are_exact_spans() -> None:
    document = read("a.pdf", text_pdf("First\nline two", "", "Third"))
    assert [document.text[page.start : page.end] for page in document.pages] == [
        "First\nline two",
        "",
        "Third",
    ]
    assert document.place(document.text.index("Third")).page == 3
    assert notes(document) == ""  # blank paper is nothing to be told


def test_pdf_pages_that_are_pictures_are_told_from_blank_ones() -> None:
    document = read("a.pdf", text_pdf("First", "", "", "Last", drawn=(3,)))
    assert notes(document) == "Pages without text (scanned images?): 3."
    assert [(page.number, page.score) for page in document.weak_pages] == [(3, 0.0)]


def test_pdf_empty_pages_are_named_in_runs() -> None:
    document = read("a.pdf", text_pdf("", "a", "", "", "", "b", "", drawn=(1, 3, 4, 5, 7)))
    assert notes(document).endswith(": 1, 3-5, 7.")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (text_pdf(""), "Nothing is written or drawn"),
        (b"%PDF-1.4\nnothing", "damaged"),
        (b"hello", "not a PDF"),
        (pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"), "no pages|damaged"),
    ],
)
def test_pdfs_without_text(data: bytes, words: str) -> None:
    with pytest.raises(LoadError, match=words):
        read("a.pdf", data)


@pytest.mark.parametrize(("user", "readable"), [("", True), ("secret", False)])
def test_encrypted_pdfs(user: str, readable: bool) -> None:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(text_pdf("Hello"))))
    writer.encrypt(user_password=user, owner_password="owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    if readable:
        assert read("a.pdf", out.getvalue()).text == "Hello"
    else:
        with pytest.raises(LoadError, match="password"):
            read("a.pdf", out.getvalue())


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("年假规定", "年假规定"),
        ("Leave policy 2024", "Leave policy 2024"),
        ("Microsoft Word - leave.doc", ""),
        ("untitled", ""),
        ("leave.indd", ""),
        ("C:\\docs\\leave", ""),
        ("-", ""),
    ],
)
def test_pdf_titles(title: str, kept: str) -> None:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(text_pdf("Hello"))))
    writer.add_metadata({"/Title": title})
    out = io.BytesIO()
    writer.write(out)
    assert read("a.pdf", out.getvalue()).title == kept


def test_pdfium_refuses_and_pypdf_reads() -> None:
    document = read("a.pdf", b"junk\n" * 300 + text_pdf("Hello"))
    assert document.text.strip() == "Hello"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("adip\x02iscing", "adipiscing"),
        ("well\x02known and well-known", "well-known and well-known"),
        ("cut-\noff and cutoff", "cutoff and cutoff"),
        ("cut-\noff", "cut-\noff"),
        ("1998\x022004", "1998-2004"),
        ("o\ufb03ce\r\nat\x0cnight\x00", "office\nat night"),
        ("员 工 每 年\n姓名 年龄 部门", "员工每年\n姓名 年龄 部门"),
        ("中文 ，使用 Debian 系统", "中文，使用 Debian 系统"),
        ("a\ud800b", "a b"),
        ("⼀⼆⽉\u2ed3\u2ed4", "一二月长门"),  # radicals in place of characters
    ],
)
def test_pdf_text_is_cleaned(raw: str, text: str) -> None:
    from ragkit.loaders.pdf.text import cleaned, joined_hyphens

    assert joined_hyphens([cleaned(raw)]) == [text]


def with_files(*files: tuple[str, bytes]) -> bytes:
    """A PDF of one page, to all of which the first of `files` are attached, and the last to a place on the page."""
    count = len(files) - 1
    names = b"".join(b"(%d)%d 0 R" % (number, 7 + 2 * number) for number in range(count))
    parts = []
    for name, data in files:
        parts.append(b"<</Type/Filespec/F(f)/UF<FEFF%b>/EF<</F %d 0 R>>>>" % (
            name.encode("utf-16-be").hex().encode(), 8 + len(parts)))  # fmt: skip
        parts.append(stream(data, b"/Type/EmbeddedFile"))
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[" + names + b"]>>>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Annots[5 0 R]"
        b"/Resources<</Font<</F 6 0 R>>>>>>",
        stream(b"BT /F 12 Tf 20 100 Td (See the files.) Tj\nET"),
        b"<</Type/Annot/Subtype/FileAttachment/Rect[9 9 20 20]/FS %d 0 R>>" % (7 + 2 * count),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *parts,
    )


def test_files_attached_to_a_pdf_are_read() -> None:
    inner = with_files(("深处.txt", "深处的话。".encode()))
    data = with_files(
        ("a.txt", b"First.\nWords"),
        ("图.xyz", b"?"),
        ("b.xml", b"<a>x</a>"),
        ("inner.pdf", inner),
        ("附件.md", "# 附\n附件里的话。".encode()),
    )
    document = read("a.pdf", data)
    for words, place in (
        ("See the files.", (1, None, "page", "")),
        ("Words", (None, 2, "file", "a.txt")),
        ("深处的话。", (None, 1, "file", "inner.pdf/深处.txt")),
        ("附件里的话。", (None, 2, "file", "附件.md")),
        ("附件.md", (None, None, "file", "附件.md")),  # its heading
    ):
        found = document.place(document.text.index(words))
        assert (found.page, found.line, found.kind, found.name) == place
    assert [heading.title for heading in document.headings] == ["a.txt", "inner.pdf", "深处.txt", "附件.md", "附"]
    assert notes(document) == (
        "图.xyz was not read: There is no reader for .xyz files."
        " b.xml was not read: XML attached to a PDF says for programs what its pages say."
    )


def test_damaged_files_in_a_pdf_are_counted_and_its_pages_read() -> None:
    data = with_files(("a.txt", b""), ("b.txt", b"words"))
    document = read("a.pdf", data.replace(b"/FS 9 0 R", b"/FS 99 0 R"))
    assert document.text == "See the files."
    assert notes(document) == "Embedded files that were not read: 2."


def test_what_was_written_into_a_form_whose_fields_have_no_picture() -> None:
    form = b"<</Fields[5 0 R]/DA(/F 12 Tf 0 g)/DR<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>"
    field = b"/Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Lee Wong)/DA(/F 12 Tf 0 g)/Rect[20 20 180 40]/F 4/P 3 0 R"
    data = pdf(
        b"<</Type/Catalog/Pages 2 0 R/AcroForm " + form + b">>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Annots[5 0 R]>>",
        stream(b""),
        b"<<" + field + b">>",
    )
    assert read("form.pdf", data).text == "Lee Wong"


def test_form_fields_and_notes_on_pages_are_text() -> None:
    data = pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Annots[5 0 R]>>",
        stream(b""),
        b"<</Type/Annot/Subtype/FreeText/Rect[9 9 150 30]/Contents(x)/F 4/AP<</N 6 0 R>>>>",
        stream(b"BT /F 9 Tf (Filled in) Tj ET", b"/Type/XObject/Subtype/Form/BBox[0 0 141 21]"
               b"/Resources<</Font<</F 7 0 R>>>>"),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )  # fmt: skip
    assert read("a.pdf", data).text == "Filled in"


def test_an_empty_text_is_no_text() -> None:
    with pytest.raises(NoText):
        read("a.txt", b"\xef\xbb\xbf \n")


def test_a_row_of_a_web_page_names_its_columns() -> None:
    page = """<table>
<thead><tr><th>Item<th>Price<th>备注</tr></thead>
<tr><td>Pump</td><td></td><td>新</td></tr>
<tr><th scope="row">Valve</th><td rowspan="2">7</td><td>旧</td></tr>
<tr><td>Tap</td><td><table><tr><td>a</td><td>b</td></tr></table></td></tr>
<tr><td colspan="2">Both</td><td>c</td></tr>
</table><table><tr><th>Size</th><td>9</td></tr></table><p>After</p>"""
    document = read("a.html", page)
    assert document.text.split("\n") == [
        "Item | Price | 备注",
        "Item: Pump | | 备注: 新",
        "Item: Valve | Price: 7 | 备注: 旧",
        "Item: Tap",
        "",
        "a | b",
        "",
        "Item: Both | 备注: c",
        "",
        "Size | 9",
        "",
        "After",
    ]
    assert document.place(document.text.index("Item: Pump")).line == 3


def pdf_of(shown: bytes, font: bytes, *objects: bytes) -> bytes:
    """A page that shows something in one font; `objects` begin with number 6."""
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
        b"<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/" + font + b">>>>>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 5 0 R/Resources 3 0 R>>",
        stream(b"BT /F 12 Tf 14 TL 50 700 Td\n" + shown + b"\nET"),
        *objects,
    )


def test_words_that_pdfium_sticks_together_are_parted_where_the_page_shows_a_gap() -> None:
    twice = b"(Intellectual Property) Tj T* (Intellectual Property) Tj T* "
    narrow = pdf_of(twice + b"[(Intellectual) -130 (Property)] TJ", b"Helvetica")
    assert read("a.pdf", narrow).text.split("\n") == ["Intellectual Property"] * 3
    one_word = pdf_of(twice + b"(IntellectualProperty) Tj", b"Helvetica")
    assert read("a.pdf", one_word).text.endswith("\nIntellectualProperty")


def test_a_ligature_that_is_written_from_right_to_left() -> None:
    letters = b"3 beginbfchar <61> <0645> <62> <06440627> <63> <0633> endbfchar"  # in b two letters, lam and alef
    table = b"/CIDInit /ProcSet findresource begin 1 begincodespacerange <00> <ff> endcodespacerange " + letters
    data = pdf_of(b"(abc abc) Tj", b"Helvetica/ToUnicode 6 0 R", stream(table))
    assert read("a.pdf", data).text == "سلام سلام"


def test_pages_whose_words_stand_apart_from_their_last_letter_are_read_by_the_other_reader() -> None:
    apart = b"".join(b"[(Compan) -400 (y)] TJ T* [(Vapore) -400 (s)] TJ T*" for _ in range(20))
    assert read("a.pdf", pdf_of(apart, b"Helvetica")).text.startswith("Compan y\nVapore s")  # so does the page
