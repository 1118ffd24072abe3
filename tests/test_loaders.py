"""Files are read whole, in their own place, by a child that may die."""

from __future__ import annotations

import os
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from ragkit.config import LoadingConfig
from ragkit.errors import InputError
from ragkit.loaders.discovery import discover
from ragkit.loaders.sandbox import SandboxLoader
from ragkit.ports import Loaded
from ragkit.types import Document, FileOutcome, FoundFile

SHORT_ZH = "员工每年享有十五天带薪年假，未休完的可以结转。"
TRADITIONAL = "員工每年享有十五天帶薪年假，未休完的可以結轉至次年三月。"
JAPANESE = "社員は毎年十五日の有給休暇を取得することができます。"
KOREAN = "직원은 매년 십오일의 유급 휴가를 사용할 수 있습니다."


@pytest.fixture
def loader() -> Iterator[SandboxLoader]:
    opened = SandboxLoader(LoadingConfig(timeout_s=20))
    yield opened
    opened.close()


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def document(loaded: Loaded) -> Document:
    assert loaded.document is not None, loaded.failure
    return loaded.document


def reason(loaded: Loaded) -> str:
    assert loaded.failure is not None
    assert loaded.failure.state == "unreadable"
    return str(loaded.failure.reason)


def pdf(*contents: bytes, extra: bytes = b"", resources: bytes = b"") -> bytes:
    """A PDF with one page a content stream, written by hand."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", font]
    kids = []
    for content in contents:
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
        stream = len(objects)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R"
            b" /Resources << /Font << /F 3 0 R >> %s >> >>" % (stream, resources)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    if extra:
        objects.append(extra)
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (size, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n%s%s" % (size, table, trailer)


def shows(text: str) -> bytes:
    return b"BT /F 12 Tf 50 700 Td (%s) Tj ET" % text.encode()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SHORT_ZH, "utf-8"),
        (SHORT_ZH, "utf-8-sig"),
        (SHORT_ZH, "gb18030"),
        (SHORT_ZH, "gbk"),
        (SHORT_ZH, "utf-16"),
        (SHORT_ZH, "utf-16-le"),
        (SHORT_ZH, "utf-16-be"),
        (SHORT_ZH + " VPN 地址是 vpn.example.com。", "gb18030"),
        ("Plain English with some 中文 words in it: " + SHORT_ZH, "gb18030"),
        (TRADITIONAL, "big5"),
        (TRADITIONAL * 50, "big5"),
        (SHORT_ZH * 50, "gb18030"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        (KOREAN, "cp949"),
        ("Leave is paid. " * 5, "utf-16-le"),
        ("Ein Müller trägt größere Schuhe über die Straße. " * 3, "cp1252"),
    ],
)
def test_text_is_decoded_rightly(loader: SandboxLoader, tmp_path: Path, text: str, encoding: str) -> None:
    loaded = document(loader.load(write(tmp_path, "a.txt", text.encode(encoding)), ""))
    assert loaded.text == text
    assert bool(loaded.notes) == (encoding not in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"))


def test_broken_places_in_a_text_are_counted(loader: SandboxLoader, tmp_path: Path) -> None:
    loaded = document(loader.load(write(tmp_path, "a.txt", (SHORT_ZH * 9).encode() + b"\xff" + b" end"), ""))
    assert loaded.text.startswith(SHORT_ZH)
    assert [str(note) for note in loaded.notes] == ["1 places were not valid utf-8."]


def test_lines_are_those_of_an_editor(loader: SandboxLoader, tmp_path: Path) -> None:
    text = document(loader.load(write(tmp_path, "a.txt", "one\r\ntwo\rthree\x0cstill\nfour"), "")).text
    assert text.split("\n") == ["one", "two", "three still", "four"]


def test_markdown_headings(loader: SandboxLoader, tmp_path: Path) -> None:
    text = "---\ntitle: Leave policy\n---\n# Top [x](y)\n```\n# no heading\n```\nUnder\n---\ntext\n\n"
    text += "### Deep ###\n- a\n---\n"
    loaded = document(loader.load(write(tmp_path, "a.md", text), ""))
    assert loaded.title == "Leave policy"
    assert [(h.level, h.title) for h in loaded.headings] == [(1, "Top x"), (2, "Under"), (3, "Deep")]
    assert [loaded.text[h.start :].split("\n")[0] for h in loaded.headings] == ["# Top [x](y)", "Under", "### Deep ###"]


def test_rst_headings(loader: SandboxLoader, tmp_path: Path) -> None:
    text = "=====\nTitle\n=====\n\nPart one\n--------\ntext\n\n中文标题\n--------\n\nSub\n~~~\n\nnot a title\n--\n"
    loaded = document(loader.load(write(tmp_path, "a.rst", text), ""))
    assert [(h.level, h.title) for h in loaded.headings] == [(1, "Title"), (2, "Part one"), (2, "中文标题"), (3, "Sub")]


HTML = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title> Travel
 rules </title><style>p { color: red }</style><script>var hidden = "<p>no</p>";</script></head>
<body>
<h1>Travel</h1>
<p>Book   early &amp; pay
less, says the
<b>travel</b> desk.</p>
<p>出差前须
提交申请。</p>
<ul><li>Train</li><li>Plane<br>second line</li></ul>
<table><tr><th>City</th><th>Limit</th></tr>
<tr><td>Berlin</td><td>120 EUR</td></tr></table>
<pre>keep
  this</pre>
</body></html>"""


