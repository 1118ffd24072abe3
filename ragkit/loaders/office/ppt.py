"""PowerPoint's old binary presentations (.ppt): slides with their speaker notes and comments ([MS-PPT] 2.1.2)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from ragkit.loaders.building.document_builder import DocumentBuilder
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.office.ole import about, opened, stream
from ragkit.loaders.reasons import DAMAGED, HIDDEN_SLIDES, NEEDS_PASSWORD
from ragkit.text.pictures import UNREAD
from ragkit.types.documents import Document, Page
from ragkit.types.errors import LoadError

_DOCUMENT, _SLIDE, _SLIDE_ATOM, _NOTES, _NOTES_ATOM = 0x03E8, 0x03EE, 0x03EF, 0x03F0, 0x03F1
_LIST, _PERSIST, _DRAWING, _TEXT_BOX = 0x0FF0, 0x03F3, 0x040C, 0xF00D
_KIND, _WIDE, _NARROW, _OUTLINE_PLACE, _STRING = 0x0F9F, 0x0FA0, 0x0FA8, 0x0F9E, 0x0FBA
_EDIT, _DIRECTORY, _COMMENT, _TAG_DATA = 0x0FF5, 0x1772, 0x2EE0, 0x138B
_SLIDES, _MASTERS, _NOTES_LIST = 0, 1, 2  # kinds of lists
_TITLES, _NO_PLACEHOLDER = (0, 6), 4  # kinds of texts
_FIELD = "*"  # stands in the text for the number of the slide, or the day
_ENCRYPTED = 0xF3D1C4DF
_HIDDEN = 0x04  # a flag in the record that says how a slide is shown
_SHOW = 0x03F9
_MAX_DEPTH, _MAX_EDITS = 30, 1000
_PICTURES = range(0xF01A, 0xF02A)


@dataclass
class _Listed:
    """A slide, or the notes of one, as the list of the presentation names it."""

    persist: int
    identity: int
    outline: list[tuple[int, str]] = field(default_factory=list)  # the kind and the text of each placeholder


@dataclass(frozen=True, slots=True)
class _Record:
    kind: int
    instance: int
    body: bytes
    is_container: bool


def read_old_slides(source: str, data: bytes, context: ReadContext) -> Document:
    """A page is a slide. Raises NoText, LoadError."""
    container = opened(data)
    builder = DocumentBuilder()
    try:
        user = stream(container, "Current User")
        if struct.unpack_from("<I", user, 12)[0] == _ENCRYPTED or container.exists("EncryptedSummary"):
            raise LoadError(NEEDS_PASSWORD)
        whole = stream(container, "PowerPoint Document")
        _write(whole, struct.unpack_from("<I", user, 16)[0], builder)
    except (struct.error, IndexError, ValueError, KeyError) as exc:
        raise LoadError(DAMAGED, why=type(exc).__name__) from exc
    if container.exists("Pictures"):
        count = sum(record.kind in _PICTURES for record in _records(stream(container, "Pictures")))
        if count:
            builder.note(UNREAD.fill(count=count))
    title, author, date = about(container)
    return builder.document(source, context.media_type, title, author=author, date=date)


def _write(whole: bytes, edit: int, builder: DocumentBuilder) -> None:
    places, document = _directory(whole, edit)
    root = _at(whole, places[document])
    lists = {record.instance: _listed(record.body) for record in _records(root.body) if record.kind == _LIST}
    notes = {}
    for entry in lists.get(_NOTES_LIST, ()):
        if entry.persist in places:
            record = _at(whole, places[entry.persist])
            notes[_owner(record)] = record
    hidden = []
    for number, entry in enumerate(lists.get(_SLIDES, ()), 1):
        builder.blank()
        start = builder.length
        if entry.persist in places:
            slide = _at(whole, places[entry.persist])
            _add_slide(slide, entry, notes.get(entry.identity), builder)
            if any(len(r.body) > 10 and r.body[10] & _HIDDEN for r in _records(slide.body) if r.kind == _SHOW):
                hidden.append(number)
        if builder.length > start:
            builder.pages.append(Page(number, start, builder.length, "slide"))
    _add_masters((_at(whole, places[one.persist]) for one in lists.get(_MASTERS, ()) if one.persist in places), builder)
    if hidden:
        names = ", ".join(map(str, hidden))
        builder.note(HIDDEN_SLIDES.fill(numbers=names))


def _add_masters(masters: Iterator[_Record], builder: DocumentBuilder) -> None:
    """Add what masters put on every slide, each text once, on no page."""
    texts = (text for master in masters for kind, text in _texts(master, []) if kind == _NO_PLACEHOLDER)
    for text in dict.fromkeys(texts):
        builder.blank()
        builder.add(text)


def _directory(whole: bytes, edit: int) -> tuple[dict[int, int], int]:
    """The place of each part by its number, and the number of the part that is the document.

    A file grows by edits, which are read from the last one on.
    """
    places: dict[int, int] = {}
    document = 0
    seen: set[int] = set()
    while edit and edit not in seen and len(seen) < _MAX_EDITS:
        seen.add(edit)
        record = _at(whole, edit)
        if record.kind != _EDIT:
            raise ValueError("no edit")
        edit, directory, first = struct.unpack_from("<3I", record.body, 8)
        document = document or first
        body = _at(whole, directory).body
        at = 0
        while at + 4 <= len(body):
            head = struct.unpack_from("<I", body, at)[0]
            number, count = head & 0xFFFFF, head >> 20
            for step, (place,) in enumerate(struct.iter_unpack("<I", body[at + 4 : at + 4 + 4 * count])):
                places.setdefault(number + step, place)
            at += 4 + 4 * count
    return places, document


def _listed(body: bytes) -> list[_Listed]:
    found: list[_Listed] = []
    kind = -1
    for record in _records(body):
        if record.kind == _PERSIST:
            found.append(_Listed(*struct.unpack_from("<I8xI", record.body)))
        elif record.kind == _KIND:
            kind = int.from_bytes(record.body[:4], "little")
            if found:
                found[-1].outline.append((kind, ""))
        elif record.kind in (_WIDE, _NARROW) and found and found[-1].outline:
            found[-1].outline[-1] = (kind, _text(record))
    return found


def _owner(notes: _Record) -> int:
    """The slide that the notes belong to."""
    atom = next((r.body for r in _records(notes.body) if r.kind == _NOTES_ATOM), b"")
    return int.from_bytes(atom[:4], "little")


def _add_slide(slide: _Record, entry: _Listed, notes: _Record | None, builder: DocumentBuilder) -> None:
    texts = list(_texts(slide, entry.outline))
    texts.sort(key=lambda item: item[0] not in _TITLES)
    for kind, text in texts:
        if kind in _TITLES:
            builder.head(1, text)
        else:
            builder.blank()
            builder.add(text)
    for _, text in _texts(notes, []) if notes is not None else ():
        builder.blank()
        builder.add(text)
    for text in _comments(slide):
        builder.add(f"({text})")


def _texts(slide: _Record, outline: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The kind and the text of each shape in their order; the texts of placeholders stand in the `outline`."""
    for box in _within(slide, _TEXT_BOX):
        kind = -1
        for record in _records(box.body):
            if record.kind == _KIND:
                kind = int.from_bytes(record.body[:4], "little")
            elif record.kind == _OUTLINE_PLACE:
                number = int.from_bytes(record.body[:4], "little")
                if number < len(outline) and outline[number][1].strip():
                    yield outline[number]
            elif record.kind in (_WIDE, _NARROW) and _text(record).strip() not in ("", _FIELD):
                yield kind, _text(record)


