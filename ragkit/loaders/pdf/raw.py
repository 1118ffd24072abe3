"""What the PDF libraries give of a file before anything is done with it, and what they leave out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ragkit.i18n.messages import coded
from ragkit.loaders.reasons import NEEDS_PASSWORD
from ragkit.types.errors import LoadError

FEW_CHARACTERS = 20  # a page of fewer is perhaps a picture of its text
_NO_REASON = "Data format error"  # PDFium's word for any damage

Pages = list[str | None]  # the texts of pages in order; None: the page could not be read
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RawPdf:
    """The text of a file's pages as the library gives it, and what else stands in the file. Pages count from 1."""

    title: str
    pages: Pages
    drawn: frozenset[int]  # pages of no text or of little, on which something is drawn
    attached: Mapping[int, int]  # page -> how many files are attached to it; 0 stands for the whole document


def none_if_it_fails(work: Callable[[], _T]) -> _T | None:
    """What `work` gives; None if it fails, so that one damaged page does not cost the others.

    On damaged files the libraries raise far more than their own errors.
    """
    try:
        return work()
    except MemoryError:
        raise
    except Exception:
        return None


def refusal(data: bytes, why: str, *, locked: bool) -> LoadError:
    """The error that says why a library could not open the file; `why` is in the library's words."""
    if locked:
        return LoadError(NEEDS_PASSWORD)
    if b"%PDF-" not in data:
        return LoadError(coded("not_a_pdf", "It is not a PDF file, whatever its name says."))
    if why == _NO_REASON:
        return LoadError(coded("pdf_damaged", "The PDF is too damaged to be opened."))
    reason = coded("pdf_damaged_why", "The PDF is too damaged to be opened ({why}).")
    return LoadError(reason, why=" ".join(why.split())[:200].rstrip("."))
