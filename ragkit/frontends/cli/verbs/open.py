"""Opening a source where it stands: in an editor at the line, in a PDF viewer at the page, else as the system chooses.

Programs get lists of arguments, so that no shell ever reads a file's name.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import click

from ragkit.config.sections import OpenConfig, command_words
from ragkit.frontends.cli import exit_codes
from ragkit.frontends.cli.show import links, terminal
from ragkit.frontends.cli.show.terminal import tr
from ragkit.frontends.cli.verbs.main import EXAMPLES, CliOptions, opened
from ragkit.types.errors import ConfigError, InputError

if TYPE_CHECKING:
    from ragkit.types.answers import Citation

_AT_LINE = {  # the arguments with which an editor opens a file at a line, by the name of its program
    **dict.fromkeys(("vi", "vim", "nvim", "gvim", "nano", "pico", "emacs", "emacsclient", "micro", "joe"), "+{line}"),
    **dict.fromkeys(("kak", "ne", "mg", "jed", "gedit", "kwrite", "mousepad", "pluma", "xed"), "+{line}"),
    **dict.fromkeys(("subl", "hx", "helix", "zed"), "{file}:{line}"),
    **dict.fromkeys(("code", "codium", "cursor", "windsurf"), "-g {file}:{line}"),
}
_FIELD = re.compile(r"\{(file|line|page)\}")
_HEAD_BYTES = 8192  # the bytes that are read to see whether a file is a text
_NOT_TEXT = (
    b"PK\x03\x04",
    b"%PDF",
    b"{\\rtf",
    b"\xd0\xcf\x11\xe0",
)  # beginnings of office files, old and new, and of PDF
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_FAILS_WITHIN_S = 2.0  # seconds; a viewer that is still running then has opened the file


@dataclass(frozen=True, slots=True)
class Opening:
    """The way in which a source is opened."""

    url: str
    arguments: tuple[str, ...] = ()  # of the program, which comes first; empty: the system is given the file
    waits: bool = False  # whether the program may take the terminal until it ends

    @property
    def text(self) -> str:
        """The command as a shell would take it; the address when there is no command, or when the file's name has
        characters that no terminal should get."""
        command = subprocess.list2cmdline(self.arguments) if os.name == "nt" else shlex.join(self.arguments)
        return command if command and terminal.safe(command) == command else self.url


@click.command(
    "open",
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit open 2",
)
@click.argument("number", type=click.IntRange(1))
@click.option("--print", "only_print", is_flag=True, help=tr("Only print the command or address."))
@click.pass_obj
def open_source(options: CliOptions, number: int, only_print: bool) -> int:
    with opened(options) as kit:
        show(kit.last_sources(), number, kit.config.open, only_print=only_print)
    return exit_codes.OK


def show(sources: Sequence[Citation], number: int, settings: OpenConfig, *, only_print: bool = False) -> None:
    """Opens the first of `sources` with this number. Raises InputError."""
    found = next((citation for citation in sources if citation.marker == number), None)
    if found is None and not sources:
        raise InputError(
            "No answer with sources is remembered for this index.", hint='Ask first: ragkit ask "annual leave"'
        )
    if found is None:
        numbers = ", ".join(dict.fromkeys(str(citation.marker) for citation in sources))
        raise InputError("The last answer has no source {number}; it has {numbers}.", number=number, numbers=numbers)
    opening = opening_of(found, settings, os.environ)
    if only_print:
        click.echo(opening.text)
    elif not Path(found.source).exists():
        raise InputError("{path} is not there any more.", path=terminal.shown_path(found.source))
    else:
        terminal.say_aside(f"{terminal.shown_path(found.source)}, {terminal.place_text(found.place)}")
        run(opening, found.source)


def opening_of(citation: Citation, settings: OpenConfig, environ: Mapping[str, str]) -> Opening:
    """Returns what opens a source: `open.editor` or `open.pdf`, else VISUAL or EDITOR for texts, else the system."""
    source, place = citation.source, citation.place
    address = links.url(source, place)
    values = {"file": source, "line": str(place.line or 1), "page": str(place.page or 1)}
    is_text = place.line is not None and place.kind == "page" and _is_text(Path(source))
    words = (command_words(settings.editor) or _own_editor(environ)) if is_text else []
    if not words and source.lower().endswith(".pdf"):
        words = command_words(settings.pdf)
    return Opening(address, _filled(words, values), waits=is_text)


def _is_text(path: Path) -> bool:
    """Returns whether an editor can show a file; a file that is not there counts as a text."""
    if not path.is_file():
        return True
    with contextlib.suppress(OSError), path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
        return not head.startswith(_NOT_TEXT) and (b"\0" not in head or head.startswith(_UTF_16))
    return True


def _own_editor(environ: Mapping[str, str]) -> list[str]:
    """Returns the user's editor with its way to name a line, where that is known; [] when none is set."""
    command = environ.get("VISUAL") or environ.get("EDITOR") or ""
    try:
        words = command_words(command)
    except ValueError as exc:
        raise ConfigError("VISUAL or EDITOR is not a command: {command}.", command=command) from exc
    name = PurePath(words[0]).name.removesuffix(".exe") if words else ""
    return [*words, *_AT_LINE.get(name, "").split()]


def _filled(words: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the words with the fields' values; the file is added where no word names it.

    A value that looks like a field is not taken for one.
    """
    if words and not any("{file}" in word for word in words):
        words = [*words, "{file}"]
    return tuple(_FIELD.sub(lambda field: values[field[1]], word) for word in words)


def run(opening: Opening, source: str) -> None:
    """Runs what opens the source. Raises InputError when the program is not there or fails at once."""
    if sys.platform == "win32" and not opening.arguments:
        os.startfile(source)  # noqa: S606 - the one way there is on Windows
        return
    arguments = opening.arguments or ("open" if sys.platform == "darwin" else "xdg-open", source)
    try:
        code = _run_editor(arguments) if opening.waits and opening.arguments else _run_viewer(arguments)
    except OSError as exc:
        raise InputError(
            "{program} cannot be run: {why}.",
            hint="Set open.editor and open.pdf to programs of yours; `ragkit open --print` only prints the address.",
            program=arguments[0],
            why=exc.strerror,
        ) from exc
    if code:
        raise InputError("{program} ended with code {code}.", program=arguments[0], code=code)


def _run_editor(arguments: Sequence[str]) -> int:
    return subprocess.run(arguments, check=False).returncode


def _run_viewer(arguments: Sequence[str]) -> int:
    """Returns the exit code, which is 0 for a viewer that stays open: it outlives this process."""
    none = subprocess.DEVNULL
    viewer = subprocess.Popen(arguments, stdin=none, stdout=none, stderr=none, start_new_session=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        return viewer.wait(_FAILS_WITHIN_S)
    return 0
