"""Makes forms of JSON Schemas, and reads the values that a reply fills in.

Each scalar is asked for as an object of its quote, the number of the quote's passage and the value, which may
be null whatever the schema says: a model that must give a value invents one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragkit.types.errors import InputError
from ragkit.types.structured import FieldPath, Form, Scalar, path_text

ABSENT: Mapping[str, object] = {"quote": "", "passage": 0, "value": None}
"""How a reply says that a scalar has no value."""

Node = Mapping[str, Any]

_ANY_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_NOT_SUPPORTED = (
    "$dynamicRef", "allOf", "not", "if", "then", "else", "prefixItems", "patternProperties", "dependentSchemas",
    "contains", "propertyNames", "unevaluatedProperties", "unevaluatedItems",
)  # fmt: skip
_KEPT_OF_LISTS = ("title", "description", "maxItems", "uniqueItems")
_MAX_NODES = 2000  # the most parts that a schema may have, its references resolved


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar of a reply, at its place in the value."""

    path: FieldPath
    value: Scalar
    quote: str
    marker: int  # the number of the passage that the reply names for it
    required: bool
    closed: bool  # the schema gives a choice of values, which need not stand in the text


@dataclass(frozen=True, slots=True)
class Gap:
    """A place of the schema without a value, where null is not allowed: the whole value leaves it out."""

    path: FieldPath
    required: bool


@dataclass(frozen=True, slots=True)
class FilledForm:
    """A reply without its quotes: the whole value, and its parts in the order of the reply."""

    value: object
    parts: tuple[Leaf | Gap, ...]


_LEFT_OUT = object()  # stands for a value that is left out


# -- from a schema to a form -------------------------------------------------------------------


def make_form(schema: object) -> Form:
    """Makes a form of a JSON Schema. Raises InputError where it is none, or asks for what cannot be filled in field
    by field."""
    import jsonschema

    if not isinstance(schema, Mapping):
        raise _invalid_schema("not an object")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as exc:
        where = "".join(f" ({part})" for part in list(exc.absolute_path)[-1:])
        raise _invalid_schema(f"{exc.message[:200]}{where}") from exc
    resolved = _Resolving(schema).node(schema, ())
    return Form(resolved, _reply_schema(resolved))


def _invalid_schema(why: str) -> InputError:
    return InputError("The schema is not a valid JSON Schema: {why}.", why=why.rstrip("."))


class _Resolving:
    """Puts what a schema refers to in the place of the reference."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._nodes = 0

    def node(self, node: object, open_references: tuple[str, ...]) -> dict[str, Any]:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise InputError("The schema is too large: it has more than {most} parts.", most=_MAX_NODES)
        if not isinstance(node, Mapping):  # `true` allows anything
            return {}
        if "$ref" in node:
            return self._referred(node, open_references)
        merged = node["allOf"] if isinstance(node.get("allOf"), list) else []
        if len(merged) == 1:  # some tools put a description beside a reference in this way
            inner = self.node(merged[0], open_references)
            return {**inner, **{name: value for name, value in node.items() if name != "allOf"}}
        _check_supported(node)
        found = {name: value for name, value in node.items() if name not in ("$defs", "definitions", "$schema")}
        for name in ("items", "additionalProperties"):
            if isinstance(node.get(name), Mapping):
                found[name] = self.node(node[name], open_references)
        for name in ("anyOf", "oneOf"):
            if name in node:
                found[name] = [self.node(one, open_references) for one in node[name]]
        if "properties" in node:
            found["properties"] = {name: self.node(one, open_references) for name, one in node["properties"].items()}
        return _split_types(found)

    def _referred(self, node: Node, open_references: tuple[str, ...]) -> dict[str, Any]:
        reference = str(node["$ref"])
        if reference in open_references:
            raise InputError("The schema refers to itself ({reference}); such a form has no end.", reference=reference)
        target: Any = self._root
        try:
            for part in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
                target = target[part.replace("~1", "/").replace("~0", "~")]
        except (KeyError, TypeError) as exc:
            why = f"{reference} leads nowhere"
            raise _invalid_schema(why) from exc
        beside = {name: value for name, value in node.items() if name in ("title", "description")}
        return {**self.node(target, (*open_references, reference)), **beside}


def _check_supported(node: Node) -> None:
    keyword = next((name for name in _NOT_SUPPORTED if name in node), "")
    if not keyword and ("properties" in node or "items" in node):
        keyword = next((name for name in ("anyOf", "oneOf") if name in node), "")
    if keyword:
        raise InputError(
            "The schema uses {keyword}, which a form cannot have.",
            hint="Forms are objects, lists and scalars, with anyOf, oneOf, enum and $ref.",
            keyword=keyword,
        )


def _split_types(node: dict[str, Any]) -> dict[str, Any]:
    """Returns a node that may be an object or a list, or something else, as a choice between these types."""
    types = node.get("type")
    if not isinstance(types, list) or not {"object", "array"} & set(types):
        return node
    rest = {name: value for name, value in node.items() if name not in ("type", "title", "description")}
    told = {name: value for name, value in node.items() if name in ("title", "description")}
    return {**told, "anyOf": [{**(rest if kind in ("object", "array") else {}), "type": kind} for kind in types]}


def alternatives(node: Node) -> list[Node]:
    """Returns the nodes that one node allows: itself, or those of its anyOf or oneOf."""
    branches = node.get("anyOf") or node.get("oneOf")
    return [one for branch in branches for one in alternatives(branch)] if branches else [node]


def is_object(node: Node) -> bool:
    return node.get("type") == "object" or "properties" in node


def is_list(node: Node) -> bool:
    return node.get("type") == "array" or "items" in node


def is_scalar(node: Node) -> bool:
    """Says whether no alternative of the node is an object or a list."""
    return not any(is_object(one) or is_list(one) for one in alternatives(node))


def _reply_schema(node: Node) -> dict[str, Any]:
    """Returns the schema that a reply for `node` has to fit."""
    told = {name: node[name] for name in ("title", "description") if name in node}
    if is_scalar(node):
        value = {"anyOf": [node, {"type": "null"}]} if node.keys() - {"title", "description"} else _ANY_SCALAR
        parts = {"quote": {"type": "string"}, "passage": {"type": "integer"}, "value": value}
        return {**told, "type": "object", "properties": parts, "required": list(parts), "additionalProperties": False}
    if "anyOf" in node or "oneOf" in node:
        return {**told, "anyOf": [_reply_schema(one) for one in alternatives(node)]}
    if is_list(node):
        items = node.get("items")
        kept = {name: node[name] for name in _KEPT_OF_LISTS if name in node}
        return {**kept, "type": "array", "items": _reply_schema(items if isinstance(items, Mapping) else {})}
    parts = {name: _reply_schema(one) for name, one in node.get("properties", {}).items()}
    others = node.get("additionalProperties", {})
    more: object = False if parts or others is False else _reply_schema(others if isinstance(others, Mapping) else {})
    return {**told, "type": "object", "properties": parts, "required": list(parts), "additionalProperties": more}


# -- from a reply to a value -------------------------------------------------------------------


def read_reply(filled: object, form: Form) -> FilledForm:
    """Returns the value that a reply by `Form.asked` fills in; what it has no value for is null where the schema
    allows it, else left out."""
    value, parts = _read(filled, [form.schema], (), True)
    return FilledForm(None if value is _LEFT_OUT else value, tuple(parts))


def why_invalid(value: object, schema: Mapping[str, object]) -> str:
    """Returns why `value` does not fit `schema`; "" when it does."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    if error is None:
        return ""
    where = path_text(tuple(error.absolute_path))
    return f"{where}: {error.message[:300]}" if where else str(error.message)[:300]


