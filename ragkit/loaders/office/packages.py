"""Documents that are ZIP packages of XML parts (Office Open XML, OpenDocument, EPUB): parts and relations.

Tags are compared by their local names: the strict and the transitional form of Office Open XML differ in
nothing but their namespaces.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ragkit.i18n.messages import coded
from ragkit.loaders.building.archives import FAILURES, check_members
from ragkit.loaders.building.document_builder import DocumentBuilder, clean, one_line
from ragkit.loaders.building.nested_files import add_part, note_unread_files
from ragkit.loaders.building.picture_collector import DAMAGED, ELSEWHERE, PictureCollector
from ragkit.loaders.building.read_context import ReadContext, UnpackingBudget
from ragkit.loaders.formats import by_name
from ragkit.loaders.reasons import DAMAGED_OR_CUT_OFF, OWN_ENTITIES, PART_DAMAGED
from ragkit.text.pictures import UNREAD
from ragkit.types.errors import LoadError

_ENTITY = re.compile(rb"<!ENTITY")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Relation:
    """From one part of a package to another."""

    kind: str  # the last word of its type: "image", "footnotes", ...
    target: str  # the name of the other part; it need not be there


class Package:
    """A package in memory."""

    def __init__(self, data: bytes) -> None:
        """Raises LoadError if it is damaged, a bomb, or no package at all."""
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except FAILURES as exc:
            raise LoadError(DAMAGED_OR_CUT_OFF, why=str(exc)[:200]) from exc
        members = [member for member in self._archive.infolist() if not member.is_dir()]
        check_members(members, UnpackingBudget().bytes_left)
        self._members = {member.filename: member for member in members}
        self._folded = {name.casefold(): name for name in reversed(self._members)}

    def names(self, pattern: str) -> list[str]:
        """The names of the parts whose whole name matches, `slide2` before `slide10`."""
        found = [name for name in self._members if re.fullmatch(pattern, name, re.IGNORECASE)]
        return sorted(found, key=lambda name: [int(n) if n.isdigit() else n for n in re.split(r"(\d+)", name)])

    def has(self, name: str) -> bool:
        return name.lstrip("/").casefold() in self._folded

    def data(self, name: str) -> bytes:
        """The bytes of a part. Raises LoadError if it is not there, or damaged."""
        known = self._folded.get(name.lstrip("/").casefold())
        if known is None:
            raise LoadError(
                coded("part_missing_in_file", "The file is damaged: its part {name} is missing."),
                name=clean(name)[:200],
            )
        try:
            return self._archive.read(self._members[known])
        except FAILURES as exc:
            raise LoadError(PART_DAMAGED, name=clean(name)[:200]) from exc

    def xml(self, name: str) -> Element:
        """The root of an XML part. Raises LoadError if it is missing, damaged, or declares entities."""
        data = self.data(name)
        if _ENTITY.search(data):
            raise LoadError(OWN_ENTITIES)
        try:
            return ElementTree.fromstring(data)  # noqa: S314  (entities are refused above)
        except (ElementTree.ParseError, ValueError, LookupError) as exc:
            raise LoadError(PART_DAMAGED, name=clean(name)[:200]) from exc

    def optional_xml(self, name: str, builder: DocumentBuilder) -> Element | None:
        """The root of an XML part; None if it is not there, or cannot be read, of which there is a note then."""
        if not self.has(name):
            return None
        try:
            return self.xml(name)
        except LoadError as exc:
            builder.note(exc.message)
            return None

    def relations(self, part: str) -> dict[str, Relation]:
        """The relations of `part` to other parts, by their ids; `part` "" stands for the whole package.

        Relations to addresses outside the package are left out: nothing is fetched.
        """
        path = PurePosixPath(part or "/")
        name = f"{path.parent}/_rels/{path.name}.rels".lstrip("/") if part else "_rels/.rels"
        name = name.removeprefix("./")
        if not self.has(name):
            return {}
        base = posixpath.dirname(part)
        found = {}
        for element in self.xml(name):
            if element.get("TargetMode") == "External":
                continue
            target = posixpath.normpath(posixpath.join("/" + base, unquote(element.get("Target", ""))))
            kind = element.get("Type", "").rpartition("/")[2]
            found[element.get("Id", "")] = Relation(kind, target.lstrip("/"))
        return found

    def main_part(self, usual: str) -> str:
        """The part that the document begins with, or `usual` where the package does not say which it is."""
        for relation in self.relations("").values():
            if relation.kind == "officeDocument" and self.has(relation.target):
                return relation.target
        return usual


def local(element: Element) -> str:
    """The tag without its namespace; "" for a comment or an instruction."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str, default: str = "") -> str:
    """The value of the attribute with this local name, or `default` if there is none."""
    for key, value in element.items():
        if key.rpartition("}")[2] == name:
            return value
    return default


