"""The command `ragkit`: a thin translation of `RagKit`. Data on stdout, all else on stderr."""

from ragkit.cli.commands import main

__all__ = ["main"]
