"""Values out of JSON, checked by the annotations of their dataclass."""

from __future__ import annotations

from typing import TypeVar

Value = TypeVar("Value")


def value_of(found: object, kind: type[Value]) -> Value:
    """Makes a `kind` of what `json.loads` gave; keys that are no fields are ignored. Raises ValueError."""
    import msgspec

    return msgspec.convert(found, kind)
