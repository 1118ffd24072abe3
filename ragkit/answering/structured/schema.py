"""JSON Schemas as forms: what a model is asked for, and what its reply fills in.

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
"""A scalar that has no value, as a reply says it."""

Node = Mapping[str, Any]

_ANY_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_NOT_SUPPORTED = (
    "$dynamicRef", "allOf", "not", "if", "then", "else", "prefixItems", "patternProperties", "dependentSchemas",
    "contains", "propertyNames", "unevaluatedProperties", "unevaluatedItems",
)  # fmt: skip
_KEPT_OF_LISTS = ("title", "description", "maxItems", "uniqueItems")
_MAX_NODES = 2000  # of a schema, its references resolved


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar of a reply, at its place in the value."""

    path: FieldPath
    value: Scalar
    quote: str
    marker: int  # of the passage it names
    required: bool
    closed: bool  # the schema gives a choice of values: they need not stand in the text


@dataclass(frozen=True, slots=True)
class Gap:
    """A place of the schema that the value leaves out: there is none, and null is not allowed."""

    path: FieldPath
    required: bool


@dataclass(frozen=True, slots=True)
class FilledForm:
    """A reply without its quotes. `leaves` and `gaps` are in the order of the schema."""

    value: object
    parts: tuple[Leaf | Gap, ...]


_NOTHING = object()  # in place of a value that is left out


# -- from a schema to a form -------------------------------------------------------------------


def form_of(schema: object) -> Form:
    """Raises InputError: it is no valid JSON Schema, or asks for what cannot be filled in field by field."""
    import jsonschema

    if not isinstance(schema, Mapping):
        raise _not_a_schema("not an object")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as exc:
        where = "".join(f" ({part})" for part in list(exc.absolute_path)[-1:])
        raise _not_a_schema(f"{exc.message[:200]}{where}") from exc
    resolved = _Resolving(schema).node(schema, ())
    return Form(resolved, _asked(resolved))


def _not_a_schema(why: str) -> InputError:
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
        if not isinstance(node, Mapping):  # true: anything
            return {}
        if "$ref" in node:
            return self._referred(node, open_references)
        merged = node["allOf"] if isinstance(node.get("allOf"), list) else []
        if len(merged) == 1:  # how some tools put a description beside a reference
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
        return _types_apart(found)

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
            raise _not_a_schema(why) from exc
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


def _types_apart(node: dict[str, Any]) -> dict[str, Any]:
    """A node that may be an object or a list, or something else, as a choice between them."""
    types = node.get("type")
    if not isinstance(types, list) or not {"object", "array"} & set(types):
        return node
    rest = {name: value for name, value in node.items() if name not in ("type", "title", "description")}
    told = {name: value for name, value in node.items() if name in ("title", "description")}
    return {**told, "anyOf": [{**(rest if kind in ("object", "array") else {}), "type": kind} for kind in types]}


def choices(node: Node) -> list[Node]:
    """The nodes that one node allows: itself, or those of its anyOf or oneOf."""
    branches = node.get("anyOf") or node.get("oneOf")
    return [one for branch in branches for one in choices(branch)] if branches else [node]


def is_object(node: Node) -> bool:
    return node.get("type") == "object" or "properties" in node


def is_list(node: Node) -> bool:
    return node.get("type") == "array" or "items" in node


def is_scalar(node: Node) -> bool:
    """Whether no choice of the node is an object or a list."""
    return not any(is_object(one) or is_list(one) for one in choices(node))


def _asked(node: Node) -> dict[str, Any]:
    """The schema of a reply for `node`."""
    told = {name: node[name] for name in ("title", "description") if name in node}
    if is_scalar(node):
        value = {"anyOf": [node, {"type": "null"}]} if node.keys() - {"title", "description"} else _ANY_SCALAR
        parts = {"quote": {"type": "string"}, "passage": {"type": "integer"}, "value": value}
        return {**told, "type": "object", "properties": parts, "required": list(parts), "additionalProperties": False}
    if "anyOf" in node or "oneOf" in node:
        return {**told, "anyOf": [_asked(one) for one in choices(node)]}
    if is_list(node):
        items = node.get("items")
        kept = {name: node[name] for name in _KEPT_OF_LISTS if name in node}
        return {**kept, "type": "array", "items": _asked(items if isinstance(items, Mapping) else {})}
    parts = {name: _asked(one) for name, one in node.get("properties", {}).items()}
    others = node.get("additionalProperties", {})
    more: object = False if parts or others is False else _asked(others if isinstance(others, Mapping) else {})
    return {**told, "type": "object", "properties": parts, "required": list(parts), "additionalProperties": more}


