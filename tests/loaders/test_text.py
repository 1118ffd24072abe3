"""What the readers make of tables, data, notebooks, subtitles, markup and code, through the child process."""

from __future__ import annotations

import json

import pytest

from tests.helpers.reading import Reader, line_of, notes, titles

# -- tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_value_of_a_row_has_the_name_of_its_column(read: Reader, name: str, delimiter: str) -> None:
    rows = (("name", "days", "部门"), ("Lee", "15", "销售"), ("王芳", "20", ""))
    text = read(name, "\n".join(delimiter.join(row) for row in rows) + "\n").text
    assert text.splitlines() == [
        "name | days | 部门",
        "name: Lee | days: 15 | 部门: 销售",
        "name: 王芳 | days: 20",
    ]


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "utf-16", "utf-8-sig"])
def test_tables_in_other_encodings(read: Reader, encoding: str) -> None:
    text = "姓名,部門\n陳大文,行銷部門的主管\n林小明,人事部門的職員\n"
    document = read("員工.csv", text.encode(encoding))
    assert document.text.splitlines()[1] == "姓名: 陳大文 | 部門: 行銷部門的主管"


def test_a_cell_of_several_lines_is_one_and_lines_are_still_the_files(read: Reader) -> None:
    document = read("a.csv", 'name,note\nLee,"first\n第二行"\n\nKim,"say ""hi"", then go"\n')
    assert "name: Lee | note: first 第二行\n" in document.text
    assert 'name: Kim | note: say "hi", then go' in document.text
    assert (line_of(document, "name: Lee"), line_of(document, "name: Kim")) == (2, 5)


def test_a_title_above_the_header_and_numbers_without_one(read: Reader) -> None:
    assert "City: 北京 | Days: 3" in read("a.csv", "Trips 差旅,\nCity,Days\n北京,3\n").text
    assert read("b.csv", "1,2\n3,4\n").text == "1 | 2\n3 | 4\n"
    assert read("c.csv", "sep=;\na;b\n1,5;2\n").text.splitlines()[1] == "a: 1,5 | b: 2"


def test_a_quotation_mark_that_is_never_closed_swallows_nothing(read: Reader) -> None:
    document = read("a.csv", 'name,size\n"screen,27\n屏幕,31\n')
    assert 'name: "screen | size: 27\nname: 屏幕 | size: 31' in document.text
    assert "never closed" in notes(document)


# -- JSON ----------------------------------------------------------------------------------------


def test_json_of_many_lines_stands_as_it_is_with_its_letters(read: Reader) -> None:
    text = json.dumps({"leave": {"days": 15, "说明": "年假十五天 😀", "tab": "a\tb"}}, indent=2)
    document = read("a.json", text)
    assert '"说明": "年假十五天 😀"' in document.text
    assert '"a\\tb"' in document.text
    assert line_of(document, "年假") == 4
    assert document.line_marks == ()


def test_json_of_one_line_is_a_line_for_each_value(read: Reader) -> None:
    document = read("a.json", '\n{"a":{"b":[1,"二"]},"c":null,"c":true,"d":"x\\ud800\\u0000y"}')
    assert document.text.splitlines() == ["a.b[0]: 1", "a.b[1]: 二", "c: null", "c: true", "d: x\ufffd y"]
    assert line_of(document, "c: true") == 2


def test_records_are_a_line_each(read: Reader) -> None:
    document = read("a.jsonl", '{"q":"How long?","a":{"days":3}}\n\nnot json 不是\n{"q":"多久？"}\n')
    assert document.text.splitlines() == ["q: How long? | a.days: 3", "", "not json 不是", "q: 多久？"]
    assert line_of(document, "多久") == 4
    assert "lines: 1" in notes(document)


def test_broken_and_deep_json(read: Reader) -> None:
    assert "not valid JSON" in notes(read("a.json", '{"a": 年假'))
    assert "nested too deeply" in read.refusal("b.json", "[" * 100_000 + "]" * 100_000)


# -- notebooks, subtitles ------------------------------------------------------------------------


def test_a_notebook_is_its_cells_and_what_they_printed(read: Reader) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Sales 销售\n", "Text.\n", "## Part two"]},
        {
            "cell_type": "code",
            "source": "print(1)",
            "outputs": [
                {"output_type": "stream", "text": ["\x1b[31mred 红\x1b[0m\n"]},
                {"output_type": "execute_result", "data": {"text/plain": "42", "text/html": "<b>42</b>"}},
                {"output_type": "display_data", "data": {"image/png": "AAAA", "text/plain": "<Figure>"}},
                {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []},
            ],
        },
    ]
    document = read("a.ipynb", json.dumps({"cells": cells, "nbformat": 4}))
    assert document.text.split("\n") == [
        *("# Sales 销售", "Text.", "## Part two", "", "print(1)", "red 红", "42", "ValueError: no", "")
    ]
    assert (document.title, titles(document)) == ("Sales 销售", [(1, "Sales 销售"), (2, "Part two")])
    assert notes(document) == "Images that were not read: 1."
    assert "damaged" in read.refusal("b.ipynb", '{"cells": [')


def test_subtitles_begin_with_their_time(read: Reader) -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i>\nthere\n\n2\n01:00:03,000 --> 01:00:04,000\n你好\n"
    document = read("a.srt", srt.replace("\n", "\r\n"))
    assert document.text == "[00:00:01] Hello there\n[01:00:03] 你好\n"
    assert (line_of(document, "Hello"), line_of(document, "你好")) == (3, 8)
    vtt = "WEBVTT\n\nNOTE not said\n\n00:01.000 --> 00:02.000 align:start\n<v Ann>Yes &amp; 好\n"
    assert read("a.vtt", vtt).text == "[00:01] Ann: Yes & 好\n"
    assert "no times" in notes(read("b.srt", "just words 文字\n"))


