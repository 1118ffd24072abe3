"""The command `ragkit`: a thin translation of `RagKit`. Data on stdout, all else on stderr."""

from ragkit.frontends.cli.verbs.bundle import check_bundle
from ragkit.frontends.cli.verbs.chat import chat
from ragkit.frontends.cli.verbs.evaluation import evaluate, test
from ragkit.frontends.cli.verbs.main import main
from ragkit.frontends.cli.verbs.models import embed, generate, models
from ragkit.frontends.cli.verbs.open import open_source
from ragkit.frontends.cli.verbs.serve_models import serve_models
from ragkit.frontends.cli.verbs.upkeep import COMMANDS

VERBS = (chat, open_source, check_bundle, evaluate, test, generate, embed, models, serve_models)

for command in (*VERBS, *COMMANDS):
    main.add_command(command)

__all__ = ["main"]
