"""The text of a paragraph of a Word document, and what it refers to: notes, comments, text boxes, pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from ragkit.loaders.building.document_builder import one_line
from ragkit.loaders.office.drawings import figure_parts, paragraph_text, picture_parts
from ragkit.loaders.office.packages import Relation, attribute, descendants, holder_of, local, value_of

NOT_READ = frozenset(
    "del moveFrom instrText delText delInstrText pPr rPr tblPr tblGrid trPr tcPr sectPr sdtPr sdtEndPr "
    "fldData proofErr rt annotationRef".split()
)
_CHANGES = ("del", "moveFrom", "ins", "moveTo")
_HIDDEN_MARKS = ("softHyphen", "lastRenderedPageBreak")
_SEPARATORS = ("separator", "continuationSeparator")  # notes that are no notes but the line above them


@dataclass
class Beside:
    """What a paragraph refers to, to be written after it."""

    notes: list[str] = field(default_factory=list)  # footnotes, endnotes and comments
    boxes: list[Element] = field(default_factory=list)  # text boxes, and tables that stand in a run
    figures: list[str] = field(default_factory=list)  # the parts of charts and diagrams
    pictures: list[str] = field(default_factory=list)  # the parts of pictures


class TextReader:
    """Reads the text of paragraphs, and counts the tracked changes that it meets."""

    def __init__(self, relations: Mapping[str, Relation]) -> None:
        self.changes = 0
        self._relations = relations
        self._notes: dict[str, dict[str, str]] = {}  # "footnotes", "endnotes" or "comments" -> id -> text

    def learn_notes(self, kind: str, root: Element | None) -> None:
        """Take the texts of the notes of one kind from the part that holds them; None: the file has no such part."""
        known = self._notes.setdefault(kind, {})
        for note in root if root is not None else ():
            words = [one_line(self.text(p, Beside())) for p in descendants(note, "p")]
            text = " ".join(filter(None, words))
            if text and attribute(note, "type") not in _SEPARATORS:
                author = attribute(note, "author")
                known[attribute(note, "id")] = f"({author}: {text})" if kind == "comments" and author else text

    def text(self, paragraph: Element, beside: Beside) -> str:
        """The text that is read; what else the paragraph refers to is added to `beside`."""
        return "".join(self._pieces(paragraph, beside))

    def _pieces(self, parent: Element, beside: Beside) -> Iterator[str]:
        for element in parent:
            name = local(element)
            if name in _CHANGES:
                self.changes += 1
            if name in NOT_READ or name in _HIDDEN_MARKS:
                continue
            if name == "t":
                yield element.text or ""
            elif name in ("tab", "ptab"):
                yield "\t"
            elif name in ("br", "cr"):
                yield "\n" if attribute(element, "type") != "page" else ""
            elif name == "noBreakHyphen":
                yield "-"
            elif name in ("footnoteReference", "endnoteReference", "commentReference"):
                yield self._reference(name.removesuffix("Reference") + "s", attribute(element, "id"), beside)
            elif name == "oMath":
                yield formula(element)
            elif name == "AlternateContent":
                yield from self._pieces(chosen(element), beside)
            elif name in ("drawing", "pict", "object"):
                yield self._drawing(element, beside)
            elif name == "tbl":  # some programs put a table into a run
                beside.boxes.append(holder_of(element))
            else:
                yield from self._pieces(element, beside)

    def _reference(self, kind: str, note_id: str, beside: Beside) -> str:
        """The mark in the text that refers to a note; "" for a comment, or where there is no such note."""
        text = self._notes.get(kind, {}).get(note_id, "")
        if not text:
            return ""
        if kind == "comments":
            beside.notes.append(text)
            return ""
        mark = f"[^{'e' if kind == 'endnotes' else ''}{note_id}]"
        beside.notes.append(f"{mark} {text}")
        return mark

    def _drawing(self, element: Element, beside: Beside) -> str:
        """What stands for a drawing in the text: the words of its description and of its shapes."""
        boxes = list(descendants(element, "txbxContent"))
        beside.boxes += boxes
        beside.figures += figure_parts(element, self._relations)
        beside.pictures += picture_parts(element, self._relations, but_in="txbxContent")
        if boxes:
            return ""
        words = next((attribute(one, "descr") for one in descendants(element, "docPr") if attribute(one, "descr")), "")
        shapes = [paragraph_text(p) for body in descendants(element, "txBody") for p in descendants(body, "p")]
        return " ".join(filter(None, [one_line(words), *shapes]))


def chosen(element: Element) -> Element:
    """The newest of several forms of the same thing, unless only an older one holds text."""
    choices = [child for child in element if local(child) in ("Choice", "Fallback")]
    with_text = [one for one in choices if any(part.text for part in descendants(one, "t"))]
    return (with_text or choices or [element])[0]


def formula(element: Element) -> str:
    """A formula on one line: fractions as (a)/(b), indices as a_(b) and a^(b)."""
    name = local(element)
    if name == "t":
        return element.text or ""
    parts = {local(child): formula(child) for child in element if not local(child).endswith("Pr")}
    if name == "f":
        return f"({parts.get('num', '')})/({parts.get('den', '')})"
    if name in ("sSup", "sSub", "sSubSup"):
        below = f"_({parts['sub']})" if "sub" in parts else ""
        above = f"^({parts['sup']})" if "sup" in parts else ""
        return parts.get("e", "") + below + above
    if name == "rad":
        return f"√({parts.get('e', '')})"
    if name == "nary":
        sign = value_of(element, "naryPr", "chr") or "∫"
        return f"{sign}_({parts.get('sub', '')})^({parts.get('sup', '')}) {parts.get('e', '')}"
    return "".join(formula(child) for child in element if not local(child).endswith("Pr"))
