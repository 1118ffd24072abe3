"""The table of file formats: it is consistent, and each line of it leads to a reader."""

from __future__ import annotations

import inspect
import sys
import tomllib
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.extras import is_installed
from ragkit.loaders.formats import FORMATS, Format, by_media_type, by_name, parse
from ragkit.types.errors import UnsupportedFormat

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
def test_every_format_has_a_reader_of_the_one_signature(one: Format) -> None:
    module, _, function = one.reader.partition(":")
    reader = getattr(import_module(f"ragkit.loaders.{module}"), function)
    parameters = inspect.signature(reader).parameters.values()
    assert [(p.name, p.annotation) for p in parameters] == [
        ("source", "str"),
        ("data", "bytes"),
        ("context", "ReadContext"),
    ]


def test_no_name_is_given_twice() -> None:
    suffixes = [suffix for one in FORMATS for suffix in one.suffixes.split()]
    for names in (suffixes, [one.media_type for one in FORMATS], [one.name for one in FORMATS]):
        assert [name for name, count in Counter(names).items() if count > 1] == []
    assert [suffix for suffix in suffixes if not suffix.startswith(".") or suffix != suffix.lower()] == []


def test_a_format_is_found_by_its_names_and_by_its_media_type() -> None:
    for one in FORMATS:
        assert by_media_type(one.media_type) is one
        assert {by_name(Path("x" + suffix.upper())) for suffix in one.suffixes.split()} == {one}


def test_what_is_read_by_its_content_has_a_sign() -> None:
    assert [one.name for one in FORMATS if one.by_content and one.sign is None] == []


def test_every_extra_is_one_of_the_project() -> None:
    extras = {one.extra for one in FORMATS if one.extra}
    assert extras <= tomllib.loads(PROJECT.read_text("utf-8"))["project"]["optional-dependencies"].keys()
    assert all(is_installed(extra) in (True, False) for extra in extras)  # each has its modules


def test_a_media_type_without_a_reader_is_refused() -> None:
    with pytest.raises(UnsupportedFormat, match="no reader for image/x-icon"):
        parse("a.ico", b"words", ReadContext("image/x-icon"))


def test_a_missing_library_is_named_for_what_the_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "striprtf.striprtf", None)
    with pytest.raises(UnsupportedFormat, match=r"Reading \.rtf files needs more packages: .*ragkit-docqa\[docs\]"):
        parse("letter.doc", b"{\\rtf1 words}", ReadContext("application/msword"))
