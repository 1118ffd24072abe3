"""An answer of the extractive model as generate, chat and /v1 give it: limits, pieces, counts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragkit.frontends.model_server.requests import ApiError
from ragkit.types.answers import ChatMessage
from ragkit.types.ports import CheckIn, LocalModels

_PIECE = re.compile(r"\s*[⺀-鿿豈-﫿぀-ヿ가-힯]{1,4}|\s*[^\s⺀-鿿豈-﫿぀-ヿ가-힯]+|\s+")


@dataclass(frozen=True)
class Answer:
    pieces: tuple[str, ...]
    done_reason: str  # "stop" or "length"
    prompt_tokens: int
    answer_tokens: int
    prompt_ns: int
    answer_ns: int

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True)
class Limits:
    window_tokens: int
    answer_tokens: int  # 0 or less: as many as the window holds
    stops: tuple[str, ...]
    as_json: bool


def limits_of(window_tokens: int, options: Mapping[str, Any], *, as_json: bool) -> Limits:
    return Limits(window_tokens, options.get("num_predict", -1), tuple(options.get("stop", ())), as_json)


def answer(models: LocalModels, messages: Sequence[ChatMessage], limits: Limits, check_in: CheckIn) -> Answer:
    """Answers the conversation within its window and limits. Raises ApiError for one that is too long."""
    started = time.perf_counter_ns()
    prompt_tokens = sum(models.count_tokens(message.content) for message in messages)
    if prompt_tokens >= limits.window_tokens:
        raise ApiError(400, overflow(prompt_tokens, limits.window_tokens))
    check_in()
    counted = time.perf_counter_ns()
    text = models.reply(messages, check_in).text
    if limits.as_json:
        text = json.dumps({"answer": text}, ensure_ascii=False)
    text, stopped = _until_stop(text, limits.stops)
    room = limits.window_tokens - prompt_tokens
    most = min(limits.answer_tokens, room) if limits.answer_tokens > 0 else room
    pieces, tokens, cut = _limited(models, text, most)
    reason = "length" if cut and not stopped else "stop"
    return Answer(pieces, reason, prompt_tokens, tokens, counted - started, time.perf_counter_ns() - counted)


def _until_stop(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    places = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    return (text[: min(places)], True) if places else (text, False)


def _limited(models: LocalModels, text: str, limit: int) -> tuple[tuple[str, ...], int, bool]:
    """The pieces of a text that `limit` tokens hold, their number, and whether any was left out."""
    kept: list[str] = []
    used = 0
    for piece in _PIECE.findall(text):
        tokens = max(models.count_tokens(piece), 1)
        if used + tokens > limit:
            return tuple(kept), used, True
        kept.append(piece)
        used += tokens
    return tuple(kept), used, False


def overflow(prompt_tokens: int, window: int) -> str:
    """The text of the refusal of a prompt that does not fit: JSON inside the error, as engines write it."""
    message = (
        f"request ({prompt_tokens} tokens) exceeds the available context size ({window} tokens), try increasing it"
    )
    inner = {"code": 400, "message": message, "type": "exceed_context_size_error"}
    return json.dumps({"error": {**inner, "n_prompt_tokens": prompt_tokens, "n_ctx": window}})
