"""The JSON shapes of what a model server has and replies."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ragkit.frontends.json_shapes.answer_shapes import Notes


class InstalledModelJson(TypedDict):
    """A model on the server's disk; a value that the server does not tell is empty."""

    name: str
    digest: str
    size_bytes: int
    modified_at: Annotated[str, "RFC 3339."]
    family: str
    parameter_size: str
    quantization: str
    capabilities: list[str]


class InstalledModelsJson(TypedDict):
    """The models on the server's disk, newest first."""

    models: list[InstalledModelJson]


class RunningModelJson(TypedDict):
    """A model in the server's memory."""

    name: str
    digest: str
    size_bytes: int
    gpu_bytes: int
    expires_at: Annotated[str, "RFC 3339."]
    context_tokens: Annotated[int | None, "The window that it really has; null where the server does not tell."]


class RunningModelsJson(TypedDict):
    """The models in the server's memory."""

    models: list[RunningModelJson]


class ModelRecordJson(TypedDict):
    """What the server knows of a model."""

    name: str
    architecture: str
    families: list[str]
    basename: str
    parameter_size: str
    quantization: str
    capabilities: list[str]
    context_tokens: Annotated[int | None, "The longest text it was trained on; null where the server does not tell."]
    embedding_dimension: int | None
    parameters: Annotated[str, "One name and value a line."]
    template: str
    system: str
    license: str
    info: Annotated[dict[str, object], "The server's own record; its keys differ from model to model."]


class TransferJson(TypedDict):
    """How a pull, push or create ended."""

    model: str
    status: str


class ToolCallJson(TypedDict):
    """A function that a model wants called."""

    name: str
    arguments: dict[str, object]
    id: str


class ReplyJson(TypedDict):
    """A model's whole reply; counts and times are null where the server does not tell them."""

    text: str
    model: str
    thinking: str
    tool_calls: list[ToolCallJson]
    done_reason: Annotated[str, "length when the answer was cut."]
    prompt_eval_count: Annotated[int | None, "Tokens read."]
    eval_count: Annotated[int | None, "Tokens written."]
    total_s: float | None
    load_s: float | None
    prompt_eval_s: float | None
    eval_s: float | None
    notes: Notes


class VectorsJson(TypedDict):
    """Vectors of unit length, one a text, in order."""

    dimension: int
    vectors: list[list[float]]
