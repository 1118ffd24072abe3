"""Checking an answer's quotes against the passages it cites.

Two texts are the same quote when they are equal after folding what copying changes: width and
compatibility forms (NFKC), white space, hyphenation at a line's end, the shapes of quotation marks
and dashes. Letters, digits, their case and their order must be the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ragkit.terms import CJK
from ragkit.types import Citation, Document, Passage

_MARKERS = re.compile(r"(?:\s?\[\d{1,3}(?:\s?[,，、]\s?\d{1,3})*\])+")
_NUMBER = re.compile(r"\d+")
_QUOTE = re.compile(r"“([^“”]+)”|「([^「」]+)」|『([^『』]+)』|\"([^\"\n]+)\"|«([^«»]+)»")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_SAME = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»「」『』＂", '"'),
        **dict.fromkeys("‘’‚‛`´", "'"),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        "。": ".",
        "、": ",",
    }
)
_IGNORED = {"\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff"}
_CJK = re.compile(f"[{CJK}]")


@dataclass(frozen=True, slots=True)
class Claim:
    """One marker group of an answer and the quotes that it answers for."""

    markers: tuple[int, ...]
    quotes: tuple[str, ...]  # empty: the sentence before the marker gives none


def claims(text: str) -> tuple[Claim, ...]:
    """The claims of an answer in order: what stands in quotation marks since the marker before, or
    in the same paragraph. `[1]` inside code is not a marker."""
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


def prose(text: str) -> str:
    """An answer without its quotes, markers and code: what it says in its own words."""
    return _MARKERS.sub(" ", _QUOTE.sub(" ", _CODE.sub(" ", text)))


def check(text: str, passages: Sequence[Passage], documents: Mapping[str, Document]) -> tuple[Citation, ...]:
    """The citations of an answer, in order of appearance, repeats left out.

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
                    listed.add(passage.marker)  # listed, though not proven
        for passage in cited:
            if passage.marker not in listed:
                found.setdefault((passage.marker, ""), cite(passage, "", None, None))
    return tuple(found.values())


def unknown_markers(text: str, passages: Sequence[Passage]) -> tuple[int, ...]:
    """Markers of an answer that point to no passage, each once."""
    known = {passage.marker for passage in passages}
    return tuple(dict.fromkeys(n for claim in claims(text) for n in claim.markers if n not in known))


def find_quote(quote: str, text: str) -> tuple[int, int] | None:
    """The span of `text` that reads as `quote`, or None. A match never begins or ends inside a word
    or a number of `text`."""
    folded, spans = _folded(text)
    needle, _ = _folded(quote)
    needle = needle.strip(" .,;:!?\"'")
    if not needle:
        return None
    at = folded.find(needle)
    while at >= 0:
        stop = at + len(needle)
        if _whole(folded, at, stop):
            return spans[at][0], spans[stop - 1][1]
        at = folded.find(needle, at + 1)
    return None


def cite(passage: Passage, quote: str, span: tuple[int, int] | None, document: Document | None) -> Citation:
    """The citation of a quote that stands in `span` of the passage's text; None: of the passage, unverified."""
    if span is None:
        place, start, end = passage.place, passage.start, passage.end
    else:
        start, end = passage.start + span[0], passage.start + span[1]
        place = document.place(start) if document is not None else passage.place
    return Citation(passage.marker, passage.source, place, start, end, quote, span is not None, passage.score)


def _folded(text: str) -> tuple[str, list[tuple[int, int]]]:
    """`text` folded for comparison, and for each folded character the span it came from."""
    characters: list[str] = []
    spans: list[tuple[int, int]] = []
    index = 0
    while index < len(text):
        stop = index + 1
        while stop < len(text) and unicodedata.combining(text[stop]):
            stop += 1
        cluster = text[index:stop]
        if cluster[0].isspace():
            while stop < len(text) and text[stop].isspace():
                stop += 1
            if characters and characters[-1] == "-" and "\n" in text[index:stop] and _continues(text, index, stop):
                characters.pop()  # "adip-\niscing" is one word
                spans.pop()
            elif characters and characters[-1] != " ":
                characters.append(" ")
                spans.append((index, stop))
        elif cluster not in _IGNORED:
            for character in unicodedata.normalize("NFKC", cluster.translate(_SAME)).translate(_SAME):
                characters.append(character)
                spans.append((index, stop))
        index = stop
    return _without_inner_cjk_spaces(characters, spans)


def _continues(text: str, start: int, stop: int) -> bool:
    """Whether the hyphen before text[start] breaks a word that goes on at text[stop]."""
    return start >= 2 and text[start - 2].islower() and stop < len(text) and text[stop].islower()


def _without_inner_cjk_spaces(characters: list[str], spans: list[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """White space beside a Chinese, Japanese or Korean character means nothing."""
    kept = [
        index
        for index, character in enumerate(characters)
        if character != " "
        or not (
            (index and _CJK.match(characters[index - 1]))
            or (index + 1 < len(characters) and _CJK.match(characters[index + 1]))
        )
    ]
    return "".join(characters[index] for index in kept), [spans[index] for index in kept]


def _whole(text: str, start: int, stop: int) -> bool:
    """Whether text[start:stop] cuts no word and no number."""
    before, after = text[:start][-2:], text[stop : stop + 2]
    return not (_joined(before[-1:], text[start]) or _joined(text[stop - 1], after[:1])) and not (
        _inside_number(before[::-1], text[start]) or _inside_number(after, text[stop - 1])
    )


def _joined(left: str, right: str) -> bool:
    word = (left.isalnum() and right.isalnum()) if left and right else False
    return (word and not (_CJK.match(left) or _CJK.match(right))) or (left.isdigit() and right.isdigit())


def _inside_number(outside: str, edge: str) -> bool:
    """Whether a point or comma and a digit beyond the edge carry on the edge's number."""
    return edge.isdigit() and len(outside) == 2 and outside[0] in ".," and outside[1].isdigit()
