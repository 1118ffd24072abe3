"""Reads conditions on where a passage may come from, as people write them: type=pdf, folder=contracts,
date>=2024-01-01."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragkit.types.errors import InputError
from ragkit.types.search import Condition

_WRITTEN = re.compile(r"\s*([a-z]+)\s*(!=|>=|<=|=|>|<)\s*(.+?)\s*", re.DOTALL)
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_EQUAL = ("=", "!=")
_ORDERED = ("=", "!=", ">=", "<=", ">", "<")
FIELDS = {
    "source": _EQUAL,  # the whole path, its end, or a pattern with * and ?
    "folder": _EQUAL,  # a folder's path, or its last parts; all below it
    "type": _EQUAL,  # the file's suffix: pdf, md
    "language": _EQUAL,  # the passage's language: zh, en
    "author": _EQUAL,  # any part of the author's name, as the file says it
    "label": _EQUAL,  # a label that the folder or file was given when it was indexed
    "date": _ORDERED,  # the date of the last change: by the file itself, else by the file system
    "page": _ORDERED,
}
"""The operators that each field takes."""


def parse(written: Sequence[str]) -> tuple[Condition, ...]:
    """Returns the conditions, all of which have to hold. Raises InputError for what is no condition, and for a field
    or value that does not exist."""
    return tuple(_parsed(one) for one in written)


def _parsed(written: str) -> Condition:
    match = _WRITTEN.fullmatch(written)
    field, operator, value = match.groups() if match else ("", "", "")
    if field not in FIELDS:
        raise InputError(
            "{written} is no condition.",
            hint="Write FIELD=VALUE with one of: {fields}. Example: type=pdf",
            written=written,
            fields=", ".join(FIELDS),
        )
    if operator not in FIELDS[field]:
        raise InputError(
            "{field} takes only {operators}.", field=field, operators=" ".join(FIELDS[field]), hint="Example: type=pdf"
        )
    if field == "date" and not _DATE.fullmatch(value):
        raise InputError("{value} is no date.", hint="Write 2024, 2024-05 or 2024-05-31.", value=value)
    if field == "page" and not value.isdecimal():
        raise InputError("{value} is no page number.", hint="Example: page>=10", value=value)
    if field == "language" and value not in ("zh", "en"):
        raise InputError("{value} is no language that is told apart.", hint="Write zh or en.", value=value)
    return Condition(field, operator, value)
