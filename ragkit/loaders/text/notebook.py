"""Jupyter notebooks: the cells in order, each with what it printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder, clean
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.text.outline import markdown_outline
from ragkit.loaders.text.plain import decode_words
from ragkit.types.documents import Document, Heading
from ragkit.types.errors import LoadError

_TERMINAL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # the codes for colours that a program prints


def read_notebook(source: str, data: bytes, context: ReadContext) -> Document:
    """Lines are those of the text, as a notebook has none that a person sees. Raises NoText, LoadError."""
    text, notes = decode_words(data)
    try:
        cells = list(_cells(json.loads(text)))
    except (ValueError, AttributeError, TypeError) as exc:
        raise LoadError(coded("notebook_damaged", "The notebook is damaged ({why})."), why=str(exc)[:200]) from exc
    builder = DocumentBuilder()
    builder.notes += notes
    images = 0
    for cell in cells:
        images += _write(builder, cell)
    if images:
        builder.note(coded("images_not_read", "Images that were not read: {count}.", count=images))
    title = next((heading.title for heading in builder.headings if heading.level == 1), "")
    return builder.document(source, context.media_type, title)


def _cells(notebook: Any) -> Iterator[Mapping[str, Any]]:
    """The cells of a notebook in the present format, or in the older one, which has worksheets."""
    sheets = notebook.get("worksheets") or [notebook]
    for sheet in sheets:
        for cell in sheet.get("cells", []):
            yield {"cell_type": "raw", **cell}


def _write(builder: DocumentBuilder, cell: Mapping[str, Any]) -> int:
    """Write the text and the output of a cell; returns how many images it has."""
    text = clean(_text(cell.get("source") or cell.get("input"))).strip("\n")
    kind = cell["cell_type"]
    if text.strip():
        builder.blank()
        if kind == "heading":
            text = "#" * int(cell.get("level") or 1) + " " + text
        if kind in ("markdown", "heading"):
            for heading in markdown_outline(text)[1]:
                builder.headings.append(Heading(heading.level, heading.title, heading.start + builder.length))
        builder.add(text)
    images = len(cell.get("attachments") or ())
    for output in cell.get("outputs") or ():
        images += _write_output(builder, output)
    return images


def _write_output(builder: DocumentBuilder, output: Mapping[str, Any]) -> int:
    """Write one output of a cell; returns 1 if it is an image, else 0."""
    data = output.get("data") or output  # the older format has no `data`
    printed = _text(output.get("text")) or _text(data.get("text/plain"))
    if output.get("output_type") in ("error", "pyerr"):
        printed = f"{output.get('ename', '')}: {output.get('evalue', '')}"
    image = any(str(name).startswith("image/") or name in ("png", "jpeg", "svg") for name in data)
    if printed.strip() and not (image and printed.startswith("<")):  # "<Figure size 640x480 with 1 Axes>"
        builder.add(_TERMINAL.sub("", printed).strip("\n"))
    return int(image)


def _text(value: object) -> str:
    """A text of the notebook, which keeps it whole or as a list of its lines; "" for anything else."""
    if isinstance(value, list):
        return "".join(map(str, value))
    return value if isinstance(value, str) else ""
