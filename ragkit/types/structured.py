"""Values of a structured answer: a JSON value by a schema, and the proof of each of its fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ragkit.i18n.messages import Message
from ragkit.types.answers import Citation, Completion, Context, ContextLedger
from ragkit.types.search import ScoredChunk

FieldPath: TypeAlias = "tuple[str | int, ...]"
"""The way from the root of a value to one in it: names of properties, and places in lists from 0."""

Scalar: TypeAlias = "str | int | float | bool | None"

FieldState = Literal["stated", "read", "unverified", "null", "missing"]
"""stated: the value stands in its quote, and the quote in the document. read: the quote does, and the value is
what the answerer takes from it (true or false, a choice, other words). unverified: neither is proved. null: the
documents do not say. missing: the same, and the schema does not allow null, so the value is left out."""

FindPassages: TypeAlias = "Callable[[str, int], Context]"
"""Takes a query and a number of tokens, and returns the best passages for the query that fit into them."""


@dataclass(frozen=True, slots=True)
class Form:
    """A JSON Schema, ready to be filled in."""

    schema: Mapping[str, object]  # the user's, its references resolved
    asked: Mapping[str, object]  # the schema of a reply: each scalar comes with its quote and its passage's number


@dataclass(frozen=True, slots=True)
class Filling:
    """A form as an answerer filled it in, before any of it is checked."""

    filled: object  # JSON that fits `Form.asked`
    context: Context  # the passages that it cites
    completion: Completion
    asked: int = 1  # how often the model was asked
    reasons: Mapping[FieldPath, Message] = field(default_factory=dict)  # why a field has no value


@dataclass(frozen=True, slots=True)
class Field:
    """One scalar of a structured answer, or one that is not there."""

    path: FieldPath
    value: Scalar
    state: FieldState
    required: bool  # the schema requires it
    citation: Citation | None = None  # None: no quote was given, or there is no value
    reason: Message = field(default_factory=Message)  # why it is unverified, null or missing

    @property
    def verified(self) -> bool:
        return self.state in ("stated", "read")


@dataclass(frozen=True, slots=True)
class StructuredAnswer:
    """A value that fits a schema as far as the documents give it, and the proof of each field."""

    question: str
    text: str  # the value as JSON
    fields: tuple[Field, ...]  # in the order of the value; those that are missing among them
    complete: bool  # the value fits the schema: nothing is missing that it requires
    mode: str  # "extractive" or "generative"
    model: str
    asked: int  # how often the model was asked
    ledger: ContextLedger
    nearest: tuple[ScoredChunk, ...]  # the best passages for the question
    unread_count: int  # files of this index that could not be read
    notes: tuple[Message, ...] = ()

    @property
    def value(self) -> object:
        """The value as Python holds JSON, made anew at each call."""
        return json.loads(self.text)

    @property
    def found(self) -> bool:
        """Whether any field has a value."""
        return any(one.state in ("stated", "read", "unverified") for one in self.fields)


def path_text(path: FieldPath) -> str:
    """Returns a path as people write it: items[0].price."""
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return shown.removeprefix(".")
