"""Ollama's JSON and our nouns, from one to the other."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from ragkit.i18n.messages import Message, coded
from ragkit.models.ollama.errors import count
from ragkit.types.answers import ChatMessage, ToolCall
from ragkit.types.errors import FormatMismatch
from ragkit.types.model_server import Format, InstalledModel, ModelRecord, Piece, Reply, RunningModel


def as_base64(images: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(image).decode() for image in images]


def message_json(message: ChatMessage) -> dict[str, object]:
    found: dict[str, object] = {"role": message.role, "content": message.content}
    if message.images:
        found["images"] = as_base64(message.images)
    if message.tool_calls:
        found["tool_calls"] = [
            {"function": {"name": call.name, "arguments": dict(call.arguments)}, **({"id": call.id} if call.id else {})}
            for call in message.tool_calls
        ]
    names = {"tool_name": message.tool_name, "tool_call_id": message.tool_call_id}
    return found | {name: text for name, text in names.items() if text}


def piece_of(part: Mapping[str, Any]) -> Piece:
    """What one line of a chat or generate reply brings."""
    message = part.get("message")
    holder = message if isinstance(message, dict) else part
    text = holder.get("content" if isinstance(message, dict) else "response")
    calls = holder.get("tool_calls")
    return Piece(
        str(text or ""),
        str(holder.get("thinking") or ""),
        tuple(_tool_call(call) for call in calls if isinstance(call, dict)) if isinstance(calls, list) else (),
    )


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function")
    found = function if isinstance(function, dict) else {}
    arguments = found.get("arguments")
    return ToolCall(
        str(found.get("name", "")), arguments if isinstance(arguments, dict) else {}, str(call.get("id") or "")
    )


def joined(total: Piece, piece: Piece) -> Piece:
    return Piece(total.text + piece.text, total.thinking + piece.thinking, total.tool_calls + piece.tool_calls)


def reply_of(part: Mapping[str, Any], total: Piece, model: str) -> Reply:
    reply = Reply(
        text=total.text,
        model=str(part.get("model") or model),
        thinking=total.thinking,
        tool_calls=total.tool_calls,
        done_reason=str(part.get("done_reason") or "stop"),
        prompt_eval_count=count(part.get("prompt_eval_count")),
        eval_count=count(part.get("eval_count")),
        total_s=seconds(part.get("total_duration")),
        load_s=seconds(part.get("load_duration")),
        prompt_eval_s=seconds(part.get("prompt_eval_duration")),
        eval_s=seconds(part.get("eval_duration")),
    )
    return replace(reply, notes=_reply_notes(reply))


def _reply_notes(reply: Reply) -> tuple[Message, ...]:
    if reply.done_reason == "length" and reply.thinking and not reply.text.strip():
        return (
            coded(
                "all_thinking",
                "The whole token limit went into thinking. Raise options.num_predict, or set ollama.think to off.",
            ),
        )
    if reply.done_reason == "length":
        return (
            coded(
                "cut_by_limit",
                "The answer was cut by the token limit. Raise options.num_predict, or options.num_ctx if it is full.",
            ),
        )
    if reply.done_reason not in ("stop", "load", "unload"):
        return (
            coded(
                "ended_otherwise", "The server ended the answer for a reason of its own: {why}.", why=reply.done_reason
            ),
        )
    return ()


def check_format(reply: Reply, form: Format) -> None:
    """A server may fail to hold a format without a word: what came is checked."""
    if not form or reply.done_reason in ("load", "unload"):
        return
    import jsonschema

    try:
        found = orjson.loads(reply.text)
        if not isinstance(form, str):
            jsonschema.validate(found, form)
    except (ValueError, RecursionError, jsonschema.ValidationError, jsonschema.SchemaError) as exc:
        why = exc.message if isinstance(exc, jsonschema.ValidationError | jsonschema.SchemaError) else exc
        raise FormatMismatch(
            "The answer of {model} does not fit the format asked for: {why}.",
            hint="Raise options.num_predict, simplify the schema, or use a larger model.",
            model=reply.model,
            why=str(why).rstrip("."),
        ) from exc


def error_text(error: object) -> str:
    return error if isinstance(error, str) else orjson.dumps(error).decode()


def seconds(nanoseconds: object) -> float | None:
    return nanoseconds / 1e9 if isinstance(nanoseconds, int | float) else None


def entries(reply: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = reply.get("models")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def installed_of(entry: Mapping[str, Any]) -> InstalledModel:
    details = _mapping(entry.get("details"))
    return InstalledModel(
        name=str(entry.get("name") or entry.get("model") or ""),
        digest=str(entry.get("digest") or ""),
        size_bytes=count(entry.get("size")) or 0,
        modified_at=str(entry.get("modified_at") or ""),
        family=str(details.get("family") or ""),
        parameter_size=str(details.get("parameter_size") or ""),
        quantization=str(details.get("quantization_level") or ""),
        capabilities=_texts(entry.get("capabilities")),
    )


def running_of(entry: Mapping[str, Any]) -> RunningModel:
    return RunningModel(
        name=str(entry.get("name") or entry.get("model") or ""),
        digest=str(entry.get("digest") or ""),
        size_bytes=count(entry.get("size")) or 0,
        gpu_bytes=count(entry.get("size_vram")) or 0,
        expires_at=str(entry.get("expires_at") or ""),
        context_tokens=count(entry.get("context_length")),
    )


def record_of(model: str, reply: Mapping[str, Any]) -> ModelRecord:
    details, info = _mapping(reply.get("details")), _mapping(reply.get("model_info"))
    architecture = str(info.get("general.architecture") or details.get("family") or "")
    return ModelRecord(
        name=model,
        architecture=architecture,
        families=_texts(details.get("families")) or _texts([details.get("family")] if details.get("family") else []),
        basename=str(info.get("general.basename") or ""),
        parameter_size=str(details.get("parameter_size") or ""),
        quantization=str(details.get("quantization_level") or ""),
        capabilities=_texts(reply.get("capabilities")),
        context_tokens=count(info.get(f"{architecture}.context_length")),
        embedding_dimension=count(info.get(f"{architecture}.embedding_length")),
        parameters=str(reply.get("parameters") or ""),
        template=str(reply.get("template") or ""),
        system=str(reply.get("system") or ""),
        license=str(reply.get("license") or ""),
        info=info,
    )
