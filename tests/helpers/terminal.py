"""The command as a user runs it: in a process of its own, in a folder with documents."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ragkit.testing import ScriptedOllama

FILES = {
    "leave.md": "# Leave\n\nStaff have 15 days of annual leave.\n",
    "假期.md": "# 假期\n\n员工每年享有十五天年假。\n",
    "notes.blob": "not read",
}
_INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("ragkit", run_name="__main__")
"""


class Terminal:
    """Runs the command in a folder, with an index there and a model server at `url`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RAGKIT_", "LC_", "LANG"))},
            "RAGKIT_INDEX": str(folder / "index"),
            "RAGKIT_OLLAMA_EMBED_MODEL": "embed",
            "RAGKIT_OLLAMA_CHAT_MODEL": "chat",
            "RAGKIT_MODELS_BACKEND": "ollama",
            "OLLAMA_HOST": url,
            "PYTHONWARNINGS": "error::ResourceWarning",
            "PYTHONIOENCODING": "utf-8",
        }

    def __call__(self, *words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ragkit", *words],
            cwd=self.folder,
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )


def terminal_in(folder: Path, server: ScriptedOllama) -> Terminal:
    """Returns a terminal in `folder`, where `docs` holds `FILES`; nothing is indexed yet."""
    (folder / "docs").mkdir()
    for name, text in FILES.items():
        (folder / "docs" / name).write_text(text, "utf-8")
    return Terminal(folder, server.url)


def interruptible(*words: str) -> list[str]:
    """Returns the command in a form that Ctrl-C ends, as at a terminal.

    A test run that a shell or a CI put into the background has SIGINT ignored, and its children inherit that.
    """
    return [sys.executable, "-c", _INTERRUPTIBLE, *words]
