"""PDF: PDFium first, pypdf where PDFium fails. Pages are spans of one text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pypdfium2 as pdfium
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from ragkit.errors import LoadError, NoText
from ragkit.messages import Message
from ragkit.terms import CJK
from ragkit.types import Document, Page

_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_HYPHEN_JOIN = re.compile("[\u0002\ufffe]\\s*")  # PDFium's mark for a hyphen that it took out
_CJK_SPACE = re.compile(rf"(?<=[{CJK}，。、；：！？]) (?=[{CJK}，。、；：！？])")
_PAGES_NAMED = 12  # in a note


def read_pdf(source: str, data: bytes) -> Document:
    """All pages of a PDF. A page that cannot be read or holds no text is named in the notes.

    Raises LoadError (encrypted, damaged), NoText (no page holds text).
    """
    title, texts = _read(data)
    parts: list[str] = []
    pages: list[Page] = []
    at = 0
    for number, text in enumerate(texts, 1):
        clean = _clean(text or "")
        pages.append(Page(number, at, at + len(clean)))
        parts.append(clean)
        at += len(clean) + 2
    failed = [number for number, text in enumerate(texts, 1) if text is None]
    empty = [number for number, text in enumerate(texts, 1) if text is not None and not parts[number - 1]]
    if not any(parts):
        raise NoText("None of its {count} pages holds text; are they scanned images?", count=len(texts))
    notes = []
    if failed:
        notes.append(Message("Pages that could not be read: {pages}.", {"pages": _named(failed)}))
    if empty:
        notes.append(Message("Pages without text (scanned images?): {pages}.", {"pages": _named(empty)}))
    return Document(
        source=source,
        media_type="application/pdf",
        title=_clean(title).replace("\n", " ")[:300],
        text="\n\n".join(parts),
        pages=tuple(pages),
        notes=tuple(notes),
    )


def _read(data: bytes) -> tuple[str, list[str | None]]:
    """The title and the text of each page; None for a page that neither reader could read."""
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as exc:
        if "password" in str(exc).lower():
            raise LoadError("The file needs a password.") from exc
        return _read_with_pypdf(data)
    try:
        texts: list[str | None] = list(_pdfium_pages(document))
        title = str(document.get_metadata_dict().get("Title", ""))
    finally:
        document.close()
    if None in texts:
        _, others = _read_with_pypdf_or_nothing(data, len(texts))
        texts = [text if text is not None else other for text, other in zip(texts, others, strict=True)]
    return title, texts


def _pdfium_pages(document: pdfium.PdfDocument) -> Iterator[str | None]:
    for number in range(len(document)):
        try:
            page = document[number]
            text_page = page.get_textpage()
            yield text_page.get_text_bounded()
            text_page.close()
            page.close()
        except pdfium.PdfiumError:
            yield None


def _read_with_pypdf(data: bytes) -> tuple[str, list[str | None]]:
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise LoadError("The file needs a password.")
        title = str(reader.metadata.title or "") if reader.metadata else ""
        pages = list(reader.pages)
    except LoadError:
        raise
    except Exception as exc:  # pypdf lets KeyError, RecursionError and others out of damaged files
        raise LoadError("The file is not a readable PDF: {why}.", why=_reason(exc)) from exc
    texts: list[str | None] = []
    for page in pages:
        try:
            texts.append(page.extract_text())
        except Exception:
            texts.append(None)
    if not texts:
        raise LoadError("The file is not a readable PDF: {why}.", why="it has no pages")
    return title, texts


def _read_with_pypdf_or_nothing(data: bytes, count: int) -> tuple[str, list[str | None]]:
    try:
        title, texts = _read_with_pypdf(data)
    except LoadError:
        return "", [None] * count
    return title, (texts + [None] * count)[:count]


def _clean(text: str) -> str:
    """Page text as a reader would copy it: one kind of line end, whole words, no control marks."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _HYPHEN_JOIN.sub("", text).translate(_LIGATURES)
    text = _CONTROL.sub(" ", text)
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _CJK_SPACE.sub("", text).strip()


def _named(pages: list[int]) -> str:
    shown = ", ".join(map(str, pages[:_PAGES_NAMED]))
    return shown if len(pages) <= _PAGES_NAMED else f"{shown} ... ({len(pages)})"


def _reason(exc: Exception) -> str:
    if isinstance(exc, PyPdfError) and str(exc):
        return str(exc).splitlines()[0].rstrip(".")
    return type(exc).__name__
