"""Text, Markdown and reStructuredText: decoding, and headings. A line of the text is a line of the file."""

from __future__ import annotations

import codecs
import re

import charset_normalizer

from ragkit.errors import LoadError, NoText
from ragkit.messages import Message
from ragkit.types import Document, Heading

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_BYTES = 200_000  # looked at to recognise an encoding

# The most frequent characters of running text, simplified and traditional: right text is full of
# them, text decoded with the wrong table is not.
_FREQUENT_HAN = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然"
    "家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心本前开但因只从想实日者意无力与长把机十民第"
    "公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应向文体相见被利等产或新制身果加月合回特代内信表化位次"
    "度任常先通提及比员解名处各入条请须需员工司假费请可應這個們來為國說時會對於後裡發過還進開實無與長機關點業將兩間問"
    "並應體見產話給內門東員處認條題別變總電數報結務場計資統區隊決書則聽達強難權術確傳請費須"
)
_FREQUENT_HANGUL = frozenset("이다는을의에가하고한지기로사도를자나어리시대인해그서스일정")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*")
_NO_TITLE = ("    ", "-", "|", ">", "#")  # begins of lines that an underline does not make a heading
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_ADORNMENT = re.compile(r"^([!-/:-@\[-`{-~])\1{2,}[ \t]*$")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def read_text(source: str, data: bytes, media_type: str) -> Document:
    """A text file as a document. Raises LoadError when it is no text, NoText when it is empty."""
    text, notes = decode(data)
    text = one_line_end(text)
    if not text.strip():
        raise NoText("The file is empty.")
    headings: tuple[Heading, ...] = ()
    title = ""
    if media_type == "text/markdown":
        headings, title = _markdown_headings(text), _front_matter_title(text)
    elif media_type == "text/x-rst":
        headings = _rst_headings(text)
    return Document(
        source=source,
        media_type=media_type,
        title=title or (headings[0].title if headings else ""),
        text=text,
        headings=headings,
        notes=notes,
    )


def decode(data: bytes) -> tuple[str, tuple[Message, ...]]:
    """The text in `data` and what had to be guessed. Raises LoadError when it is not text."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _decoded(data[len(bom) :], encoding)
    utf8 = _utf8(data)
    if utf8 is not None and "\0" not in utf8[:_SAMPLE_BYTES]:
        return _checked(utf8), ()
    wide = _wide_encoding(data)
    if wide:
        return _decoded(data, wide)
    if utf8 is not None:
        return _checked(utf8), ()
    if _nearly_utf8(data):
        return _decoded(data, "utf-8")
    encoding = _east_asian_encoding(data[:_SAMPLE_BYTES]) or _other_encoding(data)
    text, notes = _decoded(data, encoding)
    return text, (Message("The file is not UTF-8; it was read as {encoding}.", {"encoding": encoding}), *notes)


def one_line_end(text: str) -> str:
    """`text` with "\\n" line ends and a space for each control character: as many lines as an editor
    shows."""
    return _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _decoded(data: bytes, encoding: str) -> tuple[str, tuple[Message, ...]]:
    text = data.decode(encoding, "replace")
    lost = text.count("\ufffd") - data.count("\ufffd".encode(encoding, "ignore") or b"\0\0\0\0")
    notes: tuple[Message, ...] = ()
    if lost > 0:
        notes = (Message("{count} places were not valid {encoding}.", {"count": lost, "encoding": encoding}),)
    return _checked(text), notes


def _checked(text: str) -> str:
    controls = len(_CONTROL.findall(text[:_SAMPLE_BYTES]))
    if controls > max(8, min(len(text), _SAMPLE_BYTES) // 20):
        raise LoadError("The file is not text, whatever its name says.")
    return text


def _wide_encoding(data: bytes) -> str:
    """UTF-16 without a mark, by where its zero bytes and its line ends are; "" when it is not."""
    sample = data[: _SAMPLE_BYTES // 2 * 2]
    if len(sample) < 4 or len(data) % 2:
        return ""
    for encoding, high in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros, other = sample[high::2].count(0), sample[1 - high :: 2].count(0)
        if zeros > len(sample) * 0.2 and other < len(sample) * 0.02:
            return encoding
    return max(("utf-16-le", "utf-16-be"), key=lambda name: _share(sample, name)) if _likely_wide(sample) else ""


def _likely_wide(sample: bytes) -> bool:
    return max(_share(sample, "utf-16-le"), _share(sample, "utf-16-be")) > 0.25 and not _east_asian_encoding(sample)


def _share(sample: bytes, encoding: str) -> float:
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    return sum(character in _FREQUENT_HAN for character in text) / max(len(text), 1)


def _nearly_utf8(data: bytes) -> bool:
    """Whether a few broken places stand in otherwise good UTF-8."""
    text = data[:_SAMPLE_BYTES].decode("utf-8", "replace")
    bad, good = text.count("\ufffd"), sum(ord(character) > 127 for character in text)
    return bad * 20 <= good - bad


def _east_asian_encoding(sample: bytes) -> str:
    """The double-byte encoding that gives ordinary text; "" when none does."""
    best, best_score = "", 0.6
    for encoding in ("gb18030", "big5", "cp932", "euc_jp", "cp949"):
        text = _strict_sample(sample, encoding)
        found = [character for character in text if ord(character) > 0x2E7F]
        if found:
            score = sum(_commonness(character, encoding) for character in found) / len(found)
            if score > best_score:
                best, best_score = encoding, score
    return {"big5": "big5hkscs"}.get(best, best)


def _strict_sample(sample: bytes, encoding: str) -> str:
    """`sample` decoded, or "" when it is not in `encoding`; the sample may end inside a character."""
    for cut in range(4):
        try:
            return sample[: len(sample) - cut].decode("big5hkscs" if encoding == "big5" else encoding)
        except UnicodeDecodeError:
            continue
    return ""


def _commonness(character: str, encoding: str) -> float:
    """0 to 2: how ordinary a character is in text of this encoding's language."""
    if character in "，。、：；？！（）“”《》「」％・ー":
        return 1.2
    if "\u3040" <= character <= "\u30ff":
        return 1.6 if encoding in ("cp932", "euc_jp") else 0.0
    if "\uac00" <= character <= "\ud7af":
        return (1.8 if character in _FREQUENT_HANGUL else 0.7) if encoding == "cp949" else 0.0
    if character in _FREQUENT_HAN and encoding in ("gb18030", "big5"):
        return 2.0
    try:
        lead, *rest = character.encode({"gb18030": "gb2312", "cp949": "euc_kr"}.get(encoding, encoding))
    except UnicodeEncodeError:
        return 0.0
    common = {"gb18030": (0xB0, 0xD7), "big5": (0xA4, 0xC6), "cp932": (0x88, 0x98), "euc_jp": (0xB0, 0xCF)}
    low, high = common.get(encoding, (0x100, 0x100))
    return 0.9 if rest and low <= lead <= high else 0.2


