"""Mail, mailboxes, Outlook messages and ZIP archives, with files inside them, through the child process."""

from __future__ import annotations

import base64
import io
import struct
import sys
import zipfile
from email.message import EmailMessage

import pytest

from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.formats import parse
from ragkit.text.chunking import split
from ragkit.types.documents import Place
from ragkit.types.errors import UnsupportedFormat
from tests.helpers.ole import Tree, container
from tests.helpers.pdfs import text_pdf
from tests.helpers.reading import Reader, line_of, notes, titles

SENTENCE = "员工每年享有二十天带薪年假，未休完的假期可以顺延。"


def letter(subject: str = "Leave 年假", text: str = "Twenty days.\n二十天。\n") -> EmailMessage:
    made = EmailMessage()
    made["From"] = "李雷 <li@example.com>"
    made["To"] = "all@example.com"
    made["Date"] = "Tue, 29 Jul 2025 12:42:06 +0000"
    made["Subject"] = subject
    made["X-Mailer"] = "not shown"
    made.set_content(text)
    return made


# -- messages ------------------------------------------------------------------------------------


def test_a_message_begins_with_its_header_lines(read: Reader) -> None:
    document = read("a.eml", bytes(letter()))
    assert document.text.splitlines() == [
        *("From: 李雷 <li@example.com>", "To: all@example.com", "Date: Tue, 29 Jul 2025 12:42:06 +0000"),
        *("Subject: Leave 年假", "", "Twenty days.", "二十天。"),
    ]
    assert (document.title, document.notes, line_of(document, "Twenty")) == ("Leave 年假", (), 6)


def test_plain_text_is_preferred_and_html_read_where_there_is_none(read: Reader) -> None:
    both = letter(text="plain 纯文本\n")
    both.add_alternative("<p>rich</p>", subtype="html")
    assert "rich" not in read("a.eml", bytes(both)).text
    rich = EmailMessage()
    rich.set_content("<style>p {}</style><p>rich <b>年假</b></p><script>no</script>", subtype="html")
    assert read("b.eml", bytes(rich)).text.strip() == "rich 年假"
    empty = letter(text="\n")
    empty.add_alternative("<p>rich</p>", subtype="html")
    assert read("c.eml", bytes(empty)).text.endswith("\n\nrich\n")


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("gb2312", "gb18030"),
        ("x-gbk", "gbk"),
        ("utf-8", "utf-8"),
        ("us-ascii", "gb18030"),
        ("no-such-charset", "gb18030"),
        ("hz-gb-2312", "hz"),
    ],
)
@pytest.mark.parametrize("coding", ["8bit", "base64"])
def test_a_part_is_read_in_its_own_charset(read: Reader, charset: str, encoding: str, coding: str) -> None:
    body = SENTENCE.encode(encoding)
    word = base64.b64encode("带薪年假的通知".encode(encoding)).decode()
    head = f"Subject: =?{charset}?B?{word}?=\r\nContent-Type: text/plain; charset={charset}\r\n"
    head += f"Content-Transfer-Encoding: {coding}\r\n\r\n"
    document = read("a.eml", head.encode() + (base64.encodebytes(body) if coding == "base64" else body))
    assert document.text == f"Subject: 带薪年假的通知\n\n{SENTENCE}\n"


def test_headers_beyond_ascii_japanese_and_a_file_in_utf16(read: Reader) -> None:
    raw = f"Subject: {SENTENCE}\n\nx\n".encode("gb18030")
    assert read("a.eml", raw).title == SENTENCE
    japanese = "Content-Type: text/plain; charset=iso-2022-jp\n\n会議は東京で開きます。\n".encode("iso2022_jp")
    assert "会議は東京で" in read("b.eml", japanese).text
    assert read("c.eml", f"Subject: x\n\n{SENTENCE}\n".encode("utf-16")).text == f"Subject: x\n\n{SENTENCE}\n"


