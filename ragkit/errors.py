"""Every failure ragkit raises on purpose. Each says what happened and what to do next."""

from __future__ import annotations

from typing import ClassVar

from ragkit.messages import Message


class RagkitError(Exception):
    """Base of all: `message` says what happened, `hint` what to do; `code` is for programs.

    `message` and `hint` are English `str.format` templates filled from the keyword values.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", **values: object) -> None:
        self.message = Message(message, values)
        self.hint = Message(hint, values)
        super().__init__(message)

    def __str__(self) -> str:
        return str(self.message)


class ConfigError(RagkitError):
    """A setting is unknown or impossible."""

    code = "config"


class InputError(RagkitError):
    """What the caller gave cannot be used: an empty question, a path that is not there."""

    code = "input"


class LoadError(RagkitError):
    """One document could not be read. Goes into the report; never ends a run."""

    code = "load"


class UnsupportedFormat(LoadError):
    """No reader for this kind of file."""

    code = "unsupported_format"


class NoText(LoadError):
    """The file was opened but holds no text."""

    code = "no_text"


class StoreError(RagkitError):
    """The index cannot be used."""

    code = "index"


class IndexMissing(StoreError):
    """There is no index here yet."""

    code = "index_missing"


class IndexBusy(StoreError):
    """Another process is writing to the index."""

    code = "index_busy"


class IndexMismatch(StoreError):
    """The index was made by another version or another embedding model."""

    code = "index_mismatch"


class IndexDamaged(StoreError):
    """The catalog itself is not a readable database any more."""

    code = "index_damaged"


class DiskFull(StoreError):
    """Nothing more can be written."""

    code = "disk_full"


class ModelError(RagkitError):
    """A model did not do what it was asked."""

    code = "model"


class ModelUnavailable(ModelError):
    """No server answers, or the embedded model is not installed."""

    code = "model_unavailable"


class ModelTimeout(ModelError):
    """The server is there but took too long."""

    code = "model_timeout"


class ModelNotFound(ModelError):
    """The server does not have this model."""

    code = "model_not_found"


class ContextOverflow(ModelError):
    """The prompt does not fit the model's window. `prompt_tokens` and `window_tokens` are the
    server's exact counts where it gave them."""

    code = "context_overflow"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        prompt_tokens: int | None = None,
        window_tokens: int | None = None,
        **values: object,
    ) -> None:
        super().__init__(message, hint=hint, **values)
        self.prompt_tokens = prompt_tokens
        self.window_tokens = window_tokens


class BadReply(ModelError):
    """The server answered with something that is not a valid reply."""

    code = "bad_reply"
