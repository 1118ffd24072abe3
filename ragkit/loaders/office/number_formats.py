"""Shows numbers as a sheet does: 0.125 in a cell of the format `0.0%` is 12.5% (ECMA-376, part 1, 18.8.30).

Dates stay as ISO writes them; a format of hours and minutes takes the day away that the file stores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "$#,##0;-$#,##0", 6: "$#,##0;-$#,##0",
    7: "$#,##0.00;-$#,##0.00", 8: "$#,##0.00;-$#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?",
    13: "# ??/??", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 37: "#,##0;(#,##0)",
    38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)", 41: "#,##0;(#,##0)",
    42: "$#,##0;($#,##0)", 43: "#,##0.00;(#,##0.00)", 44: "$#,##0.00;($#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss",
    47: "mm:ss", 48: "##0.0E+0",
}  # fmt: skip
_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]*"?) | \\(?P<escaped>.) | _(?P<space>.) | \*(?P<fill>.) | \[\$(?P<currency>[^\]-]*)[^\]]*\]
    | \[(?P<bracket>[^\]]*)\] | (?P<power>[Ee][+-]0+) | (?P<half>AM/PM|A/P) | (?P<general>General)
    | (?P<clock>[yYmMdDhHsSeg]+) | (?P<digit>[0#?]) | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_MAX_LENGTH = 200  # characters of a format that is looked at

Token = tuple[str, str]  # the name of its group, its text


def formatted(value: object, code: str) -> str | None:
    """`value` as a cell of the format `code` shows it; None if nothing but the value itself is known."""
    if not code or len(code) > _MAX_LENGTH:
        return None
    sections = _sections(code)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, sections)
    if isinstance(value, datetime | time | timedelta):
        return _clock(value, sections[0])
    return None


def _sections(code: str) -> list[list[Token]]:
    """The sections of a format: for positive numbers, for negative ones, for zero and for texts."""
    sections: list[list[Token]] = [[]]
    for found in _TOKEN.finditer(code):
        kind, text = found.lastgroup or "", found[found.lastgroup or 0]
        if (kind, text) == ("mark", ";"):
            sections.append([])
        else:
            sections[-1].append((kind, text))
    return sections


def _number(value: float, sections: list[list[Token]]) -> str | None:
    if any(kind == "bracket" and text[:1] in "<>=" for section in sections for kind, text in section):
        return None  # the section depends on a condition
    at = 1 if value < 0 and len(sections) > 1 else 2 if value == 0 and len(sections) > 2 else 0
    section = sections[at]
    kinds = {kind for kind, _ in section}
    if kinds & {"clock", "general", "half"} or value != value or abs(value) > 1e300:
        return None
    if ("mark", "@") in section:
        return None
    sign = "-" if value < 0 and at == 0 else ""
    size = abs(Decimal(repr(value)))
    shown = _fraction(size, section) if ("mark", "/") in section else _filled(size, section)
    shown = " ".join(shown.split())
    if not any(c.isalnum() for c in shown):  # the format hides the number, or shows a dash for zero
        return None
    return sign + shown if any(c in "123456789" for c in shown) else shown


@dataclass
class _Shape:
    """What the placeholders of a section ask for."""

    whole: int = 0  # places before the point, as many as the format has
    least_whole: int = 0  # places before the point that are always written
    decimals: int = 0
    least_decimals: int = 0  # decimals that are always written
    is_grouped: bool = False
    power: str = ""  # "E+00"
    percents: int = 0
    thousands: int = 0  # commas behind the last place, each of which divides by 1000


def _shape(section: Sequence[Token]) -> _Shape:
    shape = _Shape(percents=section.count(("mark", "%")))
    in_decimals = False
    commas = 0
    for kind, text in section:
        if kind == "power":
            shape.power = text
        elif (kind, text) == ("mark", "."):
            in_decimals = True
        elif (kind, text) == ("mark", ","):
            commas += 1
        elif kind == "digit":
            shape.is_grouped = shape.is_grouped or (commas > 0 and shape.whole > 0 and not in_decimals)
            commas = 0
            if in_decimals:
                shape.decimals += 1
                shape.least_decimals = shape.decimals if text == "0" else shape.least_decimals
            else:
                shape.whole += 1
                shape.least_whole += text == "0"
    shape.thousands = commas if shape.whole else 0
    return shape


def _filled(size: Decimal, section: Sequence[Token]) -> str:
    """A number, without its sign, with its digits in the places of the section."""
    shape = _shape(section)
    size = size.scaleb(2 * shape.percents - 3 * shape.thousands)
    exponent = 0
    if shape.power:
        exponent = size.adjusted() - max(shape.whole - 1, 0) if size else 0
        size = size.scaleb(-exponent)
    rounded = size.quantize(Decimal(1).scaleb(-shape.decimals), ROUND_HALF_UP)
    whole, _, decimals = f"{rounded:f}".partition(".")
    whole = whole.lstrip("0").rjust(shape.least_whole, "0")
    while len(decimals) > shape.least_decimals and decimals.endswith("0"):
        decimals = decimals[:-1]
    if shape.is_grouped and whole:
        whole = f"{int(whole):,}".rjust(shape.least_whole, "0")
    return _written(section, shape, whole, decimals, exponent)


def _written(section: Sequence[Token], shape: _Shape, whole: str, decimals: str, exponent: int) -> str:
    pieces = []
    place, in_decimals = 0, False
    for kind, text in section:
        if kind == "digit" and not in_decimals:
            place += 1
            left = shape.whole - place  # places that follow
            first = place == 1
            if shape.is_grouped:
                pieces.append(whole if first else "")
            else:
                pieces.append(whole[: len(whole) - left] if first else whole[len(whole) - left - 1 : len(whole) - left])
        elif kind == "digit":
            pieces.append(decimals[:1])
            decimals = decimals[1:]
        elif (kind, text) == ("mark", "."):
            in_decimals = True
            pieces.append("." if decimals else "")
        elif kind == "power":
            sign = "-" if exponent < 0 else "+" if text[1] == "+" else ""
            pieces.append(f"E{sign}{abs(exponent):0{len(text) - 2}d}")
        elif (kind, text) != ("mark", ","):
            pieces.append(_literal(kind, text))
    return "".join(pieces)


def _fraction(size: Decimal, section: Sequence[Token]) -> str:
    """A number as a fraction: 2.5 in the format `# ?/?` is 2 1/2."""
    bar = section.index(("mark", "/"))
    behind = [text for kind, text in section[bar + 1 :] if kind == "digit"]
    before = [text for kind, text in section[:bar] if kind == "digit"]
    part = Fraction(size).limit_denominator(10 ** min(max(len(behind), 1), 4) - 1)
    whole = int(part) if len(before) > 1 else 0
    rest = part - whole
    shown = f"{rest.numerator}/{rest.denominator}" if rest or not whole else ""
    return f"{whole} {shown}" if whole else shown if rest or len(before) < 2 else "0"


def _literal(kind: str, text: str) -> str:
    if kind == "quoted":
        return text.strip('"')
    if kind == "space":
        return " "
    return "" if kind in ("fill", "bracket") else text


def _clock(value: datetime | time | timedelta, section: Sequence[Token]) -> str | None:
    """A day without its time, a time of day without its day, or a span of time, as the format shows it.

    None if the format shows the whole value.
    """
    letters = "".join(text.lower() for kind, text in section if kind == "clock")
    spans = [text.lower() for kind, text in section if kind == "bracket" and text.lower().strip("hms") == ""]
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{'-' * (seconds < 0)}{abs(seconds) // 3600}:{abs(seconds) // 60 % 60:02d}:{abs(seconds) % 60:02d}"
    if isinstance(value, datetime) and letters and not set(letters) & set("hs"):
        return value.date().isoformat()
    if set(letters) & set("yde") or not set(letters) & set("hs") or any(spans):
        return None
    seconds = round(value.second + value.microsecond / 1e6)
    minutes = value.hour * 60 + value.minute + (seconds == 60)
    hour, minute = minutes // 60 % 24, minutes % 60
    tail = f":{seconds % 60:02d}" if "s" in letters else ""
    if any(kind == "half" for kind, _ in section):
        return f"{(hour - 1) % 12 + 1}:{minute:02d}{tail} {'AM' if hour < 12 else 'PM'}"
    return f"{hour:02d}:{minute:02d}{tail}" if "hh" in letters else f"{hour}:{minute:02d}{tail}"