def within(element: Element, *path: str) -> Iterator[Element]:
    """The children of children that the local names of `path` lead to."""
    if not path:
        yield element
        return
    for child in element:
        if local(child) == path[0]:
            yield from within(child, *path[1:])


def first(element: Element | None, *path: str) -> Element | None:
    """The first element that `within` finds; None if it finds none, or `element` is None."""
    return None if element is None else next(within(element, *path), None)


def descendants(element: Element, *names: str) -> Iterator[Element]:
    """`element` and all below it that bear one of these local names, in document order."""
    return (one for one in element.iter() if local(one) in names)


def value_of(element: Element | None, *path: str) -> str:
    """The `val` attribute at the end of `path`; "" where there is none."""
    found = first(element, *path)
    return "" if found is None else attribute(found, "val")


def holder_of(element: Element) -> Element:
    """A new element that holds this one alone, for code that goes through the children of an element."""
    holder = Element("holder")
    holder.append(element)
    return holder


def properties(root: Element | None) -> tuple[str, str, str]:
    """Title, author and date (YYYY-MM-DD) in Dublin Core metadata; "" for what it does not say."""
    said: dict[str, str] = {}
    for element in root.iter() if root is not None else ():
        text = one_line(clean("".join(element.itertext())))[:300] if not len(element) else ""
        if text:
            said.setdefault(local(element), text)
    moment = _DATE.match(said.get("modified") or said.get("date") or said.get("created") or "")
    return said.get("title", ""), said.get("creator", ""), moment[0] if moment else ""


def note_unread_media(package: Package, builder: DocumentBuilder) -> None:
    """Note how many pictures were not read, without those that are to be described, and what else was not."""
    pictures = package.names(r"(?:.*/)?(?:media|pictures)/[^/]+")
    note_unread_pictures(package, pictures, builder)
    note_unread_files(len(package.names(r"Object [^/]+/content\.xml")), builder)
    if package.names(r".*vbaProject\.bin|Basic/.*\.xml"):
        builder.note(coded("macros", "It holds macros; they were not read."))


def add_embedded(package: Package, builder: DocumentBuilder, context: ReadContext) -> None:
    """Add the documents and sheets embedded in Office Open XML at the end, each under a heading of its name.

    Those that cannot be read are noted. The sheet behind a chart is left out, as the chart itself was read.
    """
    context.check_depth()
    charts = package.names(r"(?:.*/)?charts/[^/]+\.xml")
    behind = {relation.target.casefold() for chart in charts for relation in package.relations(chart).values()}
    unread = 0
    for part in package.names(r"(?:.*/)?embeddings/[^/]+"):
        if part.casefold() in behind:
            continue
        found = by_name(Path(part))
        if found is None:
            unread += 1
            continue
        try:
            data = package.data(part)
        except LoadError as exc:
            builder.note(exc.message)
            continue
        add_part(builder, Path(part).name, data, found, 1, context)
    note_unread_files(unread, builder)


def note_unread_pictures(package: Package, parts: Sequence[str], builder: DocumentBuilder) -> None:
    """Note how many of `parts`, which are all pictures of the package, were not met in its text."""
    pictures = builder.pictures
    if pictures is not None:
        pictures.leave_out(ELSEWHERE, sum(not _was_met(package, part, pictures) for part in parts))
    elif parts:
        builder.note(UNREAD.fill(count=len(parts)))


def _was_met(package: Package, part: str, pictures: PictureCollector) -> bool:
    if part.casefold() in pictures.parts:
        return True
    try:
        return pictures.has_met(package.data(part))
    except LoadError:
        return False


def add_picture(package: Package, part: str, builder: DocumentBuilder) -> None:
    """Add the picture in that part at the end of the text, if pictures are asked for."""
    if builder.pictures is None or not package.has(part):
        return
    picture = accepted_picture(package, part, builder.pictures)
    if picture is not None:
        builder.picture(picture)


def accepted_picture(package: Package, part: str, pictures: PictureCollector) -> bytes | None:
    """The picture in that part as models take it; None if it is not described."""
    pictures.parts.add(part.lstrip("/").casefold())
    try:
        return pictures.accepted(package.data(part))
    except LoadError:
        pictures.leave_out(DAMAGED)
        return None
