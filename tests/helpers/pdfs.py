"""A tiny PDF writer for tests: what pypdf would not write, and nothing more."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from random import Random


def pdf(*objects: bytes, root: int = 1) -> bytes:
    """Objects 1, 2, ... with a cross-reference table and a trailer."""
    out = b"%PDF-1.5\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table)
    return out + b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, root, start)


def stream(data: bytes, entries: bytes = b"", *, deflate: bool = False) -> bytes:
    if deflate:
        data, entries = zlib.compress(data, 9), entries + b"/Filter/FlateDecode"
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (entries, len(data), data)


def text_pdf(*pages: str, drawn: Sequence[int] = ()) -> bytes:
    """One page for each text; "\\n" parts its lines. On the pages `drawn` (from 1) there is a black square."""
    count = len(pages)
    kids = b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(count))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%b]/Count %d>>" % (kids, count),
        b"<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>",
    ]
    for number, page in enumerate(pages):
        square = b"9 9 99 99 re f" if number + 1 in drawn else b""
        shown = b"".join(b"(%b) Tj T*\n" % line.encode("latin-1") for line in page.split("\n"))
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources 3 0 R>>" % (5 + 2 * number),
            stream(b"BT /F 12 Tf 14 TL 50 700 Td\n" + shown + b"ET" if page else square),
        ]
    return pdf(*objects)


Placed = tuple[int, int, int, int, int]  # number of the image; its width, height, left and bottom on the page


def image_pdf(*pages: tuple[str, Sequence[Placed]]) -> bytes:
    """Each page with its text and images, whose colours are those of the noise of their numbers."""
    numbers = sorted({placed[0] for _, images in pages for placed in images})
    count = len(pages)
    kids = b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(count))
    named = b"".join(b"/I%d %d 0 R" % (number, 4 + 2 * count + at) for at, number in enumerate(numbers))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%b]/Count %d>>" % (kids, count),
        b"<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>/XObject<<%b>>>>" % named,
    ]
    for at, (text, images) in enumerate(pages):
        shown = b"".join(b"(%b) Tj T*\n" % line.encode("latin-1") for line in text.split("\n"))
        drawn = b"".join(b"q %d 0 0 %d %d %d cm /I%d Do Q\n" % (*place, number) for number, *place in images)
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources 3 0 R>>" % (5 + 2 * at),
            stream(drawn + (b"BT /F 12 Tf 14 TL 50 700 Td\n" + shown + b"ET" if text else b"")),
        ]
    entries = b"/Type/XObject/Subtype/Image/Width 100/Height 80/ColorSpace/DeviceRGB/BitsPerComponent 8"
    return pdf(*objects, *(stream(Random(number).randbytes(24_000), entries) for number in numbers))


def self_drawing_pdf() -> bytes:
    """Its form draws itself twice: PDFium never comes back."""
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>",
        stream(b"/X Do"),
        stream(b"/X Do /X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>"),
    )


def bomb_pdf(megabytes: int) -> bytes:
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        stream(b"BT /F 9 Tf (boom) Tj ET" + b" " * (megabytes << 20), deflate=True),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
