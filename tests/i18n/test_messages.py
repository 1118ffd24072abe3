"""A message in each language: values, plurals, messages within messages; and which language is spoken."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ragkit
from ragkit.i18n.catalogues import environment_language, languages
from ragkit.i18n.messages import Message, coded, say
from ragkit.types.errors import InputError, LoadError


def test_a_message_inside_a_message_is_translated_too() -> None:
    inner = Message("Ollama does not have the model {model}.", {"model": "m"})
    outer = Message("Embedding with the embedded model: {why}", {"why": inner})
    assert say(outer, "en") == "Embedding with the embedded model: Ollama does not have the model m."
    assert "does not have" not in say(outer, "zh")


@pytest.mark.parametrize(
    ("count", "english", "chinese"),
    [
        (0, "0 files.", "0 个文件。"),
        (1, "1 file.", "1 个文件。"),
        (2, "2 files.", "2 个文件。"),
        ("…", "… files.", "… 个文件。"),
    ],
)
def test_a_number_decides_the_form(count: object, english: str, chinese: str) -> None:
    message = Message("{count} file.", {"count": count}, plural="{count} files.")
    assert (str(message), say(message, "zh")) == (english, chinese)


def test_what_has_no_translation_stays_english() -> None:
    message = Message("{count} lamp is on.", {"count": 2}, plural="{count} lamps are on.")
    assert say(message, "zh") == "2 lamps are on."
    assert say(Message("Good morning, {name}.", {"name": "{x}"}), "zh") == "Good morning, {x}."
    assert say(Message("Nothing found."), "fr") == "Nothing found."


def test_no_message_says_nothing_in_any_language() -> None:
    assert not Message()
    assert (say(Message(), "en"), say(Message(), "zh")) == ("", "")


def test_an_error_keeps_the_code_of_its_message() -> None:
    reason = coded("lamp_off", "The lamp in {room} is off.")
    error = LoadError(reason, hint="Run: ragkit audit", room="the hall")
    assert (str(error), error.code, error.message.code) == ("The lamp in the hall is off.", "load", "lamp_off")
    assert str(LoadError(reason.fill(room="the attic"))) == "The lamp in the attic is off."
    assert str(InputError("The index is empty.").message) == "The index is empty."


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "xx_YY.UTF-8"}, "en"),
        ({"LANG": "../zh"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_Hans_SG@pinyin"}, "zh"),
        ({"RAGKIT_LANG": "ZH-cn"}, "zh"),
        ({"LANG": "en_US", "LC_ALL": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "en_US", "LC_MESSAGES": "zh_CN"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "RAGKIT_LANG": "en"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "RAGKIT_LANG": ""}, "zh"),
    ],
)
def test_the_language_follows_the_environment(environment: dict[str, str], language: str) -> None:
    assert environment_language(environment) == language
    assert list(languages()) == ["zh"]


SAYING = ("Message", "LoadError", "NoText", "UnsupportedFormat")


def test_what_is_said_of_a_file_has_a_code() -> None:
    """An outcome of a file is stored and read by programs: its sentence alone would not do."""
    uncoded = []
    for path in (Path(ragkit.__file__).parent / "loaders").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAYING:
                uncoded += [f"{path.name}:{node.lineno}" for text in node.args[:1] if isinstance(text, ast.Constant)]
    assert uncoded == []
