"""Word, slides, sheets, OpenDocument, books and rich text, through the child process."""

from __future__ import annotations

import io
import zipfile

import pytest

from ragkit.text.chunking import split
from ragkit.types.documents import Place
from tests.helpers.office_files import docx, epub, odf, package, paragraph, pptx, relations, shape, table, xlsx
from tests.helpers.ole import container
from tests.helpers.reading import Reader, notes, titles

STYLES = (
    '<w:style w:styleId="1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="二级"><w:name w:val="标题 2"/></w:style>'
    '<w:style w:styleId="own"><w:name w:val="Mine"/><w:basedOn w:val="1"/></w:style>'
)
NUMBERS = (
    '<w:abstractNum w:abstractNumId="7">'
    '<w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="chineseCounting"/><w:lvlText w:val="%1-（%2）"/></w:lvl>'
    "</w:abstractNum>"
    '<w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>'
)


# -- Word ----------------------------------------------------------------------------------------


def test_headings_of_a_word_document_by_their_style(read: Reader) -> None:
    body = (
        paragraph("Leave", "1")
        + paragraph("年假", "二级")
        + paragraph("员工每年有二十天。")
        + paragraph("Travel", "own")
    )
    document = read("handbook.docx", docx(body, styles=STYLES))
    assert titles(document) == [(1, "Leave"), (2, "年假"), (1, "Travel")]
    [chunk] = [one for one in split(document, len, 16, 0, "") if "二十天" in one.text]
    assert chunk.heading_path == ("Leave", "年假")
    assert (document.title, document.author, document.date) == ("员工手册 Handbook", "Personnel", "2024-05-06")


def test_numbers_that_word_gives_are_read(read: Reader) -> None:
    body = paragraph("Scope", "", (1, 0)) + paragraph("范围", "", (1, 1)) + paragraph("期限", "", (1, 1))
    body += paragraph("Terms", "", (1, 0)) + paragraph("a point", "", (2, 0))
    lines = read("contract.docx", docx(body, numbering=NUMBERS)).text.split("\n")
    assert [line for line in lines if line] == [
        "3. Scope",
        "  3-（一） 范围",
        "  3-（二） 期限",
        "4. Terms",
        "- a point",
    ]


def test_a_row_of_a_word_table_names_its_columns(read: Reader) -> None:
    rows = table(("Item", "单价"), ("Pump", "12"), ("阀门", "7")) + table(("a", "b"), ("c", "d"), has_header=False)
    text = read("prices.docx", docx(rows)).text
    assert "Item: Pump | 单价: 12\nItem: 阀门 | 单价: 7\n" in text
    assert "a | b\nc | d\n" in text


@pytest.mark.parametrize(
    ("run", "look", "styles"),
    [
        ("<w:rPr><w:b/></w:rPr>", "", ""),
        (
            "",
            '<w:tblStyle w:val="Grid"/><w:tblLook w:val="04A0"/>',
            '<w:style w:styleId="Grid"><w:tblStylePr w:type="firstRow"><w:rPr><w:b/></w:rPr></w:tblStylePr></w:style>',
        ),
    ],
    ids=["bold by itself", "bold by its style"],
)
def test_a_first_row_in_bold_names_the_columns(read: Reader, run: str, look: str, styles: str) -> None:
    def row(*cells: str, run: str = "") -> str:
        made = (
            f"<w:tc>{span}<w:p><w:r>{run}<w:t>{text}</w:t></w:r></w:p></w:tc>" for span, text in map(spanned, cells)
        )
        return f"<w:tr>{''.join(made)}</w:tr>"

    def spanned(cell: str) -> tuple[str, str]:
        return ('<w:tcPr><w:gridSpan w:val="2"/></w:tcPr>', cell[1:]) if cell[0] == "+" else ("", cell)

    rows = row("Item", "Price", "备注", run=run) + row("Pump", "12", "新") + row("+Valve", "旧")
    text = read("a.docx", docx(f"<w:tbl><w:tblPr>{look}</w:tblPr>{rows}</w:tbl>", styles=styles)).text
    assert "Item: Pump | Price: 12 | 备注: 新\nItem: Valve | 备注: 旧\n" in text
    plain = row("Item", "Price", "备注") + row("Pump", "12", "新")
    assert "Item | Price | 备注\nPump | 12 | 新\n" in read("b.docx", docx(f"<w:tbl>{plain}</w:tbl>")).text


