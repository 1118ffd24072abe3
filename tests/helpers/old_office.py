"""Small files in Microsoft's old binary formats, written byte by byte ([MS-DOC], [MS-PPT])."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from tests.helpers.ole import container

_TEXT_AT, _LOOKS_AT, _SIZE = 0x400, 0x600, 0x800
Block = tuple[str, int, bool]  # text with its end mark, style, whether it ends a table's row


def doc(*blocks: Block, notes: str = "", flags: int = 0x0200, version: int = 0x00C1, wide: bool = True) -> bytes:
    """A .doc file; `notes`: its footnotes. 500 bytes of text at most."""
    main = bytearray(_SIZE)
    text = "".join(text for text, _, _ in blocks)
    raw = (text + notes).encode("utf-16-le" if wide else "cp1252")
    struct.pack_into("<2H6xH", main, 0, 0xA5EC, version, flags)
    struct.pack_into("<2i", main, 0x4C, len(text), len(notes))
    main[_TEXT_AT : _TEXT_AT + len(raw)] = raw
    _write_looks(main, blocks, 2 if wide else 1)
    place = _TEXT_AT if wide else _TEXT_AT * 2 | 0x40000000
    pieces = struct.pack("<2I2xIH", 0, len(text + notes), place, 0)
    clx = b"\x02" + struct.pack("<I", len(pieces)) + pieces
    paragraphs = struct.pack("<3I", _TEXT_AT, _TEXT_AT + len(raw), _LOOKS_AT // 512)
    struct.pack_into("<2I", main, 0x01A2, 0, len(clx))
    struct.pack_into("<2I", main, 0x0102, len(clx), len(paragraphs))
    return container({"WordDocument": bytes(main), "1Table": clx + paragraphs})


def _write_looks(main: bytearray, blocks: Sequence[Block], width: int) -> None:
    page = bytearray(512)
    page[511] = len(blocks)
    end, free = _TEXT_AT, 510
    for number, (text, style, ends_row) in enumerate(blocks):
        struct.pack_into("<I", page, 4 * number, end)
        end += len(text) * width
        body = struct.pack("<H", style) + (struct.pack("<HB", 0x2417, 1) if ends_row else b"")
        body = bytes([(len(body) + 2) // 2]) + body.ljust(len(body) + 1 - len(body) % 2, b"\0")
        free -= (len(body) + 1) // 2 * 2
        page[free : free + len(body)] = body
        page[4 * (len(blocks) + 1) + 13 * number] = free // 2
    struct.pack_into("<I", page, 4 * len(blocks), end)
    main[_LOOKS_AT : _LOOKS_AT + 512] = page


def _record(kind: int, body: bytes, instance: int = 0, *, is_container: bool = False) -> bytes:
    return struct.pack("<2HI", instance << 4 | (0xF if is_container else 0), kind, len(body)) + body


def _words(text: str) -> bytes:
    return _record(0x0FA0, text.encode("utf-16-le"))


def _boxed(*records: bytes) -> bytes:
    """A drawing with one text box."""
    box = _record(0xF00D, b"".join(records), is_container=True)
    return _record(0x040C, _record(0xF004, box, is_container=True), is_container=True)


def ppt(*slides: tuple[str, str, str], comment: str = "", hidden: int = 0, token: int = 0xE391C05F) -> bytes:
    """A .ppt file of slides (title, text box, speaker note); `comment` on the first, slide `hidden` is one."""
    parts: list[bytes] = []
    slide_list, notes_list = b"", b""
    for number, (title, text, note) in enumerate(slides, 1):
        heading = _record(0x0F9F, struct.pack("<I", 0)) + _words(title)
        slide_list += _record(0x03F3, struct.pack("<5I", 2 * number, 0, 1, 255 + number, 0)) + heading
        notes_list += _record(0x03F3, struct.pack("<5I", 2 * number + 1, 0, 1, 600 + number, 0))
        shown = _boxed(_record(0x0F9E, struct.pack("<I", 0))) + _boxed(_record(0x0F9F, bytes(4 * [4])), _words(text))
        if comment and number == 1:
            said = [_record(0x0FBA, value.encode("utf-16-le"), n) for n, value in enumerate(("Li", comment))]
            shown += _record(0x2EE0, b"".join(said), is_container=True)
        if number == hidden:
            shown += _record(0x03F9, bytes(10) + b"\x04" + bytes(5))
        parts.append(_record(0x03EE, shown, is_container=True))
        owner = _record(0x03F1, struct.pack("<2I", 255 + number, 0))
        parts.append(_record(0x03F0, owner + _boxed(_words(note)), is_container=True))
    lists = _record(0x0FF0, slide_list, 0, is_container=True) + _record(0x0FF0, notes_list, 2, is_container=True)
    whole, places = b"", []
    for part in (_record(0x03E8, lists, is_container=True), *parts):
        places.append(len(whole))
        whole += part
    directory = _record(0x1772, struct.pack(f"<I{len(places)}I", len(places) << 20 | 1, *places))
    edit = _record(0x0FF5, struct.pack("<7I", 0, 0, 0, len(whole), 1, 0, 0))
    user = struct.pack("<2HI4x2I", 0, 0x0FF6, 20, token, len(whole) + len(directory))
    return container({"Current User": user, "PowerPoint Document": whole + directory + edit})
