"""The options of a language model, typed and checked, under the names that Ollama gives them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias

from ragkit.i18n.messages import Message
from ragkit.types.errors import ConfigError

WINDOW_TOKENS = 8192  # the window that is asked for where nothing else is set

Think: TypeAlias = Literal["off", "on", "low", "medium", "high", "max"]
"""Whether and how hard a thinking model thinks before it answers."""

# Lowest and highest value; None: no limit on that side.
_RANGES: dict[str, tuple[float | None, float | None]] = {
    "num_ctx": (4, 10_000_000),
    "num_batch": (1, 10_000_000),
    "num_gpu": (-1, None),
    "num_thread": (0, None),
    "main_gpu": (0, None),
    "draft_num_predict": (0, None),
    "num_predict": (-1, 10_000_000),
    "temperature": (0, 2),
    "top_k": (0, None),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "typical_p": (0, 1),
    "repeat_last_n": (-1, None),
    "repeat_penalty": (0, 10),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "num_keep": (-1, None),
}
LOAD_TIME = ("num_ctx", "num_batch", "num_gpu", "num_thread", "main_gpu", "use_mmap", "draft_num_predict")
"""A server loads its model anew when one of these differs from what is loaded."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one model. None is the model's own default and is not sent. A value out of range raises
    ConfigError."""

    num_ctx: int | None = None  # tokens of the window, prompt and answer together
    num_predict: int | None = None  # tokens of the answer at the most; -1: no limit
    temperature: float | None = None  # 0: always the likeliest token
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    seed: int | None = None  # -1: another one each time
    stop: tuple[str, ...] | None = None  # texts that end the answer
    repeat_penalty: float | None = None
    repeat_last_n: int | None = None  # tokens looked back for repetitions; -1: the whole window
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    num_keep: int | None = None  # tokens at the start that stay when the window slides
    num_batch: int | None = None
    num_gpu: int | None = None  # layers; 0: none, -1: as many as fit
    num_thread: int | None = None
    main_gpu: int | None = None
    use_mmap: bool | None = None
    draft_num_predict: int | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is None:
                continue
            if math.isnan(value):
                raise _out_of_range(name, value, Message("a number"))
            if low is not None and value < low:
                raise _out_of_range(name, value, Message("at least {low}", {"low": low}))
            if high is not None and value > high:
                raise _out_of_range(name, value, Message("at most {high}", {"high": high}))
        if self.num_predict == 0:
            raise _out_of_range("num_predict", 0, Message("at least {low}", {"low": 1}))
        if self.stop is not None and not all(self.stop):
            raise ConfigError("options.stop holds an empty text.", hint="Leave it out, or name what ends the answer.")

    def given(self) -> dict[str, object]:
        """Returns the options that are set, as a server takes them."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in found.items() if v is not None}

    def over(self, other: Options) -> Options:
        """Returns these options, and those of `other` where these say nothing."""
        own = {item.name: value for item in fields(self) if (value := getattr(self, item.name)) is not None}
        return replace(other, **own)


def _out_of_range(name: str, value: object, wanted: Message) -> ConfigError:
    return ConfigError("options.{name} is {value}; it must be {wanted}.", name=name, value=value, wanted=wanted)
