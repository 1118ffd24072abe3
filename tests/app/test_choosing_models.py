"""`auto` looks for a server; where none is, that costs next to nothing."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from dataclasses import replace
from ragkit.app.models import ChosenModels
from ragkit.config.sections import Config

config = Config()
chosen = ChosenModels(replace(config, ollama=replace(config.ollama, host="127.0.0.1:9")))
assert chosen.language_model() is None
print(*chosen.notes, "httpx" in sys.modules)
"""


def test_without_a_server_the_reason_is_told_and_no_http_client_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    reason = "No Ollama server answers at http://127.0.0.1:9."
    assert done.stdout.strip() == f"Answering by quoting, without a language model: {reason} False"
