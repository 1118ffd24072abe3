"""The styles of a Word document: which are headings, and how what is put on them is numbered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ragkit.loaders.office.packages import attribute, first, value_of, within

_HEADING = re.compile(r"(?:heading|标题|標題|überschrift|titre|título|見出し|제목)\s*([1-9])", re.IGNORECASE)
_TITLES = ("title", "标题", "標題")
_BODY_LEVEL = 9  # the outline level that says "no heading"
_ON = ("1", "true", "on")


class Styles:
    """The styles by their ids; `root` is the part that defines them, None if the file has none."""

    def __init__(self, root: Element | None) -> None:
        styles = within(root, "style") if root is not None else ()
        self._by_id = {attribute(style, "styleId"): style for style in styles}

    def level(self, style: str) -> int | None:
        """The level of a heading in this style, 1 is the highest; None: the style is not for headings."""
        for element in self._chain(style):
            named = _HEADING.match(value_of(element, "name"))
            if named:
                return int(named[1])
            if value_of(element, "name").casefold() in _TITLES:
                return 1
            outline = value_of(element, "pPr", "outlineLvl")
            if outline.isdecimal():
                return heading_level(outline)
        return int(found[1]) if (found := _HEADING.match(style)) else None

    def is_title(self, style: str) -> bool:
        return any(value_of(element, "name").casefold() in _TITLES for element in self._chain(style))

    def numbering(self, style: str) -> tuple[str, str]:
        """The id of the list that paragraphs of this style are items of, and their depth; "" what is not said."""
        for element in self._chain(style):
            own = first(element, "pPr", "numPr")
            if own is not None:
                return value_of(own, "numId"), value_of(own, "ilvl")
        return "", ""

    def has_bold_first_row(self, style: str) -> bool:
        return any(
            is_bold(part)
            for element in self._chain(style)
            for part in within(element, "tblStylePr")
            if attribute(part, "type") == "firstRow"
        )

    def _chain(self, style: str) -> Iterator[Element]:
        """The style and those that it is based on."""
        seen: set[str] = set()
        while style in self._by_id and style not in seen:
            seen.add(style)
            yield self._by_id[style]
            style = value_of(self._by_id[style], "basedOn")


def heading_level(outline_level: str) -> int | None:
    """The level of a heading, from 1, by Word's outline level, from 0; None: that level is the body text's."""
    return int(outline_level) + 1 if int(outline_level) < _BODY_LEVEL else None


def is_bold(element: Element) -> bool:
    """Whether a run, or a part of a style, is set in bold."""
    bold = first(element, "rPr", "b")
    return bold is not None and is_on(attribute(bold, "val", "1"))


def is_on(value: str) -> bool:
    """Whether an attribute that switches something says yes."""
    return value in _ON