def test_merged_cells_say_their_text_in_every_row(read: Reader) -> None:
    cell = "<w:tc><w:tcPr>{}</w:tcPr>{}</w:tc>".format
    region, below = cell('<w:vMerge w:val="restart"/>', paragraph("华北")), cell("<w:vMerge/>", "<w:p/>")
    rows = (region + cell("", paragraph("Beijing")), below + cell("", paragraph("Tianjin")))
    body = "".join(f"<w:tr>{row}</w:tr>" for row in rows)
    assert "华北 | Beijing\n华北 | Tianjin" in read("a.docx", docx(f"<w:tbl>{body}</w:tbl>")).text


def test_changes_inside_a_note_are_read_as_they_stand(read: Reader) -> None:
    body = '<w:p><w:r><w:t>Interest</w:t><w:footnoteReference w:id="2"/></w:r></w:p>'
    note = (
        '<w:footnote w:id="2"><w:p><w:ins><w:r><w:t>每年</w:t></w:r></w:ins>'
        "<w:del><w:r><w:delText>monthly</w:delText></w:r></w:del></w:p></w:footnote>"
    )
    document = read("a.docx", docx(body, footnotes=note))
    assert document.text == "Interest[^2]\n[^2] 每年\n"
    assert "(places: 2)" in notes(document)


def test_notes_comments_changes_boxes_and_formulas(read: Reader) -> None:
    body = (
        '<w:p><w:r><w:t>Interest</w:t><w:footnoteReference w:id="2"/></w:r>'
        "<w:del><w:r><w:delText>old words</w:delText></w:r></w:del><w:ins><w:r><w:t> new words</w:t></w:r></w:ins>"
        '<w:r><w:commentReference w:id="5"/></w:r></w:p>'
        "<w:p><m:oMath><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f></m:oMath></w:p>"
        f"<w:p><w:r><w:pict><w:txbxContent>{paragraph('盒子里的话')}</w:txbxContent></w:pict></w:r></w:p>"
        f"<w:sdt><w:sdtPr/><w:sdtContent>{paragraph('in a control')}</w:sdtContent></w:sdt>"
    )
    footnotes = f'<w:footnote w:id="2">{paragraph("按年计算")}</w:footnote>'
    comments = f'<w:comment w:id="5" w:author="Reviewer">{paragraph("is it so?")}</w:comment>'
    document = read("a.docx", docx(body, footnotes=footnotes, comments=comments))
    for words in (
        "Interest[^2] new words",
        "[^2] 按年计算",
        "(Reviewer: is it so?)",
        "(a)/(b)",
        "盒子里的话",
        "in a control",
    ):
        assert words in document.text
    assert "old words" not in document.text
    assert "Tracked changes" in notes(document)


def test_headers_and_footers_stand_once_at_the_end(read: Reader) -> None:
    data = docx(
        paragraph("body"), header1=paragraph("机密 Secret"), header2=paragraph("机密 Secret"), footer1=paragraph("3")
    )
    assert read("a.docx", data).text.split() == ["body", "机密", "Secret"]


def test_the_strict_form_is_read_too(read: Reader) -> None:
    assert (
        "严格" in read("a.docx", docx(paragraph("严格"), word="http://purl.oclc.org/ooxml/wordprocessingml/main")).text
    )


# -- slides --------------------------------------------------------------------------------------


def test_slides_are_pages_in_the_order_of_the_show(read: Reader) -> None:
    slides = (
        shape("Text of the first\nsecond line") + shape("Overview", "title"),
        shape("预算", "ctrTitle") + shape("明年增加百分之十"),
    )
    document = read("talk.pptx", pptx(*slides, notes={2: "Say it slowly"}, order=(2, 1)))
    assert titles(document) == [(1, "预算"), (1, "Overview")]
    places = [document.place(document.text.index(words)) for words in ("明年", "Say it slowly", "second line")]
    assert places == [Place(1, None, "slide"), Place(1, None, "slide"), Place(2, None, "slide")]


