"""Conditions on passages as SQL over chunks, documents and files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date, timedelta

from ragkit.types.search import Condition

JOINS = " JOIN documents USING (source) JOIN files USING (source)"  # what a clause speaks of, beside chunks
LABELS = "labels of "  # keys of `meta`, before the root whose labels are the value
_OWN_DATE = "nullif(json_extract(documents.structure, '$.date'), '')"
_DATE = f"coalesce({_OWN_DATE}, date(files.modified_ns / 1000000000, 'unixepoch'))"


def sql(where: Sequence[Condition]) -> tuple[str, list[object]]:
    """A clause that holds where all conditions do, with its values; "1" for none."""
    parts = [_one(condition) for condition in where]
    return " AND ".join(part for part, _ in parts) or "1", [value for _, values in parts for value in values]


def _one(condition: Condition) -> tuple[str, list[object]]:
    field, operator, value = condition.field, condition.operator, condition.value
    if field == "page":
        return f"json_extract(chunks.place, '$[0]') {operator} ?", [int(value)]
    if field == "date":
        return _dated(operator, value)
    clause, values = {
        "source": _source,
        "folder": _folder,
        "type": _type,
        "language": lambda value: ("ragkit_language(chunks.text) = ?", [value]),
        "author": _author,
        "label": _label,
    }[field](value)
    return (f"NOT ({clause})" if operator == "!=" else f"({clause})"), values


def _source(value: str) -> tuple[str, list[object]]:
    if any(mark in value for mark in "*?["):
        return "chunks.source GLOB ? OR chunks.source GLOB ?", [value, f"*{os.sep}{value}"]
    return "chunks.source = ? OR chunks.source LIKE ? ESCAPE '\\'", [value, f"%{_like(os.sep + value)}"]


def _folder(value: str) -> tuple[str, list[object]]:
    name = value.rstrip("/\\")
    if os.path.isabs(name):  # noqa: PTH117  (a text, of another machine perhaps)
        return "chunks.source LIKE ? ESCAPE '\\'", [f"{_like(name + os.sep)}%"]
    return "chunks.source LIKE ? ESCAPE '\\'", [f"%{_like(os.sep + name + os.sep)}%"]


def _type(value: str) -> tuple[str, list[object]]:
    return "lower(chunks.source) LIKE ? ESCAPE '\\'", [f"%{_like('.' + value.lower().lstrip('.'))}"]


def _author(value: str) -> tuple[str, list[object]]:
    return "json_extract(documents.structure, '$.author') LIKE ? ESCAPE '\\'", [f"%{_like(value)}%"]


def _label(value: str) -> tuple[str, list[object]]:
    root, under = "substr(meta.key, ?)", "substr(chunks.source, 1, length(meta.key) - ?)"
    clause = (
        "EXISTS (SELECT 1 FROM meta, json_each(meta.value) WHERE meta.key GLOB ? AND json_each.value = ?"
        f" AND (chunks.source = {root} OR {under} = {root} || ?))"
    )
    skipped = len(LABELS)
    return clause, [f"{LABELS}*", value, skipped + 1, skipped - len(os.sep), skipped + 1, os.sep]


def _dated(operator: str, value: str) -> tuple[str, list[object]]:
    """A year or a month stands for all of its days."""
    first, last = _span(value)
    bound: dict[str, tuple[str, list[object]]] = {
        "=": (f"{_DATE} BETWEEN ? AND ?", [first, last]),
        "!=": (f"{_DATE} NOT BETWEEN ? AND ?", [first, last]),
        ">=": (f"{_DATE} >= ?", [first]),
        ">": (f"{_DATE} > ?", [last]),
        "<=": (f"{_DATE} <= ?", [last]),
        "<": (f"{_DATE} < ?", [first]),
    }
    return bound[operator]


def _span(value: str) -> tuple[str, str]:
    if len(value) == 4:
        return f"{value}-01-01", f"{value}-12-31"
    if len(value) == 7:
        year, month = int(value[:4]), int(value[5:])
        after = date(year + month // 12, month % 12 + 1, 1) if 1 <= month <= 12 else date(year, 1, 1)
        return f"{value}-01", (after - timedelta(days=1)).isoformat()
    return value, value


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
