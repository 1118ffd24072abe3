"""PDF text, page by page: PDFium's, pypdf's where PDFium fails, and that of OCR for pages that are pictures."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ragkit.i18n.messages import Message, coded, runs
from ragkit.loaders.building.pages import BETWEEN_PAGES, joined_pages
from ragkit.loaders.building.picture_collector import PictureCollector, require_pictures
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.extras import is_installed
from ragkit.loaders.images.ocr import UNSURE, reading_notes, weak_reading
from ragkit.loaders.pdf.attachments import read_attached, with_attached
from ragkit.loaders.pdf.pictures import place_pictures
from ragkit.loaders.pdf.raw import FEW_CHARACTERS, Pages, RawPdf
from ragkit.loaders.pdf.text import CONTROL, cleaned, joined_hyphens
from ragkit.loaders.pdf.with_pdfium import draw_for_ocr, fill_forms, open_with_pdfium, read_with_pdfium
from ragkit.loaders.pdf.with_pypdf import pages_with_pypdf, read_with_pypdf
from ragkit.loaders.reasons import NEEDS_PASSWORD
from ragkit.text.readability import BAD, readability
from ragkit.types.documents import Document, Page, WeakPage
from ragkit.types.errors import LoadError, NoText

if TYPE_CHECKING:
    from ragkit.loaders.images.ocr import Ocr, Reading

_FEW_WORDS_SCORE = 0.3  # score of a page of few words, which are kept
_UNDECODABLE_SCORE = 0.4
_LATIN = re.compile("[A-Za-z]+")
_LAST_LETTER = re.compile(r"\b[A-Za-z]{3,} [b-z](?=[\s.,)]|\Z)")
_MIN_WORDS = 30  # fewer say nothing about a page
_MAX_CUT_OFF = 0.1  # manuals with options of one letter have half of it
_PAGES_FAILED = coded("pages_failed", "Pages that could not be read: {pages}.")
_PAGES_WITHOUT_TEXT = coded("pages_without_text", "Pages without text (scanned images?): {pages}.")
_PAGES_UNDECODABLE = coded(
    "pages_undecodable", "Pages with fonts that do not say their characters, so that words are missing: {pages}."
)


def read_pdf(source: str, data: bytes, context: ReadContext) -> Document:
    """Pages that do not read well are read by OCR, where there is one.

    Raises LoadError (no PDF, damaged, locked); NoText if no page has any.
    """
    raw = _read(data)
    pages = joined_hyphens([None if page is None else cleaned(page) for page in raw.pages])
    weak = _weak_pages(raw, pages)
    scans: dict[int, Reading] = {}
    if context.ocr is not None:
        weak |= _badly_spelled(pages, weak)
        scans = _scans(data, pages, weak, context.ocr)
        pages = [cleaned(scans[n].text) if n in scans else page for n, page in enumerate(pages, 1)]
    attached = read_attached(data, raw.attached, context)
    text, spans = joined_pages(
        (page or "", "scan" if number in scans else "page") for number, page in enumerate(pages, 1)
    )
    if context.pictures is not None:
        _place_pictures(data, raw, pages, spans, context.pictures)
        shift = len(text) + len(BETWEEN_PAGES)
        context.pictures.placed += (replace(one, at=one.at + shift) for one in attached.placed)
    if not text.strip() and attached.is_blank():
        require_pictures(context.pictures, _no_text(pages, raw, context.ocr))
    notes = _notes(raw, pages, scans) + reading_notes(scans)
    weak_pages = tuple(weak[number] for number in sorted(weak))
    document = Document(source, context.media_type, raw.title, text, pages=spans, notes=notes, weak_pages=weak_pages)
    return with_attached(document, attached, BETWEEN_PAGES)


def _place_pictures(data: bytes, raw: RawPdf, pages: Pages, spans: Sequence[Page], pictures: PictureCollector) -> None:
    opened = open_with_pdfium(data)
    if opened is not None:
        fill_forms(opened)
        place_pictures(opened, spans, [page or "" for page in pages], raw.drawn, pictures)


# -- the two libraries ---------------------------------------------------------------------------


def _read(data: bytes) -> RawPdf:
    """What PDFium reads, with pypdf's text of the pages that PDFium fails on. Raises LoadError."""
    try:
        raw = read_with_pdfium(data)
    except LoadError as first:
        try:
            return read_with_pypdf(data)
        except LoadError as second:
            raise (second if second.message.code == NEEDS_PASSWORD.code else first) from second
    odd = [number for number, page in enumerate(raw.pages) if page is None or _cut_off(page) > _MAX_CUT_OFF]
    if not odd:
        return raw
    try:
        others = dict(zip(odd, pages_with_pypdf(data, odd), strict=True))
    except LoadError:
        return raw  # the note names the pages
    pages = [_better(page, others[n]) if n in others else page for n, page in enumerate(raw.pages)]
    return replace(raw, pages=pages)


