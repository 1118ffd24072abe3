"""`ragkit --help` is written without click; it reads as click would write it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def shown(*words: str, columns: int, language: str) -> str:
    environment = {
        **os.environ,
        "COLUMNS": str(columns),
        "RAGKIT_LANG": language,
        "PYTHONIOENCODING": "utf-8",
    }
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, encoding="utf-8", check=True)
    return done.stdout


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [40, 80, 97, 300])
def test_the_page_is_the_one_that_click_would_write(language: str, columns: int) -> None:
    by_click = "from ragkit.frontends.cli import main; main(['--help'], prog_name='python -m ragkit')"
    page = shown("-m", "ragkit", "--help", columns=columns, language=language)
    assert page == shown("-c", by_click, columns=columns, language=language)
    assert page == shown("-m", "ragkit", "-h", columns=columns, language=language)


def test_the_page_needs_neither_click_nor_a_verb() -> None:
    program = "import sys; sys.argv = ['ragkit', '--help']; from ragkit.frontends.cli.start import main; main(); "
    program += (
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('click', 'dataclasses', 'inspect')))"
    )
    assert shown("-c", program, columns=80, language="en").endswith("[]\n")


def test_every_verb_has_its_own_page() -> None:
    from click.testing import CliRunner

    from ragkit.frontends.cli import main, verb_table

    for verb in verb_table.VERBS:
        assert CliRunner().invoke(main, [verb, "--help"]).output.startswith(f"Usage: main {verb} ")
