"""What comes in: bodies, their fields and their errors, in the words that Ollama has for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request

MAX_BODY_BYTES = 64 * 2**20

_WHOLE = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "draft_num_predict", "num_keep", "seed",
          "num_predict", "top_k", "repeat_last_n")  # fmt: skip
_REAL = ("temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty")
_DURATION = re.compile(r"([+-])?((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+")
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_NAMES = {str: "string", bool: "bool", int: "int", list: "array", dict: "object"}


class ApiError(Exception):
    """A refusal: its status, and the text that the client gets."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a request. Raises ApiError: no body, no JSON, too large."""
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > MAX_BODY_BYTES:
            raise ApiError(413, "request body too large")
    if not raw:
        raise ApiError(400, "missing request body")
    try:
        found = orjson.loads(bytes(raw))
    except (ValueError, RecursionError) as exc:
        raise ApiError(400, f"invalid request body: {exc}") from exc
    if not isinstance(found, dict):
        raise ApiError(400, f"json: cannot unmarshal {_kind(found)} into an object")
    return found


def field(body: Mapping[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """A field of the body, or `default` where it is absent or null. Raises ApiError for another type."""
    value = body.get(name)
    if value is None:
        return default
    whole = isinstance(value, float) and value.is_integer() and kind is int
    if not whole and (not isinstance(value, kind) or (isinstance(value, bool) and kind is int)):
        raise ApiError(400, f"json: cannot unmarshal {_kind(value)} into field {name} of type {_NAMES[kind]}")
    return int(value) if whole else value


def _kind(value: object) -> str:
    known = {**_NAMES, float: "number", type(None): "null"}
    return known[type(value)]


def options_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The model options; unknown names are ignored, wrong types refused as Ollama refuses them."""
    given: dict[str, Any] = field(body, "options", dict, {})
    options = {name: value for name, value in given.items() if value is not None}
    for name, value in options.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if name in _WHOLE:
            if not number:
                raise ApiError(500, f'option "{name}" must be of type integer')
            options[name] = int(value)
        if name in _REAL and not number:
            raise ApiError(500, f'option "{name}" must be of type float32')
        if name == "use_mmap" and not isinstance(value, bool):
            raise ApiError(500, f'option "{name}" must be of type boolean')
        if name == "stop" and not isinstance(value, list):
            raise ApiError(500, f'option "{name}" must be of type array')
        if name == "stop" and not all(isinstance(item, str) for item in value):
            raise ApiError(500, f'option "{name}" must be of an array of strings')
    return options


def window_of(options: Mapping[str, Any], longest_tokens: int) -> int:
    """The tokens that a model may read, by `num_ctx`; at the most those that it can."""
    asked: int = options.get("num_ctx", longest_tokens)
    return min(max(asked, 4), longest_tokens)


def keep_alive_s(body: Mapping[str, Any]) -> float | None:
    """Seconds that a model stays loaded after this request; negative: for ever; None: not said."""
    value = body.get("keep_alive")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ApiError(400, f"json: cannot unmarshal {_kind(value)} into field keep_alive of type duration")
    if not isinstance(value, str):
        return float(value)
    if value == "0":
        return 0.0
    if not _DURATION.fullmatch(value):
        known = re.fullmatch(r"[+-]?[\d.]+", value)
        raise ApiError(400, f'time: {"missing unit in" if known else "invalid"} duration "{value}"')
    seconds = sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(value))
    return -seconds if value.startswith("-") else seconds


def wants_json(body: Mapping[str, Any]) -> bool:
    """Whether the answer must be JSON. Raises ApiError for a form that cannot be given."""
    form = body.get("format")
    if form in (None, ""):
        return False
    if isinstance(form, dict):
        raise ApiError(400, "this model quotes: it cannot fill a JSON schema")
    if form != "json":
        shown = orjson.dumps(form).decode()
        raise ApiError(500, f'invalid format: {shown}; expected "json" or a valid JSON Schema object')
    return True
