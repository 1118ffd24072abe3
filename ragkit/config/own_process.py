"""How a process of our own is started that shares nothing with this one but what it is given."""

from __future__ import annotations

import json
import sys
from pathlib import Path

# -I would hide modules that the parent was given by PYTHONPATH: the parent's own path is handed over.
_PROGRAM = """import json, sys
module, arguments, sys.path[:] = json.loads(sys.argv[1])
from importlib import import_module
import_module(module).main(*arguments)"""


def command(module: str, *arguments: object) -> list[str]:
    """The words of a command that calls `main` of `module` with `arguments`, which go as JSON. Neither the
    environment's PYTHON variables nor the working folder change what it runs."""
    where = [str(Path(entry).absolute()) for entry in sys.path]
    given = json.dumps([module, arguments, where])
    return [sys.executable, "-I", "-B", "-X", "utf8", "-c", _PROGRAM, given]
