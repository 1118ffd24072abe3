"""Collects the pictures inside a document for a model that describes them, and counts those that are left out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

from ragkit.i18n.messages import Message, coded
from ragkit.text.pictures import (
    IS_DAMAGED,
    MAX_BYTES,
    MAX_BYTES_IN_ALL,
    MAX_PICTURES,
    MAX_PIXELS,
    is_picture,
    size_in_pixels,
)
from ragkit.types.errors import LoadError
from ragkit.types.ports import Picture

MAX_PREPARED = 4 * MAX_PICTURES  # pictures of one file that are converted or drawn, or tried
_MIN_BYTES = 2000
_MIN_PIXELS = 64 * 64
_MIN_SIDE_PIXELS = 24  # a picture that is thinner is a rule
SMALL = coded("pictures_too_small", "Pictures too small to be described (icons, bullets, rules): {count}.")
FORMAT = coded("pictures_of_other_format", "Pictures of a format that was not described: {count}.")
MANY = coded(
    "pictures_too_many", "Pictures that were not described because there are too many or they are too large: {count}."
)
AGAIN = coded("pictures_repeated", "Pictures that are the same as one before them, and were described once: {count}.")
DAMAGED = coded("pictures_damaged", "Damaged pictures, which were not described: {count}.")
BEHIND = coded("pictures_behind_text", "Pictures behind the text of a whole page, which were not described: {count}.")
ELSEWHERE = coded(
    "pictures_elsewhere",
    "Pictures that stand nowhere in the text (headers, footers, masters), which were not described: {count}.",
)


class LeftOut(Exception):
    """A picture is not described; `why` is one of the messages above."""

    def __init__(self, why: Message) -> None:
        super().__init__(why.code)
        self.why = why


class PictureCollector:
    """Collects the pictures of one file."""

    def __init__(self, as_png: Callable[[bytes], bytes], on_picture: Callable[[], None]) -> None:
        """`as_png` converts a picture of any format into one that models take, or raises LoadError; `on_picture` is
        called before work on a picture that takes time."""
        self.placed: list[Picture] = []  # the pictures in the text of the document that was read
        self.without: LoadError | None = None  # the error to report if none of the pictures is described
        self.parts: set[str] = set()  # names of the package's parts whose pictures were met, in small letters
        self._as_png = as_png
        self._on_picture = on_picture
        self._met: dict[bytes, bool] = {}  # hash -> whether the picture is described
        self._left_out = Counter[str]()  # pictures that are not described, by the code of the reason
        self._reasons: dict[str, Message] = {}  # code -> reason
        self._count = self._prepared_count = 0
        self._bytes = 0

    def accepted(self, data: bytes) -> bytes | None:
        """The picture in a format that models take; None if it is left out, or was there before."""
        return self.drawn(data, lambda: self._prepared(data))

    def drawn(self, original: bytes, draw: Callable[[], bytes]) -> bytes | None:
        """What `draw` makes of the picture whose bytes are `original`; None if it is left out, or was there before.

        `draw` may raise LeftOut.
        """
        key = hashlib.sha256(original).digest()
        if key in self._met:
            if self._met[key]:
                self.leave_out(AGAIN)
            return None
        try:
            if self._count >= MAX_PICTURES:
                raise LeftOut(MANY)
            picture = draw()
            if len(picture) > MAX_BYTES or self._bytes + len(picture) > MAX_BYTES_IN_ALL:
                raise LeftOut(MANY)
        except (LeftOut, MemoryError) as exc:
            self.leave_out(exc.why if isinstance(exc, LeftOut) else MANY)
            self._met[key] = False
            return None
        self._met[key] = True
        self._count += 1
        self._bytes += len(picture)
        return picture

    def has_met(self, original: bytes) -> bool:
        """Whether the same picture was met, also under another name: packages often hold a copy for older programs."""
        return hashlib.sha256(original).digest() in self._met

    def prepare(self) -> None:
        """Call this before work on a picture that takes time. Raises LeftOut if there was too much of such work."""
        self._prepared_count += 1
        if self._prepared_count > MAX_PREPARED:
            raise LeftOut(MANY)
        self._on_picture()

    def leave_out(self, why: Message, count: int = 1) -> None:
        """Count pictures that are not described; `why` is one of the messages above."""
        if count:
            self._left_out[why.code] += count
            self._reasons[why.code] = why

    def notes(self) -> list[Message]:
        return [self._reasons[code].fill(count=count) for code, count in self._left_out.items()]

    def _prepared(self, data: bytes) -> bytes:
        """`data`, or the same picture in a format that models take. Raises LeftOut."""
        if len(data) < _MIN_BYTES:
            raise LeftOut(SMALL)
        size = size_in_pixels(data) if is_picture(data) else None
        if size is not None:
            check_size(*size)
            if len(data) <= MAX_BYTES:
                return data
        self.prepare()
        try:
            picture = self._as_png(data)
        except LoadError as exc:
            is_damaged = exc.message.code == IS_DAMAGED.code
            raise LeftOut(DAMAGED if is_damaged else MANY if size else FORMAT) from exc
        check_size(*(size_in_pixels(picture) or (0, 0)))
        return picture


def require_pictures(pictures: PictureCollector | None, error: LoadError) -> None:
    """Says that a document without text is made of its pictures alone.

    Raises `error` if no picture was placed in it. Else the collector keeps `error`, to be reported if none of the
    pictures is described.
    """
    if pictures is None or not pictures.placed:
        raise error
    pictures.without = error


def check_size(width: int, height: int) -> None:
    """Raises LeftOut if a picture of this size in pixels is too small to matter, or a bomb."""
    if width * height < _MIN_PIXELS or min(width, height) < _MIN_SIDE_PIXELS:
        raise LeftOut(SMALL)
    if width * height > MAX_PIXELS:
        raise LeftOut(MANY)
