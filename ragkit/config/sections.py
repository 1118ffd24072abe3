"""Settings as values that cannot be wrong: one class a section of the file, each checks its own ranges."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Literal

from ragkit.types.errors import ConfigError
from ragkit.types.model_server import Think
from ragkit.types.options import WINDOW_TOKENS, Options

Backend = Literal["auto", "ollama", "openai", "embedded"]
_FIELD = re.compile(r"\{(\w*)\}")
_KEEP_ALIVE = re.compile(r"-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+|0")  # a Go duration


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
    embed_backend: Literal["", "auto", "ollama", "openai", "embedded"] = ""  # of embeddings; "": as `backend`
    image_model: str = ""  # on the same server, describes pictures without readable text; "": none does
    ask_again: bool = True  # a language model whose answer is not wholly proved, once

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
        """The one or two that are asked for."""
        return frozenset((self.backend, self.embedding))


@dataclass(frozen=True, slots=True)
class OllamaConfig:
    host: str = ""  # "": OLLAMA_HOST, else http://127.0.0.1:11434
    embed_model: str = "bge-m3"
    chat_model: str = "qwen3:4b"
    keep_alive: str = "30m"
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
    organization: str = ""  # "": OPENAI_ORG_ID
    project: str = ""  # "": OPENAI_PROJECT_ID


@dataclass(frozen=True, slots=True)
class EmbeddingConfig:
    """What a served embedding model expects, where the table of families does not know it or is wrong."""

    query_prefix: str | None = None  # None: the family's
    document_prefix: str | None = None
    max_tokens: int | None = None  # of one text; None: the family's and the server's
    dimensions: int | None = None  # cut vectors to so many numbers; None: whole

    def __post_init__(self) -> None:
        if self.max_tokens is not None:
            _between("embedding.max_tokens", self.max_tokens, 32, 10_000_000)
        if self.dimensions is not None:
            _between("embedding.dimensions", self.dimensions, 8, 100_000)


@dataclass(frozen=True, slots=True)
class RequestsConfig:
    """How a model server is talked to."""

    connect_timeout_s: float = 3.0
    first_byte_timeout_s: float = 300.0  # a cold model is silent while it loads
    idle_timeout_s: float = 60.0  # between two pieces of a stream
    retry_s: float = 20.0  # for how long a passing fault is tried again
    batch_texts: int = 64  # texts in one embedding request at the most; slow servers get fewer
    parallel: int = 2  # requests at once

    def __post_init__(self) -> None:
        _between("requests.connect_timeout_s", self.connect_timeout_s, 0.1, 3600)
        _between("requests.first_byte_timeout_s", self.first_byte_timeout_s, 0.1, 86_400)
        _between("requests.idle_timeout_s", self.idle_timeout_s, 0.1, 86_400)
        _between("requests.retry_s", self.retry_s, 0, 86_400)
        _between("requests.batch_texts", self.batch_texts, 1, 4096)
        _between("requests.parallel", self.parallel, 1, 64)


@dataclass(frozen=True, slots=True)
class ChunkingConfig:
    chunk_tokens: int = 192
    overlap_tokens: int = 0

    def __post_init__(self) -> None:
        _between("chunking.chunk_tokens", self.chunk_tokens, 32, 8192)
        _between("chunking.overlap_tokens", self.overlap_tokens, 0, self.chunk_tokens // 2)


@dataclass(frozen=True, slots=True)
class LoadingConfig:
    timeout_s: float = 60.0  # for one file
    memory_mb: int = 2048  # address space of the process that reads files
    max_file_mb: int = 512
    max_text_mb: int = 512  # of text out of one file
    max_age_days: int = 0  # since a file was last changed; older ones are left out; 0: none is
    ocr: Literal["auto", "off"] = "auto"  # of pictures and pages without text; auto: if it is installed

    def __post_init__(self) -> None:
        _between("loading.timeout_s", self.timeout_s, 0.1, 86_400)
        _between("loading.memory_mb", self.memory_mb, 256, 1_048_576)
        _between("loading.max_file_mb", self.max_file_mb, 1, 1_048_576)
        _between("loading.max_text_mb", self.max_text_mb, 1, 65_536)
        _between("loading.max_age_days", self.max_age_days, 0, 100_000)


@dataclass(frozen=True, slots=True)
class StoreConfig:
    exact_mb: int = 64  # vectors in memory, 4 bytes a number: up to so many are searched one by one, more by Chroma

    def __post_init__(self) -> None:
        _between("store.exact_mb", self.exact_mb, 0, 1_048_576)


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    k: int = 8  # passages for an answer
    candidates: int = 100  # taken from each of the dense and the lexical search
    mode: Literal["hybrid", "dense", "lexical"] = "hybrid"
    words_weight: float = 3.25  # of the BM25 score, in standard deviations of the cosine
    cover_weight: float = 1.0  # of the share of the question's words, likewise
    document_weight: float = 3.0  # of the share of them in the name and the opening of the document, likewise
    feedback: int = 5  # best passages that the question is moved towards, before the last ranking; 0: none
    neighbours: int = 15  # found passages most like a passage, whose scores it shares; 0: none
    widen_tokens: int = 0  # of the text around a passage, within its section, that go with it
    per_source: int = 0  # passages of one document at the most; 0: any number
    repeats: Literal["once", "all"] = "once"  # passages that say the same as a better one
    join: int = 1  # chunks on each side of a found one that are read with it, if they fit the question too
    join_share: float = 0.45  # of the best chunk's score, that such a neighbour needs
    least_share: float = 0.68  # of the best chunk's score, that a passage of an answer needs; 0: all `k` are used
    diversity: float = 0.0  # 0: by rank alone, to 1: whatever is least like the passages before it
    # The best passages in a new order. sentences: by the nearest sentence of each, which costs some thirty embeddings;
    # chat: by the language model; auto: sentences with the embedded model, off with a server's.
    rerank: Literal["auto", "off", "sentences", "chat"] = "auto"
    rerank_passages: int = 20  # for chat
    expand: Literal["off", "translate", "paraphrase", "hyde"] = "off"  # what the language model adds to search for

    def __post_init__(self) -> None:
        _between("retrieval.k", self.k, 1, 1000)
        _between("retrieval.candidates", self.candidates, 1, 1000)
        _between("retrieval.widen_tokens", self.widen_tokens, 0, 100_000)
        _between("retrieval.per_source", self.per_source, 0, 1000)
        _between("retrieval.join", self.join, 0, 100)
        _between("retrieval.join_share", self.join_share, 0, 1)
        _between("retrieval.least_share", self.least_share, 0, 1)
        _between("retrieval.diversity", self.diversity, 0, 1)
        _between("retrieval.rerank_passages", self.rerank_passages, 2, 1000)
        _between("retrieval.words_weight", self.words_weight, 0, 100)
        _between("retrieval.cover_weight", self.cover_weight, 0, 100)
        _between("retrieval.document_weight", self.document_weight, 0, 100)
        _between("retrieval.feedback", self.feedback, 0, 100)
        _between("retrieval.neighbours", self.neighbours, 0, 100)


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

    editor: str = ""  # of texts; "": VISUAL or EDITOR, else the system's choice
    pdf: str = ""  # "": the system's choice
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
        if window < 512:
            _between("options.num_ctx", window, 512, 10_000_000)
        if answer is not None and answer > window // 2:
            raise ConfigError(
                "options.num_predict is {predict}, more than half of options.num_ctx ({ctx}).",
                hint="Lower options.num_predict or raise options.num_ctx.",
                predict=answer,
                ctx=window,
            )

    @property
    def window_tokens(self) -> int:
        """Of the chat model, prompt and answer together."""
        return self.options.num_ctx or WINDOW_TOKENS

    @property
    def answer_tokens(self) -> int:
        """Kept free in the window for the answer."""
        limit = self.options.num_predict
        return limit if limit is not None and limit > 0 else self.window_tokens // 4
