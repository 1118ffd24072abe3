"""Settings as values that cannot be wrong, resolved once: flag, environment, file, default."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from ragkit.errors import ConfigError
from ragkit.messages import Message

Backend = Literal["auto", "ollama", "embedded"]
ENVIRONMENT_PREFIX = "RAGKIT_"
NOT_SETTINGS = {"RAGKIT_INDEX", "RAGKIT_CONFIG", "RAGKIT_LANG"}  # read by the front ends


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(
            "{name} is {value}; it must be from {low} to {high}.",
            name=name,
            value=value,
            low=low,
            high=high,
        )


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    backend: Backend = "auto"
    """auto: Ollama where it answers and has the models, else the embedded models."""


@dataclass(frozen=True, slots=True)
class OllamaConfig:
    host: str = ""  # "": OLLAMA_HOST, else http://127.0.0.1:11434
    embed_model: str = "bge-m3"
    chat_model: str = "qwen3:4b"
    num_ctx: int = 8192  # tokens of the chat model's window; sent with every chat
    num_predict: int = 1024  # tokens of the answer at the most; kept free in the window
    temperature: float = 0.0
    keep_alive: str = "30m"
    connect_timeout_s: float = 3.0
    first_byte_timeout_s: float = 300.0  # a cold model is silent while it loads
    idle_timeout_s: float = 60.0  # between two pieces of a stream
    batch_texts: int = 32  # texts in one embedding request

    def __post_init__(self) -> None:
        _between("ollama.num_ctx", self.num_ctx, 512, 10_000_000)
        _between("ollama.num_predict", self.num_predict, 16, 1_000_000)
        if self.num_predict > self.num_ctx // 2:
            raise ConfigError(
                "ollama.num_predict is {predict}, more than half of ollama.num_ctx ({ctx}).",
                hint="Lower ollama.num_predict or raise ollama.num_ctx.",
                predict=self.num_predict,
                ctx=self.num_ctx,
            )
        _between("ollama.temperature", self.temperature, 0, 2)
        _between("ollama.connect_timeout_s", self.connect_timeout_s, 0.1, 3600)
        _between("ollama.first_byte_timeout_s", self.first_byte_timeout_s, 0.1, 86_400)
        _between("ollama.idle_timeout_s", self.idle_timeout_s, 0.1, 86_400)
        _between("ollama.batch_texts", self.batch_texts, 1, 1024)


@dataclass(frozen=True, slots=True)
class ChunkingConfig:
    chunk_tokens: int = 256
    overlap_tokens: int = 32

    def __post_init__(self) -> None:
        _between("chunking.chunk_tokens", self.chunk_tokens, 32, 8192)
        _between("chunking.overlap_tokens", self.overlap_tokens, 0, self.chunk_tokens // 2)


@dataclass(frozen=True, slots=True)
class LoadingConfig:
    timeout_s: float = 60.0  # for one file
    memory_mb: int = 2048  # address space of the process that reads files
    max_file_mb: int = 512
    max_text_mb: int = 128  # of text out of one file

    def __post_init__(self) -> None:
        _between("loading.timeout_s", self.timeout_s, 0.1, 86_400)
        _between("loading.memory_mb", self.memory_mb, 256, 1_048_576)
        _between("loading.max_file_mb", self.max_file_mb, 1, 1_048_576)
        _between("loading.max_text_mb", self.max_text_mb, 1, 65_536)


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    k: int = 8  # passages for an answer
    candidates: int = 50  # taken from each of the dense and the lexical search
    cover_weight: float = 3.0  # of the shared words, in standard deviations of the cosine

    def __post_init__(self) -> None:
        _between("retrieval.k", self.k, 1, 1000)
        _between("retrieval.candidates", self.candidates, 1, 1000)
        _between("retrieval.cover_weight", self.cover_weight, 0, 100)


@dataclass(frozen=True, slots=True)
class Config:
    models: ModelsConfig = field(default_factory=ModelsConfig)
    ollama: OllamaConfig = field(default_factory=OllamaConfig)
    chunking: ChunkingConfig = field(default_factory=ChunkingConfig)
    loading: LoadingConfig = field(default_factory=LoadingConfig)
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)


@dataclass(frozen=True, slots=True)
class Setting:
    """One resolved setting and where its value came from."""

    key: str  # "ollama.num_ctx"
    value: object
    origin: str  # "default", "file PATH", "environment NAME", "flag"


SECTIONS: dict[str, type] = get_type_hints(Config)
KEYS = {f"{section}.{name}": hint for section, kind in SECTIONS.items() for name, hint in get_type_hints(kind).items()}


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
            section: kind(**{key.split(".")[1]: v for key, v in values.items() if key.startswith(f"{section}.")})
            for section, kind in SECTIONS.items()
        }
    )
    settings = tuple(
        Setting(key, getattr(getattr(config, key.split(".")[0]), key.split(".")[1]), origins.get(key, "default"))
        for key in KEYS
    )
    return config, settings


def to_toml(config: Config) -> str:
    """`config` as TOML text that `resolve` reads back to an equal value."""
    lines: list[str] = []
    for section in fields(config):
        lines += ["", f"[{section.name}]"]
        part = getattr(config, section.name)
        for item in fields(part):
            value = getattr(part, item.name)
            lines.append(f"{item.name} = " + (f'"{value}"' if isinstance(value, str) else str(value)))
    return "\n".join(lines[1:]) + "\n"


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


def _known(key: str) -> None:
    if key in KEYS:
        return
    near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.5)
    raise ConfigError(
        "There is no setting {key}.",
        hint="Did you mean {near}?" if near else "`ragkit config` lists every setting.",
        key=key,
        near=near[0] if near else "",
    )


def _environment_key(name: str) -> str:
    names = {ENVIRONMENT_PREFIX + key.replace(".", "_").upper(): key for key in KEYS}
    if name in names:
        return names[name]
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
    choices = get_args(kind)
    if choices:
        if value not in choices:
            raise ConfigError(
                "{key} is {value}; it must be one of: {choices}.",
                key=key,
                value=repr(value),
                choices=", ".join(choices),
            )
        return value
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    number = isinstance(value, int) and not isinstance(value, bool)
    try:
        if kind is float and (number or isinstance(value, str)):
            return float(value)
        if kind is int and isinstance(value, str):
            return int(value)
    except ValueError:
        pass  # said below, with the key
    raise ConfigError(
        "{key} is {value}; it must be {kind}.",
        key=key,
        value=repr(value),
        kind={int: Message("a whole number"), float: Message("a number"), str: Message("a text")}[kind],
    )
