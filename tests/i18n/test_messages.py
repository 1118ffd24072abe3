"""Everything ragkit says exists in Chinese too, with the same values in it."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import ragkit
from ragkit.i18n.messages import Message, environment_language, say
from ragkit.i18n.zh import ZH
from ragkit.types import errors

ROOT = Path(ragkit.__file__).parent
SPEAKERS = {"Message", "coded", "tr"} | {name for name, kind in vars(errors).items() if isinstance(kind, type)}


def _templates() -> set[str]:
    """The first argument and the hint of every call that makes a message."""
    found = _said_by_pages()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SPEAKERS:
                texts = node.args[1:3] if node.func.id == "coded" else node.args[:1]
                spoken = [*texts, *(word.value for word in node.keywords if word.arg == "hint")]
                for part in spoken:
                    branches = [part.body, part.orelse] if isinstance(part, ast.IfExp) else [part]
                    found |= {n.value for n in branches if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {text for text in found if any(character.isalpha() for character in text)} - {"{why}"}


def _said_by_pages() -> set[str]:
    return {text for path in ROOT.rglob("*.jinja") for text in re.findall(r'\b_\("([^"]+)"', path.read_text("utf-8"))}


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_message_has_a_chinese_text() -> None:
    assert sorted(_templates() - ZH.keys()) == []


def test_no_translation_is_left_over() -> None:
    spoken = _said_by_pages() | {
        node.value
        for path in ROOT.rglob("*.py")
        if path.name != "zh.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert sorted(ZH.keys() - spoken) == []


def test_translations_hold_the_same_values() -> None:
    assert [template for template, text in ZH.items() if _fields(template) != _fields(text)] == []


def test_a_message_inside_a_message_is_translated_too() -> None:
    inner = Message("Ollama does not have the model {model}.", {"model": "m"})
    outer = Message("Embedding with the embedded model: {why}", {"why": inner})
    assert say(outer, "en") == "Embedding with the embedded model: Ollama does not have the model m."
    assert "does not have" not in say(outer, "zh")


def test_the_language_follows_the_environment() -> None:
    assert environment_language({"LANG": "zh_CN.UTF-8"}) == "zh"
    assert environment_language({"LANG": "zh_CN.UTF-8", "RAGKIT_LANG": "en"}) == "en"
    assert environment_language({"LANG": "C"}) == "en"
    assert environment_language({}) == "en"
