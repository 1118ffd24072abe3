"""The verbs about models: what an Ollama server has and does, and plain requests to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import click

from ragkit.frontends.cli import exit_codes, files
from ragkit.frontends.cli.show import terminal
from ragkit.frontends.cli.show.models import (
    show_installed,
    show_record,
    show_reply,
    show_running,
    show_vectors,
    transfers,
)
from ragkit.frontends.cli.show.terminal import tr
from ragkit.frontends.cli.verbs.main import AS_JSON, EXAMPLES, CliOptions, opened, text_argument
from ragkit.frontends.json_shapes.models import transfer_json
from ragkit.types.model_server import Format, GenerateRequest, Reply, Transfer
from ragkit.types.options import Think

if TYPE_CHECKING:
    from ragkit.types.options import Options

_OPTION = click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help=tr("A model option such as temperature=0.2 or num_predict=64. May be repeated."),
)
_KEEP_ALIVE = click.option(
    "--keep-alive", metavar="DURATION", help=tr("How long the model stays loaded: 10m, -1m for ever, 0 not at all.")
)


def _options(items: Iterable[str]) -> Options:
    from ragkit.config.resolving import option_values

    values = {}
    for item in items:
        name, separator, value = item.partition("=")
        if not separator:
            raise click.UsageError(tr("--option takes NAME=VALUE, not {item}.", item=item))
        values[name.strip()] = value.strip()
    return option_values(values)


@click.command(
    epilog=EXAMPLES + tr("Example:") + '\n  ragkit generate "What is in this picture?" --model llava --image photo.jpg',
)
@click.argument("prompt")
@click.option("--model", default="", help=tr("Another model than ollama.chat_model."))
@click.option("--image", "images", multiple=True, type=click.Path(path_type=Path), help=tr("A picture to look at."))
@click.option("--system", default="", help=tr("The system text, instead of the model's own."))
@click.option("--template", default="", help=tr("The prompt template, instead of the model's own."))
@click.option("--suffix", default="", help=tr("The text after the gap that is to be filled."))
@click.option("--raw", is_flag=True, help=tr("No template at all."))
@click.option("--format", "form", default="", metavar="json|FILE", help=tr("Any JSON, or a file with a JSON Schema."))
@click.option("--think", type=click.Choice(get_args(Think)), help=tr("Whether and how hard to think first."))
@_OPTION
@_KEEP_ALIVE
@AS_JSON
@click.pass_obj
def generate(
    options_before: CliOptions,
    prompt: str,
    model: str,
    images: tuple[Path, ...],
    system: str,
    template: str,
    suffix: str,
    raw: bool,
    form: str,
    think: str | None,
    options: tuple[str, ...],
    keep_alive: str | None,
    as_json: bool,
) -> int:
    request = GenerateRequest(
        prompt=text_argument(prompt),
        model=model,
        suffix=suffix,
        images=tuple(files.read_bytes(path) for path in images),
        system=system,
        template=template,
        raw=raw,
        format=_format(form),
        options=_options(options),
        think=cast("Think | None", think),
        keep_alive=keep_alive,
    )
    with opened(options_before) as kit:
        for part in kit.models.stream_generate(request):
            if isinstance(part, Reply):
                show_reply(part, as_json=as_json)
            elif not as_json:
                click.echo(terminal.safe(part.text), nl=False)
    return exit_codes.OK


def _format(form: str) -> Format:
    return cast(Format, form) if form in ("", "json") else files.read_schema(Path(form))


@click.command(
    epilog=EXAMPLES + tr("Example:") + '\n  ragkit embed "annual leave" "年假" --json',
)
@click.argument("texts", nargs=-1, required=True)
@click.option("--query", is_flag=True, help=tr("Embed them as questions, not as documents."))
@AS_JSON
@click.pass_obj
def embed(options: CliOptions, texts: tuple[str, ...], query: bool, as_json: bool) -> int:
    found = [text_argument(text) for text in texts]
    with opened(options) as kit:
        show_vectors(kit.embed(found, query=query), found, as_json=as_json)
    return exit_codes.OK


@click.group(
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit models pull bge-m3",
)
def models() -> None:
    """Groups the verbs about the server's models."""


@models.command("list", help=tr("The installed models, newest first."))
@AS_JSON
@click.pass_obj
def list_(options: CliOptions, as_json: bool) -> int:
    with opened(options) as kit:
        show_installed(kit.models.list(), as_json=as_json)
    return exit_codes.OK


