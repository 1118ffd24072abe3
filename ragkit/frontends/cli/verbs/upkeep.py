"""The verbs that look after an index: what is in it, taking things out, checking and moving it."""

from __future__ import annotations

from pathlib import Path

import click

from ragkit.frontends.cli import exit_codes
from ragkit.frontends.cli.show import indexing, terminal, upkeep
from ragkit.frontends.cli.show.terminal import tr
from ragkit.frontends.cli.verbs.main import AS_JSON, EXAMPLES, CliOptions, opened
from ragkit.frontends.json_shapes.indexes import index_status_json


@click.command(
    "list",
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit list minutes/",
)
@click.argument("part", default="")
@AS_JSON
@click.pass_obj
def list_files(options: CliOptions, part: str, as_json: bool) -> int:
    with opened(options) as kit:
        upkeep.show_files(kit.files(part), as_json=as_json)
    return exit_codes.OK


@click.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit show handbook.pdf --page 3",
)
@click.argument("source")
@click.option("--page", type=click.IntRange(1), help=tr("This page only."))
@AS_JSON
@click.pass_obj
def show(options: CliOptions, source: str, page: int | None, as_json: bool) -> int:
    with opened(options) as kit:
        document, chunks = kit.read(source)
    upkeep.show_document(document, chunks, page, as_json=as_json)
    return exit_codes.OK


@click.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit remove old-handbook.pdf",
)
@click.argument("sources", nargs=-1, required=True)
@AS_JSON
@click.pass_obj
def remove(options: CliOptions, sources: tuple[str, ...], as_json: bool) -> int:
    with opened(options) as kit:
        upkeep.show_removed(kit.remove(sources), as_json=as_json)
    return exit_codes.OK


@click.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit forget contract.pdf",
)
@click.argument("sources", nargs=-1, required=True)
@AS_JSON
@click.pass_obj
def forget(options: CliOptions, sources: tuple[str, ...], as_json: bool) -> int:
    with opened(options) as kit:
        upkeep.show_removed(kit.forget(sources), as_json=as_json)
    return exit_codes.OK


@click.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit verify --deep",
)
@click.option("--deep", is_flag=True, help=tr("Read every byte, and compare texts, passages and vectors."))
@AS_JSON
@click.pass_obj
def verify(options: CliOptions, deep: bool, as_json: bool) -> int:
    with opened(options) as kit:
        found = kit.verify(deep=deep)
    upkeep.show_problems(found, as_json=as_json)
    return exit_codes.INDEX if found else exit_codes.OK


@click.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit rebuild",
)
@click.pass_obj
def rebuild(options: CliOptions) -> int:
    with opened(options) as kit:
        count = kit.rebuild()
    if count:
        terminal.say_aside(
            tr(
                "Chroma's copy was made again with {count} vector.",
                "Chroma's copy was made again with {count} vectors.",
                count=count,
            )
        )
    else:
        terminal.say_aside(tr("There is nothing to make: an index of this size is searched without Chroma."))
    return exit_codes.OK


@click.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit compact",
)
@click.pass_obj
def compact(options: CliOptions) -> int:
    with opened(options) as kit:
        before, after = kit.compact()
    terminal.say_aside(
        tr(
            "The catalog has {after} MB now; it had {before} MB.",
            after=f"{after / 1e6:.1f}",
            before=f"{before / 1e6:.1f}",
        )
    )
    return exit_codes.OK


@click.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit export handbook.ragkit",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def export(options: CliOptions, file: Path) -> int:
    with opened(options) as kit:
        size = kit.export(file)
    terminal.say_aside(tr("{path} holds the whole index: {size} MB.", path=file, size=f"{size / 1e6:.1f}"))
    return exit_codes.OK


@click.command(
    "import",
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit --index ./copy import handbook.ragkit",
)
@click.argument("file", type=click.Path(path_type=Path))
@AS_JSON
@click.pass_obj
def import_file(options: CliOptions, file: Path, as_json: bool) -> int:
    with opened(options) as kit:
        found = kit.import_from(file)
    if as_json:
        terminal.print_json(index_status_json(found))
    else:
        indexing.show_status(found)
    return exit_codes.OK


@click.command(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit audit contracts/",
)
@click.argument("part", default="")
@AS_JSON
@click.pass_obj
def audit(options: CliOptions, part: str, as_json: bool) -> int:
    with opened(options) as kit:
        upkeep.show_audit(kit.files(part), as_json=as_json)
    return exit_codes.OK
