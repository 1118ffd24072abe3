"""The page `ragkit --help`, laid out as click would do it, but without click and without one verb: it is there
at once."""

from __future__ import annotations

import os
import sys
import textwrap

from ragkit.frontends.cli.verb_table import ABOUT, EXAMPLES, OPTIONS, VERBS, tr

_MAX_COLUMNS, _MIN_COLUMNS = 100, 50
_MARGIN = 2


def page() -> str:
    """The text of `ragkit --help`."""
    width = max(min(_terminal_columns(), _MAX_COLUMNS) - _MARGIN, _MIN_COLUMNS)
    room = width - 3 * _MARGIN - max(map(len, VERBS))
    verbs = {verb: _in_short(text, room) for verb, (_, text) in sorted(VERBS.items())}
    usage = f"Usage: {_program()} "
    lines = [
        *_wrapped("[OPTIONS] COMMAND [ARGS]...", width, usage, " " * len(usage)),
        "",
        *_wrapped(ABOUT, width, " " * _MARGIN, " " * _MARGIN),
        *("", "Options:", *_two_columns(OPTIONS, width)),
        *("", "Commands:", *_two_columns(verbs, width)),
        *("", "  " + tr("Example:"), *(f"    {example}" for example in EXAMPLES)),
    ]
    return "\n".join(lines)


def _two_columns(rows: dict[str, str], width: int) -> list[str]:
    first = max(map(len, rows)) + _MARGIN
    lines = []
    for name, text in rows.items():
        wrapped = _wrapped(text, max(width - first - _MARGIN, 10))
        lines += [f"  {name:{first}}{wrapped[0]}", *(" " * (first + _MARGIN) + line for line in wrapped[1:])]
    return lines


def _in_short(text: str, room: int) -> str:
    """The first sentence, cut where it is too long."""
    sentence = text.partition(". ")[0].removesuffix(".") + "." if ". " in text else text
    return textwrap.shorten(sentence, room, placeholder="...", break_on_hyphens=False)


def _wrapped(text: str, width: int, first: str = "", others: str = "") -> list[str]:
    return _Wrapper(width, initial_indent=first, subsequent_indent=others).wrap(text)


class _Wrapper(textwrap.TextWrapper):
    """Cuts a word that is longer than a line where the line ends; such is every Chinese sentence."""

    def _handle_long_word(self, reversed_chunks: list[str], cur_line: list[str], cur_len: int, width: int) -> None:
        room = max(width - cur_len, 1)
        word = reversed_chunks[-1]
        cur_line.append(word[:room])
        reversed_chunks[-1] = word[room:]


def _terminal_columns() -> int:
    """As `shutil.get_terminal_size`, which would import three packers of archives."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return 80


def _program() -> str:
    """How this program was called."""
    package = getattr(sys.modules["__main__"], "__package__", None)
    return f"python -m {package}" if package else os.path.basename(sys.argv[0])  # noqa: PTH119