@models.command(help=tr("The models in memory, with the window that each really has."))
@AS_JSON
@click.pass_obj
def ps(options: CliOptions, as_json: bool) -> int:
    with opened(options) as kit:
        show_running(kit.models.running(), as_json=as_json)
    return exit_codes.OK


@models.command(help=tr("What the server knows of MODEL."))
@click.argument("model")
@click.option("--verbose", is_flag=True, help=tr("With long lists such as the vocabulary."))
@AS_JSON
@click.pass_obj
def show(options: CliOptions, model: str, verbose: bool, as_json: bool) -> int:
    with opened(options) as kit:
        show_record(kit.models.show(model, verbose=verbose), as_json=as_json)
    return exit_codes.OK


@models.command(help=tr("Download MODEL; one that broke off is resumed."))
@click.argument("model")
@click.option("--insecure", is_flag=True, help=tr("Also from a registry without a valid certificate."))
@AS_JSON
@click.pass_obj
def pull(options: CliOptions, model: str, insecure: bool, as_json: bool) -> int:
    with opened(options) as kit:
        return _transferred(kit.models.pull(model, insecure=insecure), model, as_json)


@models.command(help=tr("Upload MODEL to its registry."))
@click.argument("model")
@click.option("--insecure", is_flag=True, help=tr("Also to a registry without a valid certificate."))
@AS_JSON
@click.pass_obj
def push(options: CliOptions, model: str, insecure: bool, as_json: bool) -> int:
    with opened(options) as kit:
        return _transferred(kit.models.push(model, insecure=insecure), model, as_json)


@models.command(
    help=tr("Make MODEL from another one, or from a GGUF file of this machine."),
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit models create my-embedder --file model.gguf --option num_ctx=512",
)
@click.argument("model")
@click.option("--from", "base", default="", metavar="MODEL", help=tr("The model to start from."))
@click.option("--file", "file", type=click.Path(path_type=Path), help=tr("The GGUF file to start from."))
@click.option("--system", default="", help=tr("Its system text."))
@click.option("--template", default="", help=tr("Its prompt template."))
@click.option("--quantize", default="", metavar="TYPE", help=tr("Reduce the weights to TYPE, such as q4_K_M."))
@_OPTION
@AS_JSON
@click.pass_obj
def create(
    options_before: CliOptions,
    model: str,
    base: str,
    file: Path | None,
    system: str,
    template: str,
    quantize: str,
    options: tuple[str, ...],
    as_json: bool,
) -> int:
    if bool(base) == bool(file):
        raise click.UsageError(tr("Name either --from MODEL or --file GGUF."))
    parameters = _options(options)
    with opened(options_before) as kit:
        steps = kit.models.create(
            model, base=base, file=file, system=system, template=template, parameters=parameters, quantize=quantize
        )
        return _transferred(steps, model, as_json)


@models.command(help=tr("Give MODEL a second name."))
@click.argument("model")
@click.argument("new_name")
@click.pass_obj
def copy(options: CliOptions, model: str, new_name: str) -> int:
    with opened(options) as kit:
        kit.models.copy(model, new_name)
    return exit_codes.OK


@models.command(help=tr("Remove models from the server's disk."))
@click.argument("names", nargs=-1, required=True, metavar="MODEL...")
@click.pass_obj
def rm(options: CliOptions, names: tuple[str, ...]) -> int:
    with opened(options) as kit:
        for name in names:
            kit.models.delete(name)
            terminal.say_aside(tr("{model} was removed.", model=name))
    return exit_codes.OK


@models.command(help=tr("Bring MODEL (default: the chat model) into memory."))
@click.argument("model", default="")
@_KEEP_ALIVE
@click.pass_obj
def load(options: CliOptions, model: str, keep_alive: str | None) -> int:
    with opened(options) as kit:
        kit.models.load(model, keep_alive)
    return exit_codes.OK


@models.command(help=tr("Take MODEL (default: the chat model) out of memory."))
@click.argument("model", default="")
@click.pass_obj
def unload(options: CliOptions, model: str) -> int:
    with opened(options) as kit:
        kit.models.unload(model)
    return exit_codes.OK


def _transferred(steps: Iterable[Transfer], model: str, as_json: bool) -> int:
    last = Transfer("")
    with transfers(quiet=as_json) as tell:
        for step in steps:
            tell(step)
            last = step
    if as_json:
        terminal.print_json(transfer_json(model, last))
    else:
        terminal.say_aside(tr("{model}: done.", model=model))
    return exit_codes.OK
