"""The encoding that an HTML or XML file declares for itself."""

from __future__ import annotations

import codecs
import re

from ragkit.loaders.text.encodings import WIDER

HTML_CHARSET = re.compile(rb"""<meta[^>]{0,300}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
XML_ENCODING = re.compile(rb"""\A\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]{2,40})""")
_HEAD_BYTES = 4096  # a declaration is looked for here


def declared_encoding(data: bytes, *declarations: re.Pattern[bytes]) -> list[str]:
    """The codec that the first of these declarations names; [] if none of them names one.

    UTF-16 and UTF-32 do not count, as no declaration in ASCII could stand in such a file.
    """
    head = data[:_HEAD_BYTES]
    for found in filter(None, (declaration.search(head) for declaration in declarations)):
        try:
            name = codecs.lookup(found[1].decode("ascii")).name
        except LookupError:
            continue
        if not name.startswith(("utf-16", "utf-32")):
            return [WIDER.get(name, name)]
    return []
