"""Citations as JSON values, for the small files that keep them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ragkit.types.answers import Citation
from ragkit.types.documents import Place


def citation_row(citation: Citation) -> dict[str, object]:
    return asdict(citation)


def citation_of(row: dict[str, Any]) -> Citation:
    """Raises KeyError, TypeError or ValueError when `row` is not one."""
    place = Place(**row["place"])
    citation = Citation(**{**row, "place": place})
    numbers = (citation.marker, citation.start, citation.end, place.page or 0, place.line or 0)
    if not all(isinstance(number, int) for number in numbers):
        raise ValueError("a number is none")
    if not all(isinstance(text, str) for text in (citation.source, citation.quote, place.kind, place.name)):
        raise ValueError("a text is none")
    return citation