# -- from a reply to a value -------------------------------------------------------------------


def taken(filled: object, form: Form) -> FilledForm:
    """The value that a reply by `Form.asked` fills in; what it has no value for is null where the schema
    allows it, else left out."""
    value, parts = _taken(filled, [form.schema], (), True)
    return FilledForm(None if value is _NOTHING else value, tuple(parts))


def problem(value: object, schema: Mapping[str, object]) -> str:
    """Why `value` does not fit `schema`; "" when it does."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    if error is None:
        return ""
    where = path_text(tuple(error.absolute_path))
    return f"{where}: {error.message[:300]}" if where else str(error.message)[:300]


_Found = tuple[object, list["Leaf | Gap"]]


def _taken(filled: object, nodes: Sequence[Node], path: FieldPath, required: bool) -> _Found:
    allowed = [one for node in nodes for one in choices(node)]
    if isinstance(filled, Mapping) and _is_leaf(filled):
        return _leaf(filled, allowed, path, required)
    if isinstance(filled, list):
        return _list(filled, [one for one in allowed if is_list(one)], path)
    if isinstance(filled, Mapping):
        return _object(filled, [one for one in allowed if is_object(one)], allowed, path, required)
    return _NOTHING, [Gap(path, required)]


def _is_leaf(filled: Mapping[str, object]) -> bool:
    """A property called "value" of the user's own holds an object or a list here, never a scalar."""
    return filled.keys() == ABSENT.keys() and not isinstance(filled["value"], Mapping | list)


def _leaf(filled: Mapping[str, Any], allowed: Sequence[Node], path: FieldPath, required: bool) -> _Found:
    value = filled["value"]
    if value is None and not _allow_null(allowed):
        return _NOTHING, [Gap(path, required)]
    closed = isinstance(value, bool) or any("enum" in node or "const" in node for node in allowed)
    return value, [Leaf(path, value, str(filled["quote"]), int(filled["passage"]), required, closed)]


def _allow_null(allowed: Sequence[Node]) -> bool:
    return any(not problem(None, node) for node in allowed)


def _list(filled: Sequence[object], nodes: Sequence[Node], path: FieldPath) -> _Found:
    """Items without any value are left out: they say nothing."""
    items = [node["items"] for node in nodes if isinstance(node.get("items"), Mapping)] or [{}]
    kept: list[object] = []
    parts: list[Leaf | Gap] = []
    for one in filled:
        value, found = _taken(one, items, (*path, len(kept)), True)
        if _says_something(found):
            kept.append(value)
            parts += found
    return kept, parts


def _object(
    filled: Mapping[str, object], nodes: Sequence[Node], allowed: Sequence[Node], path: FieldPath, required: bool
) -> _Found:
    """An object within another, or in a list, without any value is null or left out where that is allowed."""
    kept: dict[str, object] = {}
    parts: list[Leaf | Gap] = []
    for name, one in filled.items():
        below = [node["properties"][name] for node in nodes if name in node.get("properties", {})] or [
            node["additionalProperties"] for node in nodes if isinstance(node.get("additionalProperties"), Mapping)
        ]
        value, found = _taken(one, below or [{}], (*path, name), any(name in n.get("required", ()) for n in nodes))
        parts += found
        if value is not _NOTHING:
            kept[name] = value
    if path and not _says_something(parts) and (_allow_null(allowed) or not required):
        return _leaf(ABSENT, allowed, path, required)
    return kept, parts


def _says_something(parts: Sequence[Leaf | Gap]) -> bool:
    return any(isinstance(part, Leaf) and part.value is not None for part in parts)


def label(name: str, node: Node) -> str:
    """What a field is about, to search for: its description, its title, or its name in words."""
    words = str(node.get("description") or node.get("title") or "").strip()
    return words or "".join(_words(name)).strip()


def _words(name: str) -> Iterator[str]:
    """ "annualLeave_days" -> "annual leave days"."""
    for before, character in zip(" " + name, name, strict=False):
        if character in "_-.":
            yield " "
        elif character.isupper() and before.islower():
            yield " " + character.lower()
        else:
            yield character