def test_attachments_are_read_under_their_names_or_named(read: Reader) -> None:
    made = letter()
    made.add_attachment(SENTENCE.encode("gb18030"), maintype="text", subtype="plain", filename="规定.txt")
    made.add_attachment(b"# Rules\n\nNo.\n", maintype="application", subtype="octet-stream", filename="r.md")
    made.add_attachment(text_pdf("On paper"), maintype="application", subtype="pdf")
    made.add_attachment(b"\x89PNG", maintype="image", subtype="heic", filename="照片.heic")
    document = read("a.eml", bytes(made))
    assert titles(document) == [(1, "规定.txt"), (1, "r.md"), (2, "Rules"), (1, "application-pdf.pdf")]
    assert f"规定.txt\n{SENTENCE}\n" in document.text
    assert "On paper" in document.text
    assert "照片.heic was not read: There is no reader for .heic files." in notes(document)
    assert "规定.txt: The file does not say its encoding" in notes(document)


def test_mails_in_mails_to_a_depth(read: Reader) -> None:
    made = letter("level 4", "the innermost\n")
    for level in (3, 2, 1, 0):
        outer = letter(f"level {level} 层", f"text {level}\n")
        outer.add_attachment(made)
        made = outer
    document = read("a.eml", bytes(made))
    assert titles(document) == [(level, f"level {level} 层") for level in (1, 2, 3)]
    assert "text 3" in document.text
    assert "the innermost" not in document.text
    assert "level 4 was not read: Its parts are nested too deeply" in notes(document)


def test_signed_and_sealed_mail_says_so(read: Reader) -> None:
    signed = (
        'Content-Type: multipart/signed; boundary="b"\n\n--b\n\nReal words 真的\n--b\n'
        "Content-Type: application/pgp-signature; name=s.asc\n\nxx\n--b--\n"
    )
    document = read("a.eml", signed)
    assert document.text.strip() == "Real words 真的"
    assert notes(document) == "The message is signed; the signature was not checked."
    sealed = "Subject: s 密\nContent-Type: application/pkcs7-mime; name=smime.p7m\n\nAAAA\n"
    assert "encrypted or sealed" in notes(read("b.eml", sealed))
    assert "encrypted or sealed" in read.refusal("c.eml", sealed.partition("\n")[2])


def test_odd_messages(read: Reader) -> None:
    cut = letter()
    cut.add_attachment(b"x" * 999, maintype="text", subtype="plain", filename="a.txt")
    assert "ends too early" in notes(read("a.eml", bytes(cut)[:-60]))
    assert read("b.eml", "just words 文字\n").text == "just words 文字\n"
    assert read.refusal("c.eml", b"") == "The file is empty."
    assert "no text" in read.refusal("d.eml", "Content-Type: text/html\n\n<p> </p>")
    strange = (
        "Subject: x\nContent-Type: text/plain; charset*=\nContent-Disposition: ;;filename*0*=\nDate: 年\n\nbody 正文\n"
    )
    assert "body 正文" in read("e.eml", strange).text


# -- mailboxes -----------------------------------------------------------------------------------

BOX = """From a@example.com Mon Jun 01 10:00:00 2009
Subject: First

One.
>From here on it is quoted.
From now on it is not a new message.

From b@example.com Tue Jun 02 10:00:00 2009
Subject: 第二封

二十天。
"""


def test_every_message_of_a_mailbox_is_a_page_under_its_subject(read: Reader) -> None:
    for end in ("\n", "\r\n"):
        document = read("a.mbox", BOX.replace("\n", end))
        assert [page.number for page in document.pages] == [1, 2]
        assert titles(document) == [(1, "First"), (1, "第二封")]
        assert "\nFrom here on it is quoted.\nFrom now on" in document.text
        assert document.place(document.text.index("二十天")).page == 2
        assert [document.text[heading.start :][:7] for heading in document.headings] == ["Subject"] * 2


def test_a_truncated_mailbox_keeps_what_came_before(read: Reader) -> None:
    made = letter("Third 第三", "third 三\n")
    made.add_attachment(SENTENCE.encode() * 99, maintype="text", subtype="plain", filename="a.txt")
    box = BOX.encode() + b"\nFrom c@example.com Wed Jun 03 10:00:00 2009\n" + bytes(made)
    document = read("a.mbox", box[:-2000])
    assert len(document.pages) == 3
    assert "third 三" in document.text
    assert SENTENCE in document.text
    assert "ends too early" in notes(document)
    assert "not a mailbox" in read.refusal("b.mbox", "words 文字\n" + BOX)


# -- Outlook -------------------------------------------------------------------------------------


