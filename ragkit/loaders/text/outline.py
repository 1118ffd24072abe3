"""Finds the headings of Markdown and reStructuredText, line by line in the text as it stands."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html import unescape

from ragkit.types.documents import Heading

Outline = tuple[str, tuple[Heading, ...]]  # the document's title, "" if there is none, and its headings

_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)^(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.S | re.M)
_TITLE = re.compile(r"""^title[ \t]*[:=][ \t]*(["']?)(.*?)\1[ \t]*$""", re.MULTILINE | re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_ATX = re.compile(r" {0,3}(#{1,6})((?:[ \t].*)?)")
_CLOSING = re.compile(r"(?:^|(?<=[ \t]))#+$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*")
_NO_PARAGRAPH = re.compile(r" {4}|\t| {0,3}(?:[>|<]|[-*+][ \t]|\d{1,9}[.)][ \t])")
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
_MARKUP = re.compile(r"<[^<>]{0,200}>|\{[#:.][^{}]*\}\s*$|(?<!\\)[*`]+|(?<!\w)_+|_+(?!\w)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*[ \t]*")


def markdown_outline(text: str) -> Outline:
    """The ATX and setext headings outside code and comments.

    The title is that of the front matter, or else the first heading of level 1.
    """
    matter = _FRONT_MATTER.match(text)
    headings = tuple(_markdown_headings(text, matter.end() if matter else 0))
    named = _TITLE.search(matter[2]) if matter else None
    title = _without_markup(named[2]) if named else ""
    return title or next((h.title for h in headings if h.level == 1), ""), headings


def rst_outline(text: str) -> Outline:
    """The adorned titles; a style of adornment gets its level when it first appears."""
    levels: dict[str, int] = {}
    headings = []
    for style, title, start in _rst_titles(list(_lines(text))):
        headings.append(Heading(levels.setdefault(style, len(levels) + 1), title, start))
    return headings[0].title if headings else "", tuple(headings)


def _lines(text: str, start: int = 0) -> Iterator[tuple[int, str]]:
    """Where each line from `start` on begins, and the line without its end."""
    for line in text[start:].split("\n"):
        yield start, line
        start += len(line) + 1


def _markdown_headings(text: str, start: int) -> Iterator[Heading]:
    fence = ""  # the run of marks that opened the code block we are in
    comment = False
    lazy = False
    paragraph: list[tuple[int, str]] = []  # the lines so far, which an underline would make a heading
    for offset, line in _lines(text, start):
        mark = _FENCE.fullmatch(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
        elif comment:
            comment = "-->" not in line
        elif mark and not ("`" in mark[1] and "`" in mark[2]):
            fence, paragraph = mark[1], []
        elif line.lstrip().startswith("<!--"):
            comment, paragraph = "-->" not in line, []
        elif atx := _ATX.fullmatch(line):
            paragraph = []
            yield Heading(len(atx[1]), _without_markup(_CLOSING.sub("", atx[2].strip())), offset)
        elif paragraph and (under := _SETEXT.fullmatch(line)):
            title = " ".join(part.strip() for _, part in paragraph)
            yield Heading(1 if "=" in under[1] else 2, _without_markup(title), paragraph[0][0])
            paragraph = []
        elif not line.strip() or _ends_paragraph(line, begun=bool(paragraph)):
            paragraph = []
        elif paragraph or not lazy:
            paragraph.append((offset, line))
        # A line right after a list item or quotation goes on with it: its underline is a rule.
        lazy = bool(line.strip()) and not paragraph and (lazy or bool(_NO_PARAGRAPH.match(line)))


def _ends_paragraph(line: str, *, begun: bool) -> bool:
    """Whether the line is a list item, a quotation or a table row, or code, as which an indented line is read unless a
    paragraph has begun."""
    return bool(_NO_PARAGRAPH.match(line)) and not (begun and line.startswith(("    ", "\t")))


def _without_markup(title: str) -> str:
    """A heading's words without links, emphasis, code marks, tags, backslashes of escapes and entities."""
    return " ".join(unescape(_ESCAPE.sub(r"\1", _MARKUP.sub("", _LINK.sub(r"\1", title)))).split())


def _rst_titles(lines: list[tuple[int, str]]) -> Iterator[tuple[str, str, int]]:
    """The style, the title and the start of its line; the style of an overlined title has two marks."""
    index = 0
    while index + 1 < len(lines):
        (start, line), (_, below) = lines[index], lines[index + 1]
        mark = _ADORNMENT.fullmatch(line)
        after_blank = index == 0 or not lines[index - 1][1].strip()
        if mark and after_blank and below.strip() and index + 2 < len(lines):
            under = lines[index + 2][1].rstrip()
            if under == line.rstrip() and _long_enough(under, below.strip()):
                yield mark[1] * 2, _without_markup(below), lines[index + 1][0]
                index += 3
                continue
        under_mark = _ADORNMENT.fullmatch(below)
        is_title = after_blank and not mark and line.strip() and not line[0].isspace()
        if is_title and under_mark and _long_enough(below.rstrip(), line.rstrip()):
            yield under_mark[1], _without_markup(line), start
            index += 1
        index += 1


def _long_enough(adornment: str, title: str) -> bool:
    """Whether an adornment is as long as its title, or has four marks, which is enough for docutils.

    Chinese characters count as two columns.
    """
    columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in title)
    return len(adornment) >= min(columns, 4)