def test_html_is_read_as_a_person_sees_it(loader: SandboxLoader, tmp_path: Path) -> None:
    loaded = document(loader.load(write(tmp_path, "a.html", HTML), ""))
    assert loaded.title == "Travel rules"
    assert loaded.text == (
        "Travel\n\nBook early & pay less, says the travel desk.\n\n出差前须提交申请。\n\n"
        "- Train\n- Plane\nsecond line\n\n"
        "City | Limit\nBerlin | 120 EUR\n\nkeep\n  this"
    )
    assert [(h.level, h.title) for h in loaded.headings] == [(1, "Travel")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Book early", 6),
        ("less, says", 7),
        ("travel desk", 8),
        ("提交申请", 10),
        ("second line", 11),
        ("Berlin", 13),
        ("this", 15),
    ],
)
def test_html_text_is_cited_by_its_line_in_the_file(
    loader: SandboxLoader, tmp_path: Path, text: str, line: int
) -> None:
    loaded = document(loader.load(write(tmp_path, "a.html", HTML), ""))
    assert loaded.place(loaded.text.index(text)).line == line


@pytest.mark.parametrize("declared", ["gb2312", "gbk", "utf-8", "nonsense"])
def test_html_charset(loader: SandboxLoader, tmp_path: Path, declared: str) -> None:
    data = f'<meta http-equiv="Content-Type" content="text/html; charset={declared}"><p>{SHORT_ZH}</p>'.encode(
        "gb18030"
    )
    assert document(loader.load(write(tmp_path, "a.html", data), "")).text == SHORT_ZH


def test_broken_html_gives_its_text(loader: SandboxLoader, tmp_path: Path) -> None:
    text = document(
        loader.load(write(tmp_path, "a.htm", "<p>one<p>two<b>bold<div>three</b></span><td>four<!-- x"), "")
    ).text
    assert [word for word in ("one", "two", "bold", "three", "four") if word not in text] == []


def test_pdf_pages_are_numbered_and_empty_ones_named(loader: SandboxLoader, tmp_path: Path) -> None:
    path = write(tmp_path, "a.pdf", pdf(shows("First page."), b"", shows("Third page.")))
    loaded = document(loader.load(path, ""))
    assert [(page.number, loaded.text[page.start : page.end]) for page in loaded.pages] == [
        (1, "First page."),
        (2, ""),
        (3, "Third page."),
    ]
    assert loaded.place(loaded.text.index("Third")).page == 3
    assert "Pages without text (scanned images?): 2." in [str(note) for note in loaded.notes]


def encrypted(tmp_path: Path) -> bytes:
    plain = write(tmp_path, "plain.pdf", pdf(shows("Secret.")))
    writer = PdfWriter(clone_from=PdfReader(plain))
    writer.encrypt("password", algorithm="RC4-128")
    target = tmp_path / "locked.pdf"
    writer.write(target)
    return target.read_bytes()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", b"", "empty"),
        ("a.md", b" \n \n", "empty"),
        ("a.txt", bytes(range(256)) * 40, "not text"),
        ("a.html", b"<script>x</script>", "no text"),
        ("a.pdf", b"", "not a readable PDF"),
        ("a.pdf", b"<html>not a pdf</html>", "not a readable PDF"),
        ("a.pdf", pdf(b"", b""), "None of its 2 pages holds text"),
        ("a.pdf", pdf(shows("x"))[:200], "PDF"),
    ],
)
def test_an_unreadable_file_has_one_clear_reason(
    loader: SandboxLoader, tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    assert said in reason(loader.load(write(tmp_path, name, data), ""))


def test_an_encrypted_pdf_needs_its_password(loader: SandboxLoader, tmp_path: Path) -> None:
    assert "password" in reason(loader.load(write(tmp_path, "b.pdf", encrypted(tmp_path)), ""))


def test_a_known_file_is_not_parsed_again(loader: SandboxLoader, tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "text")
    first = loader.load(path, "")
    again = loader.load(path, first.content_hash)
    assert (again.content_hash, again.document, again.failure) == (first.content_hash, None, None)


def hanging_pdf() -> bytes:
    """A form that draws itself twice: some readers never come back from it."""
    extra = (
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 600 800] /Resources << /XObject << /X 6 0 R >> >>"
        b" /Length 11 >>\nstream\n/X Do /X Do\nendstream"
    )
    return pdf(b"/X Do", extra=extra, resources=b"/XObject << /X 6 0 R >>")


