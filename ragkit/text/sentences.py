"""Splitting a text into sentences, and telling which of them say something that can be quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ragkit.text import terms
from ragkit.text.terms import CJK

_MARKUP = re.compile(r"^[\s#>*+=~_|:-]+|[\s#*=~_|:-]+$")
_MAX_CHARACTERS = 1200  # the longest sentence that is quoted; what is longer is no sentence
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|No|no|Fig|fig|Sec|Dr|Mr|Mrs|Ms|Prof|St|Inc|Ltd|Co|approx|[A-Z]))\.$"
)
# A sentence ends at a blank line, before an item or a table row, and at a mark that ends one.
_BREAK = re.compile(
    r"\n[ \t]*\n\s*"
    r"|\n(?=[^\n|]{1,300} \| )"
    r"|\n(?=[ \t]*(?:[-*+•·◦▪]\s|\(?\d{1,3}[.)、]\s?|[|#>=]|[（(]?[一二三四五六七八九十]+[、）)]|```))"
    r"|[。！？]+[”’」』）】\"']*\s*|…+[”’」』）】\"']+\s*"
    rf"|[.!?]+[\"'”’)\]]*\s+(?=[\"'“‘(\[]?(?:[^\Wa-z_]|[{CJK}]))"
)


def quotable_sentences(text: str, heading_path: Sequence[str]) -> Iterator[str]:
    """Yields the sentences of a text that can be quoted, without the marks around them; headings are left out."""
    headings = {title.casefold() for title in heading_path}
    for start, end in sentence_spans(text):
        sentence = _MARKUP.sub("", text[start:end])
        if _can_be_quoted(sentence) and sentence.casefold() not in headings:
            yield sentence


def _can_be_quoted(text: str) -> bool:
    """Says whether a piece of text can be an answer: a sentence, a row or an item, not a title or a question."""
    if len(text) > _MAX_CHARACTERS or text.rstrip("\"'”’」』)）").endswith(("?", "？")):
        return False
    words = len(re.findall(r"[^\W_]+", text))
    characters = len(re.findall(f"[{terms.CJK}]", text))
    if words >= 6 or characters >= 10:
        return True
    return (words >= 3 or characters >= 5) and bool(re.search(r"[.!?;。！？；][\"'”’)）]*$|\||\d", text))


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Returns spans that tile `text[start:end]`, each one sentence, list item, table row or heading line."""
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
