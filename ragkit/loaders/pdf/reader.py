"""PDF text, page by page: pypdfium2, and pypdf for what PDFium cannot read."""

from __future__ import annotations

import ctypes
import io
import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ragkit.i18n.messages import Message, coded, runs
from ragkit.loaders.building.document_builder import DocumentBuilder
from ragkit.loaders.building.picture_collector import require_pictures
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.extras import is_installed
from ragkit.loaders.images.ocr import DPI, MAX_PIXELS, UNSURE, reading_notes, weak_reading
from ragkit.loaders.pdf.attachments import read_attached, with_attached
from ragkit.loaders.pdf.letter_spacing import mended
from ragkit.loaders.pdf.pictures import place_pictures
from ragkit.loaders.pdf.text import CONTROL, Pages, cleaned, joined_hyphens, sane_title
from ragkit.loaders.reasons import NEEDS_PASSWORD
from ragkit.text.readability import BAD, readability
from ragkit.types.documents import Document, Page, WeakPage
from ragkit.types.errors import LoadError, NoText

if TYPE_CHECKING:
    from ragkit.loaders.images.ocr import Ocr, Pixels, Reading

_HARDLY = 0.3  # the score of a page of few words: they are kept
_FEW_CHARACTERS = 20  # on a page that is a picture but for them
_PICTURE_SHARE = 0.5  # of the page: less is an illustration
_BETWEEN_PAGES = "\n\n"
_LATIN = re.compile("[A-Za-z]+")
_LAST_LETTER = re.compile(r"\b[A-Za-z]{3,} [b-z](?=[\s.,)]|\Z)")
_FEW_WORDS = 30  # fewer say nothing about a page
_MAX_CUT_OFF = 0.1  # manuals with options of one letter have half of it


def read_pdf(source: str, data: bytes, context: ReadContext) -> Document:
    """Pages that do not read well are read by OCR, where there is one. Raises LoadError (no PDF, damaged,
    locked) and NoText (no page has any)."""
    title, raw, drawn, holding = _read(data)
    pages = joined_hyphens([None if page is None else cleaned(page) for page in raw])
    weak = _weak(raw, pages, drawn)
    scans: dict[int, Reading] = {}
    if context.ocr is not None:
        weak |= _badly_spelled(pages, weak)
        scans = _scans(data, pages, weak, context.ocr)
        pages = [cleaned(scans[n].text) if n in scans else page for n, page in enumerate(pages, 1)]
    notes = _notes(raw, pages, drawn, scans) + reading_notes(scans)
    attached = _read_attached(data, holding, context)
    text, spans = _laid_out(pages, scans)
    if context.pictures is not None and (opened := _opened_again(data)) is not None:
        _fill_forms(opened)
        place_pictures(opened, spans, [page or "" for page in pages], drawn, context.pictures)
        shift = len(text) + len(_BETWEEN_PAGES)
        context.pictures.placed += (replace(one, at=one.at + shift) for one in attached.placed)
    if not text.strip() and attached.is_blank():
        require_pictures(context.pictures, _no_text(pages, drawn, context.ocr))
    weak_pages = tuple(weak[number] for number in sorted(weak))
    document = Document(source, context.media_type, title, text, pages=spans, notes=notes, weak_pages=weak_pages)
    return with_attached(document, attached, _BETWEEN_PAGES)


def _read_attached(data: bytes, holding: Mapping[int, int], context: ReadContext) -> DocumentBuilder:
    if not holding:
        return DocumentBuilder()
    try:
        reader = _pypdf_reader(data)
    except LoadError:
        reader = None
    return read_attached(reader, holding, context)


# -- the two readers -----------------------------------------------------------------------------


