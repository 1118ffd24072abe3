"""The command `ragkit`: a thin translation of `RagKit`. Data on stdout, all else on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragkit.frontends.cli.verbs.main import main as main

__all__ = ["main"]


def __getattr__(name: str) -> object:
    """`main`, imported at its first use: `ragkit --help` does without."""
    if name != "main":
        raise AttributeError(f"module 'ragkit.frontends.cli' has no attribute {name!r}")
    from ragkit.frontends.cli.verbs.main import main

    return main
