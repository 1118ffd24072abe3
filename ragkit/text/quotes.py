"""Finds a quote in a text, whatever copying has changed of its white space, width, hyphens and quotation marks."""

from __future__ import annotations

import re
import unicodedata

from ragkit.text.terms import CJK

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


def find_quote(quote: str, text: str) -> tuple[int, int] | None:
    """Returns the span of `text` that reads as `quote`, or None. A match never begins or ends inside a word
    or a number of `text`."""
    folded, spans = _folded(text)
    needle, _ = _folded(quote)
    needle = needle.strip(" .,;:!?\"'")
    if not needle:
        return None
    at = folded.find(needle)
    while at >= 0:
        stop = at + len(needle)
        if _cuts_nothing(folded, at, stop):
            return spans[at][0], spans[stop - 1][1]
        at = folded.find(needle, at + 1)
    return None


def _folded(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Returns `text` folded for comparison, and for each folded character the span that it came from."""
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
    """Says whether the hyphen before text[start] breaks a word that goes on at text[stop]."""
    return start >= 2 and text[start - 2].islower() and stop < len(text) and text[stop].islower()


def _without_inner_cjk_spaces(characters: list[str], spans: list[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """Leaves out white space beside a Chinese, Japanese or Korean character, where it means nothing."""
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


def _cuts_nothing(text: str, start: int, stop: int) -> bool:
    """Says whether text[start:stop] begins and ends outside words and numbers."""
    before, after = text[:start][-2:], text[stop : stop + 2]
    return not (_joined(before[-1:], text[start]) or _joined(text[stop - 1], after[:1])) and not (
        _inside_number(before[::-1], text[start]) or _inside_number(after, text[stop - 1])
    )


def _joined(left: str, right: str) -> bool:
    """Says whether two neighbouring characters belong to one word or one number."""
    word = (left.isalnum() and right.isalnum()) if left and right else False
    return (word and not (_CJK.match(left) or _CJK.match(right))) or (left.isdigit() and right.isdigit())


def _inside_number(outside: str, edge: str) -> bool:
    """Says whether a point or comma and a digit, both `outside` of the edge, carry on the edge's number."""
    return edge.isdigit() and len(outside) == 2 and outside[0] in ".," and outside[1].isdigit()
