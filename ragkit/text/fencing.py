"""Fences, numbers and labels the passages that are put before a language model, so that data stays data."""

from __future__ import annotations

import hashlib
from pathlib import PurePath

from ragkit.types.documents import Place
from ragkit.types.search import Passage

PASSAGE_OVERHEAD_TOKENS = 40  # what a passage's number, label and fences take in a prompt, by a generous count


def _place_label(place: Place) -> str:
    """Returns a place in English, whatever the language: it is a label, which models copy into their answers."""
    parts = [place.name] if place.name else []
    if place.page is not None and not (place.kind == "sheet" and place.name):
        parts.append(f"{place.kind.replace('_', ' ')} {place.page}")
    if place.line is not None:
        parts.append(f"{'row' if place.kind == 'sheet' else 'line'} {place.line}")
    return ", ".join(parts)


def fence_passage(passage: Passage) -> str:
    """Returns a passage with its number and label, between fences that its own text cannot close."""
    place = _place_label(passage.place)
    above = f" | {' > '.join(passage.heading_path)}" if passage.heading_path else ""
    return fence_text(passage.marker, f"{PurePath(passage.source).name}, {place}{above}", passage.text)


def fence_text(number: int, label: str, text: str) -> str:
    """Returns a numbered and labelled text between fences; their names come from a hash of the text."""
    fence = "passage-" + hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"[{number}] {label}".replace("\n", " ").rstrip(" ") + f"\n<{fence}>\n{text}\n</{fence}>"
