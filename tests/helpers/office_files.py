"""Small office files, written part by part: what a test needs is in plain sight."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

_XML = '<?xml version="1.0" encoding="UTF-8"?>'
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
CORE = (
    '<p xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:t="http://purl.org/dc/terms/">'
    "<dc:title>员工手册 Handbook</dc:title><dc:creator>Personnel</dc:creator>"
    "<t:modified>2024-05-06T07:08:09Z</t:modified></p>"
)


def package(parts: Mapping[str, str | bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            is_xml = isinstance(content, str) and not content.startswith("<?xml") and name != "mimetype"
            archive.writestr(name, f"{_XML}{content}" if is_xml else content)
    return made.getvalue()


def relations(found: Mapping[str, tuple[str, str]]) -> str:
    """Relation id -> (its kind, its target)."""
    lines = (
        f'<Relationship Id="{name}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for name, (kind, target) in found.items()
    )
    return f'<Relationships xmlns="x">{"".join(lines)}</Relationships>'


def docx(body: str, *, word: str = _WORD, pictures: Mapping[str, bytes] | None = None, **parts: str) -> bytes:
    """`parts`: the content of word/NAME.xml, by name; each is related to the document by its name's kind.
    `pictures`: by file name, which is also the relation's id."""
    space = f'xmlns:w="{word}" xmlns:r="{_RELATIONS}" xmlns:m="math" xmlns:wp="wp" xmlns:mc="mc" xmlns:a="{_DRAWING}"'
    images = {name: ("image", f"media/{name}") for name in pictures or {}}
    made: dict[str, str | bytes] = {
        "_rels/.rels": relations({"r1": ("officeDocument", "word/document.xml")}),
        "word/document.xml": f"<w:document {space}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": relations(
            {f"r{name}": (name.rstrip("0123456789"), f"{name}.xml") for name in parts} | images
        ),
        "docProps/core.xml": CORE,
    }
    made |= {f"word/media/{name}": data for name, data in (pictures or {}).items()}
    for name, content in parts.items():
        made[f"word/{name}.xml"] = f"<w:{name} {space}>{content}</w:{name}>"
    return package(made)


def paragraph(text: str, style: str = "", number: tuple[int, int] | None = None) -> str:
    """`number`: (list, depth)."""
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if number:
        properties += f'<w:numPr><w:ilvl w:val="{number[1]}"/><w:numId w:val="{number[0]}"/></w:numPr>'
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def drawing(picture: str) -> str:
    """A picture of the file in a Word paragraph."""
    return f'<w:p><w:r><w:drawing><wp:inline><a:blip r:embed="{picture}"/></wp:inline></w:drawing></w:r></w:p>'


def table(*rows: tuple[str, ...], has_header: bool = True) -> str:
    made = ""
    for at, row in enumerate(rows):
        mark = "<w:trPr><w:tblHeader/></w:trPr>" if has_header and not at else ""
        cells = "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row)
        made += f"<w:tr>{mark}{cells}</w:tr>"
    return f"<w:tbl>{made}</w:tbl>"


def pptx(
    *slides: str,
    notes: Mapping[int, str] | None = None,
    order: tuple[int, ...] = (),
    pictures: Mapping[str, bytes] | None = None,
) -> bytes:
    """`slides`: the shapes of each; `notes`: slide number -> text; `order`: in which they are shown; `pictures`: by
    file name, which is also the relation's id on every slide."""
    images = {name: ("image", f"../media/{name}") for name in pictures or {}}
    space = f'xmlns:a="{_DRAWING}" xmlns:p="{_SLIDE}" xmlns:r="{_RELATIONS}"'
    numbers = order or tuple(range(1, len(slides) + 1))
    entries = "".join(f'<p:sldId id="{256 + n}" r:id="r{n}"/>' for n in numbers)
    made: dict[str, str | bytes] = {
        "_rels/.rels": relations({"r1": ("officeDocument", "ppt/presentation.xml")}),
        "ppt/presentation.xml": f"<p:presentation {space}><p:sldIdLst>{entries}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            {f"r{n}": ("slide", f"slides/slide{n}.xml") for n in range(1, len(slides) + 1)}
        ),
    }
    for number, shapes in enumerate(slides, 1):
        made[f"ppt/slides/slide{number}.xml"] = f"<p:sld {space}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"
        noted = {"n": ("notesSlide", f"../notesSlides/notesSlide{number}.xml")} if notes and number in notes else {}
        made[f"ppt/slides/_rels/slide{number}.xml.rels"] = relations(images | noted)
        if notes and number in notes:
            made[f"ppt/notesSlides/notesSlide{number}.xml"] = (
                f"<p:notes {space}><p:cSld><p:spTree>{shape(notes[number])}</p:spTree></p:cSld></p:notes>"
            )
    made |= {f"ppt/media/{name}": data for name, data in (pictures or {}).items()}
    return package(made)


