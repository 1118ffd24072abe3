"""The house: who may import whom, who alone imports a library, and what starting up costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ragkit

ROOT = Path(ragkit.__file__).parent
VOCABULARY = {"types", "errors", "options", "model_types", "bundle_types", "config", "ports", "places"}
VOCABULARY |= {"structured_types"}
VOCABULARY |= {"messages", "messages_zh"}
PURE = {"chunking", "terms", "ranking", "packing", "prompts", "citations", "extraction", "followups", "bundles"}
PURE |= {"readability", "filters", "selection", "forms", "values", "evidence", "pictures", "processes"}
USE_CASES = {
    "indexing",
    "retrieval",
    "reranking",
    "assisting",
    "answering",
    "reading",
    "bundling",
    "explain",
    "filling",
    "showing",
    "describing",
}
DOORS_OUT = {"loaders", "models", "store"}
WIRING = {"app", "model_choice", "doctor"}
DOORS_IN = {"cli", "server", "__main__"}
PUBLIC = {"testing"}
MEASURING = {"evaluation"}  # sees an index through a protocol

MAY_IMPORT = {
    **dict.fromkeys(VOCABULARY, VOCABULARY),
    **dict.fromkeys(PURE, VOCABULARY | PURE),
    **dict.fromkeys(USE_CASES, VOCABULARY | PURE | USE_CASES),
    **{door: VOCABULARY | PURE | {door} for door in DOORS_OUT},
    **dict.fromkeys(WIRING, VOCABULARY | PURE | USE_CASES | DOORS_OUT | WIRING),
    **dict.fromkeys(DOORS_IN, VOCABULARY | WIRING | MEASURING | {"cli", "server"}),
    **dict.fromkeys(PUBLIC, VOCABULARY | PURE | PUBLIC),
    **dict.fromkeys(MEASURING, VOCABULARY | PURE | MEASURING),
    "__init__": VOCABULARY | WIRING,
}
ONE_IMPORTER = {
    "httpx": "models/transport.py",
    "tenacity": "models/transport.py",
    "chromadb": "store/chroma.py",
    "portalocker": "store/locks.py",
    "tiktoken": "models/tokens.py",
    "uvicorn": "server/models_app.py",
    "onnxruntime": "models/e5.py",
    "pypdf": "loaders/pdf.py",
    "pypdfium2": "loaders/pdf.py",
    "charset_normalizer": "loaders/text.py",
    "olefile": "loaders/ole.py",
    "PIL": "loaders/picture.py",
    "rapidocr": "loaders/ocr.py",
    "snowballstemmer": "terms.py",
    "platformdirs": "app.py",
    "pathspec": "loaders/rules.py",
    "watchfiles": "app.py",
    "pytrec_eval": "evaluation/ranked.py",
}
HEAVY = {
    "chromadb",
    "httpx",
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
    rooms -= {"__version__"}
    assert rooms <= MAY_IMPORT[room(path)], f"{room(path)} may not import {rooms - MAY_IMPORT[room(path)]}"


def test_every_room_has_its_rule() -> None:
    assert {room(path) for path in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize(("library", "owner"), ONE_IMPORTER.items())
def test_a_library_has_one_importing_file(library: str, owner: str) -> None:
    importers = {
        path.relative_to(ROOT).as_posix() for path in FILES if library in {name.split(".")[0] for name in imports(path)}
    }
    assert importers == {owner}


@pytest.mark.parametrize("command", ["import ragkit", "from ragkit.cli import main; main(['--help'])"])
def test_starting_up_loads_nothing_heavy(command: str) -> None:
    report = f"atexit.register(lambda: print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr))"
    code = f"import sys, atexit; {report}; {command}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"
