"""The verb that serves the embedded models to other programs."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

import click

from ragkit.frontends.cli import exit_codes
from ragkit.frontends.cli.show import terminal
from ragkit.frontends.cli.show.terminal import tr
from ragkit.frontends.cli.verbs.main import EXAMPLES
from ragkit.types.errors import InputError


@click.command(
    "serve-models",
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit serve-models --port 11500",
)
@click.option("--host", default="127.0.0.1", show_default=True, help=tr("The address to listen on."))
@click.option("--port", default=11434, show_default=True, type=click.IntRange(0, 65535), help=tr("0: any free one."))
@click.option(
    "--insecure-any-host",
    is_flag=True,
    help=tr("Also on an address that other machines reach; nobody is asked who they are."),
)
def serve_models(host: str, port: int, insecure_any_host: bool) -> int:
    from ragkit.app.models import embedded_models

    models = embedded_models()
    try:
        from ragkit.frontends.model_server.app import ModelsApp, serve
    except ImportError as exc:
        raise InputError(
            "The server's packages are not installed: {why}.",
            hint='Run: python -m pip install "ragkit-docqa[server]"',
            why=exc,
        ) from exc
    local = _is_loopback(host)
    if not local and not insecure_any_host:
        raise InputError(
            "{host} can be reached from other machines, and nobody is asked who they are.",
            hint="Use 127.0.0.1, or say --insecure-any-host if that is what you want.",
            host=host,
        )
    models.load()  # What is missing or damaged is said now, not to the first client.
    models.unload()
    listener = _listen(host, port)
    if not local:
        terminal.say_aside(tr("Warning: every machine that reaches {host} can use the models.", host=host))
    shown = f"[{host}]" if ":" in host else host
    terminal.say_aside(
        tr(
            "Serving {embed} and {chat} at {url} (Ctrl-C ends it).",
            embed=models.embed_model,
            chat=models.chat_model,
            url=f"http://{shown}:{listener.getsockname()[1]}",
        )
    )
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is the way to end a server.
        serve(ModelsApp(models, only_local=local), listener)
    return exit_codes.OK


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as exc:
        raise InputError(
            "Cannot listen on {host}, port {port}: {why}.",
            hint="Choose another with --port; an Ollama server may be using this one.",
            host=host,
            port=port,
            why=exc.strerror or exc,
        ) from exc
