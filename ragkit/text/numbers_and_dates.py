"""Finds numbers, dates and words in a text: to tell whether a value stands in its quote, and to read one out of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from ragkit.i18n.messages import Message, coded
from ragkit.text import quotes, terms
from ragkit.types.structured import Scalar

Support = Literal["stated", "read", "absent"]
"""stated: the value stands in its quote. read: nothing in the quote speaks against it. absent: it is not there."""

_MIN_SHARED_WORDS = 0.5  # the share of a value's words that its quote must hold
_ZH_DIGITS = {**{c: n for n, c in enumerate("零一二三四五六七八九")}, "〇": 0, "两": 2}
_ZH_UNITS = {"十": 10, "百": 100, "千": 1000}
_ZH_NUMBER = "[零〇一二两三四五六七八九十百千万亿]"
_EN_SMALL = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
} | {
    word: number * 10
    for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}  # fmt: skip
_EN_GROUPS = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
_MULTIPLIERS = {**_EN_GROUPS, "千": 1000, "万": 10_000, "百万": 1_000_000, "千万": 10_000_000, "亿": 100_000_000}
_DIGITS = re.compile(
    r"(?<![\w.,])(?P<minus>[-−])?(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?P<part>\.\d+)?"
    r"(?:\s*(?P<times>(?:hundred|thousand|million|billion)\b|百万|千万|千(?![克米瓦卡焦赫伏])|万|亿))?",
    re.I,
)
_DIGITS_AFTER_CJK = re.compile(rf"(?<=[{terms.CJK}])(?=[-−]?\d)")
_ZH_RUN = re.compile(rf"{_ZH_NUMBER}+")
_EN_WORD = "|".join(sorted({*_EN_SMALL, *_EN_GROUPS}, key=len, reverse=True))
_EN_RUN = re.compile(rf"\b(?:{_EN_WORD})(?:(?:[\s-]|\s+and\s+)(?:{_EN_WORD}))*\b", re.I)
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "(?P<month>" + "|".join(f"{name[:3]}(?:{name[3:]}|t)?" for name in _MONTHS) + r")\.?"
_ZH_DATE_PART = r"[\d零〇一二三四五六七八九十]"
_DATES = (
    re.compile(r"(?<!\d)(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)"),
    re.compile(
        rf"(?P<y>{_ZH_DATE_PART}{{4}})\s*年\s*(?P<m>{_ZH_DATE_PART}{{1,3}})\s*月\s*(?P<d>{_ZH_DATE_PART}{{1,3}})"
    ),
    re.compile(rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?\s+{_MONTH},?\s+(?P<y>\d{{4}})", re.I),
    re.compile(rf"\b{_MONTH}\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y>\d{{4}})", re.I),
)
_AMBIGUOUS_DATE = re.compile(r"(?<![\d/.])(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?!\d)")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_SHAPES = {
    "email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "uri": re.compile(r"https?://[^\s<>\"'”’）)，。]+[^\s<>\"'”’）)，。.,;:!?]"),
}


@dataclass(frozen=True, slots=True)
class NoValue:
    """No value could be read out of a text."""

    why: Message


# -- is it there? ------------------------------------------------------------------------------


def support_of(value: Scalar, quote: str, *, closed: bool) -> Support:
    """Says how `quote` supports `value`. Every number and date of the value has to be there, and half of its words if
    both are in one language. A `closed` value is a choice of the schema's, whose words need not be there."""
    if isinstance(value, bool) or value is None:
        return "read"
    if isinstance(value, int | float):
        return "stated" if Decimal(str(value)) in numbers(quote) else "absent"
    if quotes.find_quote(value, quote) is not None:
        return "stated"
    if _ISO.fullmatch(value):
        return "stated" if value in {found.isoformat() for found in dates(quote)} else "absent"
    wanted = {found.isoformat() for found in dates(value)}
    if wanted - {found.isoformat() for found in dates(quote)}:
        return "absent"
    if not wanted and set(_numbers_in_digits(value)) - numbers(quote):
        return "absent"
    return "read" if closed or _says_the_same(value, quote) else "absent"


