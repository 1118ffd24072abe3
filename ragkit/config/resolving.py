"""Where settings come from: the command line, the environment, a file, the defaults; and how they are checked."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ragkit.config.sections import Config
from ragkit.i18n.messages import Message
from ragkit.types.errors import ConfigError
from ragkit.types.options import Options

ENVIRONMENT_PREFIX = "RAGKIT_"
NOT_SETTINGS = {"RAGKIT_INDEX", "RAGKIT_CONFIG", "RAGKIT_LANG"}  # read by the front ends


@dataclass(frozen=True, slots=True)
class Setting:
    """One resolved setting and where its value came from."""

    key: str  # "ollama.num_ctx"
    value: object
    origin: str  # "default", "file PATH", "environment NAME", "flag"


def option_values(texts: Mapping[str, str]) -> Options:
    """Options from NAME=VALUE texts, as a command line gives them. Raises ConfigError."""
    found: dict[str, Any] = {}
    for name, text in texts.items():
        _known(f"options.{name}")
        found[name] = _typed(f"options.{name}", text)
    return Options(**found)


SECTIONS: dict[str, type] = get_type_hints(Config)
KEYS = {
    f"{section}.{item.name}": get_type_hints(kind)[item.name]
    for section, kind in SECTIONS.items()
    for item in fields(kind)
}
DEFAULTS = Config()


def resolve(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> tuple[Config, tuple[Setting, ...]]:
    """The configuration in force and, for each key, where it came from.

    `file` is TOML, or None; `environ` defaults to the process's; `flags` maps keys
    ("ollama.num_ctx") to text. Raises ConfigError, which names the key.
    """
    env = os.environ if environ is None else environ
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for key, value in _file_values(file).items():
        values[key], origins[key] = _typed(key, value), f"file {file}"
    if env.get("OLLAMA_HOST"):
        values["ollama.host"], origins["ollama.host"] = env["OLLAMA_HOST"], "environment OLLAMA_HOST"
    for name in sorted(env):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in NOT_SETTINGS:
            key = _environment_key(name)
            values[key], origins[key] = _typed(key, env[name]), f"environment {name}"
    for key, text in (flags or {}).items():
        _known(key)
        values[key], origins[key] = _typed(key, text), "flag"
    config = Config(
        **{
            section: replace(
                getattr(DEFAULTS, section),
                **{key.split(".")[1]: v for key, v in values.items() if key.startswith(f"{section}.")},
            )
            for section in SECTIONS
        }
    )
    settings = tuple(
        Setting(key, getattr(getattr(config, key.split(".")[0]), key.split(".")[1]), origins.get(key, "default"))
        for key in KEYS
    )
    return config, settings


def to_toml(config: Config) -> str:
    """`config` as TOML text that `resolve` reads back to an equal value; what is not set is left out."""
    lines: list[str] = []
    for section in fields(config):
        lines += ["", f"[{section.name}]"]
        part = getattr(config, section.name)
        for item in fields(part):
            value = getattr(part, item.name)
            if value is not None:
                lines.append(f"{item.name} = " + _toml(value))
    return "\n".join(lines[1:]) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # JSON's texts, truth values and numbers are TOML's too.
    return json.dumps(value, ensure_ascii=False)


def _file_values(file: Path | None) -> dict[str, object]:
    if file is None:
        return {}
    try:
        with file.open("rb") as stream:
            tables = tomllib.load(stream)
    except OSError as exc:
        raise ConfigError(
            "Cannot read the configuration file {file}: {why}.",
            hint="Check the path given with --config or RAGKIT_CONFIG.",
            file=file,
            why=exc.strerror,
        ) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError("The configuration file {file} is not valid TOML: {why}.", file=file, why=exc) from exc
    found: dict[str, object] = {}
    for section, table in tables.items():
        if not isinstance(table, dict):
            _known(section)
        for name, value in table.items():
            _known(f"{section}.{name}")
            found[f"{section}.{name}"] = value
    return found


# What became of settings that earlier versions had.
_CONSTANT = Message("Its value is a measured constant now. Leave it out.")
_REMOVED = {
    "openai.organization": Message("Set the environment variable OPENAI_ORG_ID instead."),
    "openai.project": Message("Set the environment variable OPENAI_PROJECT_ID instead."),
    "requests.connect_timeout_s": _CONSTANT,
    "requests.batch_texts": Message("Slow servers get smaller batches by themselves. Leave it out."),
    "requests.parallel": _CONSTANT,
    "retrieval.words_weight": _CONSTANT,
    "retrieval.cover_weight": _CONSTANT,
    "retrieval.document_weight": _CONSTANT,
    "retrieval.feedback": _CONSTANT,
    "retrieval.neighbours": _CONSTANT,
    "retrieval.join_share": _CONSTANT,
    "retrieval.rerank_passages": _CONSTANT,
    "retrieval.widen_tokens": Message("Neighbours that fit the question are read with a passage: see retrieval.join."),
    "retrieval.diversity": Message("Set retrieval.per_source to have passages of more documents."),
}


def _known(key: str) -> None:
    if key in KEYS:
        return
    if key in _REMOVED:
        raise ConfigError("There is no setting {key} any more.", hint="{instead}", key=key, instead=_REMOVED[key])
    elsewhere = [known for known in KEYS if known.split(".")[1] == key.rpartition(".")[2]]
    near = elsewhere or difflib.get_close_matches(key, KEYS, n=1, cutoff=0.5)
    raise ConfigError(
        "There is no setting {key}.",
        hint="Did you mean {near}?" if near else "`ragkit config` lists every setting.",
        key=key,
        near=near[0] if near else "",
    )


def _environment_name(key: str) -> str:
    return ENVIRONMENT_PREFIX + key.replace(".", "_").upper()


def _environment_key(name: str) -> str:
    names = {_environment_name(key): key for key in KEYS}
    if name in names:
        return names[name]
    for key in _REMOVED:
        if name == _environment_name(key):
            _known(key)
    near = difflib.get_close_matches(name, [*names, *NOT_SETTINGS], n=1, cutoff=0.5)
    raise ConfigError(
        "There is no setting for the environment variable {name}.",
        hint="Did you mean {near}?" if near else "`ragkit config` lists every setting.",
        name=name,
        near=near[0] if near else "",
    )


def _typed(key: str, value: Any) -> object:
    """`value`, from TOML or as text, as the type of the setting `key`."""
    kind = KEYS[key]
    if get_origin(kind) is UnionType:
        [kind] = [part for part in get_args(kind) if part is not NoneType]
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ConfigError(
                "{key} is {value}; it must be one of: {choices}.",
                key=key,
                value=repr(value),
                choices=", ".join(get_args(kind)),
            )
        return value
    found = _converted(get_origin(kind) or kind, value)
    if found is None:
        raise ConfigError(
            "{key} is {value}; it must be {kind}.",
            key=key,
            value=repr(value),
            kind=_KIND_NAMES[get_origin(kind) or kind],
        )
    return found


_KIND_NAMES = {
    int: Message("a whole number"),
    float: Message("a number"),
    str: Message("a text"),
    bool: Message("true or false"),
    tuple: Message("a list of texts"),
}


def _converted(kind: type, value: Any) -> object | None:
    """`value` as a `kind`; None when it is none."""
    if kind is tuple:
        return _texts(value)
    if kind is bool:
        return {"true": True, "false": False}.get(str(value).casefold())
    if isinstance(value, bool) or not isinstance(value, kind | str | int):
        return None
    if isinstance(value, str) or kind is not str:
        try:
            return kind(value) if kind is not int or not isinstance(value, float) else None
        except ValueError:
            return None
    return None


def _texts(value: Any) -> tuple[str, ...] | None:
    """A list of texts; on a command line a JSON list, or one text alone."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    items = [value] if isinstance(value, str) else value
    return tuple(items) if isinstance(items, list) and all(isinstance(item, str) for item in items) else None