def _read(data: bytes) -> tuple[str, Pages, set[int], dict[int, int]]:
    """(title, text of each page, those (from 1) without text on which something is drawn, how many files are
    attached to which page, 0 for all of the document): PDFium's, with pypdf's for the pages it failed on."""
    try:
        title, pages, drawn, holding = _with_pdfium(data)
    except LoadError as first:
        try:
            title, pages = _with_pypdf(data)
            return title, pages, {number for number, page in enumerate(pages, 1) if not page}, {}
        except LoadError as second:
            raise (second if second.message.code == NEEDS_PASSWORD.code else first) from second
    odd = [number for number, page in enumerate(pages) if page is None or _cut_off(page) > _MAX_CUT_OFF]
    if odd:
        try:
            _, others = _with_pypdf(data, odd)
        except LoadError:
            return title, pages, drawn, holding  # the note names the pages
        pages = [
            _better(page, other) if n in odd else page
            for n, (page, other) in enumerate(zip(pages, others, strict=True))
        ]
    return title, pages, drawn, holding


def _cut_off(page: str) -> float:
    """The share of its words that stand apart from their last letter, as PDFium has it of some scans."""
    count = len(_LATIN.findall(page))
    return len(_LAST_LETTER.findall(page)) / count if count >= _FEW_WORDS else 0.0


def _better(page: str | None, other: str | None) -> str | None:
    if page is None or (other and _cut_off(other) < _cut_off(page) / 2):
        return other
    return page


_NO_REASON = "Data format error"  # PDFium's word for any damage


def _with_pdfium(data: bytes) -> tuple[str, Pages, set[int], dict[int, int]]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as exc:
        why = str(exc).partition("PDFium: ")[2].rstrip(").") or str(exc)
        raise _refused(data, why, locked="password" in str(exc).lower()) from exc
    _fill_forms(document)
    try:
        title = sane_title(document.get_metadata_value("Title"))
    except pypdfium2.PdfiumError:
        title = ""
    holding = {0: count} if (count := int(document.count_attachments())) else {}
    pages = [_page_text(partial(_pdfium_page, document, number, holding)) for number in range(len(document))]
    pages = mended(pages, partial(_CharBoxes, document))
    sizes = {n: len("".join(page.split())) for n, page in enumerate(pages) if page is not None}
    bare = [number for number, size in sizes.items() if size < _FEW_CHARACTERS]
    drawn = {number + 1 for number in bare if _is_picture(document, number, blank=not sizes[number])}
    return title, pages, drawn, holding


def _fill_forms(document: Any) -> None:
    """Has fields that bring no picture of their own drawn with what was written into them."""
    import pypdfium2

    logging.getLogger("pypdfium2").setLevel(logging.CRITICAL)
    try:
        document.init_forms()
    except pypdfium2.PdfiumError:  # a damaged form: the page is there all the same
        return


def _is_picture(document: Any, number: int, *, blank: bool) -> bool:
    """Whether a page without text is more than blank paper; one with a few words, hardly more than an image."""
    import pypdfium2.raw as pdfium

    def marks() -> str:
        page = document[number]
        try:
            if blank:
                return "x" * min(int(pdfium.FPDFPage_CountObjects(page)), 1)
            images = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3)
            boxes = [image.get_bounds() for image in images]
            width, height = page.get_size()
            largest = max(((box[2] - box[0]) * (box[3] - box[1]) for box in boxes), default=0)
            return "x" if largest >= _PICTURE_SHARE * width * height else ""
        finally:
            page.close()

    return bool(_page_text(marks))


def _pdfium_page(document: Any, number: int, holding: dict[int, int]) -> str:
    import pypdfium2.raw as pdfium

    page = document[number]
    try:
        annotations = _annotations(pdfium, page)
        if pdfium.FPDF_ANNOT_FILEATTACHMENT in annotations:
            holding[number + 1] = annotations[pdfium.FPDF_ANNOT_FILEATTACHMENT]
        if annotations.keys() - {pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP, pdfium.FPDF_ANNOT_FILEATTACHMENT}:
            # form fields, notes on the page: become part of it
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


