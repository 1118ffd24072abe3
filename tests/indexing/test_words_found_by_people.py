"""Words that a person found in real files are found by ragkit, at the page, slide, row or line where they stand."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ragkit.config.sections import LoadingConfig
from ragkit.loaders.sandbox.loader import SandboxLoader
from ragkit.text import terms
from ragkit.types.documents import Document, Place
from tests.helpers.paths import CHECKOUT, TEST_DATA

_TABLE = TEST_DATA / "facts.toml"
DATA = Path(os.environ.get("RAGKIT_DATA") or CHECKOUT.parent / "shared" / "data")
FACTS: list[dict[str, Any]] = tomllib.loads(_TABLE.read_text("utf-8"))["fact"]
_NUMBERED = ("page", "slide", "message", "scan")
_BESIDE_HAN = re.compile(rf"(?<=[{terms.CJK}])(?=\S)|(?<=\S)(?=[{terms.CJK}])")

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the folders of real files are not here (RAGKIT_DATA names another place)"
)


@pytest.fixture(scope="module")
def loader() -> Iterator[SandboxLoader]:
    with SandboxLoader(LoadingConfig()) as made:
        yield made


@pytest.fixture(scope="module")
def documents(loader: SandboxLoader) -> dict[str, Document]:
    """The files that were read so far."""
    return {}


def _pattern(words: str) -> str:
    parts = [re.sub(_BESIDE_HAN, r"\\s*", re.escape(part)) for part in words.split()]
    joined = parts[0]
    for before, part in zip(words.split(), words.split()[1:], strict=False):
        loose = re.match(f"[{terms.CJK}]", part) or re.search(f"[{terms.CJK}]$", before)
        joined += (r"\s*" if loose else r"\s+") + re.sub(_BESIDE_HAN, r"\\s*", re.escape(part))
    return joined


def _places(document: Document, fact: dict[str, Any]) -> list[Place]:
    """Where the words or the row of `fact` stand."""
    if "words" in fact:
        pattern = _pattern(fact["words"])
    else:
        names = [f"{name}: " for name in fact.get("header", ())] or [""] * len(fact["row"])
        cells = [name + cell for name, cell in zip(names, fact["row"], strict=True)]
        pattern = r"[^\n]*?".join(rf"(?<!\w){re.escape(cell)}(?!\w)" for cell in cells)
    return [document.place(found.start()) for found in re.finditer(pattern, document.text)]


def _is_there(place: Place, fact: dict[str, Any]) -> bool:
    for kind in _NUMBERED:
        if kind in fact and (place.kind, place.page) != (kind, fact[kind]):
            return False
    if "sheet" in fact and (place.kind, place.name) != ("sheet", fact["sheet"]):
        return False
    return place.line == fact.get("line", place.line) and place.name == fact.get("within", place.name)


def _name(fact: dict[str, Any]) -> str:
    return f"{Path(fact['file']).name}: {fact['about']}"


@pytest.mark.parametrize(
    "fact",
    [pytest.param(fact, marks=pytest.mark.slow if "scan" in fact else (), id=_name(fact)) for fact in FACTS],
)
def test_what_stands_in_a_file_is_read_there(
    loader: SandboxLoader, documents: dict[str, Document], fact: dict[str, Any]
) -> None:
    if "scan" in fact and find_spec("rapidocr") is None:
        pytest.skip("the extra `ocr` is not installed")
    path = DATA / fact["file"]
    if not path.is_file():
        pytest.skip(f"{fact['file']} is not among the real files")
    if fact["file"] not in documents:
        loaded = loader.load(path, "")
        assert loaded.document is not None, str(loaded.failure and loaded.failure.reason)
        documents[fact["file"]] = loaded.document
    places = _places(documents[fact["file"]], fact)
    if "unmet" in fact:
        assert not places, "it is read now: take the mark `unmet` away"
        return
    assert places, "the words are not there"
    assert any(_is_there(place, fact) for place in places), places


def test_the_table_covers_what_it_should() -> None:
    assert len(FACTS) >= 66
    assert sum("unmet" not in fact for fact in FACTS) >= 66
    assert all(("words" in fact) != ("row" in fact) for fact in FACTS)
