"""Passages as they are put before a language model: fenced, numbered and labelled, so that data stays data."""

from __future__ import annotations

import hashlib
from pathlib import PurePath

from ragkit.types.documents import Place
from ragkit.types.search import Passage

FRAME_TOKENS = 30  # of a passage's number and fences


def _where(place: Place) -> str:
    """English in every language: it is a label, which models copy into their answers."""
    parts = [place.name] if place.name else []
    if place.page is not None and not (place.kind == "sheet" and place.name):
        parts.append(f"{place.kind.replace('_', ' ')} {place.page}")
    if place.line is not None:
        parts.append(f"{'row' if place.kind == 'sheet' else 'line'} {place.line}")
    return ", ".join(parts)


def _fenced(passage: Passage) -> str:
    """A passage between fences that its own text cannot close."""
    place = _where(passage.place)
    above = f" | {' > '.join(passage.heading_path)}" if passage.heading_path else ""
    return _fenced_text(passage.marker, f"{PurePath(passage.source).name}, {place}{above}", passage.text)


def _fenced_text(number: int, label: str, text: str) -> str:
    fence = "passage-" + hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"[{number}] {label}".replace("\n", " ").rstrip(" ") + f"\n<{fence}>\n{text}\n</{fence}>"
