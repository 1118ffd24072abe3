"""The table of file formats, and the one place that picks the reader for a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ragkit.i18n.messages import coded
from ragkit.loaders import content
from ragkit.loaders.content import declares, either, has_part, has_stream, starts_with
from ragkit.loaders.extras import needs_extra
from ragkit.loaders.reasons import EMPTY
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError, NoText, UnsupportedFormat

if TYPE_CHECKING:
    from ragkit.loaders.building.read_context import ReadContext
    from ragkit.types.documents import Document

    Reader: TypeAlias = Callable[[str, bytes, ReadContext], Document]

VERSION = "8"  # version of the readers; a new one has every file read again


@dataclass(frozen=True, slots=True)
class Format:
    """All that ragkit knows of a file format. To add one: a line in `FORMATS`, the module of its reader, a test.

    A reader is a function `read(source, data, context) -> Document`. `source` only names the file, `data` is never
    empty. It raises LoadError if the bytes are not what the name says, damaged or locked, and NoText if they hold no
    text. It may import the library of its extra when it is called, without asking whether it is installed.
    """

    name: str  # the format's name in messages
    media_type: str  # no other format has the same
    suffixes: str  # all file name suffixes, in small letters, with spaces between them
    reader: str  # "module:function" below ragkit.loaders, imported when the first such file is read
    extra: str = ""  # the extra of ragkit that installs the reader's library
    sign: content.Sign | None = None  # how the content tells the format
    by_content: bool = False  # True: the content of a file of this name decides on its reader, not the name

    def read(self, source: str, data: bytes, context: ReadContext) -> Document:
        """Raises LoadError, NoText; UnsupportedFormat if the reader's library is not installed."""
        module, _, function = self.reader.partition(":")
        reader: Reader = getattr(import_module(f"ragkit.loaders.{module}"), function)
        try:
            return reader(source, data, context)
        except ModuleNotFoundError as exc:
            if not self.extra:
                raise
            raise needs_extra(self.extra, f".{self.name}") from exc


_OPEN_XML = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_SHEETS = "office.sheets:read_sheets"
_PICTURE = "images.picture:read_picture"

