"""A scripted model server and a terminal in a folder with an index, for all tests of the command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ragkit.testing import ScriptedOllama
from tests.helpers.terminal import Terminal, terminal_in


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama() as running:
        yield running


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, server: ScriptedOllama) -> Terminal:
    """A terminal in a folder with an index of `docs`; tests leave it as it is."""
    terminal = terminal_in(tmp_path_factory.mktemp("work 工作"), server)
    assert terminal("index", "docs").returncode == 0
    return terminal
