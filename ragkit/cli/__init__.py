"""The command `ragkit`: a thin translation of `RagKit`. Data on stdout, all else on stderr."""

from ragkit.cli.bundle import check_bundle
from ragkit.cli.chat import chat
from ragkit.cli.commands import main
from ragkit.cli.evaluation import evaluate, test
from ragkit.cli.models import embed, generate, models
from ragkit.cli.opening import open_source
from ragkit.cli.serve import serve_models
from ragkit.cli.upkeep import COMMANDS

VERBS = (chat, open_source, check_bundle, evaluate, test, generate, embed, models, serve_models)

for command in (*VERBS, *COMMANDS):
    main.add_command(command)

__all__ = ["main"]