def bomb_pdf() -> bytes:
    packed = zlib.compress(b" " * 400_000_000, 9)
    header = b"<< /Length %d /Filter /FlateDecode >>" % len(packed)
    return pdf(b"").replace(b"<< /Length 0 >>\nstream\n\n", header + b"\nstream\n" + packed + b"\n")


@pytest.mark.parametrize("make", [hanging_pdf, bomb_pdf])
def test_a_hostile_pdf_costs_one_line_and_the_next_file_is_read(tmp_path: Path, make: object) -> None:
    loader = SandboxLoader(LoadingConfig(timeout_s=2, memory_mb=512))
    good = write(tmp_path, "good.txt", "good")
    assert document(loader.load(good, "")).text == "good"
    assert loader.load(write(tmp_path, "bad.pdf", make()), "").failure is not None  # type: ignore[operator]
    assert document(loader.load(good, "")).text == "good"
    loader.close()


def test_a_killed_reader_costs_one_file(loader: SandboxLoader, tmp_path: Path) -> None:
    good = write(tmp_path, "good.txt", "good")
    loader.load(good, "")
    assert loader._child is not None
    loader._child.send_signal(signal.SIGSTOP)
    os.kill(loader._child.pid, signal.SIGKILL)
    loader._child.wait()
    assert document(loader.load(good, "")).text == "good"


def test_limits_of_size(tmp_path: Path) -> None:
    loader = SandboxLoader(LoadingConfig(max_file_mb=1, max_text_mb=1))
    assert "loading.max_file_mb" in reason(loader.load(write(tmp_path, "a.txt", b"x" * (2**20 + 1)), ""))
    loader.close()


def test_a_pipe_or_a_vanished_file_does_not_hang(loader: SandboxLoader, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert "not a regular file" in reason(loader.load(tmp_path / "pipe.txt", ""))
    assert "No such file" in reason(loader.load(tmp_path / "gone.txt", ""))


def test_the_reader_reaches_no_network(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import socket, ragkit.loaders.child as c; c._forbid_network();socket.socket().connect(('127.0.0.1', 9))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr


def test_discovery_names_everything_it_does_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "文档 folder"
    folder.mkdir()
    write(folder, "a.md", "a")
    write(folder, "b.docx", "b")
    write(folder, "LICENSE", "c")
    write(folder, ".hidden.md", "d")
    (folder / ".git").mkdir()
    write(folder / ".git", "x.md", "e")
    (folder / "link.md").symlink_to(folder / "a.md")
    os.mkfifo(folder / "pipe.md")
    (folder / "folder.pdf").mkdir()
    index = folder / "index"
    index.mkdir()
    found = {
        (item.path if isinstance(item, FoundFile) else Path(item.source)).name: (
            "read" if isinstance(item, FoundFile) else f"{item.state}: {item.reason}"
        )
        for item in discover([folder, folder / "a.md"], exclude=index)
    }
    assert found == {
        "a.md": "read",
        "b.docx": "unsupported: no reader for .docx files",
        "LICENSE": "unsupported: no reader for files without a suffix",
        ".hidden.md": "skipped: hidden",
        ".git": "skipped: hidden",
        "link.md": "skipped: a symbolic link; links are not followed",
        "pipe.md": "skipped: not a regular file",
        "index": "skipped: the index itself",
    }


def test_a_name_that_is_not_text_is_named(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"bad\xff.txt")).write_text("x")
    except OSError:
        pytest.skip("this file system takes only names that are valid UTF-8")
    [item] = list(discover([tmp_path], exclude=None))
    assert isinstance(item, FileOutcome)
    assert item.state == "unreadable"
    assert item.source.endswith("bad\\udcff.txt")


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        list(discover([tmp_path / "nowhere"], exclude=None))