def test_a_table_and_a_chart_of_a_slide(read: Reader) -> None:
    cells = "<a:tr>{}</a:tr>".format
    cell = "<a:tc><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>".format
    rows = cells(cell("City") + cell("人口")) + cells(cell("Oslo") + cell("70 万"))
    frame = f'<p:graphicFrame><a:tbl><a:tblPr firstRow="1"/>{rows}</a:tbl></p:graphicFrame>'
    assert "City: Oslo | 人口: 70 万" in read("a.pptx", pptx(frame)).text


# -- sheets --------------------------------------------------------------------------------------


def test_a_cell_is_found_by_its_sheet_and_row(read: Reader) -> None:
    pytest.importorskip("python_calamine", reason="the extra `docs` is not installed")
    sheets = {
        "Costs": (("Year 2024",), ("Item", "价格"), ("Pump", 12.5), ("阀门", 7)),
        "备注": (("Only for us",),),
        "Empty": (),
    }
    document = read("costs.xlsx", xlsx(sheets, hidden="备注"))
    assert "Item: Pump | 价格: 12.5\nItem: 阀门 | 价格: 7" in document.text
    assert document.place(document.text.index("阀门")) == Place(1, 4, "sheet", "Costs")
    assert document.place(document.text.index("Only")) == Place(2, 1, "sheet", "备注")
    assert "Hidden sheets, which were read all the same: 备注." in notes(document)
    assert "Sheets without text: Empty." in notes(document)


def test_merged_cells_of_a_sheet(read: Reader) -> None:
    pytest.importorskip("python_calamine", reason="the extra `docs` is not installed")
    rows = (("Region", "City"), ("华北", "Beijing"), ("", "Tianjin"))
    document = read("a.xlsx", xlsx({"S": rows}, merged="A2:A3"))
    assert "Region: 华北 | City: Tianjin" in document.text


# -- OpenDocument --------------------------------------------------------------------------------


def test_an_opendocument_text(read: Reader) -> None:
    body = (
        '<text:h text:outline-level="2">年假</text:h><text:p>Twenty<text:s text:c="2"/>days<text:note>'
        "<text:note-citation>1</text:note-citation><text:note-body><text:p>not more</text:p></text:note-body>"
        "</text:note></text:p>"
        "<text:list><text:list-item><text:p>first</text:p><text:list><text:list-item><text:p>里面</text:p>"
        "</text:list-item></text:list></text:list-item></text:list>"
        "<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>Name</text:p></table:table-cell>"
        "<table:table-cell><text:p>年龄</text:p></table:table-cell></table:table-row></table:table-header-rows>"
        "<table:table-row><table:table-cell><text:p>Ann</text:p></table:table-cell><table:table-cell><text:p>41</text:p>"
        "</table:table-cell></table:table-row></table:table>"
    )
    document = read("a.odt", odf("text", body))
    assert titles(document) == [(2, "年假")]
    for words in ("Twenty  days[^1]", "[^1] not more", "- first\n  - 里面", "Name: Ann | 年龄: 41"):
        assert words in document.text
    assert document.author == "Personnel"


def test_opendocument_slides(read: Reader) -> None:
    box = "<draw:frame{}><draw:text-box><text:p>{{}}</text:p></draw:text-box></draw:frame>".format
    page = f"<draw:page>{box(' presentation:class=' + chr(34) + 'title' + chr(34))}{box('')}</draw:page>"
    document = read("a.odp", odf("presentation", page.format("One", "first words") + page.format("二", "第二页的话")))
    assert titles(document) == [(1, "One"), (1, "二")]
    assert document.place(document.text.index("第二页")) == Place(2, None, "slide")


# -- books, rich text ----------------------------------------------------------------------------


def test_chapters_of_a_book_in_the_order_of_the_spine(read: Reader) -> None:
    book = epub(
        "<html><body><h1>One</h1>\n<p>It began.</p></body></html>",
        "<html><body><h1>第二章</h1><p>结束了。</p></body></html>",
    )
    document = read("a.epub", book)
    assert titles(document) == [(1, "One"), (1, "第二章")]
    assert document.place(document.text.index("began")) == Place(None, 2, "file", "OPS/text/c0.xhtml")
    assert document.title == "员工手册 Handbook"


def test_rich_text(read: Reader) -> None:
    pytest.importorskip("striprtf", reason="the extra `docs` is not installed")
    data = rb"{\rtf1\ansi\ansicpg936{\header\b Head\par}Twenty days.\par \u24180?\u20551? \'c4\'ea\'bc\'d9\par}"
    text = read("a.rtf", data).text
    assert "Twenty days." in text
    assert "年假" in text
    assert "Head" in text