def item(subject: str, text: str, head_bytes: int, **more: bytes | Tree) -> Tree:
    numbers = bytes(head_bytes) + struct.pack("<IIQ", 0x00390040, 6, 128_000_000_000_000_000)
    numbers += struct.pack("<IIQ", 0x3FFD0003, 6, 936)
    return {
        "__properties_version1.0": numbers,
        "__substg1.0_0037001F": subject.encode("utf-16-le"),
        "__substg1.0_0C1A001E": "李雷".encode("gbk"),
        "__substg1.0_5D01001F": "li@example.com".encode("utf-16-le"),
        "__substg1.0_0E04001F": "all".encode("utf-16-le"),
        "__substg1.0_1000001F": text.encode("utf-16-le"),
        **more,
    }


def attached(name: str, key: str, value: bytes | Tree) -> Tree:
    return {"__substg1.0_3707001F": name.encode("utf-16-le"), f"__substg1.0_{key}": value}


def test_an_outlook_message_with_files_and_a_message_in_it(read: Reader) -> None:
    inner = item("Inner 内", "inner text", 24)
    tree = item(
        "Leave 年假",
        "Twenty days. 二十天。\r\nMore.",
        32,
        **{
            "__attach_version1.0_#00000000": attached("规定.txt", "37010102", SENTENCE.encode()),
            "__attach_version1.0_#00000001": attached("fwd", "3701000D", inner),
            "__attach_version1.0_#00000002": attached("a.bin", "37010102", b"\0\1"),
        },
    )
    document = read("a.msg", container(tree))
    assert document.text.splitlines()[:7] == [
        *("From: 李雷 <li@example.com>", "To: all", "Date: 2006-08-14 03:33 UTC", "Subject: Leave 年假", ""),
        *("Twenty days. 二十天。", "More."),
    ]
    assert titles(document) == [(1, "规定.txt"), (1, "Inner 内")]
    assert SENTENCE in document.text
    assert "inner text" in document.text
    assert notes(document) == "a.bin was not read: There is no reader for .bin files."


def test_outlook_bodies_in_html_and_in_rtf_only(read: Reader) -> None:
    tree = item("x", "", 32, **{"__substg1.0_10130102": "<p>rich 年假</p>".encode("gbk")})
    assert read("a.msg", container(tree)).text.endswith("\n\nrich 年假\n")
    tree = item("x", "", 32, **{"__substg1.0_10090102": b"LZFu"})
    assert "compressed RTF" in notes(read("b.msg", container(tree)))


def test_what_is_no_outlook_message_says_so(read: Reader) -> None:
    assert "not an Outlook message" in read.refusal("a.msg", "words 文字")
    assert "not an Outlook message" in read.refusal("b.msg", container({"WordDocument": b"x"}))
    assert "damaged" in read.refusal("c.msg", container(item("x", "y", 32))[:700])
    assert read.refusal("d.msg", b"") == "The file is empty."


def test_without_its_library_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "olefile", None)
    with pytest.raises(UnsupportedFormat, match="more packages") as caught:
        parse("a.msg", container(item("x", "y", 32)), ReadContext("application/vnd.ms-outlook"))
    assert 'python -m pip install "ragkit-docqa[docs]"' in str(caught.value)


# -- archives ------------------------------------------------------------------------------------


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def test_an_archive_is_its_readable_files_under_their_names(read: Reader) -> None:
    files = {
        "docs/a.md": b"# Rules\n\nFirst line.\n",
        "文档/b.txt": "一\n二\n年假二十天\n".encode("gb18030"),
        "c.pdf": text_pdf("On paper"),
        "d.bin": b"x",
        ".hidden.txt": b"x",
        "__MACOSX/._a.md": b"x",
        "empty.txt": b"",
        "page.html": "<p>one</p>\n\n<p>网页</p>".encode(),
    }
    document = read("all.zip", packed(files))
    assert [title for level, title in titles(document) if level == 1] == [
        "docs/a.md",
        "文档/b.txt",
        "c.pdf",
        "page.html",
    ]
    assert (2, "Rules") in titles(document)
    places = [document.place(document.text.index(words)) for words in ("First line", "年假二十天", "网页", "On paper")]
    assert places == [
        Place(None, 3, "file", "docs/a.md"),
        Place(None, 3, "file", "文档/b.txt"),
        Place(None, 3, "file", "page.html"),
        Place(1, None, "page", "c.pdf"),
    ]
    for name, why in (("d.bin", "no reader"), (".hidden.txt", "hidden"), ("empty.txt", "empty")):
        assert any(name in str(note) and why in str(note) for note in document.notes), name
    chunks = split(document, len, 40, 0, "")
    [found] = [chunk for chunk in chunks if "年假二十天" in chunk.text]
    assert found.heading_path == ("文档/b.txt",)


