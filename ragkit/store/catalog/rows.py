"""How values stand in the catalog's rows: vectors as little-endian float16, the rest as JSON.

Functions that make a value of what was stored raise what Python raises where it is damaged: `CatalogFile.made` and
`unpacked` turn that into IndexDamaged. They look at the types, so that no later step meets a wrong one.
"""

from __future__ import annotations

import json
import math
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from functools import lru_cache
from typing import Any, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ragkit.i18n.messages import Message
from ragkit.types.documents import Chunk, Document, Generation, Heading, Page, PageKind, Place, Vector, WeakPage
from ragkit.types.ports import FileFacts
from ragkit.types.reports import FILE_STATES, FileOutcome

Matrix: TypeAlias = npt.NDArray[np.float32]  # a vector, or one a row
NamedVectors: TypeAlias = tuple[list[str], Matrix]  # chunk ids, and the vector of each in a row

_PAGE_KINDS = frozenset(get_args(PageKind))
CHUNK_COLUMNS = "id, source, ordinal, text, start, end, place, headings"  # the fields of a Chunk


def vector_blob(vector: Vector) -> bytes:
    """Little-endian float16: half the bytes; a cosine differs from float32's by less than 0.0001."""
    return np.asarray(vector, dtype="<f2").tobytes()


def chunk_of(row: Sequence[Any]) -> Chunk:
    """Makes a chunk of a row of `CHUNK_COLUMNS`."""
    name, source, ordinal, text, start, end, place, headings = row
    return Chunk(name, source, ordinal, text, start, end, _place_of(place), heading_path_of(headings))


def generation_of(row: Sequence[Any]) -> Generation:
    """Makes a generation of a row of its fields."""
    generation = Generation(*row)
    if generation.dimension < 1:
        raise ValueError(f"vectors of {generation.dimension} numbers")
    return generation


def file_facts_of(row: Sequence[Any], chunks: int) -> FileFacts:
    """Makes what is known of a file of its row; `chunks` is how many chunks its document has."""
    source, content_hash, size, modified, seen, loader, state, reason, notes, pages, weak_pages = row
    if state not in FILE_STATES:
        raise ValueError(f"a file is {state!r}")
    reason, notes = message_of(reason), messages_of(notes)
    outcome = FileOutcome(source, state, reason, notes, chunks, pages, weak_pages_of(weak_pages))
    return FileFacts(source, content_hash, size, modified, seen, loader, outcome)


def document_of(row: Sequence[Any]) -> Document:
    """Makes a document of a row of source, media type, title, structure, body and notes."""
    source, media_type, title, structure, body, notes = row
    shape = json.loads(structure)
    document = Document(
        source=source,
        media_type=media_type,
        title=title,
        text=zlib.decompress(body).decode(),
        pages=tuple(Page(*page) for page in shape["pages"]),
        headings=tuple(Heading(*heading) for heading in shape["headings"]),
        line_marks=tuple((start, line) for start, line in shape["line_marks"]),
        notes=messages_of(notes),
        author=shape["author"],
        date=shape["date"],
        language=shape.get("language", ""),  # an older ragkit did not look
    )
    _check_texts(document.author, document.date, document.language, *(heading.title for heading in document.headings))
    _check_numbers(*(number for heading in document.headings for number in (heading.level, heading.start)))
    _check_numbers(*(number for mark in document.line_marks for number in mark))
    for page in document.pages:
        _check_numbers(page.number, page.start, page.end)
        _check_page_name(page.kind, page.name)
    return document


def labels_of(stored: str) -> tuple[str, ...]:
    """Makes the labels of a folder of their JSON."""
    return _texts_of(stored)


@lru_cache(maxsize=4096)
def _place_of(stored: str) -> Place:
    place = Place(*_list_of(stored))
    _check_numbers(*(number for number in (place.page, place.line) if number is not None))
    _check_page_name(place.kind, place.name)
    return place


@lru_cache(maxsize=4096)
def heading_path_of(stored: str) -> tuple[str, ...]:
    """Makes the headings above a chunk of their JSON."""
    return _texts_of(stored)


def _texts_of(stored: str) -> tuple[str, ...]:
    texts = _list_of(stored)
    _check_texts(*texts)
    return tuple(texts)


def _list_of(stored: str) -> list[Any]:
    found = json.loads(stored)
    if not isinstance(found, list):
        raise TypeError("a list is none")
    return found


def _check_texts(*found: object) -> None:
    if not set(map(type, found)) <= {str}:
        raise TypeError("a text is none")


def _check_numbers(*found: object) -> None:
    if not set(map(type, found)) <= {int}:
        raise TypeError("a number is none")