def _says_the_same(value: str, quote: str) -> bool:
    """Says whether the quote holds enough of the value's words."""
    if terms.is_cjk(value) != terms.is_cjk(quote):
        return True  # one is a translation, which cannot be told by words
    words = {word for word in terms.query_terms(value) if not word.isdecimal()}  # numbers are checked by themselves
    return len(words & set(terms.document_terms(quote))) >= _MIN_SHARED_WORDS * len(words)


def numbers(text: str) -> set[Decimal]:
    """Returns every number that the text may be read to say: 1,200; 1.2 million and 1.2; twenty-five; 十五; 3万."""
    folded = _folded(text)
    found = set(_numbers_in_digits(folded)) | set(_numbers_in_words(folded))
    return found | {number for day in dates(text) for number in map(Decimal, (day.year, day.month, day.day))}


def dates(text: str) -> set[date]:
    """Returns every day that the text may be read to say; 3/4/2025 may be two of them."""
    folded = _folded(text)
    found = {day for pattern in _DATES for match in pattern.finditer(folded) if (day := _date_of(match.groupdict()))}
    for match in _AMBIGUOUS_DATE.finditer(folded):
        first, second, year = map(int, match.groups())
        found |= {day for pair in ((first, second), (second, first)) if (day := _valid_date(year, *pair))}
    return found


def _folded(text: str) -> str:
    """Folds width and compatibility forms, and parts digits from the CJK characters before them, where a number
    begins as it does after a space."""
    return _DIGITS_AFTER_CJK.sub(" ", unicodedata.normalize("NFKC", text))


def _numbers_in_digits(folded: str) -> Iterator[Decimal]:
    """Yields the numbers in digits, each also multiplied by the word after it, as in "1.2 million"."""
    for match in _DIGITS.finditer(folded):
        number = Decimal(match["whole"].replace(",", "") + (match["part"] or ""))
        number = -number if match["minus"] else number
        yield number
        if match["times"]:
            yield number * _MULTIPLIERS[match["times"].lower()]


def _numbers_in_words(folded: str) -> Iterator[Decimal]:
    """Yields the numbers in Chinese and in English words."""
    for match in _ZH_RUN.finditer(folded):
        yield Decimal(_zh_number(match.group()))
    for match in _EN_RUN.finditer(folded):
        yield Decimal(_en_number(re.split(r"[\s-]+", match.group().lower())))


def _zh_number(text: str) -> int:
    """Reads a Chinese number, also one whose digits stand one by one: 十五 is 15, 二〇二五 is 2025."""
    if all(character in _ZH_DIGITS for character in text):
        return int("".join(str(_ZH_DIGITS[character]) for character in text))
    total = section = digit = 0
    for character in text:
        if character in _ZH_DIGITS:
            digit = _ZH_DIGITS[character]
        elif character in _ZH_UNITS:
            section += (digit or 1) * _ZH_UNITS[character]
            digit = 0
        elif character == "亿":
            total = (total + section + digit or 1) * 100_000_000
            section = digit = 0
        else:
            total += (section + digit or 1) * 10_000
            section = digit = 0
    return total + section + digit


def _en_number(words: list[str]) -> int:
    """Reads an English number: ["two", "hundred", "five"] is 205."""
    total = section = 0
    for word in words:
        if word in _EN_SMALL:
            section += _EN_SMALL[word]
        elif word == "hundred":
            section = (section or 1) * 100
        elif word in _EN_GROUPS:
            total += (section or 1) * _EN_GROUPS[word]
            section = 0
    return total + section


def _date_of(parts: Mapping[str, str | None]) -> date | None:
    year, day = _date_part(parts["y"]), _date_part(parts["d"])
    name = parts.get("month")
    month = _date_part(parts["m"]) if name is None else [one[:3] for one in _MONTHS].index(name[:3].lower()) + 1
    return _valid_date(year, month, day)


def _date_part(text: str | None) -> int:
    return int(text) if text and text.isdigit() else _zh_number(text or "零")


