"""The house: who may import whom, who alone imports a library, and what starting up costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ragkit
from tests.helpers.paths import CHECKOUT

ROOT = Path(ragkit.__file__).parent
VOCABULARY = {"types", "config", "i18n"}
USE_CASES = {"indexing", "retrieval", "answering"}
DOORS_OUT = {"loaders", "models", "store"}
SHARED = VOCABULARY | {"text"}  # what every room above them may import

MAY_IMPORT = {  # docs/architecture.md shows the same table
    "i18n": set[str](),
    "types": {"i18n"},
    "config": {"types", "i18n"},
    "text": {"types", "i18n"},
    "indexing": SHARED,
    "retrieval": SHARED,
    "answering": SHARED | {"retrieval"},
    **dict.fromkeys(DOORS_OUT, SHARED),
    "app": SHARED | USE_CASES | DOORS_OUT,
    "frontends": SHARED | {"app", "evaluation"},
    "evaluation": SHARED,  # it sees an index through a protocol
    "testing": {"types", "i18n", "text"},
    "__init__": {"app", "config", "types", "frontends"},
    "__main__": {"frontends"},
}
ONE_IMPORTER = {
    "httpx": "models/http/server.py",
    "tenacity": "models/http/server.py",
    "chromadb": "store/vectors/chroma.py",
    "portalocker": "store/locks.py",
    "tiktoken": "models/tokens.py",
    "uvicorn": "frontends/model_server/app.py",
    "onnxruntime": "models/embedded/e5.py",
    "pypdf": "loaders/pdf/with_pypdf.py",
    "pypdfium2": "loaders/pdf/with_pdfium.py",
    "charset_normalizer": "loaders/text/plain.py",
    "olefile": "loaders/office/ole.py",
    "PIL": "loaders/images/picture.py",
    "rapidocr": "loaders/images/ocr.py",
    "imagesize": "text/pictures.py",
    "msgspec": "text/json_values.py",
    "jinja2": "text/html_pages.py",
    "markupsafe": "text/html_pages.py",
    "snowballstemmer": "text/terms.py",
    "platformdirs": "app/user_files.py",
    "pathspec": "loaders/files/ignore.py",
    "watchfiles": "app/index_upkeep.py",
    "pytrec_eval": "evaluation/scoring/ranked.py",
}
HEAVY = {
    "chromadb",
    "httpx",
    "imagesize",
    "jinja2",
    "msgspec",
    "orjson",
    "tenacity",
    "jsonschema",
    "pypdf",
    "pypdfium2",
    "olefile",
    "tiktoken",
    "onnxruntime",
    "tokenizers",
    "numpy",
    "pytrec_eval",
    "rich",
    "sqlite3",
    "starlette",
    "uvicorn",
}


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_only_where_they_may(path: Path) -> None:
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("ragkit.")}
    rooms -= {"__version__", room(path)}
    assert rooms <= MAY_IMPORT[room(path)], f"{room(path)} may not import {rooms - MAY_IMPORT[room(path)]}"


def test_the_guide_to_the_architecture_shows_the_same_table() -> None:
    guide = (CHECKOUT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", guide, re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", allowed)) for name, allowed in rows} == {
        name: allowed for name, allowed in MAY_IMPORT.items() if not name.startswith("__")
    }
    named = set(re.findall(r"`(?:ragkit/)?((?:[a-z_]+/)+[a-z_0-9]+\.py)`", guide)) - {"tests/test_layers.py"}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_room_has_its_rule() -> None:
    assert {room(path) for path in FILES} == set(MAY_IMPORT)


def test_the_first_level_can_be_taken_in_at_a_glance() -> None:
    entries = {path.name for path in ROOT.iterdir()} - {"__pycache__"}
    assert len(entries) <= 18, sorted(entries)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_is_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 450


@pytest.mark.parametrize(("library", "owner"), ONE_IMPORTER.items())
def test_a_library_has_one_importing_file(library: str, owner: str) -> None:
    importers = {
        path.relative_to(ROOT).as_posix() for path in FILES if library in {name.split(".")[0] for name in imports(path)}
    }
    assert importers == {owner}


def test_every_public_name_is_there() -> None:
    for name in ragkit.__all__:
        assert getattr(ragkit, name) is not None, name


@pytest.mark.parametrize("command", ["import ragkit", "from ragkit.frontends.cli import main; main(['--help'])"])
def test_starting_up_loads_nothing_heavy(command: str) -> None:
    report = f"atexit.register(lambda: print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr))"
    code = f"import sys, atexit; {report}; {command}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"