def slide_picture(name: str) -> str:
    return f'<p:pic><p:nvPicPr><p:nvPr/></p:nvPicPr><p:blipFill><a:blip r:embed="{name}"/></p:blipFill></p:pic>'


def shape(text: str, kind: str = "body") -> str:
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="1" name="x"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>'
        f"<p:spPr/><p:txBody><a:bodyPr/>{lines}</p:txBody></p:sp>"
    )


def xlsx(
    sheets: Mapping[str, tuple[tuple[str | int | float, ...], ...]],
    hidden: str = "",
    merged: str = "",
    codes: Mapping[str, str] | None = None,
    extra: str = "",
) -> bytes:
    """`merged`: a range of the first sheet, like A2:A3; `codes`: number formats by its cells, like B2; `extra`:
    what stands behind the rows."""
    styles = {place: n for n, place in enumerate(codes or {}, 1)}
    state = {hidden: 'state="hidden"'}
    entries = "".join(
        f'<sheet name="{name}" sheetId="{n}" {state.get(name, "")} r:id="r{n}"/>' for n, name in enumerate(sheets, 1)
    )
    made: dict[str, str | bytes] = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": relations({"r1": ("officeDocument", "xl/workbook.xml")}),
        "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_RELATIONS}"><sheets>{entries}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            {f"r{n}": ("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)}
        ).replace('xmlns="x"', 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'),
    }
    if codes:
        made["xl/styles.xml"] = _styles(list(codes.values()))
    for number, rows in enumerate(sheets.values(), 1):
        known = styles if number == 1 else {}
        body = "".join(
            f'<row r="{r}">'
            + "".join(_cell(f"{chr(64 + c)}{r}", value, known) for c, value in enumerate(row, 1))
            + "</row>"
            for r, row in enumerate(rows, 1)
        )
        merges = f'<mergeCells><mergeCell ref="{merged}"/></mergeCells>' if merged and number == 1 else ""
        made[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{_SHEET}"><sheetData>{body}</sheetData>{merges}{extra}</worksheet>'
        )
    return package(made)


def _styles(codes: list[str]) -> str:
    formats = "".join(f'<numFmt numFmtId="{164 + n}" formatCode={quoteattr(c)}/>' for n, c in enumerate(codes))
    cells = "".join(f'<xf numFmtId="{164 + n}"/>' for n in range(len(codes)))
    return (
        f'<styleSheet xmlns="{_SHEET}"><numFmts>{formats}</numFmts>'
        f'<cellXfs><xf numFmtId="0"/>{cells}</cellXfs></styleSheet>'
    )


def _cell(place: str, value: str | int | float, styles: Mapping[str, int]) -> str:
    if value == "":
        return ""
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    style = f' s="{styles[place]}"' if place in styles else ""
    return f'<c r="{place}"{style}><v>{value}</v></c>'


def odf(kind: str, body: str, pictures: Mapping[str, bytes] | None = None) -> bytes:
    """`kind`: "text" or "presentation"; `pictures`: by file name."""
    space = " ".join(
        f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for prefix, name in (("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"),
                             ("presentation", "presentation"), ("xlink", "xlink"))
    )  # fmt: skip
    body = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    content = f"<office:document-content {space}>{body}</office:document-content>"
    return package(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": content,
            "meta.xml": CORE,
            "META-INF/manifest.xml": '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        }
        | {f"Pictures/{name}": data for name, data in (pictures or {}).items()}
    )


def frame(picture: str) -> str:
    """A picture of the file in an OpenDocument one."""
    return f'<draw:frame><draw:image xlink:href="Pictures/{picture}"/></draw:frame>'


def epub(*chapters: str, pictures: Mapping[str, bytes] | None = None) -> bytes:
    """`chapters`: XHTML, in the order of reading; they are stored the other way round. `pictures`: by file name,
    beside them."""
    items = "".join(
        f'<item id="c{n}" href="text/c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    items += "".join(f'<item id="{n}" href="text/{n}" media-type="image/png"/>' for n in pictures or {})
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    about = f"<metadata>{CORE}</metadata>"
    made: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": f"<package>{about}<manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for number, chapter in reversed(list(enumerate(chapters))):
        made[f"OPS/text/c{number}.xhtml"] = chapter.encode()
    made |= {f"OPS/text/{name}": data for name, data in (pictures or {}).items()}
    return package(made)
