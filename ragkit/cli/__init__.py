"""The command `ragkit`: a thin translation of `RagKit`. Data on stdout, all else on stderr."""

from ragkit.cli.bundle import check_bundle
from ragkit.cli.chat import chat
from ragkit.cli.commands import main
from ragkit.cli.models import embed, generate, models
from ragkit.cli.opening import open_source
from ragkit.cli.serve import serve_models
from ragkit.cli.upkeep import COMMANDS

for command in (chat, open_source, check_bundle, generate, embed, models, serve_models, *COMMANDS):
    main.add_command(command)

__all__ = ["main"]
