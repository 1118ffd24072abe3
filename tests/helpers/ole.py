"""A small writer of OLE containers, for Outlook messages in tests."""

from __future__ import annotations

import struct

_SECTOR, _SMALL = 512, 64
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_HEAD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

Tree = dict[str, "bytes | Tree"]


def container(tree: Tree) -> bytes:
    """Streams (each under 4096 bytes) and storages of streams, as one file."""
    entries: list[list[object]] = [["Root Entry", 5, _FREE, _FREE, 0, 0]]  # name, kind, next, child, start, size
    small = bytearray()
    small_fat: list[int] = []
    entries[0][3] = _add(tree, entries, small, small_fat)
    directory = b"".join(_entry(entry) for entry in entries)
    parts = [directory, struct.pack(f"<{len(small_fat)}I", *small_fat), bytes(small)]
    starts, fat, body = [], [_FAT], bytearray()
    for part, filler in zip(parts, (b"\0", b"\xff", b"\0"), strict=True):
        size = max(-(-len(part) // _SECTOR), 1)
        starts.append(len(fat))
        fat += [*range(len(fat) + 1, len(fat) + size), _END]
        body += part.ljust(size * _SECTOR, filler)
    root = _entry(["Root Entry", 5, _FREE, entries[0][3], starts[2], len(small)])
    body[:128] = root
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(_SECTOR, b"\xff")
    assert len(fat) <= _SECTOR // 4
    head = _HEAD + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIIIIIIIII", 0, 1, starts[0], 0, 4096, starts[1], starts[2] - starts[1], _END, 0, 0)
    return head.ljust(_SECTOR, b"\xff") + table + bytes(body)


def _add(tree: Tree, entries: list[list[object]], small: bytearray, small_fat: list[int]) -> int:
    """The entry of the first of `tree`; each points to the next as its right neighbour."""
    before: list[object] | None = None
    first = _FREE
    for name, value in tree.items():
        entry: list[object] = [name, 2 if isinstance(value, bytes) else 1, _FREE, _FREE, _END, 0]
        at = len(entries)
        entries.append(entry)
        if before is None:
            first = at
        else:
            before[2] = at
        before = entry
        if isinstance(value, dict):
            entry[3] = _add(value, entries, small, small_fat)
            entry[4] = 0
        elif value:
            size = -(-len(value) // _SMALL)
            entry[4:] = [len(small_fat), len(value)]
            small_fat += [*range(len(small_fat) + 1, len(small_fat) + size), _END]
            small += value.ljust(size * _SMALL, b"\0")
    return first


def _entry(entry: list[object]) -> bytes:
    name, kind, right, child, start, size = entry
    raw = (str(name) + "\0").encode("utf-16-le")
    head = raw.ljust(64, b"\0") + struct.pack("<HBB", len(raw), kind, 1)
    return head + struct.pack("<III36xII4x", _FREE, right, child, start, size)
