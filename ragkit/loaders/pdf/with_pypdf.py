"""PDF read by pypdf: files and pages that PDFium cannot read, and attached files."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from ragkit.loaders.pdf.raw import Pages, RawPdf, none_if_it_fails, refusal
from ragkit.loaders.pdf.text import sane_title
from ragkit.types.errors import LoadError


def open_with_pypdf(data: bytes) -> Any:
    """Raises LoadError if the file is damaged or locked."""
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise refusal(data, "", locked=True)
        len(reader.pages)  # reads the tree of pages
    except (LoadError, MemoryError):
        raise
    except Exception as exc:  # pypdf raises far more than its own errors on damaged files
        raise refusal(data, str(exc) or type(exc).__name__, locked=False) from exc
    return reader


def read_with_pypdf(data: bytes) -> RawPdf:
    """The whole file; pages without text count as drawn on, and attached files are not looked for.

    Raises LoadError if it is damaged or locked.
    """
    reader = open_with_pypdf(data)
    pages = _texts(reader, range(len(reader.pages)))
    title = none_if_it_fails(lambda: sane_title((reader.metadata and reader.metadata.title) or ""))
    drawn = frozenset(number for number, page in enumerate(pages, 1) if not page)
    return RawPdf(title or "", pages, drawn, {})


def pages_with_pypdf(data: bytes, numbers: Sequence[int]) -> Pages:
    """The pages of these numbers (from 0), in their order; a page that pypdf does not find is None.

    Raises LoadError if the file is damaged or locked.
    """
    return _texts(open_with_pypdf(data), numbers)


def _texts(reader: Any, numbers: Sequence[int]) -> Pages:
    return [none_if_it_fails(partial(_text, reader, number)) for number in numbers]


def _text(reader: Any, number: int) -> str:
    return str(reader.pages[number].extract_text())
