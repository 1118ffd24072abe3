"""Tables on the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import click

from ragkit.frontends.cli.show.terminal import style


def show_table(lines: Sequence[Sequence[str]], *, numbers: bool = False) -> None:
    """Prints lines of cells, in columns as wide as their longest cell; the first line is the head.

    With `numbers`, every column but the first is aligned to the right.
    """
    widths = [max(_width(cell) for cell in column) for column in zip(*lines, strict=True)]
    for row, line in enumerate(lines):
        cells = [
            _padded(cell, width, right=numbers and column > 0)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        shown = "  ".join(cells).rstrip()
        click.echo(style(shown, bold=True) if row == 0 else shown)


def _padded(cell: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - _width(cell))
    return blanks + cell if right else cell + blanks


def _width(text: str) -> int:
    """Returns the cells of a terminal that `text` takes; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