# The signs are asked from top to bottom: a package of a special kind stands above ZIP, plain text stands last.
FORMATS = (
    Format("docx", _OPEN_XML + "wordprocessingml.document", ".docx .docm .dotx .dotm", "office.docx:read_word",
           sign=has_part(r"word/document\d*\.xml"), by_content=True),
    Format("pptx", _OPEN_XML + "presentationml.presentation", ".pptx .pptm .potx .potm .ppsx .ppsm",
           "office.pptx:read_slides", sign=has_part(r"ppt/presentation\.xml"), by_content=True),
    Format("xlsx", _OPEN_XML + "spreadsheetml.sheet", ".xlsx .xlsm .xltx .xltm .xlsb", _SHEETS, extra="docs",
           sign=has_part(r"xl/workbook\.(?:xml|bin)"), by_content=True),
    Format("epub", "application/epub+zip", ".epub", "office.epub:read_epub",
           sign=either(declares("application/epub+zip"), has_part(r"META-INF/container\.xml")), by_content=True),
    Format("odt", _OPEN_DOCUMENT + "text", ".odt .ott", "office.opendocument:read_opendocument",
           sign=either(declares("text", "graphics"), has_part(r"content\.xml")), by_content=True),
    Format("odp", _OPEN_DOCUMENT + "presentation", ".odp .otp", "office.opendocument:read_opendocument",
           sign=declares("presentation"), by_content=True),
    Format("ods", _OPEN_DOCUMENT + "spreadsheet", ".ods .ots", _SHEETS, extra="docs",
           sign=declares("spreadsheet"), by_content=True),
    Format("zip", "application/zip", ".zip", "mail.zip:read_zip", sign=content.is_plain_zip),
    Format("doc", "application/msword", ".doc .dot", "office.doc:read_old_word", extra="docs",
           sign=has_stream("WordDocument"), by_content=True),
    Format("ppt", "application/vnd.ms-powerpoint", ".ppt .pps", "office.ppt:read_old_slides", extra="docs",
           sign=has_stream("PowerPoint Document"), by_content=True),
    Format("xls", "application/vnd.ms-excel", ".xls .xlt", _SHEETS, extra="docs",
           sign=either(has_stream("Workbook"), has_stream("Book")), by_content=True),
    Format("rtf", "application/rtf", ".rtf", "office.rtf:read_rtf", extra="docs",
           sign=starts_with(b"{\\rtf"), by_content=True),
    Format("pdf", "application/pdf", ".pdf", "pdf.reader:read_pdf", sign=starts_with(b"%PDF-")),
    Format("html", "text/html", ".html .htm .xhtml", "text.html:read_html", sign=content.is_html),
    Format("xml", "application/xml", ".xml", "text.xml:read_xml", sign=starts_with(b"<?xml")),
    Format("eml", "message/rfc822", ".eml", "mail.eml:read_mail"),
    Format("mbox", "application/mbox", ".mbox", "mail.eml:read_mailbox"),
    Format("msg", "application/vnd.ms-outlook", ".msg", "mail.msg:read_outlook", extra="docs"),
    Format("png", "image/png", ".png .apng", _PICTURE, extra="ocr"),
    Format("jpeg", "image/jpeg", ".jpg .jpeg .jpe .jfif", _PICTURE, extra="ocr"),
    Format("tiff", "image/tiff", ".tif .tiff", _PICTURE, extra="ocr"),
    Format("webp", "image/webp", ".webp", _PICTURE, extra="ocr"),
    Format("bmp", "image/bmp", ".bmp", _PICTURE, extra="ocr"),
    Format("markdown", "text/markdown", ".md .markdown", "text.plain:read_text"),
    Format("rst", "text/x-rst", ".rst", "text.plain:read_text"),
    Format("org", "text/org", ".org", "text.org_tex:read_org"),
    Format("tex", "text/x-tex", ".tex .latex", "text.org_tex:read_tex"),
    Format("csv", "text/csv", ".csv", "text.csv:read_table"),
    Format("tsv", "text/tab-separated-values", ".tsv .tab", "text.csv:read_table"),
    Format("json", "application/json", ".json", "text.json:read_json"),
    Format("jsonl", "application/x-ndjson", ".jsonl .ndjson", "text.json:read_records"),
    Format("yaml", "application/yaml", ".yaml .yml", "text.plain:read_text"),
    Format("ipynb", "application/x-ipynb+json", ".ipynb", "text.notebook:read_notebook"),
    Format("srt", "application/x-subrip", ".srt", "text.subtitles:read_subtitles"),
    Format("vtt", "text/vtt", ".vtt", "text.subtitles:read_subtitles"),
    Format("python", "text/x-python", ".py .pyi", "text.code:read_code"),
    Format("code", "text/x-source",
           ".js .mjs .cjs .jsx .ts .tsx .java .c .h .cc .cpp .cxx .hh .hpp .cs .go .rs .rb .php .swift .kt .scala"
           " .lua .pl .r .jl .sh .bash .zsh .ps1 .bat .sql .css .scss .less .toml .ini .cfg .conf .properties"
           " .vue .proto .graphql .gradle .dart .hs .ex .clj", "text.code:read_code"),
    Format("text", "text/plain", ".txt .text", "text.plain:read_text", sign=content.is_text),
)  # fmt: skip
_BY_SUFFIX = {suffix: one for one in FORMATS for suffix in one.suffixes.split()}
_BY_MEDIA_TYPE = {one.media_type: one for one in FORMATS}


def by_name(path: Path) -> Format | None:
    """The format that the name of a file tells; None if ragkit has no reader for it.

    Of text files the inner suffix counts too: `x.rst.txt` is reStructuredText, as Sphinx names the sources that it
    publishes.
    """
    found = _BY_SUFFIX.get(path.suffix.lower())
    if found is None or found.name != "text":
        return found
    inner = _BY_SUFFIX.get(Path(path.stem).suffix.lower())
    return inner if inner is not None and inner.name in ("markdown", "rst") else found


def by_media_type(media_type: str) -> Format | None:
    return _BY_MEDIA_TYPE.get(media_type)


def parse(source: str, data: bytes, context: ReadContext) -> Document:
    """The document that the reader for `context.media_type` makes of `data`; `source` only names the file.

    The content of office files decides on their reader, as their names are often wrong. Run on files of strangers,
    this may crash or hang. Raises LoadError: the file is not what its name says, holds no text, or is locked.
    """
    named = by_media_type(context.media_type)
    if named is None:
        raise UnsupportedFormat(
            coded("no_reader_of_type", "There is no reader for {media_type}."), media_type=context.media_type
        )
    if not data or (named.by_content and data.isspace()):
        raise NoText(EMPTY)
    found = _recognised(data, named) if named.by_content else named
    document = found.read(source, data, context)
    if found is named or found.reader == named.reader == _SHEETS:
        return document
    note = coded("read_by_content", "By its content it is a {found} file; it was read as one.", found=found.name)
    return replace(document, notes=(note, *document.notes))


def _recognised(data: bytes, named: Format) -> Format:
    """The format whose sign the content bears, first of all that of its name: the others may be those of files within.

    Raises LoadError if it bears none, or is damaged or locked.
    """
    looked_at = content.Content(data)
    for one in (named, *FORMATS):
        if one.sign is not None and one.sign(looked_at):
            return one
    raise LoadError(coded("not_of_suffix", "It is not a .{kind} file, whatever its name says."), kind=named.name)
