"""HTML as readable text that remembers the line of the file that each piece came from.

The parser is the standard library's. On 140 manual pages and on broken pages it found the same
characters as lxml, and it alone gives the line of every piece of text: lxml knows the line of an
element's start only, not of the text behind a <br>, and selectolax knows no lines at all.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes

from ragkit.i18n.messages import Message, coded
from ragkit.loaders.building.picture_collector import DAMAGED, PictureCollector, require_pictures
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.building.tables import MAX_NAME_LENGTH
from ragkit.loaders.reasons import NOT_TEXT_BUT
from ragkit.loaders.text.declared import HTML_CHARSET, XML_ENCODING, declared_encoding
from ragkit.loaders.text.plain import decode
from ragkit.types.documents import Document, Heading
from ragkit.types.errors import LoadError, NoText
from ragkit.types.ports import Picture

_DATA_PICTURE = re.compile(r"\s*data:image/[\w.+-]+(?:;[\w=.+-]+)*;base64", re.IGNORECASE)
_NO_TEXT_ON_PAGE = coded("page_without_text", "The page holds no text.")
_NEVER_CLOSED = coded("never_closed", "<{tag}> in line {line} is never closed; what follows it was not read.")
_UNREAD = frozenset({"script", "style", "template", "noscript"})
_PICTURES = frozenset({"img", "image"})  # pictures in HTML, and in the drawings (SVG) within it
_CELLS = frozenset({"td", "th"})
_MAX_SPANNED = 1000  # rows or columns that one cell may span
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS_APART = frozenset(  # an empty line stands before and behind them
    """p h1 h2 h3 h4 h5 h6 ul ol dl table pre blockquote section article figure hr details
    fieldset""".split()
)
_BLOCKS = frozenset(  # they begin and end a line
    """address aside body br caption center dd dir div dt fieldset figcaption footer form head header legend
    li main menu nav option optgroup select summary tbody textarea tfoot thead title tr""".split()
)
_ONE_LINE_IN_CELLS = frozenset({"p", "div", "br", "center"})  # a cell of two paragraphs stays in its row
_CJK = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_CJK_EDGE = re.compile(f"[{_CJK}]")
_LOOSE_END = re.compile(r"</(script|style)\b[^>\n]*>", re.IGNORECASE)  # browsers take `</script x>` for an end
_SPACE = re.compile(r"[ \t\n\r\f]+")


def read_html(source: str, data: bytes, context: ReadContext) -> Document:
    """A place is a line of the file. Raises NoText, LoadError (not a text at all)."""
    return replace(read_page(data, context.pictures), source=source, media_type=context.media_type)


def read_page(
    data: bytes,
    pictures: PictureCollector | None = None,
    picture_at: Callable[[str], bytes | None] | None = None,
) -> Document:
    """A page without a source, also for HTML inside other formats.

    `picture_at` gives the picture of an address, if it is to be described; by default only those are taken that stand
    in the page itself. Raises NoText, LoadError (not a text at all).
    """
    if data.startswith(b"%PDF-"):
        raise LoadError(NOT_TEXT_BUT, kind="PDF")
    markup, notes = decode(data, declared_encoding(data, HTML_CHARSET, XML_ENCODING))
    if pictures is not None and picture_at is None:
        picture_at = partial(_picture_within, pictures)
    reader = _Reader(picture_at)
    reader.feed(_LOOSE_END.sub(r"</\1>", markup))
    reader.close()
    text = "".join(reader.pieces)
    if pictures is not None:
        pictures.placed = reader.placed
    if not text.strip():
        unread = reader.notes()
        require_pictures(pictures, LoadError(unread[0]) if unread else NoText(_NO_TEXT_ON_PAGE))
    named = " ".join("".join(reader.title).split())
    title = named or next((heading.title for heading in reader.headings if heading.level == 1), "")
    return Document(
        "", "text/html", title, text,
        headings=tuple(reader.headings), line_marks=tuple(reader.marks), notes=(*notes, *reader.notes()),
    )  # fmt: skip


def _picture_within(pictures: PictureCollector, address: str) -> bytes | None:
    """The picture that a data: address holds; None for other addresses, as nothing is ever fetched."""
    head, comma, data = address.partition(",")
    if not comma or not _DATA_PICTURE.fullmatch(head):
        return None
    try:
        return pictures.accepted(base64.b64decode(unquote_to_bytes(data.strip())))
    except ValueError:
        pictures.leave_out(DAMAGED)
        return None


def _span(said: str | None) -> int:
    return int(said) if said and said.isdecimal() and 0 < int(said) < _MAX_SPANNED else 1


def _first_number(start: str) -> int:
    return int(start) if start.isdecimal() and len(start) < 9 else 1


@dataclass
class _Table:
    """An open table: the names of its columns, and how far its row has been read."""

    names: dict[int, str] = field(default_factory=dict)  # column, from 0 -> the words of its header cell
    heads: dict[int, str] | None = field(default_factory=dict)  # this row's header cells; None: it has other cells
    below: dict[int, int] = field(default_factory=dict)  # column -> how many rows a cell above reaches down
    column: int = 0  # column of the next cell
    cell: tuple[range, int] | None = None  # the open header cell's columns, and its first piece

    def start_row(self) -> None:
        self.below = {column: rows - 1 for column, rows in self.below.items() if rows > 1}
        self.heads, self.column = {}, 0

    def start_cell(self, width: int, height: int) -> range:
        """Move on by one cell; returns the columns that it covers."""
        while self.column in self.below:
            self.column += 1
        covered = range(self.column, self.column + width)
        self.below.update((column, height) for column in covered if height > 1)
        self.column += width
        return covered

    def end_row(self) -> None:
        """A row of nothing but headers names the columns."""
        if self.heads and len(set(self.heads.values()) - {""}) > 1:
            self.names = self.names | self.heads
        self.heads = {}


class _Reader(HTMLParser):
    """Collects text; white space and breaks wait until the next character shows they are needed, and a picture
    waits for the next line."""

    def __init__(self, picture: Callable[[str], bytes | None] | None) -> None:
        super().__init__(convert_charrefs=True)
        self.placed: list[Picture] = []
        self._picture = picture
        self._waiting: list[bytes] = []  # pictures met in the line that is being written
        self.pieces: list[str] = []
        self.headings: list[Heading] = []
        self.marks: list[tuple[int, int]] = []
        self.title: list[str] = []
        self._length = 0  # characters in `pieces`
        self._last = ""  # the last character written
        self._break = 0  # line ends that wait
        self._space = ""  # white space that waits: "", " ", or "\n" if it had a line end in the file
        self._lead = ""  # the bullet or number that waits for its item's text
        self._cells = -1  # cell borders that wait; -1: the next cell is the row's first
        self._row_is_fresh = False  # whether nothing of the table row has been written yet
        self._in_cells = 0
        self._tables: list[_Table] = []  # the open tables, the innermost last
        self._in_pre = 0
        self._lists: list[int | None] = []  # the open lists: the next number, or None for bullets
        self._unread: list[tuple[str, int]] = []  # the open elements that are not for readers, and their lines
        self._heading: tuple[str, int, int] | None = None  # the tag of the open heading, its first piece, its offset

    def notes(self) -> list[Message]:
        return [_NEVER_CLOSED.fill(tag=tag, line=line) for tag, line in self._unread[:1]]

    # -- what the parser calls -------------------------------------------------------------------

    def close(self) -> None:
        super().close()
        self._show_waiting()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._unread and self._unread[-1][0] == "title" and tag != "title":
            self._unread.pop()  # a title that was never closed
        if tag in _UNREAD or (tag == "title" and not self.title and not self._length):
            self._unread.append((tag, self.getpos()[0]))
        if self._unread:
            return
        if tag == "img" and (alt := dict(attrs).get("alt")):
            self._inline(alt)
        if tag in _PICTURES and self._picture is not None:
            self._meet_picture(dict(attrs))
        self._boundary(tag)
        if tag in _HEADINGS:
            self._end_heading()
            self._heading = (tag, len(self.pieces), -1)
        elif tag == "pre":
            self._in_pre += 1
        elif tag in ("ul", "ol", "menu"):
            self._lists.append(_first_number(dict(attrs).get("start") or "") if tag == "ol" else None)
        elif tag == "li":
            self._lead = self._bullet()
        elif tag in _CELLS:
            self._start_cell(tag, dict(attrs))
        elif tag == "table":
            self._tables.append(_Table())
        elif tag == "tr":
            self._end_row()
            if self._tables:
                self._tables[-1].start_row()
            self._row_is_fresh, self._cells, self._in_cells = True, -1, 0

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An empty element of XHTML: `<p/>` opens nothing."""
        if tag not in _UNREAD and tag != "title":
            super().handle_startendtag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._unread:
            if tag in [name for name, _ in self._unread]:
                while self._unread.pop()[0] != tag:
                    pass
            return
        if tag in _HEADINGS:
            self._end_heading()
        elif tag == "pre":
            self._in_pre = max(self._in_pre - 1, 0)
        elif tag in ("ul", "ol", "menu") and self._lists:
            self._lists.pop()
        elif tag in _CELLS:
            self._in_cells = max(self._in_cells - 1, 0)
            self._end_cell()
        elif tag in ("tr", "thead", "table"):
            self._end_row()
        if tag == "table":
            self._cells = 0
            del self._tables[-1:]
        self._boundary(tag)

    def handle_data(self, data: str) -> None:
        if self._unread:
            if self._unread[-1][0] == "title":
                self.title.append(data)
            return
        if data == "¶":
            return  # documentation tools put such a link behind headings
        line = self.getpos()[0]
        for number, piece in enumerate(data.split("\n"), line):
            if number > line:
                self._line_end()
            self._piece(piece, number)

    def unknown_decl(self, data: str) -> None:
        if data.startswith("CDATA["):
            self.handle_data(data[6:])

    # -- writing ---------------------------------------------------------------------------------

    def _meet_picture(self, attributes: dict[str, str | None]) -> None:
        assert self._picture is not None
        address = attributes.get("src") or attributes.get("xlink:href") or attributes.get("href") or ""
        found = self._picture(address)
        if found is not None:
            self._waiting.append(found)

    def _show_waiting(self) -> None:
        self.placed += (Picture(self._length, data) for data in self._waiting)
        self._waiting.clear()

    def _inline(self, text: str) -> None:
        self._piece(_SPACE.sub(" ", text), self.getpos()[0])

    def _line_end(self) -> None:
        if self._in_pre:
            self._break += 1
            self._space = ""
        else:
            self._space = "\n"

    def _piece(self, piece: str, line: int) -> None:
        """Write a stretch of text that stands on one `line` of the file."""
        if self._in_pre:
            if piece.strip():
                self._write(piece, line)
            elif piece and not self._break:
                self._space = " "
            return
        words = _SPACE.sub(" ", piece.replace("\xad", ""))  # a soft hyphen is no letter
        if words[:1] == " ":
            self._space = self._space or " "
        if words.strip():  # a no-break space alone only fills an empty cell
            self._write(words.strip(" "), line)
            self._space = " " if words[-1] == " " else ""

    def _write(self, text: str, line: int) -> None:
        before = self._before(text[0])
        if "\n" in before or not self._length:
            self._show_waiting()
        begin = self._length + len(before) - len(before.lstrip("\n"))  # bullets and names of columns belong to the line
        if self._heading and self._heading[2] < 0:
            self._heading = (self._heading[0], len(self.pieces), begin)
        self._append(before)
        if not self.marks or self.marks[-1][1] != line:
            self.marks.append((begin, line))
        self._append(text)
        self._break, self._space, self._lead = 0, "", ""

    def _before(self, first: str) -> str:
        """The breaks, borders, bullet or space that have to stand before a text that begins with `first`."""
        borders, self._cells = max(self._cells, 0), min(self._cells, 0)
        if self._in_cells and self._row_is_fresh:
            self._row_is_fresh = False
            return ("\n" * self._break if self._length else "") + "| " * borders + self._lead
        if borders and not self._break:
            return " |" * borders + " " + self._lead
        if self._break or not self._length:
            return ("\n" * self._break if self._length else "") + self._lead
        if self._lead:
            return " " + self._lead
        joined = self._space == "\n" and _CJK_EDGE.match(self._last) and _CJK_EDGE.match(first)
        return "" if joined or not self._space else " "

    def _append(self, text: str) -> None:
        if text:
            self.pieces.append(text)
            self._length += len(text)
            self._last = text[-1]

    def _boundary(self, tag: str) -> None:
        """Have the break wait that `tag` makes, at its start and at its end."""
        if tag in _ONE_LINE_IN_CELLS and self._in_cells and not self._in_pre:
            self._space = self._space or " "
        elif tag in _BLOCKS_APART and not (tag in ("ul", "ol") and len(self._lists) > 1):
            self._break = max(self._break, 2)
        elif tag in _BLOCKS or tag in _BLOCKS_APART:
            self._break = max(self._break, 1)

    def _bullet(self) -> str:
        number = self._lists[-1] if self._lists else None
        indent = "  " * (len(self._lists) - 1)
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number}. "

    def _start_cell(self, tag: str, attrs: dict[str, str | None]) -> None:
        """The first cell of a row has no border before it (`_cells` is -1 at the row's start)."""
        self._end_cell()
        self._in_cells += 1
        self._cells += 1
        self._space = ""
        if not self._tables:
            return
        table = self._tables[-1]
        covered = table.start_cell(_span(attrs.get("colspan")), _span(attrs.get("rowspan")))
        if tag == "th" and attrs.get("scope") != "row":
            table.cell = (covered, len(self.pieces))
            return
        table.heads = None
        if name := table.names.get(covered.start, ""):
            self._lead = f"{name}: "

    def _end_cell(self) -> None:
        table = self._tables[-1] if self._tables else None
        if table is not None and table.cell is not None:
            covered, begin = table.cell
            words = " ".join("".join(self.pieces[begin:]).strip(" |\n").split())
            if table.heads is not None:
                table.heads |= dict.fromkeys(covered, words if len(words) <= MAX_NAME_LENGTH else "")
            table.cell = None
        if table is not None and self._lead.endswith(": "):
            self._lead = ""  # the cell is empty

    def _end_row(self) -> None:
        self._end_cell()
        if self._tables:
            self._tables[-1].end_row()

    def _end_heading(self) -> None:
        if self._heading and self._heading[2] >= 0:
            tag, first, start = self._heading
            title = " ".join("".join(self.pieces[first:]).split())
            self.headings.append(Heading(_HEADINGS[tag], title, start))
        self._heading = None
