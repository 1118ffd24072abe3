"""How values stand in the catalog's rows: vectors as little-endian float16, the rest as JSON."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ragkit.i18n.messages import Message
from ragkit.types.documents import Chunk, Document, Place, Vector, WeakPage

Matrix: TypeAlias = npt.NDArray[np.float32]  # a vector, or one a row
NamedVectors: TypeAlias = tuple[list[str], Matrix]  # chunk ids, and the vector of each in a row

CHUNK_COLUMNS = "id, source, ordinal, text, start, end, place, headings"  # the fields of a Chunk


def vector_blob(vector: Vector) -> bytes:
    """Little-endian float16: half the bytes; a cosine differs from float32's by less than 0.0001."""
    return np.asarray(vector, dtype="<f2").tobytes()


def chunk_of(row: Sequence[Any]) -> Chunk:
    """A row of `CHUNK_COLUMNS` as a value. Raises sqlite3.DatabaseError: it is damaged."""
    name, source, ordinal, text, start, end, place, headings = row
    with _undamaged():
        return Chunk(name, source, ordinal, text, start, end, _place_of(place), heading_path_of(headings))


@lru_cache(maxsize=4096)
def _place_of(stored: str) -> Place:
    return Place(*json.loads(stored))


@lru_cache(maxsize=4096)
def heading_path_of(stored: str) -> tuple[str, ...]:
    return tuple(json.loads(stored))


def place_json(place: Place) -> str:
    """Without what is at its default: most places are a line or a page."""
    values = astuple(place)
    return json.dumps(values if place.name or place.kind != "page" else values[:2], ensure_ascii=False)


def vector_of(blob: bytes) -> Vector:
    """Of unit length again: the rounding has made it a little longer or shorter."""
    rounded = np.frombuffer(blob, dtype="<f2").astype(np.float32)
    return array("f", (rounded / max(float(np.linalg.norm(rounded)), 1e-6)).tobytes())


def matrix_of(blobs: Sequence[bytes]) -> Matrix:
    """Many vectors at once, as `vector_of` makes each. Raises sqlite3.DatabaseError: one is damaged."""
    if not blobs:
        return np.zeros((0, 0), dtype=np.float32)
    with _undamaged():
        rounded = np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), -1).astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rounded, rounded))
    if not np.isfinite(lengths).all():
        raise sqlite3.DatabaseError("a vector is no vector")
    rounded /= np.maximum(lengths, 1e-6)[:, None]
    return rounded


@contextlib.contextmanager
def _undamaged() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as exc:
        raise sqlite3.DatabaseError(f"a row cannot be read: {exc}") from exc


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


@lru_cache(maxsize=1024)  # of ten thousand files, most have the same to say: nothing
def weak_pages_of(stored: str) -> tuple[WeakPage, ...]:
    return tuple(WeakPage(number, score, _message(reason)) for number, score, reason in json.loads(stored))


def message_json(message: Message) -> list[object]:
    values = {name: _plain(value) for name, value in message.values.items()}
    return [message.text, values, message.code, message.plural]


def _plain(value: object) -> object:
    if isinstance(value, Message):
        return message_json(value)
    return value if isinstance(value, str | int | float) else str(value)


@lru_cache(maxsize=1024)
def message_of(stored: str) -> Message:
    return _message(json.loads(stored))


@lru_cache(maxsize=1024)
def messages_of(stored: str) -> tuple[Message, ...]:
    return tuple(_message(one) for one in json.loads(stored))


def _message(stored: Sequence[Any]) -> Message:
    if len(stored) == 2:  # written by an earlier version
        stored = (*stored, _CODES_BEFORE.get(stored[0], ""), "")
    text, values, code, plural = stored
    restored: Mapping[str, object] = {
        name: _message(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return Message(text, restored, code, plural)


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
