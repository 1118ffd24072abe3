"""Builds the text of a document line by line, for formats whose text is not the file's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ragkit.i18n.messages import Message, coded
from ragkit.loaders.building.picture_collector import PictureCollector, require_pictures
from ragkit.loaders.reasons import NO_TEXT_IN_FILE
from ragkit.types.documents import Document, Heading, Page
from ragkit.types.errors import LoadError, NoText
from ragkit.types.ports import Picture

_MAX_NOTES = 30
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufdd0\ufdd1]")


def clean(text: str) -> str:
    """`text` as a document may hold it.

    Line ends are "\\n"; there are no control characters, no half surrogate pairs and no soft hyphens.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\xad", "")
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _UNPRINTABLE.sub(" ", whole)


def one_line(text: str) -> str:
    """`text` with every run of white space as one space, and none at its ends."""
    return " ".join(text.split())


class DocumentBuilder:
    """Collects the lines of a document, where in the file they came from, and its pages, headings and notes."""

    def __init__(self, pictures: PictureCollector | None = None) -> None:
        """`pictures` decides which pictures are placed in the text; None: no pictures are asked for."""
        self.pictures = pictures
        self.placed: list[Picture] = []
        self.length = 0  # characters of the text so far
        self.notes: list[Message] = []
        self.headings: list[Heading] = []
        self.pages: list[Page] = []
        self._parts: list[str] = []
        self._marks: list[tuple[int, int]] = []
        self._aligned = True  # so far, each line of the text is the line of the same number of the file
        self._line = 1  # number of the next line of the text
        self._unsaid = 0  # notes that were left out because there were too many

    def add(self, text: str, line: int = 0) -> None:
        """Add `text` as lines of its own; it begins in `line` of the file, 0 where the file has no lines."""
        text = clean(text)
        if line:
            self._aligned = self._aligned and line == self._line
            if not self._marks or self._marks[-1][1] != line:
                self._marks.append((self.length, line))
        self._parts += (text, "\n")
        self.length += len(text) + 1
        self._line += text.count("\n") + 1

    def blank(self) -> None:
        """Add an empty line before what comes next, unless the text is still empty."""
        if self._parts:
            self.add("")

    def head(self, level: int, title: str, line: int = 0) -> None:
        """Add a heading that stands in the text on a line of its own; level 1 is the highest."""
        title = clean(one_line(title))
        self.headings.append(Heading(level, title, self.length))
        self.add(title, line)

    def mark_heading(self, level: int, title: str) -> None:
        """Note a heading whose title is no line of the text; what it names begins with the next line."""
        self.headings.append(Heading(level, clean(one_line(title)), self.length))

    def picture(self, data: bytes) -> None:
        """Place a picture that the collector accepted on an empty line."""
        self.placed.append(Picture(self.length, data))
        self.add("")

    def note(self, message: Message) -> None:
        if len(self.notes) < _MAX_NOTES:
            self.notes.append(message)
        else:
            self._unsaid += 1

    def include(
        self,
        name: str,
        document: Document,
        notes: list[Message],
        level: int,
        placed: Sequence[Picture],
        start: int,
    ) -> None:
        """Add the text of another document, with its headings below `level` and `notes` about it.

        A place in it is given by `name` and its own page, or else the line of its own file. So is a place in what
        stands above it from the character at `start` on. `placed` are its pictures.
        """
        shift = self.length
        self.placed += (replace(picture, at=picture.at + shift) for picture in placed)
        for heading in document.headings:
            self.headings.append(Heading(heading.level + level, heading.title, heading.start + shift))
        self._mark_lines(document)
        self._mark_pages(name, document, start)
        self.add(document.text)
        for note in notes:
            self.note(note)

    def extend(self, other: DocumentBuilder, *, with_places: bool) -> None:
        """Add all that another builder collected.

        Without its places, its pages and line marks are dropped: the page that is being written holds all of it.
        """
        shift = self.length
        self.headings += (replace(heading, start=heading.start + shift) for heading in other.headings)
        if with_places:
            self.pages += (replace(page, start=page.start + shift, end=page.end + shift) for page in other.pages)
            self._marks += ((at + shift, line) for at, line in other._marks)
            self._aligned = self._aligned and other._aligned
        self.placed += (replace(picture, at=picture.at + shift) for picture in other.placed)
        if other.placed or not other.is_blank():
            text = other.text()
            needed = max((picture.at for picture in other.placed), default=0)
            self.add(text[: max(len(text.rstrip("\n")), needed)])
        for note in other.notes:
            self.note(note)
        self._unsaid += other._unsaid

    def _mark_lines(self, document: Document) -> None:
        self._aligned = False
        if document.line_marks or document.pages:
            self._marks += ((self.length + at, line) for at, line in document.line_marks)
            return
        at = self.length
        for number, line in enumerate(document.text.split("\n"), 1):
            if line.strip():
                self._marks.append((at, number))
            at += len(line) + 1

    def _mark_pages(self, name: str, document: Document, start: int) -> None:
        at = self.length
        first = document.pages[0].start if document.pages else len(document.text)
        pages = [Page(len(self.pages) + 1, at, at + first, "file", name)] if first else []
        for page in document.pages:
            inner = f"{name}/{page.name}" if page.name else name
            pages.append(replace(page, start=page.start + at, end=page.end + at, name=inner))
        self.pages += (replace(page, start=start) for page in pages[:1])
        self.pages += pages[1:]

    def text(self) -> str:
        return "".join(self._parts)

    def is_blank(self) -> bool:
        return not any(part.strip() for part in self._parts)

    def document(self, source: str, media_type: str, title: str = "", *, author: str = "", date: str = "") -> Document:
        """The document that was collected. It may be blank if pictures were placed in it (see `require_pictures`).

        Raises NoText if it is blank; LoadError with the first note, which says why, if there is one.
        """
        if self.pictures is not None:
            self.pictures.placed, self.pictures.without = self.placed, None
        if self.is_blank():
            why = LoadError(self.notes[0]) if self.notes else NoText(NO_TEXT_IN_FILE)
            require_pictures(self.pictures, why)
        if self._unsaid:
            more = coded(
                "more_notes", "More of this kind was left out of this list (places: {count}).", count=self._unsaid
            )
            self.notes.append(more)
        return Document(
            source,
            media_type,
            clean(one_line(title)),
            "".join(self._parts),
            tuple(self.pages),
            tuple(self.headings),
            () if self._aligned else tuple(self._marks),
            tuple(self.notes),
            clean(one_line(author)),
            date,
        )
