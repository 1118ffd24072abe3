"""ragkit: index a folder of documents and answer questions about it with checked citations."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ragkit.app.kit import RagKit as RagKit
    from ragkit.config.resolving import resolve as resolve
    from ragkit.config.sections import Config as Config
    from ragkit.frontends.json_shapes.to_dict import to_dict as to_dict
    from ragkit.types.answers import Answer as Answer
    from ragkit.types.answers import ChatMessage as ChatMessage
    from ragkit.types.answers import Citation as Citation
    from ragkit.types.answers import ExhaustiveAnswer as ExhaustiveAnswer
    from ragkit.types.answers import Turn as Turn
    from ragkit.types.answers import Withdrawn as Withdrawn
    from ragkit.types.documents import Chunk as Chunk
    from ragkit.types.documents import Document as Document
    from ragkit.types.documents import Place as Place
    from ragkit.types.errors import BadReply as BadReply
    from ragkit.types.errors import ConfigError as ConfigError
    from ragkit.types.errors import ContextOverflow as ContextOverflow
    from ragkit.types.errors import DiskFull as DiskFull
    from ragkit.types.errors import EndpointMissing as EndpointMissing
    from ragkit.types.errors import FormatMismatch as FormatMismatch
    from ragkit.types.errors import IndexBusy as IndexBusy
    from ragkit.types.errors import IndexDamaged as IndexDamaged
    from ragkit.types.errors import IndexMismatch as IndexMismatch
    from ragkit.types.errors import IndexMissing as IndexMissing
    from ragkit.types.errors import InputError as InputError
    from ragkit.types.errors import LoadError as LoadError
    from ragkit.types.errors import ModelChanged as ModelChanged
    from ragkit.types.errors import ModelError as ModelError
    from ragkit.types.errors import ModelNotFound as ModelNotFound
    from ragkit.types.errors import ModelTimeout as ModelTimeout
    from ragkit.types.errors import ModelUnable as ModelUnable
    from ragkit.types.errors import ModelUnavailable as ModelUnavailable
    from ragkit.types.errors import NoText as NoText
    from ragkit.types.errors import RagkitError as RagkitError
    from ragkit.types.errors import StoreError as StoreError
    from ragkit.types.errors import UnsupportedFormat as UnsupportedFormat
    from ragkit.types.model_server import ChatRequest as ChatRequest
    from ragkit.types.model_server import GenerateRequest as GenerateRequest
    from ragkit.types.options import Options as Options
    from ragkit.types.reports import FileOutcome as FileOutcome
    from ragkit.types.reports import IndexReport as IndexReport
    from ragkit.types.reports import IndexStatus as IndexStatus
    from ragkit.types.reports import Progress as Progress
    from ragkit.types.search import Passage as Passage
    from ragkit.types.search import ScoredChunk as ScoredChunk
    from ragkit.types.search import WhyNot as WhyNot
    from ragkit.types.structured import StructuredAnswer as StructuredAnswer

_NAMES_OF = {
    "ragkit.app.kit": "RagKit",
    "ragkit.config.resolving": "resolve",
    "ragkit.config.sections": "Config",
    "ragkit.frontends.json_shapes.to_dict": "to_dict",
    "ragkit.types.answers": "Answer ChatMessage Citation ExhaustiveAnswer Turn Withdrawn",
    "ragkit.types.documents": "Chunk Document Place",
    "ragkit.types.errors": """
        BadReply ConfigError ContextOverflow DiskFull EndpointMissing FormatMismatch IndexBusy
        IndexDamaged IndexMismatch IndexMissing InputError LoadError ModelChanged ModelError
        ModelNotFound ModelTimeout ModelUnable ModelUnavailable NoText RagkitError StoreError
        UnsupportedFormat""",
    "ragkit.types.model_server": "ChatRequest GenerateRequest",
    "ragkit.types.options": "Options",
    "ragkit.types.reports": "FileOutcome IndexReport IndexStatus Progress",
    "ragkit.types.search": "Passage ScoredChunk WhyNot",
    "ragkit.types.structured": "StructuredAnswer",
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names.split()}
__all__ = [*_MODULE_OF, "__version__"]


def __getattr__(name: str) -> object:
    """The public names, each imported at its first use: `import ragkit` costs nothing."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'ragkit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULE_OF[name]), name)
