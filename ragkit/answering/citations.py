"""Checks an answer's quotes against the passages that it cites.

Two texts are the same quote when they are equal after folding what copying changes: width and
compatibility forms (NFKC), white space, hyphenation at a line's end, the shapes of quotation marks
and dashes. Letters, digits, their case and their order must be the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ragkit.text.quotes import find_quote
from ragkit.types.answers import Citation
from ragkit.types.documents import Document
from ragkit.types.search import Passage

_MARKERS = re.compile(r"(?:\s?\[\d{1,3}(?:\s?[,，、]\s?\d{1,3})*\])+")
_NUMBER = re.compile(r"\d+")
_QUOTE = re.compile(r"“([^“”]+)”|「([^「」]+)」|『([^『』]+)』|\"([^\"\n]+)\"|«([^«»]+)»")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Claim:
    """One marker group of an answer and the quotes that it answers for."""

    markers: tuple[int, ...]
    quotes: tuple[str, ...]  # empty where nothing before the markers is quoted


def claims(text: str) -> tuple[Claim, ...]:
    """Returns the claims of an answer in order. The quotes of one are what stands in quotation marks before its
    markers, in the same paragraph and after the claim before. `[1]` inside code is not a marker."""
    prose = _CODE.sub(lambda match: " " * len(match.group()), text)
    found = []
    last = 0
    for match in _MARKERS.finditer(prose):
        start = max(last, prose.rfind("\n\n", 0, match.start()) + 1)
        quotes = tuple(
            next(part for part in quote.groups() if part is not None)
            for quote in _QUOTE.finditer(text[start : match.start()])
        )
        markers = tuple(dict.fromkeys(int(number) for number in _NUMBER.findall(match.group())))
        found.append(Claim(markers, quotes))
        last = match.end()
    return tuple(found)


def own_words(text: str) -> str:
    """Returns an answer without its quotes, markers and code: what it says in its own words."""
    return _MARKERS.sub(" ", _QUOTE.sub(" ", _CODE.sub(" ", text)))


def check(text: str, passages: Sequence[Passage], documents: Mapping[str, Document]) -> tuple[Citation, ...]:
    """Returns the citations of an answer, in order of appearance, repeats left out.

    A marker without a quote, or whose quote is not in its passage, gives an unverified citation of
    the whole passage. A marker that no passage has gives nothing: see `unknown_markers`.
    """
    by_marker = {passage.marker: passage for passage in passages}
    found: dict[tuple[int, str], Citation] = {}
    for claim in claims(text):
        cited = [by_marker[marker] for marker in claim.markers if marker in by_marker]
        listed: set[int] = set()
        for quote in claim.quotes:
            matches = [(passage, span) for passage in cited if (span := find_quote(quote, passage.text))]
            for passage, span in matches:
                found.setdefault((passage.marker, quote), cite(passage, quote, span, documents.get(passage.source)))
                listed.add(passage.marker)
            if not matches:
                for passage in cited:
                    found.setdefault((passage.marker, quote), cite(passage, quote, None, None))
                    listed.add(passage.marker)  # it is listed, though not proved
        for passage in cited:
            if passage.marker not in listed:
                found.setdefault((passage.marker, ""), cite(passage, "", None, None))
    return tuple(found.values())


def unknown_markers(text: str, passages: Sequence[Passage]) -> tuple[int, ...]:
    """Returns the markers of an answer that point to no passage, each once."""
    known = {passage.marker for passage in passages}
    return tuple(dict.fromkeys(n for claim in claims(text) for n in claim.markers if n not in known))


def cite(passage: Passage, quote: str, span: tuple[int, int] | None, document: Document | None) -> Citation:
    """Returns the citation of a quote that stands in `span` of the passage's text. Where the quote stands nowhere
    (None), the whole passage is cited, unverified."""
    if span is None:
        place, start, end = passage.place, passage.start, passage.end
    else:
        start, end = passage.start + span[0], passage.start + span[1]
        place = document.place(start) if document is not None else passage.place
    return Citation(passage.marker, passage.source, place, start, end, quote, span is not None, passage.score)
