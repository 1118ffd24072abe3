"""What ragkit says to people: English templates, translated at the last moment.

A message travels as a template and its values, so that a front end can show it in the user's
language and a program can still read the English. Chinese texts stand in `messages_zh.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Message:
    """An English `str.format` template with its values; `str()` gives the English sentence."""

    template: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return say(self, "en")

    def __bool__(self) -> bool:
        return bool(self.template)


def say(message: Message, language: str) -> str:
    """`message` in `language` ("en" or "zh"); a text without a translation stays English."""
    template = message.template
    if language == "zh":
        from ragkit.i18n.zh import ZH

        template = ZH.get(template, template)
    values = {
        name: say(value, language) if isinstance(value, Message) else value for name, value in message.values.items()
    }
    return template.format_map(values)


def environment_language(environ: Mapping[str, str] | None = None) -> str:
    """The language to speak: `RAGKIT_LANG`, else the locale variables, else English."""
    env = os.environ if environ is None else environ
    for name in ("RAGKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if env.get(name):
            return "zh" if env[name].lower().startswith("zh") else "en"
    return "en"


def runs(numbers: Sequence[int], most: int = 12) -> str:
    """ "3, 7-9": runs of rising numbers are joined; after `most` of them an ellipsis."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in found[:most]]
    return ", ".join([*shown, "…"] if len(found) > most else shown)
