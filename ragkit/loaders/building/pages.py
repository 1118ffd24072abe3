"""The texts of pages joined to the text of a document."""

from __future__ import annotations

from collections.abc import Iterable

from ragkit.types.documents import Page, PageKind

BETWEEN_PAGES = "\n\n"


def joined_pages(pages: Iterable[tuple[str, PageKind]]) -> tuple[str, tuple[Page, ...]]:
    """The text, and where in it each (text, kind) of `pages` stands; they are numbered from 1."""
    texts: list[str] = []
    spans: list[Page] = []
    start = 0
    for number, (text, kind) in enumerate(pages, 1):
        texts.append(text)
        spans.append(Page(number, start, start + len(text), kind))
        start += len(text) + len(BETWEEN_PAGES)
    return BETWEEN_PAGES.join(texts), tuple(spans)
