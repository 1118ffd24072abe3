"""Settings: one order of precedence, and a wrong one is named with the nearest right one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ragkit.config.resolving import resolve, to_toml
from ragkit.config.sections import Config
from ragkit.types.errors import ConfigError
from tests.helpers.paths import CHECKOUT

CONFIGS = CHECKOUT / "configs"


def origin(settings: tuple[object, ...], key: str) -> str:
    return next(s.origin for s in settings if s.key == key)  # type: ignore[attr-defined]


def test_the_shipped_default_file_is_the_built_in_default() -> None:
    config, settings = resolve(CONFIGS / "default.toml", environ={})
    assert config == Config()
    assert {s.origin for s in settings if s.value is not None} == {f"file {CONFIGS / 'default.toml'}"}
    text = (CONFIGS / "default.toml").read_text("utf-8")
    assert [s.key for s in settings if s.key.split(".")[1] not in text] == []  # it names every key


@pytest.mark.parametrize("name", ["ollama", "openai", "embedded"])
def test_the_shipped_configurations_are_valid(name: str) -> None:
    config, _ = resolve(CONFIGS / f"{name}.toml", environ={})
    assert config.models.backend == name


def test_flag_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text("[retrieval]\nk = 5\ncandidates = 60\n[chunking]\nchunk_tokens = 128\n", "utf-8")
    env = {"RAGKIT_RETRIEVAL_K": "6", "RAGKIT_RETRIEVAL_CANDIDATES": "70"}
    config, settings = resolve(file, env, {"retrieval.k": "7"})
    assert (config.retrieval.k, config.retrieval.candidates, config.chunking.chunk_tokens) == (7, 70, 128)
    assert origin(settings, "retrieval.k") == "flag"
    assert origin(settings, "retrieval.candidates") == "environment RAGKIT_RETRIEVAL_CANDIDATES"
    assert origin(settings, "chunking.chunk_tokens") == f"file {file}"
    assert origin(settings, "options.num_ctx") == "default"


def test_ollama_host_is_honoured_and_ragkits_own_variable_is_above_it() -> None:
    assert resolve(environ={"OLLAMA_HOST": "h:1"})[0].ollama.host == "h:1"
    both = {"OLLAMA_HOST": "h:1", "RAGKIT_OLLAMA_HOST": "g:2"}
    assert resolve(environ=both)[0].ollama.host == "g:2"


@pytest.mark.parametrize(
    ("flags", "said", "hint"),
    [
        ({"options.num_ctxx": "1"}, "no setting options.num_ctxx", "options.num_ctx"),
        ({"ollama.num_ctx": "1"}, "no setting ollama.num_ctx", "options.num_ctx"),
        ({"retrieval.k": "0"}, "retrieval.k is 0", ""),
        ({"retrieval.k": "many"}, "retrieval.k is 'many'; it must be a whole number", ""),
        ({"models.backend": "gpt"}, "models.backend is 'gpt'; it must be one of: auto, ollama, openai, embedded", ""),
        ({"chunking.overlap_tokens": "200"}, "chunking.overlap_tokens is 200", ""),
        ({"options.num_predict": "6000"}, "more than half of options.num_ctx", "Lower"),
        ({"options.temperature": "nan"}, "options.temperature is nan", ""),
        ({"requests.retry_s": "-1"}, "requests.retry_s is -1.0; it must be from 0 to 86400", ""),
        ({"retrieval.diversity": "0.5"}, "no setting retrieval.diversity any more", "retrieval.per_source"),
        ({"openai.project": "p"}, "no setting openai.project any more", "OPENAI_PROJECT_ID"),
    ],
)
def test_a_wrong_setting_is_named(flags: dict[str, str], said: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(environ={}, flags=flags)
    assert said in str(caught.value)
    assert hint in str(caught.value.hint)


def test_a_mistyped_environment_variable_is_an_error_too() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(environ={"RAGKIT_OLLAMA_CHATMODEL": "x"})
    assert "RAGKIT_OLLAMA_CHATMODEL" in str(caught.value)
    assert str(caught.value.hint) == "Did you mean RAGKIT_OLLAMA_CHAT_MODEL?"


def test_an_earlier_setting_in_the_environment_says_what_became_of_it() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(environ={"RAGKIT_RETRIEVAL_WORDS_WEIGHT": "2"})
    assert "retrieval.words_weight any more" in str(caught.value)
    assert "measured constant" in str(caught.value.hint)


def test_the_guide_to_the_settings_names_each_and_no_other() -> None:
    options = {
        f"options.{name}" for name in ("num_ctx", "num_predict", "temperature")
    }  # the others are the model's own
    guide = (CHECKOUT / "docs" / "settings.md").read_text("utf-8").split("## What became")[0]
    named = set(re.findall(r"`([a-z]+\.[a-z_]+)`", guide)) - {"docs.md"}
    _, settings = resolve(environ={})
    assert named == {one.key for one in settings if not one.key.startswith("options.")} | options


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[retrieval]\nkk = 3\n", "retrieval.kk"),
        ("k = 3\n", "There is no setting k"),
        ("[retrieval\n", "not valid TOML"),
        ("[retrieval]\nk = true\n", "retrieval.k is True"),
        ("[retrieval]\nk = 1.5\n", "retrieval.k is 1.5"),
    ],
)
def test_a_wrong_file_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "r.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        resolve(file, {})


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(ConfigError, match="Cannot read"):
        resolve(Path("/nowhere/r.toml"), {})


def test_a_configuration_survives_being_written(tmp_path: Path) -> None:
    config, _ = resolve(environ={}, flags={"retrieval.k": "3", "ollama.host": "h:1"})
    file = tmp_path / "r.toml"
    file.write_text(to_toml(config), "utf-8")
    assert resolve(file, {})[0] == config
