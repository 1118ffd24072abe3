"""ZIP archives: one document with a heading for each file that can be read. Nothing is unpacked to disk."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath

from ragkit.i18n.messages import coded
from ragkit.loaders.building.archives import FAILURES, check_members
from ragkit.loaders.building.document_builder import DocumentBuilder
from ragkit.loaders.building.nested_files import add_part, unread
from ragkit.loaders.building.read_context import ReadContext
from ragkit.loaders.formats import by_name
from ragkit.loaders.reasons import DAMAGED, HIDDEN_FILE, NEEDS_PASSWORD
from ragkit.loaders.text.plain import decode
from ragkit.types.documents import Document
from ragkit.types.errors import LoadError, NoText

_MAX_DEPTH = 2  # files that may lie around an archive


def read_zip(source: str, data: bytes, context: ReadContext) -> Document:
    """A place is a line of the file that the heading above it names. Raises NoText, LoadError."""
    context.check_depth(_MAX_DEPTH)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except FAILURES as exc:
        if not data.startswith(b"PK"):
            raise LoadError(coded("not_an_archive", "It is not a ZIP archive, whatever its name says.")) from exc
        raise LoadError(
            coded("archive_damaged", "The archive is damaged or cut off ({why})."), why=str(exc)[:200]
        ) from exc
    members = [member for member in archive.infolist() if not member.is_dir()]
    check_members(members, context.budget.bytes_left)
    builder = DocumentBuilder(context.pictures)
    inner_of = f"{Path(source).name}!/" if context.depth else ""  # the document's own name need not be said
    for member, name in zip(members, _names(members), strict=True):
        _add_member(builder, archive, member, name, inner_of, context)
    if not members:
        raise NoText(coded("archive_empty", "The archive holds no files."))
    return builder.document(source, context.media_type)


def _names(members: list[zipfile.ZipInfo]) -> list[str]:
    """The names of the files. Those without the mark of UTF-8 are decoded together, as they come from one machine."""
    unmarked = [member for member in members if not member.flag_bits & 0x800 and not member.filename.isascii()]
    guessed = {member.filename: member.filename for member in unmarked}
    try:
        raw = b"\n".join(member.filename.encode("cp437") for member in unmarked)
        found = decode(raw)[0].split("\n")
    except (UnicodeEncodeError, LoadError):
        found = []
    if len(found) == len(unmarked):
        guessed = {member.filename: name for member, name in zip(unmarked, found, strict=True)}
    return [guessed.get(member.filename, member.filename) for member in members]


def _add_member(
    builder: DocumentBuilder,
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    name: str,
    inner_of: str,
    context: ReadContext,
) -> None:
    parts = PurePosixPath(name).parts
    if "__MACOSX" in parts or any(part.startswith(".") and part.strip(".") for part in parts):
        builder.note(unread(inner_of + name, HIDDEN_FILE))
        return
    if member.flag_bits & 1:
        builder.note(unread(inner_of + name, NEEDS_PASSWORD))
        return
    found = by_name(Path(name))
    try:
        data = archive.read(member) if found else b""  # never more than the size that was checked
    except FAILURES as exc:
        reason = DAMAGED.fill(why=str(exc)[:200] or type(exc).__name__)
        builder.note(unread(inner_of + name, reason))
        return
    add_part(builder, inner_of + name, data, found, 1, context)
