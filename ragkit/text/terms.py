"""The terms of lexical search: stemmed words for spaced scripts, character pairs for Chinese,
Japanese and Korean. No dictionary is needed, and a question and a document meet in the same form.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

VERSION = 1  # part of an index's generation: a change here re-indexes

HAN = (
    r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u31c0-\u31ef\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
CJK = HAN + r"\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\uac00-\ud7af"
_CJK_CHARACTER = re.compile(f"[{CJK}]")
_RUN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+(?:[-_.:/+#@'][^\W_{CJK}]+)*[+#]*")
_PART = re.compile(r"[-_.:/+#@']+")
_LETTER = rf"[^\W_{CJK}]"
_WORD = re.compile(f"{_LETTER}+")
_AT_LETTER = re.compile(_LETTER)

_STOP_EN = frozenset(
    "a an the of in on at to for from by with about into over under and or but nor not no so if then than "
    "as is are was were be been being am do does did done has have had having will would shall should can "
    "could may might must it its it's this that these those there here i you he she we they me him her us "
    "them my your his our their who whom whose which what when where why how many much s t re ve ll d m "
    "any some all each also just only very more most other such own same too please tell".split()
)
_STOP_ZH = re.compile(
    "请问|请告诉我|告诉我|什么时候|为什么|是什么|有哪些|什么|怎么样|怎样|怎么|如何|多少|哪些|哪个|哪里|哪儿|哪|"
    "是否|能否|可否|可以|能不能|是不是|有没有|应该|需要|关于|吗|呢|吧|嗎|請問|什麼|為什麼|怎麼|哪裡|是誰|谁|誰"
)


def is_cjk(text: str) -> bool:
    """Says whether `text` holds at least one Chinese, Japanese or Korean character."""
    return bool(_CJK_CHARACTER.search(text))


def cjk_characters(text: str) -> list[str]:
    """Returns the Chinese, Japanese and Korean characters of `text`."""
    return _CJK_CHARACTER.findall(text)


def language(text: str) -> str:
    """Returns "zh" when a reader of `text` reads Chinese, else "en": by the share of CJK characters,
    where a Latin word counts as much as a character."""
    han = len(cjk_characters(text))
    words = len(re.findall(r"[A-Za-z]+", text))
    return "zh" if han and han >= words else "en"


def fold(text: str) -> str:
    """Returns `text` with width, compatibility forms and case folded."""
    return unicodedata.normalize("NFKC", text).casefold()


def lowercase_shouting(question: str) -> str:
    """Returns a question that is all in capitals in small letters, as a model that tells them apart knows its words.
    Any other question stays as it is, and so do one or two words, which may be names."""
    shouted = question.isupper() and not is_cjk(question) and len(question.split()) > 2
    return question.lower() if shouted else question


def document_terms(text: str) -> Iterator[str]:
    """Yields the terms of `text` in reading order, repeats kept (their number is the frequency).

    A CJK run of n characters gives its n-1 pairs and its last character, so that a single
    character can be found as a prefix. A compound such as "ERR-1042" gives itself and its parts.
    """
    for run in _RUN.findall(fold(text)):
        if _CJK_CHARACTER.match(run):
            yield from (run[i : i + 2] for i in range(len(run)))
        else:
            yield from _word_terms(run)


def query_terms(question: str) -> tuple[str, ...]:
    """Returns the distinct terms worth looking for, in order; question words are left out unless
    nothing else remains. A single CJK character stands for any pair that starts with it."""
    folded = fold(question)
    found = dict.fromkeys(_query_terms(_STOP_ZH.sub(" ", folded)))
    if not found:
        found = dict.fromkeys(document_terms(folded))
    return tuple(found)


def content_words(question: str) -> list[str]:
    """Returns the words of a question as they stand, without question words and other small words. CJK text has no
    borders between words: there, what stands between the small words comes as a whole."""
    runs = _RUN.findall(_STOP_ZH.sub(" ", unicodedata.normalize("NFKC", question)))
    return [run for run in runs if run.casefold() not in _STOP_EN]


def _query_terms(folded: str) -> Iterator[str]:
    for run in _RUN.findall(folded):
        if not _CJK_CHARACTER.match(run):
            if run not in _STOP_EN:
                yield from (term for term in _word_terms(run) if term not in _STOP_EN)
        elif len(run) == 1:
            yield run
        else:
            yield from (run[i : i + 2] for i in range(len(run) - 1))


def _word_terms(run: str) -> Iterator[str]:
    parts = [part for part in _PART.split(run) if part]
    if len(parts) == 1 and parts[0] == run:
        yield stem(run)
        return
    yield run  # identifiers, versions and code names are kept whole
    yield from (stem(part) for part in parts)


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """Returns the English stem (Snowball) of a word of plain letters, and any other word as it is."""
    if not (word.isascii() and word.isalpha()):
        return word
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


class Matcher:
    """Counts a question's terms in texts, as the lexical index does, without taking every word apart."""

    def __init__(self, terms: Iterable[str]) -> None:
        self._stems: set[str] = set()
        self._runs: list[str] = []  # terms in CJK, which has no borders between words
        self._compounds: list[str] = []
        for term in terms:
            if is_cjk(term):
                self._runs.append(term)
            elif _PART.search(term):
                self._compounds.append(term)
            else:
                self._stems.add(term)
        self._starts = tuple(sorted({start for found in self._stems for start in _starts(found)}))
        # A pattern with the letters of every script takes milliseconds to compile, too long to be made for each
        # question: this one knows ASCII alone, and other texts are taken apart into words.
        likely = "|".join(re.escape(start) for start in self._starts if start.isascii())
        self._likely = re.compile(f"(?<![a-z0-9])(?:{likely})[a-z0-9]*") if likely else None

    def count(self, text: str) -> dict[str, int]:
        """Returns how often each term stands in `text`; terms that do not stand there are left out."""
        folded = fold(text)
        found: dict[str, int] = {}
        for word in self._likely_words(folded):
            stemmed = stem(word)
            if stemmed in self._stems:
                found[stemmed] = found.get(stemmed, 0) + 1
        for term in self._runs:
            times = folded.count(term)
            if times:
                found[term] = times
        for term in self._compounds:
            times = _times_between_borders(term, folded)
            if times:
                found[term] = times
        return found

    def _likely_words(self, folded: str) -> Iterable[str]:
        """Returns the words that begin as words of the question do, so that only these are stemmed."""
        if folded.isascii():
            return self._likely.findall(folded) if self._likely else ()
        return (word for word in _WORD.findall(folded) if word.startswith(self._starts)) if self._starts else ()


def _times_between_borders(term: str, text: str) -> int:
    """Counts how often `term` stands in `text` with no letter before or after it."""
    times, at = 0, text.find(term)
    while at >= 0:
        end = at + len(term)
        free = not (at and _AT_LETTER.match(text, at - 1)) and not _AT_LETTER.match(text, end)
        times += free
        at = text.find(term, end if free else at + 1)
    return times


def _starts(stemmed: str) -> tuple[str, ...]:
    """Returns what every word of this stem begins with: Snowball changes the last letter of a stem at the most, but
    makes "tie" of "tying" and so on."""
    start = stemmed[: max(2, len(stemmed) - 1)]
    return (start, f"{stemmed[0]}y") if len(stemmed) == 3 and stemmed.endswith("ie") else (start,)


def cover(weights: Mapping[str, float], held: Collection[str]) -> float:
    """Returns the share, 0 to 1, of the weight of the question's terms that a text holds."""
    total = sum(weights.values())
    if total <= 0:
        return 0.0
    return sum(weight for term, weight in weights.items() if term in held) / total
