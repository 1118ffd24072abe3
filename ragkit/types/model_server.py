"""Values that pass between ragkit and a model server: what is asked of it, and what it replies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ragkit.i18n.messages import Message
from ragkit.types.answers import ChatMessage, ToolCall
from ragkit.types.options import Options, Think

Format: TypeAlias = "Literal['', 'json'] | Mapping[str, object]"
"""The form of an answer: free (""), any JSON, or JSON that fits a JSON Schema."""


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A prompt to complete. An empty `model` is the configured chat model."""

    prompt: str
    model: str = ""
    suffix: str = ""  # the text after the gap to fill
    images: tuple[bytes, ...] = ()  # the bytes of PNG, JPEG or WebP files
    system: str = ""
    template: str = ""  # is used instead of the model's own
    raw: bool = False  # True: no template is used at all
    format: Format = ""
    options: Options = field(default_factory=Options)  # these go before those of the configuration
    think: Think | None = None  # None: as configured
    keep_alive: str | int | None = None  # "10m", seconds, -1 forever, 0 not at all; None: as configured


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation to continue. `tools` are JSON function descriptions as the API takes them."""

    messages: tuple[ChatMessage, ...]
    model: str = ""
    tools: tuple[Mapping[str, object], ...] = ()
    format: Format = ""
    options: Options = field(default_factory=Options)
    think: Think | None = None
    keep_alive: str | int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a streamed reply; each part may be empty."""

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply. Counts and times are None where the server does not tell them."""

    text: str
    model: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    done_reason: str = "stop"  # "length": cut by num_predict or the window; "load", "unload"
    prompt_eval_count: int | None = None  # tokens read
    eval_count: int | None = None  # tokens written
    total_s: float | None = None
    load_s: float | None = None
    prompt_eval_s: float | None = None
    eval_s: float | None = None
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbedReply:
    """The vectors of some texts."""

    vectors: tuple[tuple[float, ...], ...]  # one for each text, in order; () when there was no text
    model: str
    prompt_eval_count: int | None = None
    total_s: float | None = None
    load_s: float | None = None


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that a server has on its disk."""

    name: str  # with its tag
    digest: str
    size_bytes: int
    modified_at: str  # RFC 3339
    family: str
    parameter_size: str  # "7B"
    quantization: str
    capabilities: tuple[str, ...]  # () from servers that do not tell


@dataclass(frozen=True, slots=True)
class RunningModel:
    """A model that a server has in memory."""

    name: str
    digest: str
    size_bytes: int
    gpu_bytes: int
    expires_at: str  # RFC 3339
    context_tokens: int | None  # the window that the server really allocated


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What a server knows of one model. Numbers are None where it does not tell them."""

    name: str
    architecture: str
    families: tuple[str, ...]
    basename: str
    parameter_size: str
    quantization: str
    capabilities: tuple[str, ...]
    context_tokens: int | None  # the longest window that the model was trained on
    embedding_dimension: int | None
    parameters: str  # one "name value" a line
    template: str
    system: str
    license: str
    info: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Transfer:
    """A step of a pull, push, upload or create."""

    status: str
    digest: str = ""
    total_bytes: int = 0  # 0: this step transfers nothing
    done_bytes: int = 0
