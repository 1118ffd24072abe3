"""`ragkit check-bundle`: what became of the files behind an answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragkit.frontends.cli import exit_codes
from ragkit.frontends.cli.show import terminal
from ragkit.frontends.cli.show.terminal import safe, shown_path, style, text_of, tr
from ragkit.frontends.cli.verbs.main import AS_JSON, EXAMPLES, CliOptions, opened
from ragkit.frontends.json_shapes.answers import bundle_check_json
from ragkit.types.errors import InputError

if TYPE_CHECKING:
    from ragkit.types.bundle import BundleCheck, QuoteCheck

_MAX_BYTES = 64 * 2**20


@click.command(
    "check-bundle",
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit check-bundle out.html",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--in",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help=tr("Also look here for files that moved. May be repeated."),
)
@AS_JSON
@click.pass_obj
def check_bundle(options: CliOptions, file: Path, folders: tuple[Path, ...], as_json: bool) -> int:
    page = _read(file)
    with opened(options) as kit:
        check = kit.check_bundle(page, folders)
    if as_json:
        terminal.print_json(bundle_check_json(check))
    else:
        _show(check)
    return exit_codes.CHANGED if check.changed else exit_codes.OK


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(_MAX_BYTES).decode("utf-8", "replace")
    except OSError as exc:
        raise InputError("Cannot use {path}: {why}.", path=file, why=exc.strerror) from exc


_STATE_COLOURS = {
    "unchanged": ("green", tr("unchanged")),
    "changed": ("red", tr("changed")),
    "moved": ("yellow", tr("moved")),
    "gone": ("red", tr("gone")),
    "unreadable": ("red", tr("unreadable")),
}


def _show(check: BundleCheck) -> None:
    click.echo(tr("{question} ({made})", question=safe(check.bundle.question), made=safe(check.bundle.made_at)))
    for source in check.sources:
        colour, word = _STATE_COLOURS[source.state]
        to = f" → {shown_path(source.found_at)}" if source.found_at else ""
        why = f"  {text_of(source.reason)}" if source.reason else ""
        click.echo(f"{style(word, fg=colour)}  {shown_path(source.path)}{to}{why}")
        for quote in source.quotes:
            click.echo(f"  [{quote.marker}] {_quote_state(quote)}  {terminal.short(quote.quote)}")
    if not check.sources:
        terminal.say_aside(tr("The answer cites nothing."))
    if check.page_intact is False:
        click.echo(style(tr("The page does not show what its data say: it was edited."), fg="red"))
    elif check.page_intact is None:
        made = safe(check.bundle.version)
        terminal.say_aside(tr("Made by ragkit {version}: whether the page was edited cannot be told.", version=made))


def _quote_state(quote: QuoteCheck) -> str:
    if quote.stands is None:
        return style(tr("cannot be checked"), fg="red")
    if quote.stands:
        return style(tr("still stands"), fg="green")
    return style(tr("stands no more") if quote.verified else tr("was never verified"), fg="red")
