"""Values out of JSON, checked by the annotations of their dataclass."""

from __future__ import annotations

from typing import TypeVar

Value = TypeVar("Value")


def value_of(found: object, kind: type[Value]) -> Value:
    """`found`, as `json.loads` gives it, as a `kind`; keys that it has not are left out. Raises ValueError."""
    import msgspec

    return msgspec.convert(found, kind)