def _other_encoding(data: bytes) -> str:
    best = charset_normalizer.from_bytes(data[:_SAMPLE_BYTES]).best()
    return best.encoding if best is not None else "cp1252"


def _markdown_headings(text: str) -> tuple[Heading, ...]:
    """ATX and setext headings outside code and front matter (CommonMark 4.2, 4.3)."""
    found: list[Heading] = []
    fence = ""
    previous, previous_start = "", 0
    start = _front_matter_end(text)
    for line in text[start:].splitlines(keepends=True):
        bare = line.rstrip("\n")
        mark = _FENCE.match(bare)
        if fence:
            if mark and mark.group(1).startswith(fence):
                fence = ""
        elif mark:
            fence = mark.group(1)
        elif (heading := _HEADING.match(bare)) and heading.group(2):
            found.append(Heading(len(heading.group(1)), _plain(heading.group(2)), start))
        elif _SETEXT.fullmatch(bare) and previous.strip() and not previous.startswith(_NO_TITLE):
            found.append(Heading(1 if "=" in bare else 2, _plain(previous), previous_start))
        previous, previous_start = bare, start
        start += len(line)
    return tuple(found)


def _plain(title: str) -> str:
    """A heading's text without links, emphasis and attributes."""
    title = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return re.sub(r"\s*\{[#.:][^}]*\}\s*$", "", title).replace("**", "").replace("`", "").strip()


def _front_matter_end(text: str) -> int:
    if not text.startswith("---\n"):
        return 0
    end = re.compile(r"^(?:---|\.\.\.)[ \t]*$\n?", re.MULTILINE).search(text, 4)
    return end.end() if end else 0


def _front_matter_title(text: str) -> str:
    found = _TITLE.search(text, 0, _front_matter_end(text))
    return found.group(1).strip("\"'") if found else ""


def _rst_headings(text: str) -> tuple[Heading, ...]:
    """Section titles: a line under an adornment at least as long; levels in order of appearance."""
    found: list[Heading] = []
    styles: list[tuple[str, bool]] = []
    lines = text.split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    for number in range(1, len(lines)):
        title, under = lines[number - 1], lines[number]
        if not title.strip() or not _ADORNMENT.match(under) or _ADORNMENT.match(title):
            continue
        if len(under.rstrip()) < _columns(title.rstrip()):
            continue
        over = number >= 2 and lines[number - 2].rstrip() == under.rstrip()
        if title[0].isspace() and not over:
            continue
        style = (under[0], over)
        if style not in styles:
            styles.append(style)
        found.append(Heading(styles.index(style) + 1, title.strip(), offsets[number - 2 if over else number - 1]))
    return tuple(found)


def _columns(text: str) -> int:
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
