"""Makes the text of PDF pages readable: line ends, characters that look like others, stray spaces, hyphens."""

from __future__ import annotations

import re
import unicodedata

from ragkit.loaders.pdf.raw import Pages

_RADICALS = str.maketrans(  # some fonts give these in place of the characters that look the same
    {code: unicodedata.normalize("NFKC", chr(code)) for code in (*range(0x2F00, 0x2FD6), 0x2E9F, 0x2EF3)}
    | dict(  # NFKC leaves these as they are
        zip(
            map(ord, "⺠⻁⻄⻅⻆⻉⻋⻑⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲"),
            "民虎西见角贝车長长门青韦页风飞食马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀",
            strict=True,
        )
    )
)
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_HYPHEN_JOIN = re.compile("[\x02\ufffe]\\s*")  # PDFium marks so a hyphen at a line end, which it takes out
_LINE_HYPHEN = re.compile(r"([^\W\d_]+)-\n([^\W\d_]+)")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd-\uffff\ud800-\udfff]")
_HAN = "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAN_MARKS = "，。、；：？！「」『』《》（）【】〈〉“”"
_SPACED_HAN = re.compile(f"(?<=[{_HAN}]) (?=[{_HAN}])")
_CLOSE_HAN = re.compile(f"(?<=[{_HAN}])(?=[{_HAN}])")
_SPACED_MARK = re.compile(f"(?<=[{_HAN}]) (?=[{_HAN_MARKS}])|(?<=[{_HAN_MARKS}]) (?=[{_HAN}])")
_NO_TITLE = re.compile(
    r"untitled|无标题|未命名|title|document\d*|microsoft (word|powerpoint|excel) -.*|.*[/\\].*[/\\].*|"
    r"[\W\d_]*|"
    r".*\.(docx?|pptx?|xlsx?|pdf|tex|dvi|indd|qxd|fm|rtf|odt|html?|eps|ps|p65)",
    re.IGNORECASE | re.DOTALL,
)


def cleaned(text: str) -> str:
    """The text with one kind of line end, without control characters, ligatures and spaces within Chinese words.

    The marks of hyphens at line ends stay, as U+0002, for `joined_hyphens`.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_LIGATURES | _RADICALS)
    text = _HYPHEN_JOIN.sub("\0", text.replace("\0", " "))
    text = CONTROL.sub(lambda found: "\x02" if found[0] == "\0" else " ", text)
    lines = (_without_stray_spaces(line.rstrip()) for line in text.split("\n"))
    return "\n".join(lines).strip("\n")


def _without_stray_spaces(line: str) -> str:
    """A line without spaces between Chinese characters, if most have one between them, as in justified text.

    A few spaces stay, as they part columns.
    """
    if " " not in line:
        return line
    line = _SPACED_MARK.sub("", line)
    if len(_SPACED_HAN.findall(line)) >= len(_CLOSE_HAN.findall(line)):
        return _SPACED_HAN.sub("", line)
    return line


def joined_hyphens(pages: Pages) -> Pages:
    """The pages with words whole that were cut at a line's end, where the document shows how they are written.

    PDFium took the hyphen out already: it is put back only if the document has the word with a hyphen and never
    without. pypdf left hyphen and line end: they go only if the word occurs whole.
    """
    marked = any(page and ("\x02" in page or "-\n" in page) for page in pages)
    if not marked:
        return pages
    words = frozenset(word for page in pages if page for word in _WORD.findall(page.lower()))

    def rejoin(found: re.Match[str]) -> str:
        left, right = found[1], found[2]
        kept = f"{left}-{right}".lower() in words and f"{left}{right}".lower() not in words
        return f"{left}-{right}" if kept or left[-1:].isdigit() or right[:1].isdigit() else left + right

    def cut(found: re.Match[str]) -> str:
        whole = found[1] + found[2]
        return whole if whole.lower() in words else found[0]

    return [
        page and _LINE_HYPHEN.sub(cut, re.sub("([^\\W_]*)\x02([^\\W_]*)", rejoin, page)) for page in pages
    ]  # fmt: skip


def sane_title(title: str) -> str:
    """The title that a file says it has; "" if that is a file name, or what a program put there by itself."""
    title = " ".join(CONTROL.sub(" ", title).split())
    return "" if _NO_TITLE.fullmatch(title) or "\ufffd" in title or len(title) > 300 else title
