"""Picture files, read by OCR or made ready for a model that describes them.

Pillow opens them, which comes with the extra `ocr`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import clean
from ragkit.loaders.building.pages import joined_pages
from ragkit.loaders.building.picture_collector import DAMAGED, LeftOut, require_pictures
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.extras import is_installed, needs_extra
from ragkit.loaders.images.ocr import MAX_PIXELS, reading_notes, weak_reading
from ragkit.text.pictures import IS_DAMAGED, MAX_BYTES, NO_TEXT, OCR_IS_OFF
from ragkit.text.pictures import MAX_PIXELS as MAX_PIXELS_IN_ALL
from ragkit.types.documents import Document, Page
from ragkit.types.errors import LoadError, NoText, UnsupportedFormat
from ragkit.types.ports import Picture

if TYPE_CHECKING:
    from ragkit.loaders.building.picture_collector import PictureCollector
    from ragkit.loaders.images.ocr import Ocr, Pixels, Reading

_MAX_PAGES = 2000
_CONVERTED = ("image/tiff", "image/bmp")  # models do not take these, so that their pages are converted
_PILLOW_FORMATS = (
    "PNG",
    "JPEG",
    "WEBP",
    "GIF",
    "BMP",
    "DIB",
    "TIFF",
    "JPEG2000",
    "PPM",
    "PCX",
)  # that are converted for a model
_MAX_SIDE_PIXELS = 2000  # longer side of a picture that is converted for a model; models see no more


def read_picture(source: str, data: bytes, context: ReadContext) -> Document:
    """Each picture in the file is a page.

    Raises NoText; LoadError if it is no picture, or damaged; UnsupportedFormat if the libraries are not installed, or
    OCR is off.
    """
    try:
        if context.ocr is None:
            raise _unread(source)
        document = _read(source, data, context.media_type, context.ocr)
        if context.pictures is not None:
            _place_pages(data, [page for page in document.pages if page.start == page.end], context.pictures)
        return document
    except LoadError as exc:
        # The other picture files are shown to the model as they are.
        is_wanted = context.depth > 0 or context.media_type in _CONVERTED
        if context.pictures is None or not is_wanted or exc.message.code == IS_DAMAGED.code:
            raise
        found = _without_text(data, source, context.media_type, context.pictures)
        require_pictures(context.pictures, exc)
        return found


def _read(source: str, data: bytes, media_type: str, ocr: Ocr) -> Document:
    picture = _opened(data)
    count = _page_count(picture, media_type)
    found = ocr.read_all(range(1, count + 1), lambda number: _pixels(picture, number))
    if not any(reading is not None for reading in found.values()):
        raise LoadError(IS_DAMAGED, why="OCR")
    if not any(reading is not None and reading.text for reading in found.values()):
        raise NoText(NO_TEXT)
    texts = [clean(reading.text) if reading is not None else "" for reading in found.values()]
    return _laid_out(source, media_type, texts, found)


def _opened(data: bytes, formats: tuple[str, ...] | None = None) -> Any:
    """A picture of one of `formats`, by Pillow's names; None stands for all that Pillow knows.

    Raises LoadError if it is no such picture, too large, or damaged.
    """
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS_IN_ALL // 2  # Pillow refuses at twice as many
    try:
        picture = Image.open(io.BytesIO(data), formats=formats)
        picture.load()
        return picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise LoadError(coded("picture_too_large", "The picture is too large to be read.")) from exc
    except UnidentifiedImageError as exc:
        raise LoadError(coded("not_a_picture", "It is not a picture, whatever its name says.")) from exc
    except Exception as exc:  # Pillow's readers raise whatever they meet
        raise _damaged(exc) from exc


def _damaged(exc: Exception) -> LoadError:
    return LoadError(IS_DAMAGED, why=str(exc)[:200] or type(exc).__name__)


def _page_count(picture: Any, media_type: str) -> int:
    return min(getattr(picture, "n_frames", 1) if media_type == "image/tiff" else 1, _MAX_PAGES)


# -- for a model that sees -----------------------------------------------------------------------


def as_png(data: bytes, page: int = 1) -> bytes:
    """A page (from 1) of a picture of any format as a PNG of bounded size, or as a JPEG if that would be too large.

    Raises LoadError; UnsupportedFormat if Pillow is not installed.
    """
    if find_spec("PIL") is None:
        raise needs_extra("ocr", "")
    picture = _opened(data, _PILLOW_FORMATS)
    try:
        return _encoded(picture, page)
    except Exception as exc:  # Pillow's writers raise whatever they meet too
        raise _damaged(exc) from exc


def _encoded(picture: Any, page: int) -> bytes:
    image = _upright(picture, page, _MAX_SIDE_PIXELS)
    made = io.BytesIO()
    image.save(made, "PNG")
    if made.tell() > MAX_BYTES:
        made = io.BytesIO()
        image.save(made, "JPEG", quality=85)
    return made.getvalue()


def _without_text(data: bytes, source: str, media_type: str, pictures: PictureCollector) -> Document:
    """A document of blank pages, one for each picture of the file, on which the collector places them."""
    count = _page_count(_opened(data), media_type) if find_spec("PIL") else 0
    text, pages = joined_pages([("", "described")] * count)
    _place_pages(data, pages, pictures)
    return Document(source, media_type, "", text, pages=pages)


def _place_pages(data: bytes, pages: Sequence[Page], pictures: PictureCollector) -> None:
    """Place the pictures of `pages`, which have no text."""
    for page in pages:
        original = b"%d\0" % page.number + data
        picture = pictures.drawn(original, partial(_made_ready, data, page.number, pictures))
        if picture is not None:
            pictures.placed.append(Picture(page.start, picture))


def _made_ready(data: bytes, number: int, pictures: PictureCollector) -> bytes:
    """The page of this number (from 1) as models take it. Raises LeftOut."""
    pictures.prepare()
    try:
        return as_png(data, number)
    except LoadError as exc:
        raise LeftOut(DAMAGED) from exc


# -- for OCR -------------------------------------------------------------------------------------


def _unread(source: str) -> UnsupportedFormat:
    """The error that says how to have pictures read."""
    if is_installed("ocr"):
        return UnsupportedFormat(OCR_IS_OFF)
    return needs_extra("ocr", Path(source).suffix)


def _pixels(picture: Any, number: int) -> Pixels:
    """A page (from 1) no larger than OCR profits from, as blue, green, red."""
    import numpy as np

    return np.ascontiguousarray(np.asarray(_upright(picture, number, MAX_PIXELS))[:, :, ::-1])


def _upright(picture: Any, number: int, longest_side: int) -> Any:
    """A page (from 1) turned as it is to be looked at, on white paper."""
    from PIL import Image, ImageOps

    picture.seek(number - 1)
    image = ImageOps.exif_transpose(picture).convert("RGBA")
    image.thumbnail((longest_side, longest_side))
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")


def _laid_out(source: str, media_type: str, texts: list[str], found: dict[int, Reading | None]) -> Document:
    text, pages = joined_pages((text, "scan") for text in texts)
    read = {number: reading for number, reading in found.items() if reading is not None and reading.text}
    weak = [weak_reading(number, reading) for number, reading in found.items()]
    return Document(
        source,
        media_type,
        "",
        text,
        pages=pages,
        notes=reading_notes(read),
        weak_pages=tuple(page for page in weak if page is not None),
    )
