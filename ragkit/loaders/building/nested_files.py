"""Files within files: what one file may unpack in all, and how a part of it becomes part of its document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit.i18n.messages import Message, coded
from ragkit.loaders.building.document_builder import DocumentBuilder, clean, one_line
from ragkit.loaders.files.access import MB
from ragkit.loaders.reasons import NESTED_TOO_DEEPLY, NO_READER, READER_FAILED, TOO_MUCH_INSIDE
from ragkit.types.errors import LoadError, UnsupportedFormat

if TYPE_CHECKING:
    from ragkit.loaders.building.picture_collector import PictureCollector
    from ragkit.loaders.images.ocr import Ocr
    from ragkit.types.documents import Document
    from ragkit.types.ports import Picture

_LONGEST_NAME = 300  # characters that a note shows


@dataclass
class ReadContext:
    """What the readers of one file and of everything inside it share, however deep."""

    ocr: Ocr | None = None  # None: pictures are not read
    gallery: PictureCollector | None = None  # None: pictures are not gathered to be described
    depth: int = 0  # files around the one that is read now
    bytes_left: int = 512 * MB
    parts_left: int = 10_000

    def take(self, size_bytes: int) -> None:
        """Raises LoadError: more would be unpacked than one file may."""
        self.bytes_left -= size_bytes
        self.parts_left -= 1
        if self.bytes_left < 0 or self.parts_left < 0:
            raise LoadError(TOO_MUCH_INSIDE)

    def check_depth(self, most: int) -> None:
        """Raises LoadError: a file in a file in a file, and so on."""
        if self.depth > most:
            raise LoadError(NESTED_TOO_DEEPLY)


def needs_extra(extra: str, suffix: str) -> UnsupportedFormat:
    """To be raised where a library of the extra is not installed."""
    return UnsupportedFormat(
        UnsupportedFormat.NEEDS_MORE,
        suffix=suffix,
        command=f'python -m pip install "ragkit-docqa[{extra}]"',
    )


def shown(name: str) -> str:
    return clean(one_line(name))[-_LONGEST_NAME:] or "?"


def add_part(
    lines: DocumentBuilder, name: str, data: bytes, kind: str | None, level: int, unpacking: ReadContext
) -> bool:
    """The text of a part under a heading of its name; a note that says why where there is none.

    `kind` is its media type. True: it was read.
    """
    from ragkit.loaders.formats import parse

    title = shown(name)
    try:
        if kind is None:
            raise LoadError(NO_READER, suffix=Path(title).suffix or title)
        unpacking.take(len(data))
        unpacking.depth += 1
        try:
            document, pictures = _with_pictures(unpacking.gallery, lambda: parse(Path(title), data, kind, unpacking))
        finally:
            unpacking.depth -= 1
    except LoadError as exc:
        lines.note(unread(title, exc.message))
        return False
    except (ValueError, LookupError, TypeError, AttributeError, OSError, ArithmeticError) as exc:
        lines.note(unread(title, READER_FAILED.fill(why=type(exc).__name__)))
        return False
    lines.blank()
    start = lines.length
    lines.head(level, title)
    notes = [coded("note_of_part", "{name}: {why}", name=title, why=note) for note in document.notes]
    lines.include(title, document, notes, level, pictures, start)
    return True


def _with_pictures(gallery: PictureCollector | None, read: Callable[[], Document]) -> tuple[Document, list[Picture]]:
    """What is read of a part, and its pictures; the gallery is left with those of the file around it."""
    if gallery is None:
        return read(), []
    parts, gallery.parts = gallery.parts, set()
    gallery.placed = []
    try:
        document = read()
        return document, gallery.placed
    finally:
        gallery.parts, gallery.placed, gallery.without = parts, [], None


def unread(name: str, why: Message) -> Message:
    return coded("part_not_read", "{name} was not read: {why}", name=shown(name), why=why)
