"""Source code, read as it stands."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.text.plain import decode_words
from ragkit.types.documents import Document, Heading

_NAMED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def read_code(source: str, data: bytes, context: ReadContext) -> Document:
    """The headings are the classes and functions of Python; other languages have none. Raises NoText, LoadError."""
    text, notes = decode_words(data)
    headings = tuple(_headings(text)) if context.media_type == "text/x-python" else ()
    return Document(source, context.media_type, "", text, headings=headings, notes=notes)


def _headings(text: str) -> Iterator[Heading]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of odd escapes in the code that is read
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # it is in another version of the language, or broken, and still a text
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    yield from _named(tree, starts, 1)


def _named(node: ast.AST, starts: list[int], level: int) -> Iterator[Heading]:
    """The definitions in the body of a node, in order; those inside functions are details and left out."""
    for inner in getattr(node, "body", ()):
        if isinstance(inner, _NAMED):
            word = "class" if isinstance(inner, ast.ClassDef) else "def"
            first = min([inner.lineno, *(mark.lineno for mark in inner.decorator_list)])
            yield Heading(level, f"{word} {inner.name}", starts[first - 1])
            if isinstance(inner, ast.ClassDef):
                yield from _named(inner, starts, level + 1)
