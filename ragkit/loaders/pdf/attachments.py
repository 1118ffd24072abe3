"""The files attached to a PDF, to all of it or to a place on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder
from ragkit.loaders.building.nested_files import add_part, unread
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.formats import by_name
from ragkit.loaders.office.packages import MAX_DEPTH, note_unread_files
from ragkit.types.documents import Document

_XML_FOR_PROGRAMS = coded("xml_for_programs", "XML attached to a PDF says for programs what its pages say.")
_T = TypeVar("_T")


def read_attached(reader: Any, holding: Mapping[int, int], context: ReadContext) -> DocumentBuilder:
    """The text of each file under a heading of its name, and notes of those that cannot be read.

    `reader` is pypdf's, as PDFium finds no file whose name is in Unicode alone; None: it cannot read the PDF.
    `holding` says how many files there are on each page (from 1; 0: those of the whole document).
    """
    builder, found = DocumentBuilder(), 0
    if reader is not None and context.depth <= MAX_DEPTH:
        for name, data in _files(reader, holding):
            found += 1
            part_format = by_name(Path(name))
            if part_format is not None and part_format.name == "xml":
                # Plans and invoices carry such a file. If it were read, it would be found and cited in place of a page.
                builder.note(unread(name, _XML_FOR_PROGRAMS))
            else:
                add_part(builder, name, data, part_format, 1, context)
    note_unread_files(max(sum(holding.values()) - found, 0), builder)
    return builder


def with_attached(document: Document, attached: DocumentBuilder, between: str) -> Document:
    """`document` with what was read of the files attached to it at the end."""
    notes = (*document.notes, *attached.notes)
    if attached.is_blank():
        return replace(document, notes=notes)
    rest, shift = attached.document(document.source, document.media_type), len(document.text) + len(between)
    return replace(
        document,
        text=document.text + between + rest.text,
        pages=document.pages + tuple(replace(one, start=one.start + shift, end=one.end + shift) for one in rest.pages),
        headings=tuple(replace(one, start=one.start + shift) for one in rest.headings),
        line_marks=tuple((at + shift, line) for at, line in rest.line_marks),
        notes=notes,
    )


def _files(reader: Any, holding: Mapping[int, int]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of those that can be had."""
    for number in sorted(holding):
        for specification in _tried(partial(_specifications, reader, number)) or ():
            found = _tried(partial(_file, specification))
            if found is not None and found[1]:
                yield found


def _specifications(reader: Any, number: int) -> list[Any]:
    """The dictionaries that name the files of a page, or of the document (PDF 32000-1, 7.11.3)."""
    if not number:
        return [file.pdf_object for file in reader.attachment_list]
    annotations = [one.get_object() for one in reader.pages[number - 1].get("/Annots", ())]
    return [one["/FS"].get_object() for one in annotations if "/FS" in one]


def _file(specification: Any) -> tuple[str, bytes]:
    streams = specification["/EF"].get_object()
    stream = streams["/UF" if "/UF" in streams else "/F"].get_object()
    name = specification["/UF" if "/UF" in specification else "/F"]
    return str(name), bytes(stream.get_data())


def _tried(work: Callable[[], _T]) -> _T | None:
    """None: pypdf, which raises far more than its own errors on damaged files, failed."""
    try:
        return work()
    except MemoryError:
        raise
    except Exception:
        return None