def _valid_date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


# -- reading one out ---------------------------------------------------------------------------


def read_value(node: Mapping[str, Any], text: str, about: str) -> Scalar | NoValue:
    """Returns the one value that `text` gives without doubt for a scalar of a schema, described by `node`; `text` is
    a sentence that was found for `about`."""
    types = node.get("type", "string")
    kinds = {types} if isinstance(types, str) else set(types)
    if "enum" in node or "const" in node:
        return _choice(node.get("enum", [node.get("const")]), text)
    if kinds & {"number", "integer"}:
        return _number(text, about, whole="number" not in kinds)
    if "string" not in kinds:
        return NoValue(
            coded("truth_needs_model", "whether something is true has to be concluded, which needs a language model")
        )
    if node.get("format") == "date":
        days = sorted(dates(text))
        return _only_one([day.isoformat() for day in days], Message("date"))
    pattern = _SHAPES.get(str(node.get("format", "")))
    if "pattern" in node:
        pattern = re.compile(str(node["pattern"]).removeprefix("^").removesuffix("$"))
    if pattern is not None:
        return _only_one([match.group() for match in pattern.finditer(text)], Message("value of this form"))
    if "format" in node:
        return NoValue(
            coded("format_needs_model", "a text of the format {name} has to be made, not found", name=node["format"])
        )
    return " ".join(text.split())


def _choice(choices: list[Any], text: str) -> Scalar | NoValue:
    """Returns the one choice that the text names; of "part-time" and "time", the longer one."""
    named: list[Any] = [
        one for one in choices if isinstance(one, str) and quotes.find_quote(terms.fold(one), terms.fold(text))
    ]
    counted = [one for one in choices if isinstance(one, int | float) and not isinstance(one, bool)]
    named += [one for one in counted if Decimal(str(one)) in numbers(text)]
    longer = [one for one in named if not any(one != other and str(one) in str(other) for other in named)]
    return _only_one(longer, Message("choice"))


def _number(text: str, about: str, *, whole: bool) -> Scalar | NoValue:
    """Returns the one number of the text, or of that part of it which is most about the question."""
    found = _plain_numbers(text, whole)
    if len(found) > 1:
        asked = set(terms.query_terms(about))
        parts = re.split(r"[;；:：，、。()（）|]|,(?!\d)|\.\s|\band\b|\bor\b", text)
        shares = [len(asked & set(terms.document_terms(part))) for part in parts]
        best = [part for part, share in zip(parts, shares, strict=True) if share == max(shares)]
        found = _plain_numbers(best[0], whole) if len(best) == 1 and max(shares) else found
    return _only_one(found, Message("number"))


def _plain_numbers(text: str, whole: bool) -> list[int | float]:
    """Returns the numbers in digits or words, multiplied where a word says so; those of dates are left out."""
    folded = _folded(text)
    for pattern in (*_DATES, _AMBIGUOUS_DATE):
        folded = pattern.sub(" ", folded)
    found: list[Decimal] = []
    for match in _DIGITS.finditer(folded):
        found.append(list(_numbers_in_digits(match.group()))[-1])
    beside = _DIGITS.sub(" ", folded)
    # A bare "one" or 一 is seldom a number.
    found += [number for number in _numbers_in_words(beside) if number != 1]
    kept = [number for number in dict.fromkeys(found) if not whole or number == number.to_integral_value()]
    return [int(number) if number == number.to_integral_value() else float(number) for number in kept]


def _only_one(found: list[Any], what: Message) -> Scalar | NoValue:
    """Returns the value that was found, if there is just one; `what` names in the reason what was looked for."""
    different = list(dict.fromkeys(found))
    if len(different) == 1:
        value: Scalar = different[0]
        return value
    if not different:
        return NoValue(coded("no_value", "the passage found for it gives no {what}", what=what))
    shown = ", ".join(map(str, different[:5]))
    return NoValue(
        coded("several_values", "the passage found for it gives more than one {what}: {shown}", what=what, shown=shown)
    )
