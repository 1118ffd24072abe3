"""Every failure that ragkit raises on purpose. Each says what happened and what to do next."""

from __future__ import annotations

from typing import ClassVar

from ragkit.i18n.messages import Message, coded


class RagkitError(Exception):
    """The base of all errors: `message` says what happened, `hint` what to do; `code` is for programs.

    `message` and `hint` are English sentences, or messages with a code of their own, filled with the keyword values.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str | Message, *, hint: str | Message = "", **values: object) -> None:
        self.message = _filled(message, values)
        self.hint = _filled(hint, values)
        super().__init__(self.message.text)

    def __str__(self) -> str:
        return str(self.message)


def _filled(message: str | Message, values: dict[str, object]) -> Message:
    if isinstance(message, str):
        return Message(text=message, values=values)
    return message.fill(**values) if values else message


class ConfigError(RagkitError):
    """A setting is unknown or impossible."""

    code = "config"


class InputError(RagkitError):
    """What the caller gave cannot be used: an empty question, a path that is not there."""

    code = "input"


class LoadError(RagkitError):
    """One document could not be read. This goes into the report, and never ends a run."""

    code = "load"


class UnsupportedFormat(LoadError):
    """There is no reader for this kind of file."""

    code = "unsupported_format"
    NEEDS_MORE = coded("needs_packages", "Reading {suffix} files needs more packages: {command}")


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
    """A model did not do what it was asked. `partial_text` is what it wrote before that."""

    code = "model"

    def __init__(
        self,
        message: str | Message,
        *,
        hint: str | Message = "",
        passing: bool = False,
        retry_after_s: float | None = None,
        **values: object,
    ) -> None:
        super().__init__(message, hint=hint, **values)
        self.passing = passing  # whether the same request may well succeed a moment later
        self.retry_after_s = retry_after_s  # how long the server asked to wait
        self.partial_text = ""


class ModelUnavailable(ModelError):
    """No server answers, or the embedded model is not installed."""

    code = "model_unavailable"


class ModelTimeout(ModelError):
    """The server is there but took too long."""

    code = "model_timeout"


class ModelNotFound(ModelError):
    """The server does not have this model."""

    code = "model_not_found"


class ModelUnable(ModelError):
    """The model cannot do this at all: a chat model asked to embed, an embedding model to chat."""

    code = "model_unable"


class ModelChanged(ModelError):
    """The server's model is not the one any more that the run began with."""

    code = "model_changed"


class EndpointMissing(ModelError):
    """The server does not know this path: it is older than the feature, or not the kind it is taken for."""

    code = "endpoint_missing"


class ContextOverflow(ModelError):
    """The prompt does not fit the model's window. `prompt_tokens` and `window_tokens` are the
    server's exact counts, or None where it gave none."""

    code = "context_overflow"
    prompt_tokens: int | None = None
    window_tokens: int | None = None


class BadReply(ModelError):
    """The server answered with something that is not a valid reply."""

    code = "bad_reply"


class FormatMismatch(BadReply):
    """The reply is whole, but does not have the form that was asked for; `partial_text` is the reply."""