class _CharBoxes:
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


def _annotations(pdfium: Any, page: Any) -> Counter[int]:
    """How many there are of each kind."""
    kinds = Counter[int]()
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if annotation:
            kinds[int(pdfium.FPDFAnnot_GetSubtype(annotation))] += 1
        pdfium.FPDFPage_CloseAnnot(annotation)
    return kinds


def _pypdf_reader(data: bytes) -> Any:
    """Raises LoadError: it is damaged or locked."""
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise _refused(data, "", locked=True)
        len(reader.pages)  # reads the tree of pages
    except (LoadError, MemoryError):
        raise
    except Exception as exc:  # pypdf raises far more than its own errors on damaged files
        raise _refused(data, str(exc) or type(exc).__name__, locked=False) from exc
    return reader


def _with_pypdf(data: bytes, wanted: Sequence[int] | None = None) -> tuple[str, Pages]:
    """`wanted` pages only (from 0), the others None; all of them by default."""
    reader = _pypdf_reader(data)
    count = len(reader.pages)
    numbers = range(count) if wanted is None else [n for n in wanted if n < count]
    pages: Pages = [None] * (count if wanted is None else max([count, *(n + 1 for n in wanted)]))
    for number in numbers:
        pages[number] = _page_text(reader.pages[number].extract_text)
    try:
        title = sane_title((reader.metadata and reader.metadata.title) or "")
    except Exception:  # as above; a title is not worth the file
        title = ""
    return title, pages


def _page_text(read: Callable[[], str]) -> str | None:
    try:
        return read()
    except MemoryError:
        raise
    except Exception:  # one bad page does not cost the others; the note names it
        return None


def _refused(data: bytes, why: str, *, locked: bool) -> LoadError:
    if locked:
        return LoadError(NEEDS_PASSWORD)
    if b"%PDF-" not in data:
        return LoadError(coded("not_a_pdf", "It is not a PDF file, whatever its name says."))
    if why == _NO_REASON:
        return LoadError(coded("pdf_damaged", "The PDF is too damaged to be opened."))
    reason = coded("pdf_damaged_why", "The PDF is too damaged to be opened ({why}).")
    return LoadError(reason, why=" ".join(why.split())[:200].rstrip("."))


# -- pages as pictures ---------------------------------------------------------------------------


def _badly_spelled(pages: Pages, known: Collection[int]) -> dict[int, WeakPage]:
    """Pages, but the `known` ones, whose text is none that a person could read."""
    judged = ((number, readability(page)) for number, page in enumerate(pages, 1) if page and number not in known)
    return {number: WeakPage(number, round(score, 2), why) for number, (score, why) in judged if score < BAD}


def _scans(data: bytes, pages: Pages, weak: dict[int, WeakPage], ocr: Ocr) -> dict[int, Reading]:
    """What OCR makes of the `weak` pages, where that is more than is known; `weak` is left with those that
    it did not make readable."""
    scans = {}
    for number, reading in _readings(data, sorted(weak), ocr).items():
        has_text = bool((pages[number - 1] or "").strip())
        if has_text and (reading is None or reading.confidence < UNSURE or len(reading.text) < _FEW_CHARACTERS):
            continue
        if reading is not None and reading.text:
            scans[number] = reading
        trouble = weak_reading(number, reading)
        if trouble is None:
            del weak[number]
        else:
            weak[number] = trouble
    return scans


def _readings(data: bytes, numbers: Sequence[int], ocr: Ocr) -> dict[int, Reading | None]:
    document = _opened_again(data) if numbers else None
    if document is None:
        return {}
    return ocr.read_all(numbers, lambda number: _drawn_page(document, number))


def _drawn_page(document: Any, number: int) -> Pixels:
    page = document[number - 1]
    try:
        scale = min(DPI / 72, MAX_PIXELS / max(*page.get_size(), 1))
        pixels: Pixels = page.render(scale=scale, rev_byteorder=False, prefer_bgrx=False).to_numpy()[:, :, :3].copy()
        return pixels
    finally:
        page.close()


