"""The numbers and bullets that Word gives to paragraphs, which are not in the text (ECMA-376, part 1, 17.9)."""

from __future__ import annotations

import re
from collections import defaultdict
from xml.etree.ElementTree import Element

from ragkit.loaders.office.packages import attribute, first, value_of, within

_PLACE = re.compile(r"%([1-9])")
_LEVELS = 9
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_HAN = "零一二三四五六七八九"
_CHINESE = ("chineseCounting", "chineseCountingThousand", "taiwaneseCounting", "taiwaneseCountingThousand",
            "japaneseCounting", "ideographDigital", "koreanCounting")  # fmt: skip


class Numbering:
    """Counts the items of every list, in the order in which `label` is called."""

    def __init__(self, root: Element | None) -> None:
        self._levels: dict[str, dict[int, Element]] = {}  # list -> depth -> how it is numbered
        self._starts: dict[tuple[str, int], int] = {}
        self._family: dict[str, str] = {}  # lists of one family count on together
        self._counts: dict[str, list[int]] = defaultdict(lambda: [0] * _LEVELS)
        if root is not None:
            self._read(root)

    def label(self, list_id: str, level: int) -> str:
        """What stands before the next item of a list, indented by its depth from 0; "" if nothing does."""
        if list_id not in self._levels or not 0 <= level < _LEVELS:
            return ""
        counts = self._counts[self._family[list_id]]
        counts[level] = counts[level] + 1 if counts[level] else self._start(list_id, level)
        counts[level + 1 :] = [0] * (_LEVELS - level - 1)
        how = self._levels[list_id].get(level)
        if how is None or value_of(how, "numFmt") == "none":
            return ""
        if value_of(how, "numFmt") == "bullet":
            return "  " * level + "-"
        text = _PLACE.sub(lambda match: self._written(list_id, counts, int(match[1]) - 1), value_of(how, "lvlText"))
        return "  " * level + text

    def _written(self, list_id: str, counts: list[int], level: int) -> str:
        how = self._levels[list_id].get(level)
        number = counts[level] or self._start(list_id, level)
        return written(number, value_of(how, "numFmt") if how is not None else "")

    def _start(self, list_id: str, level: int) -> int:
        said = self._starts.get((list_id, level))
        if said is not None:
            return said
        found = value_of(self._levels[list_id].get(level), "start")
        return int(found) if found.isdecimal() else 1

    def _read(self, root: Element) -> None:
        shared = {
            attribute(one, "abstractNumId"): {int(attribute(level, "ilvl", "0")): level for level in within(one, "lvl")}
            for one in within(root, "abstractNum")
        }
        for one in within(root, "num"):
            name, family = attribute(one, "numId"), value_of(one, "abstractNumId")
            self._levels[name] = dict(shared.get(family, {}))
            self._family[name] = family
            for change in within(one, "lvlOverride"):
                level = int(attribute(change, "ilvl", "0"))
                own, start = first(change, "lvl"), value_of(change, "startOverride")
                if own is not None:
                    self._levels[name][level] = own
                if start.isdecimal():
                    self._starts[name, level] = int(start)
                    self._family[name] = name  # it counts for itself


def written(number: int, form: str) -> str:
    """A number in one of Word's forms, or in digits if the form is none of the common ones."""
    if form in ("lowerLetter", "upperLetter") and number > 0:
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letters if form == "lowerLetter" else letters.upper()
    if form in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        return _roman(number) if form == "lowerRoman" else _roman(number).upper()
    if form in _CHINESE and 0 < number < 100:
        return _chinese(number)
    if form == "decimalZero":
        return f"{number:02}"
    return str(number)


def _roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        text += letters * (number // value)
        number %= value
    return text


def _chinese(number: int) -> str:
    tens, ones = divmod(number, 10)
    if not tens:
        return _HAN[ones]
    return ("" if tens == 1 else _HAN[tens]) + "十" + (_HAN[ones] if ones else "")
