"""The languages that ragkit speaks besides English: gettext catalogues beside this file, one folder for each.

It imports nothing heavy: `ragkit --help` asks for the language before anything else is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gettext import NullTranslations

SOURCE = "en"  # the language that the messages are written in
_FOLDER = __file__.removesuffix("catalogues.py") + "locale"  # without pathlib, which takes longer than the rest
_FILE = "LC_MESSAGES/ragkit.mo"


def environment_language(environ: Mapping[str, str] | None = None) -> str:
    """The language to speak: that of `RAGKIT_LANG`, else of the locale variables, if it has a catalogue; else
    English."""
    env = os.environ if environ is None else environ
    wanted = next((env[name] for name in ("RAGKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG") if env.get(name)), "")
    name = wanted.lower().partition(".")[0].partition("@")[0].replace("-", "_")  # zh_CN.UTF-8: zh_cn
    known = languages()
    return next((one for one in (name, name.partition("_")[0]) if one in known), SOURCE)


@lru_cache
def languages() -> dict[str, str]:
    """The languages that have a folder, in small letters, and the names of the folders."""
    try:
        with os.scandir(_FOLDER) as folders:
            return {folder.name.lower(): folder.name for folder in folders}
    except FileNotFoundError:
        return {}


def translated(text: str, plural: str, number: int, language: str) -> str:
    """The sentence in `language`, for `number` things where it has a plural; English where it is not translated."""
    if language == SOURCE or not text:  # a catalogue keeps what it says of itself under the empty text
        return plural if plural and number != 1 else text
    catalogue = _catalogue(language)
    return catalogue.ngettext(text, plural, number) if plural else catalogue.gettext(text)


@lru_cache
def _catalogue(language: str) -> NullTranslations:
    import gettext  # not needed for English

    try:
        with open(f"{_FOLDER}/{languages()[language.lower()]}/{_FILE}", "rb") as file:  # noqa: PTH123  (as above)
            return gettext.GNUTranslations(file)
    except (KeyError, FileNotFoundError):
        return gettext.NullTranslations()
