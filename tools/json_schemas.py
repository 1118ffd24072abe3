"""Writes a JSON Schema of every `--json` output into docs/json/, from the types in ragkit/frontends/json_shapes.

python tools/json_schemas.py
"""

from __future__ import annotations

import inspect
import json
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from ragkit.frontends.json_shapes.outputs import OUTPUTS

FOLDER = Path(__file__).parents[1] / "docs" / "json"
Schema = dict[str, Any]
NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}


def main() -> None:
    for path in FOLDER.glob("*.schema.json"):
        path.unlink()
    FOLDER.mkdir(exist_ok=True)
    for name, text in schema_files().items():
        (FOLDER / name).write_text(text, "utf-8")


def schema_files() -> dict[str, str]:
    """Returns the text of each schema by the name of its file."""
    return {
        file_name(verb): json.dumps(schema(verb, shape), ensure_ascii=False, indent=2) + "\n"
        for verb, shape in OUTPUTS.items()
    }


def file_name(verb: str) -> str:
    return verb.replace(" --", "-").replace(" ", "-") + ".schema.json"


def schema(verb: str, shape: type) -> Schema:
    """Returns a schema that stands alone: the shapes within `shape` are its definitions."""
    definitions: dict[str, Schema] = {}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"ragkit {verb} --json"}
    whole = {**head, **_object(shape, definitions)}
    return {**whole, "$defs": dict(sorted(definitions.items()))} if definitions else whole


def _object(shape: type, definitions: dict[str, Schema]) -> Schema:
    """Unknown keys are allowed, because later versions may add some."""
    fields = get_type_hints(shape, include_extras=True)
    return {
        "description": inspect.getdoc(shape),
        "type": "object",
        "properties": {name: _value(kind, definitions) for name, kind in fields.items()},
        "required": list(fields),
    }


def _value(kind: Any, definitions: dict[str, Schema]) -> Schema:
    parts = get_args(kind)
    if kind is object:
        return {}
    if kind in NAMES:
        return {"type": NAMES[kind]}
    if is_typeddict(kind):
        return _reference(kind, definitions)
    match get_origin(kind):
        case origin if origin is Annotated:
            return {**_value(parts[0], definitions), "description": parts[1]}
        case origin if origin is Literal:
            return {"enum": list(parts)}
        case origin if origin in (Union, types.UnionType):
            return _one_of([_value(part, definitions) for part in parts])
        case origin if origin is list:
            return {"type": "array", "items": _value(parts[0], definitions)}
        case origin if origin is tuple:
            items = [_value(part, definitions) for part in parts]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        case origin if origin is dict:
            return {"type": "object", "additionalProperties": _value(parts[1], definitions)}
    raise TypeError(f"{kind} has no form in JSON")


def _reference(shape: type, definitions: dict[str, Schema]) -> Schema:
    name = shape.__name__.removesuffix("Json")
    if name not in definitions:
        definitions[name] = {}  # A shape that holds itself must not be entered twice.
        definitions[name] = _object(shape, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _one_of(choices: list[Schema]) -> Schema:
    """Joins plain types and words into one list each, which reads better than a list of schemas."""
    if all(choice.keys() == {"type"} for choice in choices):
        return {"type": [choice["type"] for choice in choices]}
    if all(choice.keys() == {"enum"} for choice in choices):
        return {"enum": [word for choice in choices for word in choice["enum"]]}
    return {"anyOf": choices}


if __name__ == "__main__":
    main()
