"""`ragkit chat`: a conversation on a terminal, or a question a line through a pipe."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragkit.frontends.cli import exit_codes
from ragkit.frontends.cli.show import answers, links, terminal
from ragkit.frontends.cli.show.terminal import tr
from ragkit.frontends.cli.show.transcript import markdown
from ragkit.frontends.cli.verbs import open
from ragkit.frontends.cli.verbs.main import EXAMPLES, CliOptions, opened
from ragkit.types.answers import Answer, Turn
from ragkit.types.errors import InputError, RagkitError

if TYPE_CHECKING:
    from ragkit.app.kit import RagKit
    from ragkit.app.user_files import ConversationFile

_COMMAND = re.compile(r"/(\w+)(?:\s+(.*))?", re.DOTALL)


@click.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit chat --history talk.jsonl",
)
@click.option(
    "--history",
    "history_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=tr("Keep the conversation in FILE, and go on with the one that is there."),
)
@click.pass_obj
def chat(options: CliOptions, history_file: Path | None) -> int:
    from ragkit.app.user_files import conversation_file

    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # A byte that is no letter must not end the conversation.
    with opened(options) as kit:
        kit.prepare()  # A missing index is said at once, and Ctrl-C meets no half-loaded library.
        conversation = _Conversation(kit, conversation_file(history_file) if history_file else None)
        if sys.stdin.isatty():
            terminal.say_aside(tr("Ask, or /help. Ctrl-C ends an answer, Ctrl-D the conversation."))
            _talk(conversation)
            return exit_codes.OK
        for line in sys.stdin:
            if not conversation.take(line):
                break
    return conversation.exit_code


def _talk(conversation: _Conversation) -> None:
    """Talks until the reader leaves. Ctrl-C drops the line that is being typed, whenever it comes."""
    _edit_lines()
    going = True
    while going:
        try:
            line = _typed()
            going = line is not None and conversation.take(line)
        except KeyboardInterrupt:
            click.echo(err=True)


def _typed() -> str | None:
    """Returns what was typed, of several lines if they end with a backslash. None: the reader pressed Ctrl-D."""
    try:
        text = _line("> ")
        while text.endswith("\\"):
            text = text[:-1] + "\n" + _line(". ")
    except EOFError:
        click.echo(err=True)
        return None
    return text


def _line(prompt: str) -> str:
    if sys.stdout.isatty():
        return input(prompt)
    click.echo(prompt, nl=False, err=True)  # Standard output is not the terminal, so the prompt does not go there.
    return input()


def _edit_lines() -> None:
    with contextlib.suppress(ImportError):  # Windows edits lines by itself and has no readline.
        import readline

        readline.parse_and_bind("set enable-bracketed-paste on")  # Many pasted lines are one question.


class _Conversation:
    """A conversation: its turns so far, and what is done with each line."""

    def __init__(self, kit: RagKit, file: ConversationFile | None) -> None:
        self._kit = kit
        self._file = file
        self._turns = file.turns() if file else []
        self._last: Answer | None = None
        self._with_links = links.wanted(kit.config.open.links)
        self._notes_said: set[str] = set()
        self.exit_code = exit_codes.OK  # or that of the last failure
        if self._turns:
            terminal.say_aside(
                tr(
                    "Going on with a conversation of {count} question.",
                    "Going on with a conversation of {count} questions.",
                    count=len(self._turns),
                )
            )

    def take(self, line: str) -> bool:
        """Answer a question or do a command; False when it was the last line."""
        command = _COMMAND.fullmatch(line.strip())
        try:
            if command is not None:
                return self._do(command[1], (command[2] or "").strip())
            if line.strip():
                self._ask(line.strip())
        except RagkitError as exc:
            terminal.error(exc)
            self.exit_code = exit_codes.of(exc)
        except KeyboardInterrupt:
            click.echo()
            terminal.say_aside(tr("Stopped. This question is not part of the conversation."))
        return True

    def _ask(self, question: str) -> None:
        for piece in self._kit.stream(question, self._turns):
            if isinstance(piece, Answer):
                self._keep(piece)
            else:
                answers.show_piece(piece)

    def _keep(self, answer: Answer) -> None:
        notes = [note for note in self._kit.model_notes if str(note) not in self._notes_said]
        self._notes_said |= {str(note) for note in notes}
        turn = Turn(answer.question, answer.text, answer.citations)
        self._last = answer
        self._turns.append(turn)
        answers.show_answer(answer, notes, with_links=self._with_links)
        click.echo()
        self._kit.remember(answer)
        if self._file:
            self._file.append(turn)

    def _do(self, name: str, argument: str) -> bool:
        commands: dict[str, Callable[[str], None]] = {
            "sources": self._sources,
            "open": self._open,
            "why": self._why,
            "save": self._save,
            "reset": self._reset,
            "help": _help,
        }
        if name in commands:
            commands[name](argument)
        elif name != "bye":
            terminal.say_aside(tr("There is no /{name}; /help names the commands.", name=name))
        return name != "bye"

    def _sources(self, _: str) -> None:
        if self._last is not None:
            answers.show_sources(self._last, with_links=self._with_links)
        elif self._turns:
            answers.show_citations(self._turns[-1].citations, with_links=self._with_links)
        else:
            terminal.say_aside(tr("There is no answer yet."))

    def _open(self, number: str) -> None:
        if not number.isdecimal():
            raise InputError("/open takes the number of a source.")
        sources = self._last.sources if self._last else self._turns[-1].citations if self._turns else ()
        open.show(sources, int(number), self._kit.config.open)

    def _why(self, _: str) -> None:
        if self._last is not None:
            answers.show_reasons(self._last)
        else:
            terminal.say_aside(tr("There is no answer yet."))

    def _save(self, name: str) -> None:
        if not name:
            raise InputError("/save takes the name of a file.")
        terminal.write_new(Path(name), markdown(self._turns))

    def _reset(self, _: str) -> None:
        self._turns.clear()
        self._last = None
        if self._file:
            self._file.clear()
        terminal.say_aside(tr("The conversation begins anew."))


def _help(_: str) -> None:
    for command, meaning in (
        ("/sources", tr("the sources of the last answer")),
        ("/open 2", tr("open a source of the last answer")),
        ("/why", tr("what the last answer rested on: passages, ranks, what was left out")),
        ("/save FILE", tr("write the conversation into a Markdown file")),
        ("/reset", tr("begin anew")),
        ("/bye", tr("leave")),
    ):
        click.echo(f"  {command:<12} {meaning}")
    click.echo("  " + tr("A line that ends with \\ goes on in the next."))