_Found = tuple[object, list["Leaf | Gap"]]


def _read(filled: object, nodes: Sequence[Node], path: FieldPath, required: bool) -> _Found:
    """Reads one node of a reply; `nodes` are those of the schema that it may fill in."""
    allowed = [one for node in nodes for one in alternatives(node)]
    if isinstance(filled, Mapping) and _is_leaf(filled):
        return _leaf(filled, allowed, path, required)
    if isinstance(filled, list):
        return _list(filled, [one for one in allowed if is_list(one)], path)
    if isinstance(filled, Mapping):
        return _object(filled, [one for one in allowed if is_object(one)], allowed, path, required)
    return _LEFT_OUT, [Gap(path, required)]


def _is_leaf(filled: Mapping[str, object]) -> bool:
    """Says whether an object of a reply is a scalar with its quote. Where the user's own schema has a property called
    "value", that holds an object or a list here, never a scalar."""
    return filled.keys() == ABSENT.keys() and not isinstance(filled["value"], Mapping | list)


def _leaf(filled: Mapping[str, Any], allowed: Sequence[Node], path: FieldPath, required: bool) -> _Found:
    value = filled["value"]
    if value is None and not _allow_null(allowed):
        return _LEFT_OUT, [Gap(path, required)]
    closed = isinstance(value, bool) or any("enum" in node or "const" in node for node in allowed)
    return value, [Leaf(path, value, str(filled["quote"]), int(filled["passage"]), required, closed)]


def _allow_null(allowed: Sequence[Node]) -> bool:
    return any(not why_invalid(None, node) for node in allowed)


def _list(filled: Sequence[object], nodes: Sequence[Node], path: FieldPath) -> _Found:
    """Reads a list. Items without any value are left out, as they say nothing."""
    items = [node["items"] for node in nodes if isinstance(node.get("items"), Mapping)] or [{}]
    kept: list[object] = []
    parts: list[Leaf | Gap] = []
    for one in filled:
        value, found = _read(one, items, (*path, len(kept)), True)
        if _has_value(found):
            kept.append(value)
            parts += found
    return kept, parts


def _object(
    filled: Mapping[str, object], nodes: Sequence[Node], allowed: Sequence[Node], path: FieldPath, required: bool
) -> _Found:
    """Reads an object. One within another or in a list that has no value at all is null, or left out, where that is
    allowed."""
    kept: dict[str, object] = {}
    parts: list[Leaf | Gap] = []
    for name, one in filled.items():
        below = [node["properties"][name] for node in nodes if name in node.get("properties", {})] or [
            node["additionalProperties"] for node in nodes if isinstance(node.get("additionalProperties"), Mapping)
        ]
        value, found = _read(one, below or [{}], (*path, name), any(name in n.get("required", ()) for n in nodes))
        parts += found
        if value is not _LEFT_OUT:
            kept[name] = value
    if path and not _has_value(parts) and (_allow_null(allowed) or not required):
        return _leaf(ABSENT, allowed, path, required)
    return kept, parts


def _has_value(parts: Sequence[Leaf | Gap]) -> bool:
    return any(isinstance(part, Leaf) and part.value is not None for part in parts)


def search_words(name: str, node: Node) -> str:
    """Returns what to search for to fill in a field: its description, its title, or its name in words."""
    words = str(node.get("description") or node.get("title") or "").strip()
    return words or "".join(_split_name(name)).strip()


def _split_name(name: str) -> Iterator[str]:
    """Splits a name in words, character by character: "annualLeave_days" gives "annual leave days"."""
    for before, character in zip(" " + name, name, strict=False):
        if character in "_-.":
            yield " "
        elif character.isupper() and before.islower():
            yield " " + character.lower()
        else:
            yield character
