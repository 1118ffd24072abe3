"""Pages of HTML out of Jinja's templates: every value is escaped, and characters that hide or turn text are shown by
their code."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit.i18n.messages import Message, say

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
    "|[\U000e0000-\U000e007f]"
)
_CODE = re.compile(r"⟨U\+[0-9A-F]{4,6}⟩")


def page_of(template: Path, language: str, **values: object) -> str:
    """The page that a template makes of `values`; in it, `_` says a text in `language`. A second text is for other
    counts than one."""

    def said(text: str, plural: str = "", **parts: object) -> str:
        return say(Message(text=text, values=parts, plural=plural), language)

    return _environment(template.parent).get_template(template.name).render(values, _=said, language=language)


def plain(text: object) -> Markup:
    """`text` for an attribute or a title: odd characters are shown by their code."""
    from markupsafe import Markup

    return Markup(escape(_ODD.sub(lambda odd: f"⟨U+{ord(odd[0]):04X}⟩", str(text))))  # noqa: S704  (it is escaped)


def shown(text: object) -> Markup:
    """`text` for a page, where the codes can be marked; what is markup already stays as it is."""
    from markupsafe import Markup

    if isinstance(text, Markup):
        return text
    return Markup(_CODE.sub(r'<span class="odd">\g<0></span>', str(plain(text))))  # noqa: S704  (it is escaped)


@lru_cache
def _environment(folder: Path) -> Environment:
    """Its templates show every value as `shown` does, unless they ask for `plain`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["plain"] = plain
    return made