def _cut_off(page: str) -> float:
    """The share of the words that stand apart from their last letter, as PDFium gives them for some scans."""
    count = len(_LATIN.findall(page))
    return len(_LAST_LETTER.findall(page)) / count if count >= _MIN_WORDS else 0.0


def _better(page: str | None, other: str | None) -> str | None:
    if page is None or (other and _cut_off(other) < _cut_off(page) / 2):
        return other
    return page


# -- pages that are pictures ---------------------------------------------------------------------


def _badly_spelled(pages: Pages, known: Collection[int]) -> dict[int, WeakPage]:
    """The pages, without the `known` ones, whose text no person could read."""
    judged = ((number, readability(page)) for number, page in enumerate(pages, 1) if page and number not in known)
    return {number: WeakPage(number, round(score, 2), why) for number, (score, why) in judged if score < BAD}


def _scans(data: bytes, pages: Pages, weak: dict[int, WeakPage], ocr: Ocr) -> dict[int, Reading]:
    """What OCR reads on the `weak` pages, where it reads more than is known.

    Those that it made readable are taken out of `weak`, which says of the others what is wrong with them now.
    """
    scans = {}
    for number, reading in _readings(data, sorted(weak), ocr).items():
        has_text = bool((pages[number - 1] or "").strip())
        if has_text and (reading is None or reading.confidence < UNSURE or len(reading.text) < FEW_CHARACTERS):
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
    document = open_with_pdfium(data) if numbers else None
    return ocr.read_all(numbers, partial(draw_for_ocr, document)) if document is not None else {}


# -- what is said of the pages -------------------------------------------------------------------


def _notes(raw: RawPdf, pages: Pages, scans: Collection[int]) -> tuple[Message, ...]:
    failed = [n for n, page in enumerate(pages, 1) if page is None]
    empty = sorted(raw.drawn.difference(scans))
    undecodable = [n for n, page in enumerate(raw.pages, 1) if page and _is_undecodable(page) and n not in scans]
    found = ((failed, _PAGES_FAILED), (empty, _PAGES_WITHOUT_TEXT), (undecodable, _PAGES_UNDECODABLE))
    return tuple(note.fill(pages=runs(which)) for which, note in found if which)


def _weak_pages(raw: RawPdf, pages: Pages) -> dict[int, WeakPage]:
    """The pages that were not read or read badly, by their numbers."""
    failed = coded("page_failed", "it could not be read")
    scanned = coded("page_scan", "it is a picture without text, perhaps a scan")
    hardly = coded("page_hardly_text", "it is a picture with hardly any text, perhaps a scan")
    undecodable = coded("page_fonts", "its fonts do not say their characters")
    found = {n: WeakPage(n, 0.0, failed) for n, page in enumerate(pages, 1) if page is None}
    for n in raw.drawn:
        found[n] = WeakPage(n, _FEW_WORDS_SCORE, hardly) if pages[n - 1] else WeakPage(n, 0.0, scanned)
    for n, page in enumerate(raw.pages, 1):
        if page and _is_undecodable(page):
            found[n] = WeakPage(n, _UNDECODABLE_SCORE, undecodable)
    return found


def _is_undecodable(page: str) -> bool:
    """Whether more than one in twenty characters is a code without a meaning."""
    odd = len(CONTROL.findall(re.sub("[\r\x02\ufffe]", "", page)))
    return odd * 20 > len(page)


def _no_text(pages: Pages, raw: RawPdf, ocr: Ocr | None) -> LoadError:
    """Why the file holds no text, and what would read it."""
    count = len(pages)
    if not pages:
        return NoText(coded("pdf_without_pages", "The PDF has no pages."))
    if all(page is None for page in pages):
        return LoadError(coded("no_page_read", "No page of it could be read (pages: {count})."), count=count)
    if not raw.drawn:
        return NoText(coded("pages_blank", "Nothing is written or drawn on its pages (pages: {count})."), count=count)
    if ocr is not None:
        return NoText(
            coded("no_text_by_ocr", "It holds no text, and OCR found none on it (pages: {count})."), count=count
        )
    if is_installed("ocr"):
        reason = coded(
            "scan_ocr_off",
            "It holds no text that can be read: scanned images? (pages: {count}) OCR is off (setting loading.ocr).",
        )
        return NoText(reason, count=count)
    reason = coded(
        "scan_needs_ocr",
        "It holds no text that can be read: scanned images? (pages: {count}) The extra {extra} reads them.",
    )
    return NoText(reason, count=count, extra='"ragkit-docqa[ocr]"')