def _comments(slide: _Record) -> Iterator[str]:
    for comment in _within(slide, _COMMENT):
        said = {r.instance: r.body.decode("utf-16-le", "replace") for r in _records(comment.body) if r.kind == _STRING}
        if said.get(1, "").strip():
            yield f"{said[0]}: {said[1]}" if said.get(0) else said[1]


def _within(record: _Record, kind: int, depth: int = 0) -> Iterator[_Record]:
    for inner in _records(record.body):
        if inner.kind == kind:
            yield inner
        elif (inner.is_container or inner.kind == _TAG_DATA) and depth < _MAX_DEPTH:
            yield from _within(inner, kind, depth + 1)


def _text(record: _Record) -> str:
    """The paragraphs of a text record as lines."""
    text = record.body.decode("utf-16-le" if record.kind == _WIDE else "latin-1", "replace")
    return re.sub("[\r\x0b]", "\n", text).strip("\n")


def _at(whole: bytes, place: int) -> _Record:
    return next(_records(whole[place : place + 8 + struct.unpack_from("<I", whole, place + 4)[0]]))


def _records(body: bytes) -> Iterator[_Record]:
    at = 0
    while at + 8 <= len(body):
        head, kind, size = struct.unpack_from("<2HI", body, at)
        yield _Record(kind, head >> 4, body[at + 8 : at + 8 + size], head & 0xF == 0xF)
        at += 8 + size
