"""Rich text (.rtf), read by striprtf: the words without their structure."""

from __future__ import annotations

import re

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder
from ragkit.loaders.building.read_context import ReadContext
from ragkit.text.pictures import UNREAD
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError

_RUNNING_TITLE = re.compile(rb"\{\\(?:header|footer)[lrf]?\b")  # striprtf leaves headers and footers out
_LOOSE_STAR = re.compile(rb"(?<!\{)\\\*")  # it hides nothing if it does not begin a group
_PICTURE = re.compile(rb"\\pict\b")
_CODEPAGE = re.compile(rb"\\ansicpg(\d{3,5})")
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")


def read_rtf(source: str, data: bytes, context: ReadContext) -> Document:
    """Lines are those of the text. Raises NoText, LoadError."""
    from striprtf.striprtf import rtf_to_text

    found = _CODEPAGE.search(data[:4000])
    codec = f"cp{found[1].decode()}" if found else "cp1252"
    marked = _LOOSE_STAR.sub(b"", _RUNNING_TITLE.sub(b"{", data)).decode("latin-1")
    try:
        text = str(rtf_to_text(marked, encoding=codec, errors="replace"))  # type: ignore[no-untyped-call]
    except (ValueError, LookupError, IndexError) as exc:
        raise LoadError(
            coded("file_damaged", "The file is damaged ({why})."), why=str(exc)[:200] or type(exc).__name__
        ) from exc
    builder = DocumentBuilder()
    builder.add(_BLANK_LINES.sub("\n\n", text.strip("\n")))
    pictures = len(_PICTURE.findall(data))
    if pictures:
        builder.note(UNREAD.fill(count=pictures))
    return builder.document(source, context.media_type)
