"""Says where a passage stands in words that people use."""

from __future__ import annotations

from ragkit.i18n.messages import Message, say
from ragkit.types.documents import Place

_PAGES = {
    "page": Message("page {page}"),
    "slide": Message("slide {page}"),
    "sheet": Message("sheet {page}"),
    "message": Message("message {page}"),
    "scan": Message("page {page} (OCR)"),
    "described": Message("picture {page} (a model's description)"),
    "described_page": Message("page {page} (a model's description of a picture)"),
    "described_slide": Message("slide {page} (a model's description of a picture)"),
    "described_picture": Message("picture {page} (a model's description)"),
}


def place_in_words(place: Place, language: str) -> str:
    """Returns a place as a person says it: page 3; slide 2; sheet “Costs”, row 7; notes/a.txt, line 4."""
    parts = [place.name] if place.name and place.kind != "sheet" else []
    if place.kind == "sheet" and place.name:
        parts.append(say(Message("sheet “{name}”", {"name": place.name}), language))
    elif place.page is not None:
        parts.append(say(_PAGES.get(place.kind, _PAGES["page"]).fill(page=place.page), language))
    if place.line is not None:
        line = Message("row {line}") if place.kind == "sheet" else Message("line {line}")
        parts.append(say(line.fill(line=place.line), language))
    return say(Message(", "), language).join(parts)