def _check_page_name(kind: str, name: str) -> None:
    _check_texts(name)
    if kind not in _PAGE_KINDS:
        raise ValueError(f"a page is {kind!r}")


def place_json(place: Place) -> str:
    """Leaves out what is at its default: most places are a line or a page."""
    values = astuple(place)
    return json.dumps(values if place.name or place.kind != "page" else values[:2], ensure_ascii=False)


def vector_of(blob: bytes, dimension: int) -> Vector:
    """Makes a vector of its blob, of unit length again: rounding has made it a little longer or shorter."""
    rounded = _rounded([blob], dimension)[0]
    return array("f", (rounded / max(float(np.linalg.norm(rounded)), 1e-6)).tobytes())


def matrix_of(blobs: Sequence[bytes], dimension: int) -> Matrix:
    """Makes many vectors at once, a row each, as `vector_of` makes one."""
    rounded = _rounded(blobs, dimension)
    lengths = np.sqrt(np.einsum("ij,ij->i", rounded, rounded))
    rounded /= np.maximum(lengths, 1e-6)[:, None]
    return rounded


def _rounded(blobs: Sequence[bytes], dimension: int) -> Matrix:
    if not set(map(len, blobs)) <= {2 * dimension}:
        raise ValueError("a vector has another size")
    found = np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), dimension).astype(np.float32)
    if not np.isfinite(found).all():
        raise ValueError("a vector holds what is no number")
    return found


def is_unit_vector(blob: bytes, dimension: int) -> bool:
    """Whether a stored vector can be one that was put there."""
    if len(blob) != 2 * dimension:
        return False
    length = float(np.linalg.norm(np.frombuffer(blob, dtype="<f2").astype(np.float32)))
    return abs(length - 1.0) < 1e-3  # False for NaN too


def structure_json(document: Document) -> str:
    return json.dumps(
        {
            "pages": [astuple(page) for page in document.pages],
            "headings": [astuple(heading) for heading in document.headings],
            "line_marks": document.line_marks,
            "author": document.author,
            "date": document.date,
            "language": document.language,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def weak_pages_json(pages: Sequence[WeakPage]) -> str:
    return json.dumps([[page.number, page.score, message_json(page.reason)] for page in pages], ensure_ascii=False)


@lru_cache(maxsize=1024)  # most of ten thousand files have the same to say: nothing
def weak_pages_of(stored: str) -> tuple[WeakPage, ...]:
    """Makes the pages that read badly of their JSON."""
    pages = tuple(WeakPage(number, score, _message(reason)) for number, score, reason in _list_of(stored))
    _check_numbers(*(page.number for page in pages))
    if not all(math.isfinite(page.score) for page in pages):
        raise ValueError("a page's score is no number")
    return pages


def message_json(message: Message) -> list[object]:
    values = {name: _plain(value) for name, value in message.values.items()}
    return [message.text, values, message.code, message.plural]


def _plain(value: object) -> object:
    if isinstance(value, Message):
        return message_json(value)
    return value if isinstance(value, str | int | float) else str(value)


@lru_cache(maxsize=1024)
def message_of(stored: str) -> Message:
    """Makes a message of its JSON."""
    return _message(json.loads(stored))


@lru_cache(maxsize=1024)
def messages_of(stored: str) -> tuple[Message, ...]:
    """Makes messages of the JSON of their list."""
    return tuple(map(_message, _list_of(stored)))


def _message(stored: Sequence[Any]) -> Message:
    if len(stored) == 2:  # written by an earlier version
        stored = (*stored, _CODES_BEFORE.get(stored[0], ""), "")
    text, values, code, plural = stored
    restored: Mapping[str, object] = {
        name: _message(value) if isinstance(value, list) else value for name, value in values.items()
    }
    _check_texts(text, code, plural)
    message = Message(text=text, values=restored, code=code, plural=plural)
    str(message)  # raises when the values do not fill the sentence
    return message


# Rows of earlier versions hold no code. These are the sentences of then whose code decides what is read again.
_CODES_BEFORE = {
    "Pictures that were not read: {count}.": "pictures_not_read",
    "Pictures are read by OCR, which is off (setting loading.ocr).": "ocr_is_off",
    "No text was found on the picture.": "no_text_on_picture",
    "Read by OCR, {percent} % sure of the letters; check quotes against the picture: page {pages}.": "read_by_ocr",
    "Reading {suffix} files needs more packages: {command}": "needs_packages",
    "The picture could not be described by {model}: {why}": "picture_not_described",
    "Pictures that could not be described by {model}: {count} ({why})": "pictures_not_described",
}
