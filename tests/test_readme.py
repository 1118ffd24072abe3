"""What the READMEs show is what happens, and both say the same."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ragkit.models.embedded.e5 import weights_path
from tests.helpers.paths import CHECKOUT

READMES = {"en": CHECKOUT / "README.md", "zh": CHECKOUT / "README.zh-CN.md"}


def blocks(path: Path, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", path.read_text("utf-8"), re.DOTALL)


def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "RAGKIT_INDEX": str(tmp_path / "index"),
        "RAGKIT_MODELS_BACKEND": "embedded",
        "RAGKIT_LANG": "en",
    }


@pytest.mark.slow
@pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")
def test_the_session_is_a_real_one(tmp_path: Path) -> None:
    [_, session] = blocks(READMES["en"], "console")
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, shown = part.split("\n", 1)
        words = shlex.split(command)[1:]
        done = subprocess.run(
            [sys.executable, "-m", "ragkit", *words],
            cwd=CHECKOUT,
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


@pytest.mark.slow
@pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")
@pytest.mark.parametrize("language", READMES)
def test_the_python_blocks_run(tmp_path: Path, language: str) -> None:
    for code in blocks(READMES[language], "python"):
        code = code.replace('"my-index"', repr(str(tmp_path / "my-index")))
        done = subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", "-c", code],
            cwd=CHECKOUT,
            env=environment(tmp_path),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "12 files added" in done.stdout
        assert "Submit the claim within 30 days" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_served_models_answer_the_curl_command(tmp_path: Path) -> None:
    [block] = blocks(READMES["en"], "sh")
    serve, curl = block.splitlines()
    words = [sys.executable, "-m", "ragkit", *shlex.split(serve)[1:], "--port", "0"]
    with subprocess.Popen(words, env=environment(tmp_path), stderr=subprocess.PIPE, encoding="utf-8") as server:
        assert server.stderr is not None
        address = server.stderr.readline().split(" at ")[1].split()[0]
        command = shlex.split(curl.replace("http://127.0.0.1:11434", address))
        done = subprocess.run([*command, "--silent", "--noproxy", "*"], capture_output=True, check=False)
        server.terminate()
    assert len(json.loads(done.stdout)["embeddings"][0]) == 384, done.stderr


def test_both_readmes_have_the_same_shape() -> None:
    shapes = {}
    for language, path in READMES.items():
        text = path.read_text("utf-8")
        shapes[language] = (
            re.findall(r"^#+(?= )", text, re.MULTILINE),
            re.findall(r"^\| (`ragkit \w+|\d+)", text, re.MULTILINE),
            blocks(path, "python"),
            blocks(path, "sh"),
            len(blocks(path, "console")),
            sum(line.startswith("- ") for line in text.splitlines()),
        )
    assert shapes["en"] == shapes["zh"]


def test_every_relative_link_leads_somewhere() -> None:
    for path in READMES.values():
        for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text("utf-8")):
            assert (CHECKOUT / target).exists(), target
