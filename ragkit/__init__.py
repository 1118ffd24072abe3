"""ragkit: index a folder of documents and answer questions about it with checked citations."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ragkit.app.kit import RagKit as RagKit
    from ragkit.config.sections import Config as Config
    from ragkit.types.answers import Answer as Answer
    from ragkit.types.answers import Citation as Citation
    from ragkit.types.answers import Turn as Turn
    from ragkit.types.errors import RagkitError as RagkitError
    from ragkit.types.reports import IndexReport as IndexReport
    from ragkit.types.search import ScoredChunk as ScoredChunk

_HOME = {
    "RagKit": "ragkit.app.kit",
    "Config": "ragkit.config.sections",
    "RagkitError": "ragkit.types.errors",
    "Answer": "ragkit.types.answers",
    "Citation": "ragkit.types.answers",
    "IndexReport": "ragkit.types.reports",
    "ScoredChunk": "ragkit.types.search",
    "Turn": "ragkit.types.answers",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> object:
    """The public names, each imported at its first use: `import ragkit` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'ragkit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
