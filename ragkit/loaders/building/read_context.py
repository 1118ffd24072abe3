"""What a reader is told besides the bytes: how pictures are read, and how much may be unpacked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ragkit.loaders.files.access import MB
from ragkit.loaders.reasons import NESTED_TOO_DEEPLY, TOO_MUCH_INSIDE
from ragkit.types.errors import LoadError

if TYPE_CHECKING:
    from ragkit.loaders.building.picture_collector import PictureCollector
    from ragkit.loaders.images.ocr import Ocr

MAX_DEPTH = 3  # files that may lie around a document or a mail


@dataclass(slots=True)
class UnpackingBudget:
    """How much may still be unpacked out of one file, counting the files inside its files."""

    bytes_left: int = 512 * MB
    parts_left: int = 10_000

    def take(self, size_bytes: int) -> None:
        """Raises LoadError if this part is more than one file may unpack."""
        self.bytes_left -= size_bytes
        self.parts_left -= 1
        if self.bytes_left < 0 or self.parts_left < 0:
            raise LoadError(TOO_MUCH_INSIDE)


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What the reader of one file is told; the files inside that file share all of it but the first and the last."""

    media_type: str  # the type of the document to be made; a misnamed file keeps the one that its name gives it
    ocr: Ocr | None = None  # None: pictures are not read
    pictures: PictureCollector | None = None  # None: pictures are not collected to be described
    budget: UnpackingBudget = field(default_factory=UnpackingBudget)
    depth: int = 0  # how many files there are around this one

    def inner(self, media_type: str, size_bytes: int) -> ReadContext:
        """The context of a file inside this one, which takes its size from the budget.

        Raises LoadError if more would be unpacked than one file may.
        """
        self.budget.take(size_bytes)
        return replace(self, media_type=media_type, depth=self.depth + 1)

    def check_depth(self, most: int = MAX_DEPTH) -> None:
        """Raises LoadError if more than `most` files lie around this one."""
        if self.depth > most:
            raise LoadError(NESTED_TOO_DEEPLY)
