"""HTML as readable text, each piece with its line in the file, so that a citation opens there.

The standard library's parser is used because it tells the source position of each piece of text;
the faster tree builders do not.
"""

from __future__ import annotations

import codecs
import re
from html.parser import HTMLParser

from ragkit.errors import NoText
from ragkit.loaders.text import decode, one_line_end
from ragkit.messages import Message
from ragkit.terms import CJK
from ragkit.types import Document, Heading

_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]{2,40})""")
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "iso-8859-1": "cp1252", "us-ascii": "cp1252"}
_UNREAD = frozenset({"script", "style", "template", "svg", "iframe", "object", "noscript"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
    "footer form header hr html legend main nav ol p pre section summary table tbody tfoot thead tr ul li "
    "option".split()
)
_PARAGRAPHS = frozenset("p h1 h2 h3 h4 h5 h6 ul ol dl table pre blockquote section article figure".split())
_CJK_END, _CJK_START = re.compile(f"[{CJK}，。！？；：、）】」』”]$"), re.compile(f"^[{CJK}，。！？；：、（【「『“]")


def read_html(source: str, data: bytes) -> Document:
    """The visible text of a page. Raises LoadError, NoText."""
    markup, notes = _markup(data)
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    text = "".join(reader.parts).rstrip()
    if not text:
        raise NoText("The page holds no text.")
    headings = tuple(heading for heading in reader.headings if heading.start < len(text))
    return Document(
        source=source,
        media_type="text/html",
        title=" ".join("".join(reader.title).split()) or (headings[0].title if headings else ""),
        text=text,
        headings=headings,
        line_marks=tuple(mark for mark in reader.marks if mark[0] < len(text)) or ((0, 1),),
        notes=notes,
    )


def _markup(data: bytes) -> tuple[str, tuple[Message, ...]]:
    """The page decoded: by its mark, else as it says itself, else as it looks."""
    if not data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        said = _XML_ENCODING.search(data[:1024]) or _META_CHARSET.search(data[:4096])
        if said:
            name = said.group(1).decode("ascii").lower()
            try:
                return one_line_end(data.decode(_WIDER.get(name, name))), ()
            except (LookupError, UnicodeDecodeError):
                pass  # it says so wrongly: look at the bytes
    text, notes = decode(data)
    return one_line_end(text), notes


class _Reader(HTMLParser):
    """Collects text; `marks` pairs each piece's place in the text with its line in the file."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.marks: list[tuple[int, int]] = []
        self.headings: list[Heading] = []
        self.title: list[str] = []
        self._length = 0
        self._unread: list[str] = []
        self._preformatted = 0
        self._in_title = False
        self._heading: tuple[int, int, int] | None = None  # level, start, and its first part
        self._space = ""  # white space since the last piece
        self._cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._unread or tag in _UNREAD:
            if tag in _UNREAD:
                self._unread.append(tag)
            return
        if tag == "title":
            self._in_title = True
        elif tag == "br":
            self._break(1)
        elif tag in ("td", "th"):
            if self._cells:
                self._write(" | ")
            self._cells += 1
        elif tag == "img":
            alt = (dict(attrs).get("alt") or "").strip()
            if alt:
                self.handle_data(f" {alt} ")
        elif tag in _BLOCKS or tag in _HEADINGS:
            self._break(2 if tag in _PARAGRAPHS else 1)
            if tag == "tr":
                self._cells = 0
            elif tag == "li":
                self._write("- ")
            elif tag == "pre":
                self._preformatted += 1
            elif tag in _HEADINGS:
                self._heading = (_HEADINGS[tag], self._length, len(self.parts))

    def handle_endtag(self, tag: str) -> None:
        if self._unread:
            if tag in self._unread:
                del self._unread[self._unread.index(tag) :]
            return
        if tag == "title":
            self._in_title = False
        elif tag in _HEADINGS and self._heading is not None:
            level, start, first = self._heading
            title = " ".join("".join(self.parts[first:]).split())
            if title:
                self.headings.append(Heading(level, title, start))
            self._heading = None
        elif tag == "pre":
            self._preformatted = max(self._preformatted - 1, 0)
        if tag in _BLOCKS or tag in _HEADINGS:
            self._break(2 if tag in _PARAGRAPHS else 1)

    def handle_data(self, data: str) -> None:
        if self._unread:
            return
        if self._in_title:
            self.title.append(data)
            return
        first_line = self.getpos()[0]
        for number, line in enumerate(data.split("\n")):
            if self._preformatted:
                if number:
                    self._break(1)
                if line:
                    self._mark(first_line + number)
                    self._write(line)
                continue
            if number:
                self._space = "\n"
            bare = line.strip()
            if not bare:
                self._space = self._space or (" " if line else "")
                continue
            if line[0].isspace():
                self._space = self._space or " "
            self._join(" ".join(bare.split()), first_line + number)
            self._space = " " if line[-1].isspace() else ""

    def _join(self, piece: str, line: int) -> None:
        """Write a piece after the last one, with the space that stood between them; a line break
        between two Chinese characters is no space."""
        last = self.parts[-1] if self.parts else "\n"
        if self._space and not last.endswith(("\n", " ")):
            between_cjk = "\n" in self._space and _CJK_END.search(last) and _CJK_START.search(piece)
            self._write("" if between_cjk else " ")
        self._mark(line)
        self._write(piece)

    def _mark(self, line: int) -> None:
        if not self.marks or self.marks[-1][1] != line:
            self.marks.append((self._length, line))

    def _break(self, lines: int) -> None:
        """End the line; `lines` 2 leaves a blank one. Does nothing at the start or when done."""
        self._space = ""
        if not self.parts:
            return
        tail = "".join(self.parts[-3:])
        while self.parts and tail.endswith(" "):
            tail = tail[:-1]
            self.parts[-1] = self.parts[-1][:-1]
            self._length -= 1
            if not self.parts[-1]:
                self.parts.pop()
        have = len(tail) - len(tail.rstrip("\n"))
        if self._preformatted and lines == 1:
            self._write("\n")
        elif self.parts and have < lines:
            self._write("\n" * (lines - have))

    def _write(self, text: str) -> None:
        if text:
            self.parts.append(text)
            self._length += len(text)
