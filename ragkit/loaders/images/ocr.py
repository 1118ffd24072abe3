"""Reads text out of pictures: RapidOCR with the models in its wheel, on this machine and without a network."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragkit.i18n.messages import Message, coded, runs
from ragkit.loaders.images.reading_order import Line, in_reading_order
from ragkit.text.pictures import BY_OCR
from ragkit.types.documents import WeakPage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]  # (height, width, 3): blue, green, red

VERSION = "ocr1"  # version of the way pictures are read; part of the key of a reading
DPI = 200  # dots per inch of a page that is drawn to be read
MAX_PIXELS = 3000  # longer side of a picture; more costs memory and finds no more text
MEMORY_MB = 3072  # address space that the engine, its models and a picture take
UNSURE = 0.8  # mean confidence; below it a page is tried in the other three directions
_MARGIN_PIXELS = 24  # empty paper that is left around the text
_MAX_FAINT = 48  # difference from the brightness of the paper, of 255, that is no ink yet
_MIN_PIXELS = 24  # shorter side of a picture; a smaller one is a bullet or a rule
_MIN_CONFIDENCE = 0.5  # confidence in a line; a less sure one is a drawing that was taken for letters
_MIN_ON_END = 1.5  # height to width of a line that the engine turns to read it
_MIN_LETTERS = 2  # letters on a page; fewer are spots
_MAX_TURNING_S = 25  # after so much time no other direction is tried, as a page has a time limit
_MIN_GAIN = 0.1  # how much surer OCR must be of a page in another direction to take it for the right one


@dataclass(frozen=True, slots=True)
class Reading:
    """What OCR read on a picture."""

    text: str
    confidence: float  # 0 to 1, the mean over the characters as the engine says


class Ocr:
    """Reads pictures, each of them only once."""

    def __init__(
        self,
        known: Mapping[str, Reading],
        make_room: Callable[[], None],
        on_picture: Callable[[], None],
        on_reading: Callable[[str, Reading, int, int], None],
    ) -> None:
        """`known` are the readings of earlier runs by their keys.

        `make_room` is called before the engine is loaded, `on_picture` before each picture that is not known.
        `on_reading` is told each new reading, with its key, how many pictures of the file are done and how many
        there are.
        """
        self._readings = dict(known)
        self._make_room = make_room
        self._on_picture = on_picture
        self._on_reading = on_reading
        self._engine: Any = None

    def read_all(self, pages: Sequence[int], draw: Callable[[int], Pixels]) -> dict[int, Reading | None]:
        """What stands on each of `pages` of a file; None for a page that could not be drawn or read."""
        found: dict[int, Reading | None] = {}
        for done, page in enumerate(pages, 1):
            try:
                found[page] = self._read(draw(page), done, len(pages))
            except Exception:  # each library below has errors of its own, and a bad page does not cost the others
                found[page] = None
        return found

    def _read(self, pixels: Pixels, done: int, total: int) -> Reading:
        pixels = _trimmed(pixels)
        if min(pixels.shape[:2]) < _MIN_PIXELS:
            return Reading("", 1.0)
        key = hashlib.sha256(repr((VERSION, pixels.shape)).encode() + pixels.tobytes()).hexdigest()
        if key not in self._readings:
            self._on_picture()
            self._readings[key] = self._upright(pixels)
            self._on_reading(key, self._readings[key], done, total)
        return self._readings[key]

    def _upright(self, pixels: Pixels) -> Reading:
        """The reading in the direction in which the engine is sure of it and the lines run from left to right."""
        began = time.monotonic()
        best, worth = self._as_it_lies(pixels)
        for quarters in (2, 1, 3):
            if not best.text or worth >= UNSURE or time.monotonic() - began > _MAX_TURNING_S:
                break
            turned, worth_turned = self._as_it_lies(_turned(pixels, quarters))
            if turned.text and worth_turned >= worth + _MIN_GAIN:
                best, worth = turned, worth_turned
        return best

    def _as_it_lies(self, pixels: Pixels) -> tuple[Reading, float]:
        """The reading of a picture without turning it, and its confidence, halved if most lines stand on end."""
        if self._engine is None:
            self._make_room()
            self._engine = _engine()
        found = self._engine(pixels)
        lines, scores = [], []
        for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True) if found.txts else ():
            (left, top), (right, bottom) = box.min(axis=0).tolist(), box.max(axis=0).tolist()
            lines.append(Line(left, top, right, bottom, " ".join(text.split())))
            scores.append(float(score))
        size = sum(len(line.text) for line in lines)
        if not size:
            return Reading("", 1.0), 1.0
        confidence = sum(score * len(line.text) for score, line in zip(scores, lines, strict=True)) / size
        on_end = sum(
            len(line.text) for line in lines if line.bottom - line.top > _MIN_ON_END * (line.right - line.left)
        )
        kept = [line for line, score in zip(lines, scores, strict=True) if line.text and score >= _MIN_CONFIDENCE]
        worth = confidence if on_end < size / 2 else confidence / 2
        if sum(character.isalnum() for line in kept for character in line.text) < _MIN_LETTERS:
            return Reading("", 1.0), worth
        return Reading(in_reading_order(kept), round(confidence, 3)), worth


def readings(path: Path) -> dict[str, Reading]:
    """The readings by their keys, from a file of lines that `entry` made.

    A line that was cut off is left out; if there is no file, there are no readings.
    """
    found = {}
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    for line in lines:
        try:
            kept = json.loads(line)
            found[str(kept["key"])] = Reading(str(kept["text"]), float(kept["confidence"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def entry(key: str, reading: Reading) -> str:
    """A reading as a line of JSON."""
    return json.dumps({"key": key, "text": reading.text, "confidence": reading.confidence}) + "\n"


def reading_notes(read: dict[int, Reading]) -> tuple[Message, ...]:
    """A note that pages were read by OCR, and how sure it is of them; none if `read` is empty."""
    if not read:
        return ()
    size = sum(len(reading.text) for reading in read.values())
    sure = sum(reading.confidence * len(reading.text) for reading in read.values()) / size
    return (BY_OCR.fill(pages=runs(sorted(read)), percent=int(sure * 100)),)


def weak_reading(number: int, reading: Reading | None) -> WeakPage | None:
    """What is wrong with a page that was given to OCR; None if nothing is."""
    if reading is None:
        return WeakPage(number, 0.0, coded("ocr_failed", "OCR failed on it"))
    if not reading.text:
        return WeakPage(number, 0.0, coded("ocr_found_nothing", "OCR found no text on it"))
    if reading.confidence < UNSURE:
        return WeakPage(number, reading.confidence, coded("ocr_unsure", "OCR is not sure of its letters"))
    return None


def _engine() -> Any:
    """RapidOCR, loaded. Without the environment variable, onnxruntime would report to its makers."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    from rapidocr import RapidOCR

    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return RapidOCR(
        params={
            "Global.use_cls": False,  # this step only knows lines upside down; here a page is turned as a whole
            "Global.log_level": "critical",
            "Global.text_score": 0,  # the lines that it would drop tell that a page lies on its side
            "Global.max_side_len": MAX_PIXELS,
            "EngineConfig.onnxruntime.intra_op_num_threads": min(threads, 4),
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _trimmed(pixels: Pixels) -> Pixels:
    """The picture without the empty paper around, as a few words on a large page are not found."""
    import numpy as np

    light = pixels.mean(axis=2)
    ink = np.abs(light - np.median(light)) > _MAX_FAINT
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not rows.size:
        return pixels[:0]
    top, left = max(rows[0] - _MARGIN_PIXELS, 0), max(columns[0] - _MARGIN_PIXELS, 0)
    kept = pixels[top : rows[-1] + _MARGIN_PIXELS, left : columns[-1] + _MARGIN_PIXELS]
    return np.ascontiguousarray(kept)


def _turned(pixels: Pixels, quarters: int) -> Pixels:
    """The picture turned to the left by so many quarters of a full turn."""
    import numpy as np

    return np.ascontiguousarray(np.rot90(pixels, quarters))
