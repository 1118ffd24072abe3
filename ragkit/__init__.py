"""ragkit: index a folder of documents and answer questions about it with checked citations."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ragkit.app import RagKit as RagKit
    from ragkit.config import Config as Config
    from ragkit.errors import RagkitError as RagkitError
    from ragkit.types import Answer as Answer
    from ragkit.types import Citation as Citation
    from ragkit.types import IndexReport as IndexReport
    from ragkit.types import ScoredChunk as ScoredChunk
    from ragkit.types import Turn as Turn

_HOME = {
    "RagKit": "ragkit.app",
    "Config": "ragkit.config",
    "RagkitError": "ragkit.errors",
    "Answer": "ragkit.types",
    "Citation": "ragkit.types",
    "IndexReport": "ragkit.types",
    "ScoredChunk": "ragkit.types",
    "Turn": "ragkit.types",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> object:
    """The public names, each imported at its first use: `import ragkit` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'ragkit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
