"""Pictures as bytes, and the words of a model put where the pictures of a document stand."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from ragkit.types import Document, Page

MOST = 48  # of one document that are described
MOST_BYTES = 8 << 20  # of one
MOST_BYTES_IN_ALL = 64 << 20  # of those of one document
MOST_PIXELS = 200_000_000  # of one: more is a bomb, or a map
_FORMATS = ((b"\x89PNG\r\n\x1a\n", b""), (b"\xff\xd8\xff", b""), (b"RIFF", b"WEBP"))  # first bytes; from the ninth on
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # markers of JPEG that a size comes with
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def is_picture(data: bytes) -> bool:
    """Of a format that models take."""
    return any(data.startswith(first) and data[8:].startswith(ninth) for first, ninth in _FORMATS)


def size_in_pixels(data: bytes) -> tuple[int, int] | None:
    """(width, height) as a picture of these formats says; None: it does not."""
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    return _webp_size(data) if data.startswith(b"RIFF") and len(data) >= 30 else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 1 if marker == 0xFF else 2  # 0xFF fills
        if marker not in _BARE and marker != 0xFF:
            at += max(int.from_bytes(data[at : at + 2], "big"), 2)
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None


def with_words(document: Document, words: Sequence[tuple[int, str]]) -> Document:
    """`document` with a paragraph of its own at each (character, text), in rising order.

    The page that holds the place, its end included, holds the paragraph; a heading or a line mark at the very
    place comes after it. All else stays what it was.
    """
    if not words:
        return document
    pieces: list[str] = []
    added: list[int] = []
    last, tail = 0, "\n\n"
    for at, text in words:
        tail = (tail + document.text[last:at])[-2:]
        block = "\n" * (2 - _breaks(tail[::-1])) + text + "\n" * (2 - _breaks(document.text[at : at + 2]))
        pieces += (document.text[last:at], block)
        added.append(len(block))
        last, tail = at, block[-2:]
    places, shifts = [at for at, _ in words], [0, *accumulate(added)]
    starts = [page.start for page in document.pages]

    def behind(at: int) -> int:
        return at + shifts[bisect_right(places, at)]

    def in_front(at: int) -> int:
        return at + shifts[bisect_left(places, at)]

    def end_of(number: int, page: Page) -> int:
        """What is put where another page begins is that one's."""
        is_its_own = bisect_right(starts, page.end) - 1 == number
        return behind(page.end) if is_its_own else in_front(page.end)

    return replace(
        document,
        text="".join(pieces) + document.text[last:],
        pages=tuple(
            replace(page, start=in_front(page.start), end=end_of(number, page))
            for number, page in enumerate(document.pages)
        ),
        headings=tuple(replace(heading, start=behind(heading.start)) for heading in document.headings),
        line_marks=tuple((behind(at), line) for at, line in document.line_marks),
    )


def _breaks(text: str) -> int:
    """Line ends that it begins with, up to two."""
    return min(len(text) - len(text.lstrip("\n")), 2)
