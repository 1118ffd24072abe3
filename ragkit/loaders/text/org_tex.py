"""Org and TeX: the text that a reader of the printed page sees."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from ragkit.loaders.building.document_builder import one_line
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.reasons import NO_TEXT_IN_FILE
from ragkit.loaders.text.plain import decode_words
from ragkit.types.documents import Document, Heading
from ragkit.types.errors import NoText

_ORG_HEADING = re.compile(r"(\*+)[ \t]+(.*)")
_ORG_KEYWORD = re.compile(r"(?:TODO|DONE|NEXT|WAITING|CANCELLED)[ \t]+|\[#[A-Z]\][ \t]*")
_ORG_TAGS = re.compile(r"[ \t]+:[\w@#%:]+:[ \t]*$")
_ORG_TITLE = re.compile(r"^#\+title:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_ORG_BLOCK = re.compile(r"[ \t]*#\+(begin|end)_(src|example|export|comment)\b", re.IGNORECASE)

_LEVELS = {name: level for level, name in enumerate("part chapter section subsection subsubsection".split(), 1)}
_ARGUMENT = r"\s*(?:\[[^\[\]]*\]\s*)?\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
_SECTION = re.compile(rf"\\({'|'.join(_LEVELS)})\*?{_ARGUMENT}")
_TITLE = re.compile(rf"\\title{_ARGUMENT}")
_LISTING = re.compile(r"\\begin\{((?:verbatim|lstlisting|minted)\*?)\}")
_FORMULA = re.compile(
    r"\\begin\{((?:equation|align|gather|displaymath|math|eqnarray|multline)\*?)\}|(?<!\\)(?:\$\$|\\\[|\\\()"
)
_CLOSERS = {"$$": "$$", r"\[": r"\]", r"\(": r"\)"}
_INLINE = re.compile(r"(?<!\\)\$(?:\\.|[^$\\]){1,500}\$", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*")
_UNSHOWN = re.compile(
    r"\\(?:begin|end|label|cite[a-z]*|usepackage|documentclass|bibliography|bibliographystyle|includegraphics"
    rf"|input|include|pagestyle|thispagestyle|vspace|hspace|setlength)\*?{_ARGUMENT}"
)
_ACCENT = re.compile(r"\\(?:([`'^\"~=.])\s*(?:\{\\?([a-zA-Z])\}|\\?([a-zA-Z]))|([cvuHk])\{([a-zA-Z])\})")
_ACCENTS = dict(
    zip("`'^\"~=.cvuHk", "\u0300\u0301\u0302\u0308\u0303\u0304\u0307\u0327\u030c\u0306\u030b\u0328", strict=True)
)
_COMMAND = re.compile(r"\\[a-zA-Z]+\*?(?:\[[^\[\]\n]*\])?\{([^{}]*)\}")
_FOOTNOTE = re.compile(rf"\\footnote{_ARGUMENT}")
_BARE = re.compile(r"\\[a-zA-Z]+\*?[ \t]?|[{}]")
_SIGNS = (
    *(("\\item", "- "), ("\\\\", " "), ("~", " "), ("---", "—"), ("--", "–"), ("``", "“"), ("''", "”")),
    *((f"\\{sign}", sign) for sign in "%&_#$"),
)
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"  # noncharacters that hold the place of what was put aside
_HELD = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


def read_org(source: str, data: bytes, context: ReadContext) -> Document:
    """Org: the text of the file as it stands. Raises NoText, LoadError."""
    text, notes = decode_words(data)
    headings = tuple(_org_headings(text))
    named = _ORG_TITLE.search(text)
    title = named[1].strip() if named else next((h.title for h in headings if h.level == 1), "")
    return Document(source, context.media_type, title, text, headings=headings, notes=notes)


def _org_headings(text: str) -> Iterator[Heading]:
    start, block = 0, False
    for line in text.split("\n"):
        if fence := _ORG_BLOCK.match(line):
            block = fence[1].lower() == "begin"
        found = None if block else _ORG_HEADING.fullmatch(line)
        if found:
            title = _ORG_KEYWORD.sub("", _ORG_TAGS.sub("", found[2]), count=2)
            yield Heading(len(found[1]), one_line(title), start)
        start += len(line) + 1


# -- TeX -----------------------------------------------------------------------------------------


def read_tex(source: str, data: bytes, context: ReadContext) -> Document:
    """TeX without comments, preamble and commands; a line of the text stays the line of the file.

    Raises NoText, LoadError.
    """
    text, notes = decode_words(data)
    held: list[str] = []

    def hold(value: str) -> str:
        held.append(value)
        return f"{_OPEN}{len(held) - 1}{_CLOSE}"

    text = text.replace(_OPEN, " ").replace(_CLOSE, " ")
    text = _put_aside(text, _LISTING, hold)  # listings and formulas stay as they are written
    text = _put_aside(_COMMENT.sub(r"\1", text), _FORMULA, hold)
    text = _INLINE.sub(lambda match: hold(match[0]), text)
    title = _TITLE.search(text)
    text = _without_preamble(text, title)
    text = _SECTION.sub(lambda match: hold("\0" + match[1]) + match[2] + hold("\0"), text)
    text, headings = _with_held(_bare_tex(text), held)
    if not text.strip():
        raise NoText(NO_TEXT_IN_FILE)
    named = one_line(_with_held(_bare_tex(title[1]), held)[0]) if title else ""
    return Document(source, context.media_type, named, text, headings=tuple(headings), notes=notes)


def _put_aside(text: str, opener: re.Pattern[str], hold: Callable[[str], str]) -> str:
    """The text with what `hold` gives in place of everything from an opener to its end.

    An opener that is never closed opens nothing.
    """
    parts: list[str] = []
    at = 0
    never: set[str] = set()
    for found in opener.finditer(text):
        closer = _CLOSERS.get(found[0]) or rf"\end{{{found[1]}}}"
        if found.start() < at or closer in never:
            continue
        end = text.find(closer, found.end())
        if end < 0:
            never.add(closer)
            continue
        parts += (text[at : found.start()], hold(text[found.start() : end + len(closer)]))
        at = end + len(closer)
    return "".join(parts) + text[at:]


def _without_preamble(text: str, title: re.Match[str] | None) -> str:
    """The text with empty lines in place of all before the document, but for the title."""
    before, begin, rest = text.partition(r"\begin{document}")
    if not begin:
        return text
    if title and title.end() <= len(before):
        blank = "\n" * before.count("\n", 0, title.start()) + title[1]
        return blank + "\n" * (before.count("\n") - blank.count("\n")) + rest
    return "\n" * before.count("\n") + rest


def _bare_tex(text: str) -> str:
    """The text without commands; what they hold stays, and so does every line end."""
    text = _UNSHOWN.sub(lambda match: "\n" * match[0].count("\n"), text)
    text = _FOOTNOTE.sub(r" (\1)", _ACCENT.sub(_accented, text))
    for _ in range(8):  # so deep may commands stand within commands
        text, count = _COMMAND.subn(r"\1", text)
        if not count:
            break
    for written, shown in _SIGNS:
        text = text.replace(written, shown)
    return _BARE.sub("", text)


def _accented(match: re.Match[str]) -> str:
    letter = match[2] or match[3] or match[5]
    return unicodedata.normalize("NFC", letter + _ACCENTS[match[1] or match[4]])


def _with_held(text: str, held: list[str]) -> tuple[str, list[Heading]]:
    """The text with what was put aside in its place again, and the headings in place of their marks."""
    parts: list[str] = []
    headings: list[Heading] = []
    length, last = 0, 0
    opened: tuple[int, int] | None = None  # the level of the open heading, and where its title begins
    for mark in _HELD.finditer(text):
        value = held[int(mark[1])]
        for part in (text[last : mark.start()], "" if value.startswith("\0") else value):
            parts.append(part)
            length += len(part)
        last = mark.end()
        if value == "\0" and opened:
            title = one_line("".join(parts)[opened[1] :])
            headings.append(Heading(opened[0], title, opened[1]))
        if value.startswith("\0"):
            opened = (_LEVELS[value[1:]], length) if value[1:] else None
    return "".join(parts) + text[last:], headings