def test_a_place_in_a_mail_with_attachments(read: Reader) -> None:
    offer = letter("报价", "See what is attached.\n")
    offer.add_attachment(text_pdf("On paper", "Page two"), maintype="application", subtype="pdf", filename="a.pdf")
    offer.add_attachment("第一行\n第二行\n", filename="说明.txt")
    document = read("offer.eml", offer.as_bytes())
    places = [document.place(document.text.index(words)) for words in ("See what", "Page two", "第二行")]
    assert places == [Place(None, 6), Place(2, None, "page", "a.pdf"), Place(None, 2, "file", "说明.txt")]


def test_names_of_other_machines(read: Reader) -> None:
    data = packed({"AAAA.txt": b"x\n", "BBBBBBBB.txt": b"y\n"})
    for name, other in ((b"AAAA", "假期"), (b"BBBBBBBB", "员工手册")):
        data = data.replace(name, other.encode("gbk"))
    assert [title for _, title in titles(read("a.zip", data))] == ["假期.txt", "员工手册.txt"]


def test_archives_in_archives_to_a_depth(read: Reader) -> None:
    data = packed({"last.txt": b"too deep"})
    for level in (2, 1, 0):
        data = packed({f"inner{level}.zip": data, f"t{level}.txt": f"层 {level}".encode()})
    document = read("outer.zip", data)
    assert [f"层 {level}" in document.text for level in (0, 1, 2)] == [True] * 3
    assert "too deep" not in document.text.replace("too deeply", "")
    assert "nested too deeply" in notes(document)
    assert (2, "inner0.zip!/t1.txt") in titles(document)


def test_archives_that_would_burst(read: Reader) -> None:
    assert "hardly anything" in read.refusal("a.zip", packed({"a.txt": b" " * (64 << 20)}))
    assert "more parts than are read" in read.refusal("b.zip", packed({f"{n}.txt": b"" for n in range(5001)}))
    inside = packed({"bomb.zip": packed({"a.txt": b" " * (64 << 20)}), "好.txt": "still here 还在".encode()})
    document = read("c.zip", inside)
    assert "still here 还在" in document.text
    assert "bomb.zip was not read: It unpacks to 64 MB out of hardly anything" in notes(document)
    lying = bytearray(packed({"a.txt": b"a" * 100_000}))
    lying[22:26] = struct.pack("<I", 10)  # both places where the size is told
    at = lying.index(b"PK\x01\x02")
    lying[at + 24 : at + 28] = struct.pack("<I", 10)
    assert "damaged" in read.refusal("d.zip", bytes(lying))


def test_damaged_locked_and_other_archives(read: Reader) -> None:
    data = packed({"a.txt": "一句话".encode() * 500, "b.txt": b"fine and well"}, zipfile.ZIP_STORED)
    assert "damaged or cut off" in read.refusal("a.zip", data[:-40])
    assert "not a ZIP" in read.refusal("b.zip", "words 文字")
    assert read.refusal("c.zip", b"") == "The file is empty."
    assert "no files" in read.refusal("d.zip", packed({}))
    document = read("e.zip", data.replace("一句话".encode(), "两句话".encode(), 1))
    assert "fine and well" in document.text
    assert "a.txt was not read: It is damaged" in notes(document)
    locked = bytearray(data)
    at = locked.index(b"PK\x01\x02")
    locked[at + 8] |= 1
    locked[6] |= 1
    assert "a.txt was not read: It needs a password: save a copy that needs none." in notes(
        read("f.zip", bytes(locked))
    )


def test_a_mail_in_an_archive_and_an_archive_in_a_mail(read: Reader) -> None:
    made = letter()
    made.add_attachment(
        packed({"规定.txt": SENTENCE.encode()}), maintype="application", subtype="zip", filename="r.zip"
    )
    document = read("a.zip", packed({"mail.eml": bytes(made)}))
    assert titles(document) == [(1, "mail.eml"), (2, "r.zip"), (3, "r.zip!/规定.txt")]
    assert SENTENCE in document.text
