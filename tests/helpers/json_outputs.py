"""Comparing outputs with the JSON Schemas of the documentation."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.helpers.paths import CHECKOUT

SCHEMAS = CHECKOUT / "docs" / "json"


def assert_fits(verb: str, output: object) -> None:
    """Asserts that every key of the schema is there, and no other; `verb` is written as in the table of outputs."""
    name = verb.replace(" --", "-").replace(" ", "-")
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    found = Draft202012Validator(_closed(schema)).iter_errors(output)
    faults = [f"{fault.json_path}: {fault.message}" for fault in found]
    assert not faults, faults


def _closed(schema: Any) -> Any:
    """Forbids keys that are not in the schema, which itself allows those that later versions add."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(item) for key, item in schema.items()}
    return {**closed, "additionalProperties": False} if "required" in schema else closed
