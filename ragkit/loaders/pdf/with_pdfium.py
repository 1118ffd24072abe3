"""PDF read and drawn by PDFium, through pypdfium2."""

from __future__ import annotations

import ctypes
import logging
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from ragkit.loaders.images.ocr import DPI, MAX_PIXELS
from ragkit.loaders.pdf.letter_spacing import mended
from ragkit.loaders.pdf.raw import FEW_CHARACTERS, RawPdf, none_if_it_fails, refusal
from ragkit.loaders.pdf.text import sane_title

if TYPE_CHECKING:
    from ragkit.loaders.images.ocr import Pixels

_MIN_PICTURE_SHARE = 0.5  # share of a page; an image that covers less is an illustration


def read_with_pdfium(data: bytes) -> RawPdf:
    """Raises LoadError if PDFium cannot open the file."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as exc:
        why = str(exc).partition("PDFium: ")[2].rstrip(").") or str(exc)
        raise refusal(data, why, locked="password" in str(exc).lower()) from exc
    fill_forms(document)
    try:
        title = sane_title(document.get_metadata_value("Title"))
    except pypdfium2.PdfiumError:
        title = ""
    attached = {0: count} if (count := int(document.count_attachments())) else {}
    pages = [none_if_it_fails(partial(_page_text, document, number, attached)) for number in range(len(document))]
    pages = mended(pages, partial(_CharBoxes, document))
    sizes = {number: len("".join(page.split())) for number, page in enumerate(pages) if page is not None}
    drawn = frozenset(
        number + 1
        for number, size in sizes.items()
        if size < FEW_CHARACTERS and none_if_it_fails(partial(_is_drawn_on, document, number, has_text=bool(size)))
    )
    return RawPdf(title, pages, drawn, attached)


def open_with_pdfium(data: bytes) -> Any | None:
    """The file, to draw its pages; None if PDFium cannot open it, and pypdf alone could read it."""
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError:
        return None


def fill_forms(document: Any) -> None:
    """Have fields that bring no picture of their own drawn with what was written into them."""
    import pypdfium2

    logging.getLogger("pypdfium2").setLevel(logging.CRITICAL)
    try:
        document.init_forms()
    except pypdfium2.PdfiumError:  # a damaged form: the page is there all the same
        return


def draw_for_ocr(document: Any, number: int) -> Pixels:
    """The page of this number (from 1) in the size that OCR reads best, as blue, green, red."""
    page = document[number - 1]
    try:
        scale = min(DPI / 72, MAX_PIXELS / max(*page.get_size(), 1))
        pixels: Pixels = page.render(scale=scale, rev_byteorder=False, prefer_bgrx=False).to_numpy()[:, :, :3].copy()
        return pixels
    finally:
        page.close()


def _page_text(document: Any, number: int, attached: dict[int, int]) -> str:
    """The text of the page of this number (from 0); how many files are attached to it is added to `attached`."""
    import pypdfium2.raw as pdfium

    page = document[number]
    try:
        annotations = _annotations(page)
        if pdfium.FPDF_ANNOT_FILEATTACHMENT in annotations:
            attached[number + 1] = annotations[pdfium.FPDF_ANNOT_FILEATTACHMENT]
        if annotations.keys() - {pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP, pdfium.FPDF_ANNOT_FILEATTACHMENT}:
            # Form fields and notes on the page become part of it.
            pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
            page.close()
            page = document[number]
        text_page = page.get_textpage()
        try:
            return str(text_page.get_text_range())
        finally:
            text_page.close()
    finally:
        page.close()


def _annotations(page: Any) -> Counter[int]:
    """How many annotations of each kind the page has, by PDFium's numbers of the kinds."""
    import pypdfium2.raw as pdfium

    kinds = Counter[int]()
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if annotation:
            kinds[int(pdfium.FPDFAnnot_GetSubtype(annotation))] += 1
        pdfium.FPDFPage_CloseAnnot(annotation)
    return kinds


def _is_drawn_on(document: Any, number: int, *, has_text: bool) -> bool:
    """Whether a page (from 0) without text is more than blank paper, or one of a few words is mostly an image."""
    import pypdfium2.raw as pdfium

    page = document[number]
    try:
        if not has_text:
            return int(pdfium.FPDFPage_CountObjects(page)) > 0
        images = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3)
        boxes = [image.get_bounds() for image in images]
        width, height = page.get_size()
        largest = max(((right - left) * (top - bottom) for left, bottom, right, top in boxes), default=0)
        return bool(largest >= _MIN_PICTURE_SHARE * width * height)
    finally:
        page.close()


class _CharBoxes:
    """Where the characters of a page (from 0) stand, as `letter_spacing.Boxes` asks."""

    def __init__(self, document: Any, number: int) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium = pdfium
        self._page = document[number]
        self._text = self._page.get_textpage()
        self._numbers = [ctypes.c_double() for _ in range(4)]

    def count(self) -> int:
        return int(self._text.count_chars())

    def sides(self, at: int) -> tuple[float, float]:
        self._pdfium.FPDFText_GetCharBox(self._text, at, *self._numbers)
        return self._numbers[0].value, self._numbers[1].value

    def origin(self, at: int) -> tuple[float, float]:
        self._pdfium.FPDFText_GetCharOrigin(self._text, at, *self._numbers[:2])
        return self._numbers[0].value, self._numbers[1].value

    def close(self) -> None:
        self._text.close()
        self._page.close()