def _opened_again(data: bytes) -> Any | None:
    """None: pypdf alone could open it."""
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError:
        return None


# -- putting together ----------------------------------------------------------------------------


def _laid_out(pages: Pages, scans: Collection[int]) -> tuple[str, tuple[Page, ...]]:
    spans = []
    start = 0
    for number, page in enumerate(pages, 1):
        end = start + len(page or "")
        spans.append(Page(number, start, end, "scan" if number in scans else "page"))
        start = end + len(_BETWEEN_PAGES)
    return _BETWEEN_PAGES.join(page or "" for page in pages), tuple(spans)


_PAGES_FAILED = coded("pages_failed", "Pages that could not be read: {pages}.")
_PAGES_WITHOUT_TEXT = coded("pages_without_text", "Pages without text (scanned images?): {pages}.")
_PAGES_UNDECODABLE = coded(
    "pages_undecodable", "Pages with fonts that do not say their characters, so that words are missing: {pages}."
)


def _notes(raw: Pages, pages: Pages, drawn: set[int], scans: Collection[int]) -> tuple[Message, ...]:
    failed = [n for n, page in enumerate(pages, 1) if page is None]
    empty = sorted(drawn.difference(scans))
    undecodable = [n for n, page in enumerate(raw, 1) if page and _is_undecodable(page) and n not in scans]
    found = ((failed, _PAGES_FAILED), (empty, _PAGES_WITHOUT_TEXT), (undecodable, _PAGES_UNDECODABLE))
    return tuple(note.fill(pages=runs(which)) for which, note in found if which)


def _weak(raw: Pages, pages: Pages, drawn: set[int]) -> dict[int, WeakPage]:
    failed, scanned = (
        coded("page_failed", "it could not be read"),
        coded("page_scan", "it is a picture without text, perhaps a scan"),
    )
    hardly = coded("page_hardly_text", "it is a picture with hardly any text, perhaps a scan")
    found = {n: WeakPage(n, 0.0, failed) for n, page in enumerate(pages, 1) if page is None}
    found |= {n: WeakPage(n, _HARDLY, hardly) if pages[n - 1] else WeakPage(n, 0.0, scanned) for n in drawn}
    for number, page in enumerate(raw, 1):
        if page and _is_undecodable(page):
            found[number] = WeakPage(number, 0.4, coded("page_fonts", "its fonts do not say their characters"))
    return found


def _is_undecodable(page: str) -> bool:
    """More than one in twenty characters is a code without a meaning."""
    odd = len(CONTROL.findall(re.sub("[\r\x02\ufffe]", "", page)))
    return odd * 20 > len(page)


def _no_text(pages: Pages, drawn: set[int], ocr: Ocr | None) -> LoadError:
    if not pages:
        return NoText(coded("pdf_without_pages", "The PDF has no pages."))
    if all(page is None for page in pages):
        return LoadError(coded("no_page_read", "No page of it could be read (pages: {count})."), count=len(pages))
    if not drawn:
        return NoText(
            coded("pages_blank", "Nothing is written or drawn on its pages (pages: {count})."), count=len(pages)
        )
    if ocr is not None:
        return NoText(
            coded("no_text_by_ocr", "It holds no text, and OCR found none on it (pages: {count})."), count=len(pages)
        )
    if is_installed("ocr"):
        reason = coded(
            "scan_ocr_off",
            "It holds no text that can be read: scanned images? (pages: {count}) OCR is off (setting loading.ocr).",
        )
        return NoText(reason, count=len(pages))
    reason = coded(
        "scan_needs_ocr",
        "It holds no text that can be read: scanned images? (pages: {count}) The extra {extra} reads them.",
    )
    return NoText(reason, count=len(pages), extra='"ragkit-docqa[ocr]"')
