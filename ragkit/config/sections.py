"""Settings as values that cannot be wrong: one class a section of the file, each checks its own ranges."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from ragkit.types.errors import ConfigError
from ragkit.types.options import WINDOW_TOKENS, Options, Think

Backend = Literal["auto", "ollama", "openai", "embedded"]
_FIELD = re.compile(r"\{(\w*)\}")
_KEEP_ALIVE = re.compile(r"-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+|0")  # a Go duration


def _within(default: Any, low: float, high: float) -> Any:
    """Declares a number that must be from `low` to `high`; None stays allowed where it is the default."""
    return field(default=default, metadata={"range": (low, high)})


class _Section:
    """A table of the settings file. Making one checks every declared range. Raises ConfigError."""

    __slots__ = ()
    name: ClassVar[str]

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if "range" in item.metadata and value is not None:
                _check_range(f"{self.name}.{item.name}", value, *item.metadata["range"])


def _check_range(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(
            "{name} is {value}; it must be from {low} to {high}.",
            name=key,
            value=value,
            low=low,
            high=high,
        )


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    """Which models are used."""

    backend: Backend = "auto"  # auto: Ollama where it answers and has the models, else the embedded models
    embed_backend: Literal["", "auto", "ollama", "openai", "embedded"] = ""  # for embeddings; "": the same backend
    image_model: str = ""  # describes pictures, on the same server; "": no model does
    ask_again: bool = True  # whether a language model whose answer is not wholly proved is asked once more

    def __post_init__(self) -> None:
        if self.image_model and self.backend == "embedded":
            raise ConfigError(
                "models.image_model is {value}, but models.backend is embedded: it cannot look at pictures.",
                hint="Set models.backend to ollama or openai, and models.embed_backend to embedded.",
                value=self.image_model,
            )

    @property
    def embedding(self) -> Backend:
        """Where the embeddings come from."""
        return self.embed_backend or self.backend

    @property
    def named(self) -> frozenset[Backend]:
        """The one or two backends that are asked for."""
        return frozenset((self.backend, self.embedding))


@dataclass(frozen=True, slots=True)
class OllamaConfig:
    """The Ollama server."""

    host: str = ""  # "": OLLAMA_HOST, else http://127.0.0.1:11434
    embed_model: str = "bge-m3"
    chat_model: str = "qwen3:4b"
    keep_alive: str = "30m"  # how long the server keeps a model loaded
    think: Think = "off"

    def __post_init__(self) -> None:
        if not _KEEP_ALIVE.fullmatch(self.keep_alive):
            raise ConfigError(
                "ollama.keep_alive is {value}; it must be a duration.",
                hint='Write 30m, 1h30m, 45s, or -1m for "as long as the server runs".',
                value=repr(self.keep_alive),
            )


@dataclass(frozen=True, slots=True)
class OpenAIConfig:
    """Any server with `/v1/chat/completions` and `/v1/embeddings`. The key is never a setting: it
    stays in the environment."""

    base_url: str = ""  # "": OPENAI_BASE_URL, else https://api.openai.com/v1
    embed_model: str = "text-embedding-3-small"
    chat_model: str = "gpt-4o-mini"
    api_key_env: str = "OPENAI_API_KEY"  # the environment variable that holds the key


@dataclass(frozen=True, slots=True)
class EmbeddingConfig(_Section):
    """What a served embedding model expects, where the table of families does not know it or is wrong."""

    name = "embedding"
    query_prefix: str | None = None  # None: the prefix of the model's family
    document_prefix: str | None = None
    max_tokens: int | None = _within(None, 32, 10_000_000)  # of one text; None: what the family and the server say
    dimensions: int | None = _within(None, 8, 100_000)  # vectors are cut to so many numbers; None: they stay whole


@dataclass(frozen=True, slots=True)
class RequestsConfig(_Section):
    """How patient ragkit is with a model server."""

    name = "requests"
    first_byte_timeout_s: float = _within(300.0, 0.1, 86_400)  # a cold model is silent while it loads
    idle_timeout_s: float = _within(60.0, 0.1, 86_400)  # between two pieces of a stream
    retry_s: float = _within(20.0, 0, 86_400)  # how long a passing fault is tried again


@dataclass(frozen=True, slots=True)
class ChunkingConfig(_Section):
    """How long chunks are."""

    name = "chunking"
    chunk_tokens: int = _within(192, 32, 8192)
    overlap_tokens: int = 0  # shared by two neighbours, in whole sentences; up to half of `chunk_tokens`

    def __post_init__(self) -> None:
        _Section.__post_init__(self)
        _check_range("chunking.overlap_tokens", self.overlap_tokens, 0, self.chunk_tokens // 2)


@dataclass(frozen=True, slots=True)
class LoadingConfig(_Section):
    """The limits within which a file is read."""

    name = "loading"
    timeout_s: float = _within(60.0, 0.1, 86_400)  # for one file
    memory_mb: int = _within(2048, 256, 1_048_576)  # address space of the process that reads files
    max_file_mb: int = _within(512, 1, 1_048_576)
    max_text_mb: int = _within(512, 1, 65_536)  # of the text that one file gives
    max_age_days: int = _within(0, 0, 100_000)  # files that were last changed longer ago are left out; 0: none is
    ocr: Literal["auto", "off"] = "auto"  # auto: pictures and pages without text are read where OCR is installed


@dataclass(frozen=True, slots=True)
class StoreConfig(_Section):
    """How the index is kept."""

    name = "store"
    exact_mb: int = _within(64, 0, 1_048_576)  # vectors up to this size are searched one by one, more by Chroma


@dataclass(frozen=True, slots=True)
class RetrievalConfig(_Section):
    """How passages are found. The weights of the ranking are constants of `ragkit.retrieval.fusion`."""

    name = "retrieval"
    k: int = _within(8, 1, 1000)  # passages for an answer
    candidates: int = _within(100, 1, 1000)  # taken from each of the dense and the lexical search
    mode: Literal["hybrid", "dense", "lexical"] = "hybrid"
    least_share: float = _within(
        0.68, 0, 1
    )  # of the best score, which a passage of an answer needs; 0: all `k` are used
    join: int = _within(1, 0, 100)  # neighbours on each side that are read with a chunk if they fit the question too
    per_source: int = _within(0, 0, 1000)  # passages of one document at the most; 0: any number
    repeats: Literal["once", "all"] = "once"  # once: a passage that says the same as a better one is left out
    rerank: Literal["auto", "off", "sentences", "chat"] = "auto"  # auto: sentences with the embedded model, else off
    expand: Literal["off", "translate", "paraphrase", "hyde"] = "off"  # what the language model adds to search for


Links = Literal["auto", "always", "never"]


def command_words(command: str) -> list[str]:
    """The words of a command; quotation marks hold one together, a backslash is a letter like others.
    Raises ValueError: a quotation mark is not closed."""
    words = shlex.shlex(command, posix=True)
    words.whitespace_split, words.escape, words.commenters = True, "", ""
    return list(words)


@dataclass(frozen=True, slots=True)
class OpenConfig:
    """How a cited source is opened. Commands without a shell; {file}, {line}, {page} are filled in."""

    editor: str = ""  # for texts; "": VISUAL or EDITOR, else the system's choice
    pdf: str = ""  # for PDFs; "": the system's choice
    links: Links = "auto"  # on citations in the terminal; auto: where it is likely to know them

    def __post_init__(self) -> None:
        for name, command, known in (("editor", self.editor, "line"), ("pdf", self.pdf, "page")):
            try:
                fields = {field for word in command_words(command) for field in _FIELD.findall(word)}
            except ValueError:
                fields = {'"'}
            if not fields <= {"file", known}:
                raise ConfigError(
                    "open.{name} is {command}; it must be a command with {fields}.",
                    name=name,
                    command=repr(command),
                    fields=f"{{file}}, {{{known}}}",
                )


_OPTIONS = Options(num_ctx=WINDOW_TOKENS, num_predict=1024, temperature=0.0)


@dataclass(frozen=True, slots=True)
class Config:
    models: ModelsConfig = field(default_factory=ModelsConfig)
    ollama: OllamaConfig = field(default_factory=OllamaConfig)
    openai: OpenAIConfig = field(default_factory=OpenAIConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    options: Options = _OPTIONS
    requests: RequestsConfig = field(default_factory=RequestsConfig)
    chunking: ChunkingConfig = field(default_factory=ChunkingConfig)
    loading: LoadingConfig = field(default_factory=LoadingConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    open: OpenConfig = field(default_factory=OpenConfig)

    def __post_init__(self) -> None:
        window, answer = self.window_tokens, self.options.num_predict
        _check_range("options.num_ctx", window, 512, 10_000_000)
        if answer is not None and answer > window // 2:
            raise ConfigError(
                "options.num_predict is {predict}, more than half of options.num_ctx ({ctx}).",
                hint="Lower options.num_predict or raise options.num_ctx.",
                predict=answer,
                ctx=window,
            )

    @property
    def window_tokens(self) -> int:
        """The chat model's window, which prompt and answer share."""
        return self.options.num_ctx or WINDOW_TOKENS

    @property
    def answer_tokens(self) -> int:
        """The part of the window that is kept free for the answer."""
        limit = self.options.num_predict
        return limit if limit is not None and limit > 0 else self.window_tokens // 4
