"""What a model server has and replies, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragkit.frontends.json_shapes.model_shapes import (
        InstalledModelsJson,
        ModelRecordJson,
        ReplyJson,
        RunningModelsJson,
        TransferJson,
        VectorsJson,
    )
    from ragkit.types.documents import Vector
    from ragkit.types.model_server import InstalledModel, ModelRecord, Reply, RunningModel, Transfer


def reply_json(reply: Reply) -> ReplyJson:
    return {
        "text": reply.text,
        "model": reply.model,
        "thinking": reply.thinking,
        "tool_calls": [
            {"name": call.name, "arguments": dict(call.arguments), "id": call.id} for call in reply.tool_calls
        ],
        "done_reason": reply.done_reason,
        "prompt_eval_count": reply.prompt_eval_count,
        "eval_count": reply.eval_count,
        "total_s": reply.total_s,
        "load_s": reply.load_s,
        "prompt_eval_s": reply.prompt_eval_s,
        "eval_s": reply.eval_s,
        "notes": [str(note) for note in reply.notes],
    }


def vectors_json(vectors: Sequence[Vector]) -> VectorsJson:
    """Returns all numbers of at least one vector."""
    return {"dimension": len(vectors[0]), "vectors": [list(vector) for vector in vectors]}


def installed_models_json(models: Sequence[InstalledModel]) -> InstalledModelsJson:
    return {
        "models": [
            {
                "name": model.name,
                "digest": model.digest,
                "size_bytes": model.size_bytes,
                "modified_at": model.modified_at,
                "family": model.family,
                "parameter_size": model.parameter_size,
                "quantization": model.quantization,
                "capabilities": list(model.capabilities),
            }
            for model in models
        ]
    }


def running_models_json(models: Sequence[RunningModel]) -> RunningModelsJson:
    return {
        "models": [
            {
                "name": model.name,
                "digest": model.digest,
                "size_bytes": model.size_bytes,
                "gpu_bytes": model.gpu_bytes,
                "expires_at": model.expires_at,
                "context_tokens": model.context_tokens,
            }
            for model in models
        ]
    }


def model_record_json(record: ModelRecord) -> ModelRecordJson:
    return {
        "name": record.name,
        "architecture": record.architecture,
        "families": list(record.families),
        "basename": record.basename,
        "parameter_size": record.parameter_size,
        "quantization": record.quantization,
        "capabilities": list(record.capabilities),
        "context_tokens": record.context_tokens,
        "embedding_dimension": record.embedding_dimension,
        "parameters": record.parameters,
        "template": record.template,
        "system": record.system,
        "license": record.license,
        "info": dict(record.info),
    }


def transfer_json(model: str, last: Transfer) -> TransferJson:
    """`last` is the step that ended the pull, push or create of `model`."""
    return {"model": model, "status": last.status}
