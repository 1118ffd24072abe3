"""The containers of Microsoft's old binary formats: their streams, and the properties of the document."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

from ragkit.loaders.building.document_builder import clean, one_line
from ragkit.loaders.reasons import DAMAGED, PART_DAMAGED
from ragkit.types.errors import LoadError


def opened(data: bytes) -> Any:
    """The container. Raises LoadError if it is none; ModuleNotFoundError if the library is not installed."""
    import olefile

    try:
        return olefile.OleFileIO(io.BytesIO(data))
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise LoadError(DAMAGED, why=one_line(str(exc))[:200] or type(exc).__name__) from exc


def stream(container: Any, name: str) -> bytes:
    """The bytes of the stream of this name. Raises LoadError if it is not there, or damaged."""
    try:
        return bytes(container.openstream(name).read())
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise LoadError(PART_DAMAGED, name=name) from exc


def about(container: Any) -> tuple[str, str, str]:
    """Title, author and date (YYYY-MM-DD); "" for what the file does not say, or cannot be read."""
    try:
        said = container.get_metadata()
    except Exception:  # olefile raises far more than its own errors on damaged files; the text is there all the same
        return "", "", ""
    codec = f"cp{said.codepage}" if isinstance(said.codepage, int) and said.codepage > 0 else "cp1252"
    codec = "utf-8" if codec == "cp65001" else codec
    title, author = (_decoded(value, codec) for value in (said.title, said.author))
    moment = said.last_saved_time or said.create_time
    date = moment.date().isoformat() if isinstance(moment, datetime) and moment.year > 1980 else ""
    return title, author, date


def _decoded(value: object, codec: str) -> str:
    try:
        text = value.decode(codec, "replace") if isinstance(value, bytes) else str(value or "")
    except LookupError:
        return ""
    return one_line(clean(text))[:300]
