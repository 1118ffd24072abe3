"""The order in which a person reads the lines of a page, from where they stand on it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_MIN_LINE_SHARE = 0.6  # share of its column that a line of running text fills; the cells of a table are shorter
_MIN_LINES = 3  # lines that make a column
_MIN_COLUMN_SHARE = 0.25  # share of the block's width; what is narrower is a margin, not a column
_MAX_BANDS = 100  # that are looked at together, as the work grows with their square
_MIN_PARAGRAPH_GAP = 0.8  # gap above a new paragraph, as a share of a line's height


@dataclass(frozen=True, slots=True)
class Line:
    """A piece of text with its box, in pixels from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float
    text: str


def in_reading_order(lines: Sequence[Line]) -> str:
    """The text of a page, one column after the other, with an empty line between paragraphs.

    Lines that stand side by side in a column become one line.
    """
    return "\n\n".join(_paragraphs(block) for block in _blocks(list(lines)) if block)


def _blocks(lines: list[Line]) -> list[list[Line]]:
    """The parts of the page that have one column each.

    The page is cut along white space, across and down, after the XY cut (Nagy and Seth, 1984).
    """
    bands = _bands(lines)
    found: list[list[Line]] = []
    plain: list[Line] = []
    at = 0
    while at < len(bands):
        end, columns = _longest_columns(bands, at)
        if columns:
            found += [plain, *(block for column in columns for block in _blocks(column))]
            plain, at = [], end
        else:
            plain += bands[at]
            at += 1
    return [*found, plain]


def _longest_columns(bands: list[list[Line]], first: int) -> tuple[int, list[list[Line]]]:
    """The longest run of bands from `first` on that stand in columns.

    Returns the index of the band after them, and the columns; no columns if no such band does.
    """
    for end in range(min(len(bands), first + _MAX_BANDS), first, -1):
        columns = _columns([line for band in bands[first:end] for line in band])
        if columns:
            return end, columns
    return first, []


def _columns(lines: list[Line]) -> list[list[Line]]:
    """The lines left and right of a gap that runs from top to bottom between running text; [] if there is none."""
    if len(lines) < 2 * _MIN_LINES:
        return []
    height = statistics.median(line.bottom - line.top for line in lines)
    width = max(line.right for line in lines) - min(line.left for line in lines)
    ordered = sorted(lines, key=lambda line: line.left)
    reach = 0.0
    for at, line in enumerate(ordered):
        if at and line.left - reach >= height:
            halves = [ordered[:at], ordered[at:]]
            if all(_is_running_text(half, width) for half in halves):
                return halves
        reach = max(reach, line.right)
    return []


def _is_running_text(lines: list[Line], block_width: float) -> bool:
    width = max(line.right for line in lines) - min(line.left for line in lines)
    middle = statistics.median(line.right - line.left for line in lines)
    return len(lines) >= _MIN_LINES and width >= _MIN_COLUMN_SHARE * block_width and middle >= _MIN_LINE_SHARE * width


def _bands(lines: list[Line]) -> list[list[Line]]:
    """The lines in bands from top to bottom, with white space from side to side between two bands."""
    bands: list[list[Line]] = []
    reach = 0.0
    for line in sorted(lines, key=lambda line: line.top):
        if bands and line.top < reach:
            bands[-1].append(line)
        else:
            bands.append([line])
        reach = max(reach, line.bottom)
    return bands


def _paragraphs(block: list[Line]) -> str:
    rows = _rows(block)
    height = statistics.median(line.bottom - line.top for line in block)
    text = _row_text(rows[0])
    for above, row in pairwise(rows):
        gap = min(line.top for line in row) - max(line.bottom for line in above)
        text += ("\n\n" if gap > _MIN_PARAGRAPH_GAP * height else "\n") + _row_text(row)
    return text


def _rows(block: list[Line]) -> list[list[Line]]:
    """The rows of a block: lines whose middles stand at one height, from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(block, key=lambda line: line.top + line.bottom):
        middle = (line.top + line.bottom) / 2
        if rows and middle < statistics.fmean(one.bottom for one in rows[-1]):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.left) for row in rows]


def _row_text(row: list[Line]) -> str:
    return " ".join(line.text for line in row)
