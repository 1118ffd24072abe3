"""The command and its most used verbs. Each verb opens a `RagKit`, calls one method and prints the result."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ragkit import __version__
from ragkit.frontends.cli import exit_codes, files, verb_table
from ragkit.frontends.cli.show import answers, indexing, links, terminal
from ragkit.frontends.cli.show.terminal import tr
from ragkit.frontends.cli.verbs.ask import ask_everything, ask_structured
from ragkit.frontends.json_shapes.answers import answer_json, hits_json, why_not_json
from ragkit.frontends.json_shapes.indexes import checks_json, index_report_json, index_status_json, settings_json
from ragkit.types.answers import Answer
from ragkit.types.errors import RagkitError

if TYPE_CHECKING:
    from ragkit.app.kit import RagKit


@dataclass(frozen=True, slots=True)
class CliOptions:
    """The options that stand before the verb."""

    index: Path | None
    config: Path | None
    settings: dict[str, str]
    debug: bool


class _Group(click.Group):
    """Runs a verb and turns every failure into one line and a documented exit code."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        debug = "--debug" in (args[0] if args and args[0] else sys.argv[1:])
        try:
            result = super().main(*args, **{**extra, "standalone_mode": False})
            sys.stdout.flush()
        except click.exceptions.Exit as exc:
            result = exc.exit_code
        except click.UsageError as exc:
            exc.show()
            result = exit_codes.USAGE
        except (click.Abort, KeyboardInterrupt):
            click.echo(tr("Interrupted. What was done so far is kept."), err=True)
            result = exit_codes.INTERRUPTED
        except RagkitError as exc:
            if debug:
                raise
            terminal.error(exc)
            result = exit_codes.of(exc)
        except BrokenPipeError:
            # The reader of the output went away, as `head` does, so nobody is left to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            result = exit_codes.BROKEN_PIPE
        except Exception as exc:
            if debug:
                raise
            terminal.unexpected(exc)
            result = exit_codes.FAILURE
        sys.exit(result if isinstance(result, int) else exit_codes.OK)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(verb_table.VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb, whose module is imported only now."""
        if cmd_name not in verb_table.VERBS:
            return None
        where, text = verb_table.VERBS[cmd_name]
        module, _, function = where.partition(".")
        command: click.Command = getattr(import_module(f"ragkit.frontends.cli.verbs.{module}"), function)
        command.help = text
        return command


EXAMPLES = "\b\n"
AS_JSON = click.option("--json", "as_json", is_flag=True, help=tr("Print the result as JSON."))


INCLUDE = click.option(
    "--include", multiple=True, metavar="GLOB", help=tr("Only files like this, as in .gitignore. May be repeated.")
)
EXCLUDE = click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help=tr("No files or folders like this; the file .ragkitignore in a folder says the same. May be repeated."),
)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=verb_table.ABOUT,
    epilog="\n  ".join([EXAMPLES + tr("Example:"), *verb_table.EXAMPLES]),
)
@click.option(
    "--index",
    "index_dir",
    type=click.Path(path_type=Path),
    envvar="RAGKIT_INDEX",
    metavar="DIR",
    help=verb_table.OPTIONS["--index DIR"],
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    envvar="RAGKIT_CONFIG",
    metavar="FILE",
    help=verb_table.OPTIONS["--config FILE"],
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help=verb_table.OPTIONS["--set KEY=VALUE"],
)
@click.option("--debug", is_flag=True, help=verb_table.OPTIONS["--debug"])
@click.version_option(__version__, "--version", prog_name="ragkit", message="%(prog)s %(version)s")
@click.pass_context
def main(
    context: click.Context, index_dir: Path | None, config_file: Path | None, settings: tuple[str, ...], debug: bool
) -> None:
    parsed = {}
    for item in settings:
        key, separator, value = item.partition("=")
        if not separator:
            raise click.UsageError(tr("--set takes KEY=VALUE, not {item}.", item=item))
        parsed[key.strip()] = value.strip()
    context.obj = CliOptions(index_dir, config_file, parsed, debug)
    terminal.quiet_libraries()


@contextmanager
def opened(options: CliOptions) -> Iterator[RagKit]:
    from ragkit.app.kit import RagKit
    from ragkit.config.resolving import resolve

    config, _ = resolve(options.config, flags=options.settings)
    with RagKit.open(options.index, config) as kit:
        yield kit


@main.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit index ./handbook ./minutes",
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@INCLUDE
@EXCLUDE
@click.option("--checksum", is_flag=True, help=tr("Compare contents, also where size and time are as they were."))
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME",
    help=tr("A label of these paths, for `--where label=NAME`; kept until others are given. May be repeated."),
)
@click.option("--no-labels", is_flag=True, help=tr("Take the labels of these paths away."))
@click.option("--dry-run", is_flag=True, help=tr("Only tell what would be done."))
@AS_JSON
@click.pass_obj
def index(
    options: CliOptions,
    paths: tuple[Path, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    checksum: bool,
    labels: tuple[str, ...],
    no_labels: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    if labels and no_labels:
        raise click.UsageError(tr("--label and --no-labels exclude each other."))
    if dry_run:
        with opened(options) as kit:
            indexing.show_plan(kit.plan(paths, include=include, exclude=exclude), as_json=as_json)
        return exit_codes.OK
    with opened(options) as kit, terminal.progress() as progress:
        given = labels if labels or no_labels else None
        report = kit.index(paths, progress, include=include, exclude=exclude, checksum=checksum, labels=given)
    if as_json:
        terminal.print_json(index_report_json(report))
    else:
        indexing.show_report(report)
    return exit_codes.PARTLY if report.count("unreadable") else exit_codes.OK


@main.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit watch ./handbook",
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@INCLUDE
@EXCLUDE
@click.pass_obj
def watch(options: CliOptions, paths: tuple[Path, ...], include: tuple[str, ...], exclude: tuple[str, ...]) -> int:
    with opened(options) as kit:
        for report in kit.watch(paths, include=include, exclude=exclude):
            indexing.show_report(report)
            terminal.say_aside(tr("Watching for changes; Ctrl-C ends it."))
            sys.stdout.flush()
    return exit_codes.OK


WHERE = click.option(
    "--where",
    multiple=True,
    metavar="FIELD=VALUE",
    help=tr(
        "Only passages for which this holds; repeatable. "
        "Fields: source, folder, type, language, author, label, date, page."
    ),
)


@main.command(
    epilog=EXAMPLES + tr("Example:") + '\n  ragkit ask "How many days of leave do I get?"',
)
@click.argument("question")
@click.option(
    "--bundle",
    "bundle_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=tr("Also write the answer with its proof into one HTML file, which `ragkit check-bundle` reads."),
)
@click.option(
    "--everything",
    is_flag=True,
    help=tr("Put the question to every passage, not to the best few: lists, counts, comparisons. Can be resumed."),
)
@click.option(
    "--image",
    "images",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=tr("A picture that the question is about (PNG, JPEG, WebP). May be repeated."),
)
@click.option(
    "--schema",
    "schema_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=tr("Answer with JSON by this JSON Schema, each value with the quote that proves it."),
)
@WHERE
@AS_JSON
@click.pass_obj
def ask(
    options: CliOptions,
    question: str,
    bundle_file: Path | None,
    everything: bool,
    images: tuple[Path, ...],
    schema_file: Path | None,
    where: tuple[str, ...],
    as_json: bool,
) -> int:
    if sum(map(bool, (everything, bundle_file, schema_file))) > 1:
        raise click.UsageError(tr("--bundle, --everything and --schema exclude each other."))
    if images and (everything or schema_file):
        raise click.UsageError(tr("--image takes neither --everything nor --schema."))
    if bundle_file is not None:
        terminal.check_new(bundle_file)  # A wrong name is told before the model is at work for minutes.
    question = text_argument(question)
    if everything:
        with opened(options) as kit:
            return ask_everything(kit, question, where, as_json=as_json)
    if schema_file is not None:
        schema = files.read_schema(schema_file)
        with opened(options) as kit:
            return ask_structured(kit, question, schema, where, as_json=as_json)
    with opened(options) as kit:
        answer: Answer | None = None
        for piece in kit.stream(question, where=where, images=images):
            if isinstance(piece, Answer):
                answer = piece
            elif not as_json:
                answers.show_piece(piece)
        assert answer is not None
        if as_json:
            terminal.print_json(answer_json(answer))
        else:
            answers.show_answer(answer, kit.model_notes, with_links=links.wanted(kit.config.open.links))
        kit.remember(answer)
        if bundle_file is not None:
            terminal.write_new(bundle_file, kit.bundle(answer, terminal.LANGUAGE))
    return exit_codes.NOTHING_FOUND if answer.refused else exit_codes.OK


@main.command(
    epilog=EXAMPLES + tr("Example:") + '\n  ragkit search "annual leave" -k 5',
)
@click.argument("question")
@click.option("-k", "k", type=click.IntRange(1, 1000), default=8, show_default=True, help=tr("How many passages."))
@WHERE
@AS_JSON
@click.pass_obj
def search(options: CliOptions, question: str, k: int, where: tuple[str, ...], as_json: bool) -> int:
    with opened(options) as kit:
        hits = kit.search(text_argument(question), k, where)
    if as_json:
        terminal.print_json(hits_json(question, hits))
    else:
        answers.show_hits(hits)
    return exit_codes.OK if hits else exit_codes.NOTHING_FOUND


@main.command(
    "why-not",
    epilog=EXAMPLES + tr("Example:") + '\n  ragkit why-not "How much leave?" --expect handbook.pdf:3',
)
@click.argument("question")
@click.option("--expect", required=True, metavar="PASSAGE", help=tr("A file, FILE:PAGE, or words of the passage."))
@WHERE
@AS_JSON
@click.pass_obj
def why_not(options: CliOptions, question: str, expect: str, where: tuple[str, ...], as_json: bool) -> int:
    with opened(options) as kit:
        found = kit.why_not(text_argument(question), text_argument(expect), where)
    if as_json:
        terminal.print_json(why_not_json(found))
    else:
        answers.show_why_not(found)
    return exit_codes.OK if found.stage == "given" else exit_codes.NOTHING_FOUND


@main.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit --index ./my-index status",
)
@AS_JSON
@click.pass_obj
def status(options: CliOptions, as_json: bool) -> int:
    with opened(options) as kit:
        found = kit.status()
    if as_json:
        terminal.print_json(index_status_json(found))
    else:
        indexing.show_status(found)
    return exit_codes.OK


@main.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit doctor",
)
@AS_JSON
@click.pass_obj
def doctor(options: CliOptions, as_json: bool) -> int:
    with opened(options) as kit:
        checks = kit.doctor()
    if as_json:
        terminal.print_json(checks_json(checks))
    else:
        indexing.show_checks(checks)
    return exit_codes.FAILURE if any(check.state == "fault" for check in checks) else exit_codes.OK


@main.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit --config configs/ollama.toml config",
)
@AS_JSON
@click.pass_obj
def config(options: CliOptions, as_json: bool) -> int:
    from ragkit.config.resolving import resolve

    _, settings = resolve(options.config, flags=options.settings)
    if as_json:
        terminal.print_json(settings_json(settings))
    else:
        indexing.show_settings(settings)
    return exit_codes.OK


@main.command(
    epilog=EXAMPLES + tr("Example:") + '\n  eval "$(ragkit completion bash)"',
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    from click.shell_completion import get_completion_class

    maker = get_completion_class(shell)
    assert maker is not None
    click.echo(maker(main, {}, "ragkit", "_RAGKIT_COMPLETE").source())
    return exit_codes.OK


def text_argument(text: str) -> str:
    """Returns a text of the command line; `-` reads it from standard input."""
    return sys.stdin.read().strip() if text == "-" else text
