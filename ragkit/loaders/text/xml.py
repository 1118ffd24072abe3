"""XML: the text of each block element on a line of its own, which knows its line of the file."""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat

from ragkit.i18n.messages import coded
from ragkit.loaders.building.document_builder import DocumentBuilder, one_line
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.reasons import OWN_ENTITIES
from ragkit.loaders.text.declared import XML_ENCODING, declared_encoding
from ragkit.loaders.text.plain import decode_words
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def read_xml(source: str, data: bytes, context: ReadContext) -> Document:
    """Raises NoText; LoadError if it declares entities, or is no XML from its first line on."""
    builder = DocumentBuilder()
    _Reader(builder).read(data)
    return builder.document(source, context.media_type)


class _Reader:
    """Writes the text of an XML file.

    An element is a block unless text of its parent stands before it, or on the same line behind it.
    """

    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._pieces: list[str] = []  # the text of the line that is being made
        self._line = 0  # the line of the file where that text begins
        self._has_text: list[bool] = []  # for every open element, whether it has text of its own
        self._parser = self._made_parser()

    def read(self, data: bytes) -> None:
        """Raises NoText; LoadError if entities are declared, or nothing could be read."""
        text, notes = decode_words(data, declared_encoding(data, XML_ENCODING))
        self._builder.notes += notes
        try:
            self._parser.Parse(_without_declaration(text).encode(), True)
        except expat.ExpatError as exc:
            line, why = exc.lineno, expat.ErrorString(exc.code)
            self._write()
            if self._builder.is_blank():
                raise LoadError(
                    coded("bad_xml", "It is not well-formed XML (line {line}: {why})."), line=line, why=why
                ) from exc
            self._builder.note(
                coded(
                    "bad_xml_rest",
                    "It is not well-formed XML from line {line} on ({why}); the rest was not read.",
                    line=line,
                    why=why,
                )
            )
        self._write()

    def _made_parser(self) -> Any:
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._refuse
        return parser

    def _refuse(self, *_: object) -> None:
        raise LoadError(OWN_ENTITIES)

    def _start(self, _name: str, _attributes: object) -> None:
        if not (self._has_text and self._has_text[-1]):
            self._write()
        self._has_text.append(False)

    def _end(self, _name: str) -> None:
        self._has_text.pop()

    def _text(self, data: str) -> None:
        if not data.strip():
            if self._pieces:
                self._pieces.append(" ")
            return
        if self._has_text:
            self._has_text[-1] = True
        if not self._pieces:
            self._line = self._parser.CurrentLineNumber  # no piece of text from the parser goes over a line end
        self._pieces.append(data)

    def _write(self) -> None:
        text = one_line("".join(self._pieces))
        if text:
            self._builder.add(text, self._line)
        self._pieces = []


def _without_declaration(text: str) -> str:
    """The text without its XML declaration, which names an encoding that the text is not in any more."""
    return _DECLARATION.sub(lambda match: "\n" * match[0].count("\n"), text, count=1).lstrip(" \t\ufeff")
