"""Pictures, read by OCR. Pillow opens them; it comes with the extra `ocr`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragkit.errors import LoadError, NoText, UnsupportedFormat
from ragkit.loaders.lines import clean
from ragkit.loaders.ocr import MOST_PIXELS, is_installed, reading_notes, weak_reading
from ragkit.loaders.parts import Unpacking, needs_extra
from ragkit.types import Document, Page

if TYPE_CHECKING:
    from ragkit.loaders.ocr import Pixels, Reading

_BETWEEN_PAGES = "\n\n"
_MOST_PIXELS = 200_000_000  # of one picture: more is a bomb, or a map
_MOST_PAGES = 2000


def read_picture(source: str, data: bytes, media_type: str, unpacking: Unpacking) -> Document:
    """A page for each picture in the file. Raises NoText; LoadError: it is no picture, or damaged;
    UnsupportedFormat: the libraries are not installed, or OCR is off."""
    if not data:
        raise NoText("The file is empty.")
    if unpacking.ocr is None:
        raise _unread(source)
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS // 2  # Pillow refuses at twice as many
    try:
        picture = Image.open(io.BytesIO(data))
        picture.load()
        count = min(getattr(picture, "n_frames", 1) if media_type == "image/tiff" else 1, _MOST_PAGES)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise LoadError("The picture is too large to be read.") from exc
    except UnidentifiedImageError as exc:
        raise LoadError("It is not a picture, whatever its name says.") from exc
    except Exception as exc:  # Pillow's readers raise whatever they meet
        raise LoadError("The picture is damaged ({why}).", why=str(exc)[:200] or type(exc).__name__) from exc
    found = unpacking.ocr.read_all(range(1, count + 1), lambda number: _pixels(picture, number))
    if not any(reading is not None for reading in found.values()):
        raise LoadError("The picture is damaged ({why}).", why="OCR")
    if not any(reading is not None and reading.text for reading in found.values()):
        raise NoText("No text was found on the picture.")
    texts = [clean(reading.text) if reading is not None else "" for reading in found.values()]
    return _laid_out(source, media_type, texts, found)


def _unread(source: str) -> UnsupportedFormat:
    if is_installed():
        return UnsupportedFormat("Pictures are read by OCR, which is off (setting loading.ocr).")
    return needs_extra("ocr", Path(source).suffix)


def _pixels(picture: Any, number: int) -> Pixels:
    """Upright, on white, no larger than OCR profits from."""
    import numpy as np
    from PIL import Image, ImageOps

    picture.seek(number - 1)
    image = ImageOps.exif_transpose(picture).convert("RGBA")
    image.thumbnail((MOST_PIXELS, MOST_PIXELS))
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return np.ascontiguousarray(np.asarray(white.convert("RGB"))[:, :, ::-1])


def _laid_out(source: str, media_type: str, texts: list[str], found: dict[int, Reading | None]) -> Document:
    pages, start = [], 0
    for number, text in enumerate(texts, 1):
        pages.append(Page(number, start, start + len(text), "scan"))
        start += len(text) + len(_BETWEEN_PAGES)
    read = {number: reading for number, reading in found.items() if reading is not None and reading.text}
    weak = [weak_reading(number, reading) for number, reading in found.items()]
    return Document(
        source,
        media_type,
        "",
        _BETWEEN_PAGES.join(texts),
        pages=tuple(pages),
        notes=reading_notes(read),
        weak_pages=tuple(page for page in weak if page is not None),
    )
