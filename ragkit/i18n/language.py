"""Which language to speak. It imports nothing heavy: `ragkit --help` asks before anything else is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping


def environment_language(environ: Mapping[str, str] | None = None) -> str:
    """The language to speak: `RAGKIT_LANG`, else the locale variables, else English."""
    env = os.environ if environ is None else environ
    for name in ("RAGKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if env.get(name):
            return "zh" if env[name].lower().startswith("zh") else "en"
    return "en"
