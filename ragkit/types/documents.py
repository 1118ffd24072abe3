"""Values that say what was read: documents, their pages and headings, chunks, vectors."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from ragkit.i18n.messages import Message

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


Vector: TypeAlias = "array[float]"
"""An embedding: typecode "f" (float32), as long as the model's dimension; of unit length once it is stored."""

Scores: TypeAlias = "npt.NDArray[np.float64]"

PageKind = Literal[
    "page", "slide", "sheet", "message", "file", "scan",
    "described", "described_page", "described_slide", "described_picture",
]  # fmt: skip
"""scan: a page read by OCR. described: a page that is a picture, in the words of a model. described_page,
described_slide and described_picture: a picture in the words of a model that stands on a page, on a slide, or in a
document without pages, where the number is the picture's."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or what a format has in its place, as a span of the document's text."""

    number: int  # from 1, as a viewer counts; files within a file are counted as they come
    start: int  # characters of the document's text
    end: int
    kind: PageKind = "page"
    name: str = ""  # the name of a sheet; the path of a file within an archive or a mail


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section."""

    level: int  # 1 is the highest
    title: str
    start: int  # characters; where the heading's line begins in the text


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader finds a passage: a page, a line of the file, or both (row 7 of sheet 2)."""

    page: int | None
    line: int | None  # from 1; on a sheet it is the row, and within a file that `name` names it is that file's line
    kind: PageKind = "page"
    name: str = ""


@dataclass(frozen=True, slots=True)
class WeakPage:
    """A page that was not read, or reads badly."""

    number: int  # 0: the whole of a document without pages
    score: float  # from 0, where nothing of it was read, to 1, where it reads well
    reason: Message


@dataclass(frozen=True, slots=True)
class Document:
    """One file's text. Every other position in ragkit is a character span of `text`."""

    source: str  # the file's absolute path
    media_type: str  # "text/markdown", "application/pdf", ...
    title: str  # "" when the file names none
    text: str  # "\n" line ends; no NUL, no lone surrogate
    pages: tuple[Page, ...] = ()  # in order, not overlapping; text before the first is on none
    headings: tuple[Heading, ...] = ()
    line_marks: tuple[tuple[int, int], ...] = ()
    """(character, line of the file) in rising order, where text and file differ in lines
    (HTML); before the first, a line of the text is a line of the file."""
    notes: tuple[Message, ...] = ()  # what in the file was not read
    author: str = ""  # as the file says
    date: str = ""  # YYYY-MM-DD, the last change that the file itself names; not the file system's
    weak_pages: tuple[WeakPage, ...] = ()  # by number
    language: str = ""  # "zh" or "en": what a reader of most of the text reads; "": it was not looked at

    def place(self, offset: int) -> Place:
        """Returns where the character at `offset` stands."""
        page, since = self._page(offset)
        found = bisect_right(self.line_marks, offset, key=lambda mark: mark[0]) - 1
        line = None
        if found >= 0 and self.line_marks[found][0] >= since:
            line = self.line_marks[found][1]
        elif page is None:
            line = self.text.count("\n", 0, offset) + 1
        if page is None:
            return Place(None, line)
        return Place(None if page.kind == "file" else page.number, line, page.kind, page.name)

    def _page(self, offset: int) -> tuple[Page | None, int]:
        """Returns the page that holds `offset`, and the character from which on line marks speak of that page."""
        found = bisect_right(self.pages, offset, key=lambda page: page.start) - 1
        if found < 0:
            return None, 0
        page = self.pages[found]
        if offset >= page.end and self.text[page.end : offset + 1].strip():
            return None, page.end
        return page, page.start


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of a document: `text == document.text[start:end]` always holds."""

    id: str  # 24 hex digits, the same whenever the same text is split the same way
    source: str
    ordinal: int  # from 0, in reading order
    text: str
    start: int  # characters of the document's text
    end: int
    place: Place
    heading_path: tuple[str, ...]  # the headings above the chunk, the highest first


@dataclass(frozen=True, slots=True)
class EmbedFault:
    """One text that the model could not embed; the others of its batch are not affected."""

    reason: Message


@dataclass(frozen=True, slots=True)
class Generation:
    """What the vectors of an index were made with; vectors of two generations never meet."""

    fingerprint: str
    backend: str  # "ollama", "embedded"
    model: str
    digest: str  # the digest of the model's weights; "" when the server does not tell
    dimension: int
    query_prefix: str
    document_prefix: str
    chunk_tokens: int
    overlap_tokens: int

    def same_vectors(self, other: Generation) -> bool:
        """Says whether a text has the same vector in both, so that a question embedded for one can be compared with
        the chunks of the other, and a chunk's vector can be used again."""
        return self._vector_facts() == other._vector_facts()

    def _vector_facts(self) -> tuple[object, ...]:
        return self.backend, self.model, self.digest, self.dimension, self.query_prefix, self.document_prefix


class ChunkRef(NamedTuple):
    """Names a chunk: ranking needs no more of most of the chunks that it ranks."""

    id: str
    source: str
    ordinal: int