# -- markup --------------------------------------------------------------------------------------


def test_org_headings(read: Reader) -> None:
    text = "#+TITLE: Staff 手册\n* TODO [#A] Leave 假期 :hr:\ntext\n#+BEGIN_SRC sh\n* no\n#+END_SRC\n** Part\n"
    document = read("a.org", text)
    assert (document.text, document.title) == (text, "Staff 手册")
    assert titles(document) == [(1, "Leave 假期"), (2, "Part")]


TEX = r"""\documentclass{article} % no
\title{The \emph{Staff} Book}
\usepackage{ctex}
\begin{document}
% not seen \section{no}
\section{Leave \textbf{days} 休假}\label{x}
Caf\'e is 50\% off~\cite{k}, with \textit{a \emph{b}} and $x_1^2 % y$.\footnote{Not on Sundays.}
\subsection*{规定}
\begin{verbatim}
100% \section{kept}
\end{verbatim}
\end{document}
"""


def test_tex_is_its_words_line_for_line(read: Reader) -> None:
    document = read("a.tex", TEX)
    assert document.title == "The Staff Book"
    assert titles(document) == [(3, "Leave days 休假"), (4, "规定")]
    assert "Café is 50% off" in document.text
    assert "a b and $x_1^2" in document.text
    assert "not seen" not in document.text
    assert r"100% \section{kept}" in document.text
    assert [line_of(document, words) for words in ("Leave days", "Café", "规定", "100%")] == [6, 7, 8, 10]


def test_tex_formulas_stay_and_what_is_never_closed_costs_nothing(read: Reader) -> None:
    text = "公式：$$a%b$$ and \\[x_1\\] then \\\\[2pt] next $y$\n\\begin{align*}\n a &= b\n\\end{align*} 完\n"
    shown = read("a.tex", text.replace("a%b", "a b")).text
    assert shown == "公式：$$a b$$ and \\[x_1\\] then  [2pt] next $y$\n\\begin{align*}\n a &= b\n\\end{align*} 完\n"
    assert "文字" in read("b.tex", "\\[ a " * 300_000 + "文字").text


def test_xml_is_a_line_for_each_block(read: Reader) -> None:
    text = (
        '<?xml version="1.0" encoding="GBK"?>\n<r a="no"><!-- no -->\n<p><b>年假</b> is <i>15</i> days.</p>'
        "<row><a>一</a>\n<b>x &amp; y</b></row><c><![CDATA[1 < 2]]></c></r>"
    )
    for encoding in ("gbk", "utf-16"):
        document = read("a.xml", text.encode(encoding))
        assert document.text.splitlines() == ["年假 is 15 days.", "一", "x & y", "1 < 2"]
        assert line_of(document, "x & y") == 4


def test_xml_that_declares_entities_or_is_broken(read: Reader) -> None:
    bomb = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><r>&b;</r>'
    assert "declares entities" in read.refusal("a.xml", bomb)
    assert "declares entities" in read.refusal("b.xml", '<!DOCTYPE r [<!ENTITY a SYSTEM "/etc/passwd">]><r>&a;</r>')
    assert "not well-formed XML (line 1" in read.refusal("c.xml", "plain words")
    document = read("d.xml", "<r><p>kept 保留</p>\n<p>cut</x>")
    assert document.text == "kept 保留\ncut\n"
    assert "from line 2 on" in notes(document)
    assert read("e.xml", "<a>" * 50_000 + "deep 深" + "</a>" * 50_000).text == "deep 深\n"


# -- code and plain formats ----------------------------------------------------------------------


def test_python_headings_are_its_classes_and_functions(read: Reader) -> None:
    text = '"""年假."""\n\n@cache\nclass Leave:\n    def days(self):\n        def no(): ...\n\nasync def 休假(): ...\n'
    document = read("a.py", text)
    assert document.text == text
    assert titles(document) == [(1, "class Leave"), (2, "def days"), (1, "def 休假")]
    assert document.text[document.headings[0].start :].startswith("@cache\nclass")
    assert read("b.py", "print 'old' # 旧\n").headings == ()
    assert read("c.py", "(" * 5000 + "\n# 深").headings == ()


@pytest.mark.parametrize("name", ["a.yaml", "a.toml", "a.js", "a.ts", "a.c", "a.go", "a.sql", "a.ini", "a.sh", "a.css"])
def test_other_code_stands_as_it_is(read: Reader, name: str) -> None:
    text = "# 年假\nkey: 'value'  \n\n\tindented\n"
    document = read(name, text.encode("gb18030"))
    assert document.text == text
    assert line_of(document, "indented") == 4


@pytest.mark.parametrize(
    "suffix", ["csv", "tsv", "json", "jsonl", "yaml", "xml", "ipynb", "srt", "org", "tex", "py", "c"]
)
def test_empty_and_binary_files_say_so(read: Reader, suffix: str) -> None:
    assert read.refusal(f"a.{suffix}", b"") == "The file is empty."
    assert "white space" in read.refusal(f"b.{suffix}", b" \n\t\n")
    assert "ZIP" in read.refusal(f"c.{suffix}", b"PK\x03\x04rest")
    assert "not a text" in read.refusal(f"d.{suffix}", bytes((i * 7919 + i * i * 31) % 256 for i in range(5000)))
