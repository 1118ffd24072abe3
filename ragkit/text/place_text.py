"""Places in words."""

from __future__ import annotations

from ragkit.i18n.messages import Message, say
from ragkit.types.documents import Place

_PAGES = {
    "page": "page {page}",
    "slide": "slide {page}",
    "sheet": "sheet {page}",
    "message": "message {page}",
    "scan": "page {page} (OCR)",
    "described": "picture {page} (a model's description)",
    "described_page": "page {page} (a model's description of a picture)",
    "described_slide": "slide {page} (a model's description of a picture)",
    "described_picture": "picture {page} (a model's description)",
}


def spoken(place: Place, language: str) -> str:
    """As a person says it: page 3; slide 2; sheet “Costs”, row 7; notes/a.txt, line 4."""
    parts = [place.name] if place.name and place.kind != "sheet" else []
    if place.kind == "sheet" and place.name:
        parts.append(say(Message("sheet “{name}”", {"name": place.name}), language))
    elif place.page is not None:
        parts.append(say(Message(_PAGES.get(place.kind, "page {page}"), {"page": place.page}), language))
    if place.line is not None:
        line = "row {line}" if place.kind == "sheet" else "line {line}"
        parts.append(say(Message(line, {"line": place.line}), language))
    return say(Message(", "), language).join(parts)
