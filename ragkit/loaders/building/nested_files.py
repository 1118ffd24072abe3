"""Files inside files: how the text of one becomes part of the document of the file around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit.i18n.messages import Message, coded
from ragkit.loaders.building.document_builder import DocumentBuilder, clean, one_line
from ragkit.loaders.formats import Format, parse
from ragkit.loaders.reasons import NO_READER, READER_FAILED
from ragkit.types.errors import LoadError

if TYPE_CHECKING:
    from ragkit.loaders.building.picture_collector import PictureCollector
    from ragkit.loaders.building.read_context import ReadContext
    from ragkit.types.documents import Document
    from ragkit.types.ports import Picture

_MAX_NAME_LENGTH = 300  # characters that a note shows


def shown(name: str) -> str:
    """The name of a part as a heading or a note shows it: one line, its end if it is long."""
    return clean(one_line(name))[-_MAX_NAME_LENGTH:] or "?"


def add_part(
    builder: DocumentBuilder, name: str, data: bytes, part_format: Format | None, level: int, context: ReadContext
) -> None:
    """Add the text of a part under a heading of its name, or a note that says why it was not read.

    `part_format` None: no reader is known for it. `context` is that of the file around the part.
    """
    title = shown(name)
    try:
        if part_format is None:
            raise LoadError(NO_READER, suffix=Path(title).suffix or title)
        inner = context.inner(part_format.media_type, len(data))
        document, pictures = _with_pictures(context.pictures, lambda: parse(title, data, inner))
    except LoadError as exc:
        builder.note(unread(title, exc.message))
        return
    except (ValueError, LookupError, TypeError, AttributeError, OSError, ArithmeticError) as exc:
        builder.note(unread(title, READER_FAILED.fill(why=type(exc).__name__)))
        return
    builder.blank()
    start = builder.length
    builder.head(level, title)
    notes = [coded("note_of_part", "{name}: {why}", name=title, why=note) for note in document.notes]
    builder.include(title, document, notes, level, pictures, start)


def _with_pictures(collector: PictureCollector | None, read: Callable[[], Document]) -> tuple[Document, list[Picture]]:
    """What `read` makes of a part, and its pictures; the collector is left with those of the file around it."""
    if collector is None:
        return read(), []
    parts, collector.parts = collector.parts, set()
    collector.placed = []
    try:
        document = read()
        return document, collector.placed
    finally:
        collector.parts, collector.placed, collector.without = parts, [], None


def note_unread_files(count: int, builder: DocumentBuilder) -> None:
    """Note how many files inside a document were not read, if there are any."""
    if count:
        builder.note(coded("embedded_not_read", "Embedded files that were not read: {count}.", count=count))


def unread(name: str, why: Message) -> Message:
    """The note that a part was not read."""
    return coded("part_not_read", "{name} was not read: {why}", name=shown(name), why=why)
