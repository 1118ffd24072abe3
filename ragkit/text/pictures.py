"""Pictures as bytes, and the words of a model, which are put where the pictures of a document stand."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from itertools import accumulate

from ragkit.i18n.messages import coded
from ragkit.types.documents import Document, Page, PageKind

# What readers say of pictures that no model has described. The codes tell which files to read again with a model.
UNREAD = coded("pictures_not_read", "Pictures that were not read: {count}.")
OCR_IS_OFF = coded("ocr_is_off", "Pictures are read by OCR, which is off (setting loading.ocr).")
NO_TEXT = coded("no_text_on_picture", "No text was found on the picture.")
IS_DAMAGED = coded("picture_damaged", "The picture is damaged ({why}).")
BY_OCR = coded(
    "read_by_ocr", "Read by OCR, {percent} % sure of the letters; check quotes against the picture: page {pages}."
)
MAX_PICTURES = 48  # pictures of one document that are described
MAX_BYTES = 8 << 20  # size of one picture
MAX_BYTES_IN_ALL = 64 << 20  # size of all described pictures of one document
MAX_PIXELS = 200_000_000  # size of one picture; a larger one is a bomb, or a map
_HEAD_BYTES = 1 << 20  # the size is looked for here; looking on costs seconds if a picture is all headers
# PNG, JPEG and WebP by their first bytes, and by those from the ninth on.
_FORMATS = ((b"\x89PNG\r\n\x1a\n", b""), (b"\xff\xd8\xff", b""), (b"RIFF", b"WEBP"))
_KIND_ON: dict[PageKind, PageKind] = {  # kind of a page -> kind of a picture on it
    "page": "described_page",
    "scan": "described_page",
    "slide": "described_slide",
    "described": "described",
}


def is_picture(data: bytes) -> bool:
    """Whether the bytes are a picture in a format that models take."""
    return any(data.startswith(first) and data[8:].startswith(ninth) for first, ninth in _FORMATS)


def size_in_pixels(data: bytes) -> tuple[int, int] | None:
    """Width and height as a picture in such a format says; None if it says none, or is in another format."""
    import imagesize  # loaded only where there is a picture

    width, height = imagesize.get(BytesIO(data[:_HEAD_BYTES])) if is_picture(data) else (0, 0)
    return (int(width), int(height)) if min(width, height) > 0 else None


def with_words(document: Document, words: Sequence[tuple[int, str]]) -> Document:
    """`document` with a paragraph for each (character, text) of `words`, which come in rising order.

    The paragraph is a page of its own, of a kind that says that a model wrote it; what is before and behind it stays on
    the page that it is put on. A heading or a line mark at the very place comes after it.
    """
    if not words:
        return document
    text, spans = _with_paragraphs(document.text, words)
    places = [at for at, _ in words]
    shifts = [0, *accumulate(end - start for start, end in spans)]

    def behind(at: int) -> int:
        return at + shifts[bisect_right(places, at)]

    def in_front(at: int) -> int:
        return at + shifts[bisect_left(places, at)]

    owners = _owners(document.pages, places)
    own = [[span for span, owner in zip(spans, owners, strict=True) if owner == n] for n in range(len(document.pages))]
    pages = [
        piece
        for page, inner in zip(document.pages, own, strict=True)
        for piece in _pieces(page, text, in_front(page.start), in_front(page.end), inner)
    ]
    for number, (span, owner) in enumerate(zip(spans, owners, strict=True), 1):
        pages.append(_described(number, span, document.pages[owner] if owner >= 0 else None))
    marks = [(behind(at), line) for at, line in document.line_marks]
    marks += [(span[1], line) for span, line in zip(spans, _lines_at(document, places, owners), strict=True) if line]
    return replace(
        document,
        text=text,
        pages=tuple(sorted(pages, key=lambda page: (page.start, page.end))),
        headings=tuple(replace(heading, start=behind(heading.start)) for heading in document.headings),
        line_marks=tuple(sorted(marks, key=lambda mark: mark[0])),
    )


def _with_paragraphs(text: str, words: Sequence[tuple[int, str]]) -> tuple[str, list[tuple[int, int]]]:
    """The new text, and the spans of the paragraphs in it, with the empty lines around them."""
    pieces: list[str] = []
    spans = []
    last, tail, length = 0, "\n\n", 0
    for at, words_there in words:
        tail = (tail + text[last:at])[-2:]
        block = "\n" * (2 - _breaks(tail[::-1])) + words_there + "\n" * (2 - _breaks(text[at : at + 2]))
        pieces += (text[last:at], block)
        start = length + at - last
        length = start + len(block)
        spans.append((start, length))
        last, tail = at, block[-2:]
    return "".join(pieces) + text[last:], spans


def _owners(pages: Sequence[Page], places: Sequence[int]) -> list[int]:
    """The index of the page that holds each place, -1 if none does. The end of a page belongs to it unless another page
    begins there."""
    starts = [page.start for page in pages]
    found = (bisect_right(starts, at) - 1 for at in places)
    return [n if n >= 0 and at <= pages[n].end else -1 for n, at in zip(found, places, strict=True)]


def _pieces(page: Page, text: str, start: int, end: int, inner: Sequence[tuple[int, int]]) -> Iterator[Page]:
    """The pieces of a page that are left around the paragraphs `inner` put on it, without blank ones.

    The page now goes from `start` to `end`.
    """
    for first, last in inner:
        if text[start:first].strip():
            yield replace(page, start=start, end=first)
        start = last
    if not inner or text[start:end].strip():
        yield replace(page, start=start, end=end)


def _described(number: int, span: tuple[int, int], page: Page | None) -> Page:
    """The page that the paragraph of this number makes, which is put on `page`."""
    if page is None or page.kind not in _KIND_ON:
        return Page(number, *span, "described_picture", page.name if page is not None else "")
    return Page(page.number, *span, _KIND_ON[page.kind], page.name)


def _lines_at(document: Document, places: Sequence[int], owners: Sequence[int]) -> Iterator[int]:
    """The line of the file that goes on at each place, by the mark before it; 0 if none does, or a new one begins."""
    marks = document.line_marks
    for at, owner in zip(places, owners, strict=True):
        found = bisect_left(marks, at, key=lambda mark: mark[0]) - 1
        begins = found + 1 < len(marks) and marks[found + 1][0] == at
        ended = (page.end for page in document.pages if page.end <= at)
        since = document.pages[owner].start if owner >= 0 else max(ended, default=0)
        yield marks[found][1] if found >= 0 and not begins and marks[found][0] >= since else 0


def _breaks(text: str) -> int:
    """How many line ends the text begins with, up to two."""
    return min(len(text) - len(text.lstrip("\n")), 2)
