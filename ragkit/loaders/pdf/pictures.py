"""Collects the pictures on the pages of a PDF, as they look there, for a model that describes them."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ragkit.loaders.building.picture_collector import BEHIND, DAMAGED, SMALL, LeftOut, PictureCollector, check_size
from ragkit.types.documents import Page
from ragkit.types.ports import Picture

if TYPE_CHECKING:
    from ragkit.loaders.images.ocr import Pixels

_IMAGE = 3  # PDFium's number for an image among the objects of a page
_MAX_DEPTH = 3  # how deep in forms within forms images are looked for
_MAX_SIDE_PIXELS = 1600  # longer side of a drawn picture; models see no more
_SCALE = 2.0  # pixels for a point (144 dpi) of a whole page; at this scale a picture must not be too small
_MIN_WHOLE_PAGE = 0.8  # share of a page that a picture covers to be taken for the whole page
_MIN_MUCH_TEXT = 200  # characters; on a page with more, a picture of all of it is its scan, or its background
_MAX_IMAGES = 2000  # images of a page that are looked at; more are tiles of a drawing

Box = tuple[float, float, float, float]  # left, bottom, right, top, in points


def place_pictures(
    document: Any, spans: Sequence[Page], texts: Sequence[str], drawn: Collection[int], pictures: PictureCollector
) -> None:
    """Place the pictures of each page at its end.

    The picture of one of the `drawn` pages (by number, from 1) is the page itself; of other pages, those are taken that
    stand on it. Pages read by OCR are left out, as their words are known.
    """
    try:
        pictures.prepare()  # going through all pages takes time too
    except LeftOut:
        return
    for number, (span, text) in enumerate(zip(spans, texts, strict=True)):
        if span.kind == "scan":
            continue
        page = None
        try:
            page = document[number]
            is_drawn = span.number in drawn
            found = iter([_page(page, number, pictures)]) if is_drawn else _images(page, len(text), pictures)
            pictures.placed += (Picture(span.end, data) for data in found if data is not None)
        except MemoryError:
            raise
        except Exception:  # PDFium's wrapper raises far more than its own errors on damaged pages
            pictures.leave_out(DAMAGED)
        finally:
            if page is not None:
                page.close()


def _page(page: Any, number: int, pictures: PictureCollector) -> bytes | None:
    """The picture of a whole page (from 0); None if it is blank paper, or left out."""
    width, height = page.get_size()
    scale = min(_SCALE, _MAX_SIDE_PIXELS / max(width, height, 1))
    try:
        pictures.prepare()
        pixels = _drawn(page, scale, (0, 0, 0, 0))
    except LeftOut as why:
        pictures.leave_out(why.why)
        return None
    if pixels.size == 0 or pixels.min() == pixels.max():
        return None
    return pictures.drawn(b"page %d\0" % number + pixels.tobytes(), partial(_png, pixels))


def _images(page: Any, text_size: int, pictures: PictureCollector) -> Iterator[bytes | None]:
    """The pictures that stand on a page; None for one that is left out."""
    for count, image in enumerate(page.get_objects(filter=[_IMAGE], max_depth=_MAX_DEPTH)):
        if count >= _MAX_IMAGES:
            return
        try:
            box = _box(page, image)
            original = b"%d %d\0" % image.get_px_size() + bytes(image.get_data(decode_simple=False))
        except Exception:  # one bad picture does not cost the others
            pictures.leave_out(DAMAGED)
            continue
        width, height = page.get_size()
        covered = (box[2] - box[0]) * (box[3] - box[1])
        if covered > _MIN_WHOLE_PAGE * width * height and text_size > _MIN_MUCH_TEXT:
            pictures.leave_out(BEHIND)
            continue
        try:
            check_size(int((box[2] - box[0]) * _SCALE), int((box[3] - box[1]) * _SCALE))
        except LeftOut as why:  # it may be larger elsewhere
            pictures.leave_out(why.why)
            continue
        yield pictures.drawn(original, partial(_cut_out, page, image, box, pictures))


def _cut_out(page: Any, image: Any, box: Box, pictures: PictureCollector) -> bytes:
    """The part of the page where the image stands, with all that is drawn upon it. Raises LeftOut."""
    width, height = box[2] - box[0], box[3] - box[1]
    pixels_wide, pixels_high = image.get_px_size()
    check_size(pixels_wide, pixels_high)
    own = max(pixels_wide, pixels_high) / max(width, height)
    scale = min(max(own, 1.0), _MAX_SIDE_PIXELS / max(width, height))
    page_width, page_height = page.get_size()
    pictures.prepare()
    try:
        pixels = _drawn(page, scale, (box[0], box[1], page_width - box[2], page_height - box[3]))
    except MemoryError:
        raise
    except Exception as exc:  # PDFium's wrapper raises far more than its own errors
        raise LeftOut(DAMAGED) from exc
    if pixels.size == 0 or pixels.min() == pixels.max():
        raise LeftOut(SMALL)
    return _png(pixels)


def _drawn(page: Any, scale: float, crop: Box) -> Pixels:
    """A page as red, green, blue; `crop` is how much is left out on each side, in points."""
    bitmap = page.render(scale=scale, crop=crop, rev_byteorder=True, prefer_bgrx=False)
    try:
        pixels: Pixels = bitmap.to_numpy()[:, :, :3].copy()
        return pixels
    finally:
        bitmap.close()


def _box(page: Any, image: Any) -> Box:
    """Where an image stands on the page as it is shown, from the lower left corner."""
    left, bottom, right, top = image.get_bounds()
    corners = [(x, y) for x in (left, right) for y in (bottom, top)]
    form = image.container
    while form is not None:
        a, b, c, d, e, f = form.get_matrix().get()
        corners = [(a * x + c * y + e, b * x + d * y + f) for x, y in corners]
        form = form.container
    points = [_as_shown(corner, page.get_cropbox(), page.get_rotation()) for corner in corners]
    width, height = page.get_size()
    xs = [min(max(x, 0.0), width) for x, _ in points]
    ys = [min(max(y, 0.0), height) for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _as_shown(point: tuple[float, float], shown: Box, rotation: int) -> tuple[float, float]:
    """A point of the page's plane as a point of the page that is shown.

    `shown` is the part of the plane that is seen, `rotation` is in degrees clockwise.
    """
    (x, y), (left, bottom, right, top) = point, shown
    if rotation == 90:
        return y - bottom, right - x
    if rotation == 180:
        return right - x, top - y
    return (top - y, x - left) if rotation == 270 else (x - left, y - bottom)


def _png(pixels: Pixels) -> bytes:
    """The picture as a PNG, written here as Pillow may not be installed (PNG, third edition, section 11)."""
    import numpy as np

    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + width * 3), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = pixels.reshape(height, width * 3)
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"  # 8 bits, RGB
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big") for kind, data in parts
    )
