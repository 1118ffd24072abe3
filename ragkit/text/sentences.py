"""Splitting a text into sentences, and telling which of them say something that can be quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ragkit.text import terms
from ragkit.text.terms import CJK

_MARKUP = re.compile(r"^[\s#>*+=~_|:-]+|[\s#*=~_|:-]+$")


_MAX_CHARACTERS = 1200  # of one quoted sentence; a longer one is no sentence


def quotable(text: str, heading_path: Sequence[str]) -> Iterator[str]:
    """The sentences of a text that say something, without the marks around them."""
    headings = {title.casefold() for title in heading_path}
    for start, end in sentences(text):
        sentence = _MARKUP.sub("", text[start:end])
        if _says_something(sentence) and sentence.casefold() not in headings:
            yield sentence


def _says_something(text: str) -> bool:
    """Whether a piece of text can be an answer: a sentence, a row or an item, not a title or a question."""
    if len(text) > _MAX_CHARACTERS or text.rstrip("\"'”’」』)）").endswith(("?", "？")):
        return False
    words = len(re.findall(r"[^\W_]+", text))
    characters = len(re.findall(f"[{terms.CJK}]", text))
    if words >= 6 or characters >= 10:
        return True
    return (words >= 3 or characters >= 5) and bool(re.search(r"[.!?;。！？；][\"'”’)）]*$|\||\d", text))


_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|No|no|Fig|fig|Sec|Dr|Mr|Mrs|Ms|Prof|St|Inc|Ltd|Co|approx|[A-Z]))\.$"
)


_BREAK = re.compile(  # a blank line; the line of an item, of a table row; the end of a sentence
    r"\n[ \t]*\n\s*"
    r"|\n(?=[^\n|]{1,300} \| )"
    r"|\n(?=[ \t]*(?:[-*+•·◦▪]\s|\(?\d{1,3}[.)、]\s?|[|#>=]|[（(]?[一二三四五六七八九十]+[、）)]|```))"
    r"|[。！？]+[”’」』）】\"']*\s*|…+[”’」』）】\"']+\s*"
    rf"|[.!?]+[\"'”’)\]]*\s+(?=[\"'“‘(\[]?(?:[^\Wa-z_]|[{CJK}]))"
)


def sentences(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Spans that tile `text[start:end]`, each one sentence, list item, table row or heading line."""
    stop = len(text) if end is None else end
    spans: list[tuple[int, int]] = []
    begin = start
    for match in _BREAK.finditer(text, start, stop):
        cut = match.end()
        if cut <= begin or cut >= stop:
            continue
        if text[match.start()] == "." and _ABBREVIATION.search(text, max(begin, match.start() - 8), match.start() + 1):
            continue
        spans.append((begin, cut))
        begin = cut
    if begin < stop:
        spans.append((begin, stop))
    return spans
