"""Tells whether a page's text can be read: what a person sees at a glance is measured by its characters.

A page is judged by the worst thing about it, from 1 (reads well) to 0. The bounds were set on 900 real files
in 20 formats and eight scripts, so that no page that a person can read falls below `BAD`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace

from ragkit.i18n.messages import Message, coded
from ragkit.types.documents import Document, Page, WeakPage

BAD = 0.5  # a page below it is listed
_HOPELESS = 0.3  # a document whose every page is below it is not indexed
_MIN_CHARACTERS = 80  # a page with fewer is not judged
_MAX_CHARACTERS = 20_000  # only the beginning of a longer page is judged

_CODES = re.compile(r"\(cid:\d+\)|/[GgCc]\d{1,3}\b")
_LOST = re.compile("[\ufffd\x00-\x08\x0e-\x1f\x7f-\x9f]")
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]")
_MOJIBAKE = re.compile(
    "(?:[ÃÂ][\u0080-\u00bf¡-¿ŒœŠšŸŽžƒ–—‘’‚“”„†‡•…‰‹›€™])|(?:[åæçèé][\u0080-\u00bf¡-¿‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€]{1,2})|â€"
    "|[À-ÿ]{4,}|[锟斤拷]{3,}|[ï¿½]{3,}"
)
_WORD = re.compile(r"[^\W_]+")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ]+")
_VOWEL = re.compile(r"[aeiouyAEIOUYÀ-ÆÈ-ÏÒ-ÖØ-Ýà-æè-ïò-öø-ýÿĀ-ąĒ-ěĨ-ıŌ-œŨ-ų]")
_MARK = re.compile(r"[^\w\s]")


def with_weak_pages(document: Document) -> Document:
    """Returns `document` with the pages that read badly added to its weak ones."""
    pages = document.pages or (Page(0, 0, len(document.text)),)
    known = {page.number for page in document.weak_pages}
    found = list(document.weak_pages)
    for page in pages:
        if page.number in known or page.kind in ("file", "sheet"):  # data is no prose
            continue
        score, reason = readability(document.text[page.start : page.end])
        if score < BAD:
            found.append(WeakPage(page.number, round(score, 2), reason))
    found.sort(key=lambda page: page.number)
    return replace(document, weak_pages=tuple(found))


def why_unreadable(document: Document) -> Message | None:
    """Returns why none of the document can be used, or None where some of it can."""
    count = max(len(document.pages), 1)
    weak = document.weak_pages
    if len(weak) < count or any(page.score >= _HOPELESS for page in weak):
        return None
    return max(weak, key=lambda page: page.score).reason


def readability(text: str) -> tuple[float, Message]:
    """Returns how well a page reads, from 0 to 1, and why if that is below `BAD`. A page with hardly any text scores
    1, as being short is no fault."""
    sample = text[:_MAX_CHARACTERS]
    size = sum(not c.isspace() for c in sample)
    if size < _MIN_CHARACTERS:
        return 1.0, Message()
    score, reason = min(((check(sample, size), reason) for check, reason in _CHECKS), key=lambda item: item[0])
    return score, reason if score < BAD else Message()


# Each check returns how well a page reads in one respect, from 0 to 1; `size` counts its characters without spaces.


def _lost_characters(text: str, size: int) -> float:
    """Counts characters that were lost, and codes in their place: at one in twelve, words break everywhere."""
    codes = sum(map(len, _CODES.findall(text)))
    return 1 - min((len(_LOST.findall(text)) + codes) / size * 6, 1)


def _private_signs(text: str, size: int) -> float:
    """Counts glyphs that mean something only in their font; a bullet or an arrow is one in a hundred."""
    return 1 - min(len(_PRIVATE.findall(text)) / size * 3, 1)


def _mojibake(text: str, size: int) -> float:
    """Counts what bytes of one encoding look like when they are read as another."""
    return 1 - min(sum(map(len, _MOJIBAKE.findall(text))) / size * 3, 1)


def _spelled_words(text: str, size: int) -> float:
    """Counts single letters, which broken pages take words apart into; a table of letters has few of them."""
    words = [word for word in _WORD.findall(text) if word.isascii()]
    if len(words) < 40 or sum(map(len, words)) < size / 2:
        return 1.0
    single: float = sum(len(word) == 1 and word.isalpha() for word in words) / len(words)
    return 1 - min(max(single - 0.5, 0) * 2, 1.0 - _HOPELESS)  # a person can still put them together


def _words_without_vowels(text: str, size: int) -> float:
    """Counts Latin words without a vowel, as a font with shifted letters gives; codes have digits among them."""
    words = [word for word in _LATIN_WORD.findall(text) if len(word) >= 4 and not word.isupper()]
    if len(words) < 30 or sum(map(len, words)) < size / 2:
        return 1.0
    mute = sum(not _VOWEL.search(word) for word in words) / len(words)
    return 1 - min(max(mute - 0.1, 0) * 2, 1)


def _mixed_alphabets(text: str, _size: int) -> float:
    """Counts words that mix Latin, Greek and Cyrillic letters."""
    words = [word for word in re.findall(r"[^\W\d_]{3,}", text) if not word.isascii()]
    if len(words) < 30:
        return 1.0
    mixed = sum(len({_alphabet(c) for c in word} - {""}) > 1 for word in words)
    return 1 - min(mixed / len(words) * 1.5, 1)


def _signs_for_letters(text: str, size: int) -> float:
    """Counts punctuation and symbols that stand in place of letters. The signs that rule tables and dot the lines of
    a table of contents are not counted: good pages are made of them by up to two thirds."""
    marks = [c for c in _MARK.findall(text) if unicodedata.category(c)[0] in "PS" and c not in "._-–—|…·•=*+~─│━┃"]
    return 1 - min(max(len(marks) / size - 0.35, 0) * 3, 1 - _HOPELESS)


def _alphabet(character: str) -> str:
    """Returns "latin", "greek" or "cyrillic"; "" for a letter of any other script."""
    code = ord(character)
    if code < 0x250:
        return "latin"
    if 0x370 <= code < 0x400:
        return "greek"
    return "cyrillic" if 0x400 <= code < 0x530 else ""


_CHECKS: Sequence[tuple[Callable[[str, int], float], Message]] = (
    (
        _lost_characters,
        coded("characters_lost", "characters were lost: its fonts or encoding do not say what they are"),
    ),
    (_private_signs, coded("private_signs", "its fonts give signs without a meaning")),
    (_mojibake, coded("wrong_encoding", "it was written in another encoding than it was read in")),
    (_spelled_words, coded("spelled_words", "its words are taken apart into letters")),
    (_words_without_vowels, coded("no_words", "its letters make no words")),
    (_mixed_alphabets, coded("mixed_alphabets", "its words mix alphabets")),
    (_signs_for_letters, coded("only_signs", "it is made of signs, not of words")),
)
