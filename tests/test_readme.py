"""What the READMEs show is what happens, and both say the same."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ragkit.models.e5 import weights_path

ROOT = Path(__file__).parent.parent
READMES = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-CN.md"}
pytestmark = pytest.mark.slow


def blocks(path: Path, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", path.read_text("utf-8"), re.DOTALL)


def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "RAGKIT_INDEX": str(tmp_path / "index"),
        "RAGKIT_MODELS_BACKEND": "embedded",
        "RAGKIT_LANG": "en",
    }


@pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")
def test_the_session_is_a_real_one(tmp_path: Path) -> None:
    [_, session] = blocks(READMES["en"], "console")
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, shown = part.split("\n", 1)
        words = shlex.split(command)[1:]
        done = subprocess.run(
            [sys.executable, "-m", "ragkit", *words],
            cwd=ROOT,
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        said = [_without_times(line) for line in done.stdout.splitlines()]
        missing = [line for line in shown.splitlines() if line and _without_times(line) not in said]
        assert missing == [], done.stdout


def _without_times(line: str) -> str:
    return re.sub(r"\d+\.\d+ (s|files/s)", r"0 \1", line.rstrip())


@pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")
@pytest.mark.parametrize("language", READMES)
def test_the_python_blocks_run(tmp_path: Path, language: str) -> None:
    for code in blocks(READMES[language], "python"):
        code = code.replace('"my-index"', repr(str(tmp_path / "my-index")))
        done = subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", "-c", code],
            cwd=ROOT,
            env=environment(tmp_path),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "12 files added" in done.stdout
        assert "Submit the claim within 30 days" in done.stdout


def test_both_readmes_have_the_same_shape() -> None:
    shapes = {}
    for language, path in READMES.items():
        text = path.read_text("utf-8")
        shapes[language] = (
            re.findall(r"^#+(?= )", text, re.MULTILINE),
            re.findall(r"^\| (`ragkit \w+|\d+)", text, re.MULTILINE),
            blocks(path, "python"),
            len(blocks(path, "console")),
            sum(line.startswith("- ") for line in text.splitlines()),
        )
    assert shapes["en"] == shapes["zh"]


def test_every_relative_link_leads_somewhere() -> None:
    for path in READMES.values():
        for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text("utf-8")):
            assert (ROOT / target).exists(), target