# -- what is wrong with a file -------------------------------------------------------------------


def test_a_file_is_read_as_what_it_is(read: Reader) -> None:
    for name, data, words in (
        ("letter.doc", b"{\\rtf1 Dear all\\par}", "Dear all"),
        ("page.doc", "<html><body><p>网页</p></body></html>".encode(), "网页"),
        ("old.ppt", pptx(shape("slide")), "slide"),
        ("report.xlsx", docx(paragraph("报告")), "报告"),
    ):
        document = read(name, data)
        assert words in document.text
        assert "By its content" in notes(document)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("empty.docx", b"", "empty"),
        ("cut.docx", docx(paragraph("x"))[:200], "damaged or cut off"),
        ("random.pptx", b"\0\1\2" * 50, "not a .pptx file"),
        ("blank.docx", docx("<w:p/>"), "holds no text"),
        ("half.docx", package({"word/document.xml": "<w:document><w:body>"}), "cannot be read"),
        ("bomb.docx", package({"word/document.xml": "<w>" + " " * 60_000_000 + "</w>"}), "not unpacked"),
        ("locked.xlsx", container({"EncryptedPackage": b"x" * 4000}), "password"),
        (
            "entities.docx",
            package({"word/document.xml": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}),
            "entities",
        ),
    ],
)
def test_what_cannot_be_read_says_why(read: Reader, name: str, data: bytes, why: str) -> None:
    assert why in read.refusal(name, data)


def with_parts(data: bytes, parts: dict[str, bytes]) -> bytes:
    made = io.BytesIO(data)
    with zipfile.ZipFile(made, "a") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "folder", "around"),
    [
        ("report.docx", "word", docx(paragraph("The report."))),
        ("talk.pptx", "ppt", pptx(shape("The talk."))),
        ("book.xlsx", "xl", xlsx({"One": (("The book",),)})),
    ],
)
def test_what_is_embedded_is_read(read: Reader, name: str, folder: str, around: bytes) -> None:
    prices = xlsx({"价格": (("Pump 水泵", 1599),)})
    inner = with_parts(docx(paragraph("Terms of delivery: 三十天。")), {"word/embeddings/prices.xlsx": prices})
    chart = relations({"r1": ("package", "../embeddings/Microsoft_Excel_Sheet1.xlsx")}).encode()
    parts = {
        f"{folder}/embeddings/terms.docx": inner,
        f"{folder}/embeddings/oleObject1.bin": b"x",
        f"{folder}/embeddings/broken.docx": b"PK broken",
        f"{folder}/embeddings/Microsoft_Excel_Sheet1.xlsx": xlsx({"Sheet1": (("behind a chart",),)}),
        f"{folder}/charts/chart1.xml": b"<chartSpace/>",
        f"{folder}/charts/_rels/chart1.xml.rels": chart,
    }
    document = read(name, with_parts(around, parts))
    assert "Terms of delivery: 三十天。" in document.text
    assert "Pump 水泵 | 1599" in document.text
    assert "behind a chart" not in document.text
    assert document.place(document.text.index("Pump")).name == "terms.docx/prices.xlsx/价格"
    assert "terms.docx" in [title for _, title in titles(document)]
    said = notes(document)
    assert "Embedded files that were not read: 1." in said
    assert "broken.docx was not read: " in said


def test_documents_within_documents_have_an_end(read: Reader) -> None:
    data = docx(paragraph("The innermost."))
    for depth in range(8):
        data = with_parts(docx(paragraph(f"Depth {depth}.")), {"word/embeddings/next.docx": data})
    document = read("a.docx", data)
    assert "Depth 7." in document.text
    assert "The innermost." not in document.text
    assert "nested too deeply" in notes(document)


def test_pictures_and_embedded_files_are_counted(read: Reader) -> None:
    parts = {"word/media/a.png": b"x", "word/media/b.png": b"x", "word/embeddings/c.bin": b"x"}
    said = notes(read("a.docx", with_parts(docx(paragraph("x")), parts)))
    assert said == "Pictures that were not read: 2. Embedded files that were not read: 1."
