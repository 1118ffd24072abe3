"""The files attached to a PDF, to all of it or to a place on a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder
from ragkit.loaders.building.nested_files import add_part, note_unread_files, unread
from ragkit.loaders.building.read_context import MAX_DEPTH, ReadContext
from ragkit.loaders.formats import by_name
from ragkit.loaders.pdf.raw import none_if_it_fails
from ragkit.loaders.pdf.with_pypdf import open_with_pypdf
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError

_XML_FOR_PROGRAMS = coded("xml_for_programs", "XML attached to a PDF says for programs what its pages say.")


def read_attached(data: bytes, attached: Mapping[int, int], context: ReadContext) -> DocumentBuilder:
    """The text of each attached file under a heading of its name, and notes of those that cannot be read.

    `attached` says how many files there are on each page (from 1; 0 stands for the whole document). pypdf finds them:
    PDFium finds no file whose name is in Unicode alone.
    """
    builder = DocumentBuilder()
    if not attached:
        return builder
    found = 0
    if context.depth <= MAX_DEPTH:
        for name, content in _files(data, attached):
            found += 1
            part_format = by_name(Path(name))
            if part_format is not None and part_format.name == "xml":
                # Plans and invoices carry such a file. If it were read, it would be found and cited in place of a page.
                builder.note(unread(name, _XML_FOR_PROGRAMS))
            else:
                add_part(builder, name, content, part_format, 1, context)
    note_unread_files(max(sum(attached.values()) - found, 0), builder)
    return builder


def with_attached(document: Document, attached: DocumentBuilder, between: str) -> Document:
    """`document` with the text of the files attached to it at the end, behind the text `between`."""
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


def _files(data: bytes, attached: Mapping[int, int]) -> Iterator[tuple[str, bytes]]:
    """The name and the content of each file that can be taken out."""
    try:
        reader = open_with_pypdf(data)
    except LoadError:
        return
    for number in sorted(attached):
        for specification in none_if_it_fails(partial(_specifications, reader, number)) or ():
            found = none_if_it_fails(partial(_file, specification))
            if found is not None and found[1]:
                yield found


def _specifications(reader: Any, number: int) -> list[Any]:
    """The dictionaries that name the files of a page (from 1), or of the whole document (0); PDF 32000-1, 7.11.3."""
    if not number:
        return [file.pdf_object for file in reader.attachment_list]
    annotations = [one.get_object() for one in reader.pages[number - 1].get("/Annots", ())]
    return [one["/FS"].get_object() for one in annotations if "/FS" in one]


def _file(specification: Any) -> tuple[str, bytes]:
    """The name and the content of a file."""
    streams = specification["/EF"].get_object()
    stream = streams["/UF" if "/UF" in streams else "/F"].get_object()
    name = specification["/UF" if "/UF" in specification else "/F"]
    return str(name), bytes(stream.get_data())
