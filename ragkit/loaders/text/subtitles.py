"""Subtitles (SubRip, WebVTT): the spoken words behind the time at which they begin."""

from __future__ import annotations

import re
from html import unescape

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder, one_line
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.text.plain import decode_words
from ragkit.types.documents import Document

_TIME = re.compile(r"\s*((?:\d{1,3}:)?\d{1,2}:\d{2})[.,]?\d*\s*-->\s*(?:\d{1,3}:)?\d{1,2}:\d{2}")
_SPEAKER = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?[a-zA-Z0-9][^<>]*>|\{\\[^{}]*\}")


def read_subtitles(source: str, data: bytes, context: ReadContext) -> Document:
    """Each cue becomes a line `[00:01:02] text`. Raises NoText, LoadError."""
    text, notes = decode_words(data)
    builder = DocumentBuilder()
    builder.notes += notes
    rows = text.split("\n")
    at, found = 0, False
    while at < len(rows):
        time = _TIME.match(rows[at])
        at += 1
        if time:
            found = True
            at = _write_cue(builder, time[1], rows, at)
    if not found:
        builder.note(coded("no_times", "It holds no times; it was read as plain text."))
        builder.add(text.rstrip("\n"), 1)
    return builder.document(source, context.media_type)


def _write_cue(builder: DocumentBuilder, time: str, rows: list[str], at: int) -> int:
    """Write the cue whose text begins at row `at`; returns the row where the next one may begin."""
    begin = at
    said = []
    while at < len(rows) and rows[at].strip() and not _TIME.match(rows[at]):
        said.append(_plain(rows[at]))
        at += 1
    if at < len(rows) and _TIME.match(rows[at]) and said and said[-1].isdecimal():
        said.pop()  # this is the number of the next cue, which no blank line parts from this one
    spoken = one_line(" ".join(said))
    if spoken:
        builder.add(f"[{time}] {spoken}", begin + 1)
    return at


def _plain(row: str) -> str:
    return unescape(_TAG.sub("", _SPEAKER.sub(r"\1: ", row)))
