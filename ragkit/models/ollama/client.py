"""The door to an Ollama server: every request of its native API, typed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ragkit.config.sections import Config
from ragkit.i18n.messages import Message
from ragkit.models.families import Expectations, expectations
from ragkit.models.http.addresses import base_url, may_carry_key
from ragkit.models.http.server import Server, as_object
from ragkit.models.ollama.errors import count, status_error, text_error
from ragkit.models.ollama.json import (
    as_base64,
    check_format,
    entries,
    error_text,
    installed_of,
    joined,
    message_json,
    piece_of,
    record_of,
    reply_of,
    running_of,
    seconds,
)
from ragkit.types.errors import BadReply, EndpointMissing, InputError, ModelError, ModelUnable
from ragkit.types.model_server import (
    ChatRequest,
    EmbedReply,
    Format,
    GenerateRequest,
    InstalledModel,
    ModelRecord,
    Piece,
    Reply,
    RunningModel,
    Transfer,
)
from ragkit.types.options import LOAD_TIME, WINDOW_TOKENS, Options, Think

_EMBED_TOKENS = 2048  # Ollama's own window for embedding models
_UPLOAD_BYTES = 2**20  # a piece of a file on its way
_PROGRESS_SILENCE_S = 1800.0  # verifying or quantizing a large model tells nothing for long
_RESUMES = 5  # of a pull that broke off


class Ollama:
    """One server. Every method raises ModelError; see `ragkit.errors`.

    What a server leaves to chance is always sent: the window (`num_ctx`), `think`, `truncate` and
    `shift` off, and the same load-time options for a model again, so that it is not loaded anew.
    """

    def __init__(self, config: Config, environ: Mapping[str, str] | None = None) -> None:
        """Connects to nothing yet. `environ` (default: the process's) may hold OLLAMA_API_KEY, which
        goes only to https addresses and to this machine."""
        env = os.environ if environ is None else environ
        self.config = config
        self.url = base_url(config.ollama.host)
        key = env.get("OLLAMA_API_KEY", "")
        self.key_withheld = bool(key) and not may_carry_key(self.url)
        self.server = Server(
            self.url,
            "Ollama",
            config.requests,
            status_error,
            start_hint=Message("Start it with `ollama serve`, set OLLAMA_HOST, or use --set models.backend=embedded."),
            headers={"Authorization": f"Bearer {key}"} if key and not self.key_withheld else {},
        )
        self._loaded: dict[str, dict[str, object]] = {}
        self._records: dict[str, ModelRecord] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        self.server.close()

    # -- text ----------------------------------------------------------------------------------

    def generate(self, request: GenerateRequest) -> Reply:
        """The whole answer to a prompt. See `stream_generate`."""
        return _last(self.stream_generate(request))

    def stream_generate(self, request: GenerateRequest) -> Generator[Piece | Reply, None, None]:
        """Pieces as they come and last, once, the Reply. An empty prompt loads the model.

        A reply that breaks off raises, with what came in the error's `partial_text`; so does one that
        does not fit `request.format`.
        """
        model = request.model or self.config.ollama.chat_model
        body: dict[str, object] = {"model": model, "prompt": request.prompt}
        texts = {"suffix": request.suffix, "system": request.system, "template": request.template}
        body |= {name: text for name, text in texts.items() if text}
        body |= {"raw": True} if request.raw else {}
        body |= {"images": as_base64(request.images)} if request.images else {}
        body |= self._frame(model, request.options, request.think, request.keep_alive, request.format)
        yield from self._streamed("/api/generate", body, request.format)

    def chat(self, request: ChatRequest) -> Reply:
        """The whole answer to a conversation. See `stream_chat`."""
        return _last(self.stream_chat(request))

    def stream_chat(self, request: ChatRequest) -> Generator[Piece | Reply, None, None]:
        """Pieces as they come and last, once, the Reply. No messages load the model."""
        model = request.model or self.config.ollama.chat_model
        body: dict[str, object] = {"model": model, "messages": [message_json(one) for one in request.messages]}
        body |= {"tools": list(request.tools)} if request.tools else {}
        body |= self._frame(model, request.options, request.think, request.keep_alive, request.format)
        yield from self._streamed("/api/chat", body, request.format)

    def _frame(
        self, model: str, options: Options, think: Think | None, keep_alive: str | int | None, form: Format
    ) -> dict[str, object]:
        """The fields that generate and chat share."""
        if isinstance(form, str) and form not in ("", "json"):
            raise InputError('The format is {form}; it must be "json" or a JSON Schema.', form=form)
        return {
            "stream": True,
            "think": self._think(model, think or self.config.ollama.think),
            "truncate": False,
            "shift": False,
            "keep_alive": self.config.ollama.keep_alive if keep_alive is None else keep_alive,
            "options": self._options(model, options.over(self.config.options)),
            **({"format": form} if form else {}),
        }

    def _options(self, model: str, options: Options) -> dict[str, object]:
        """`options` with the load-time values that `model` was last used with where they are silent."""
        given = options.given()
        with self._lock:
            frozen = self._loaded.setdefault(model.casefold(), {"num_ctx": WINDOW_TOKENS})
            frozen |= {name: given[name] for name in LOAD_TIME if name in given}
            return {**given, **frozen}

    def _think(self, model: str, wanted: Think) -> bool | str:
        if wanted == "off":
            return False
        record = self.record(model)
        if record.capabilities and "thinking" not in record.capabilities:
            raise ModelUnable(
                "The model {model} cannot think before it answers.",
                hint="Set ollama.think to off, or choose a thinking model.",
                model=model,
            )
        return True if wanted == "on" else wanted

    def _streamed(self, path: str, body: dict[str, object], form: Format) -> Generator[Piece | Reply, None, None]:
        model = str(body["model"])
        total = Piece()
        try:
            with contextlib.closing(self.server.stream(path, body)) as lines:
                for line in lines:
                    part = as_object(line, model)
                    if "error" in part:
                        raise text_error(error_text(part["error"]), model)
                    piece = piece_of(part)
                    if piece != Piece():
                        total = joined(total, piece)
                        yield piece
                    if part.get("done"):
                        reply = reply_of(part, total, model)
                        check_format(reply, form)
                        yield reply
                        return
            raise BadReply(
                "The model {model} ended its answer in the middle.",
                hint="Ask again; if it stays so, look into the log of the Ollama server.",
                model=model,
            )
        except ModelError as exc:
            exc.partial_text = total.text
            raise

    # -- embeddings ----------------------------------------------------------------------------

    def embed(
        self,
        texts: Sequence[str],
        model: str = "",
        *,
        truncate: bool = False,
        dimensions: int | None = None,
        options: Options | None = None,
        keep_alive: str | int | None = None,
        retry: bool = True,
    ) -> EmbedReply:
        """A vector for each text, as the server gives it: no prefix is added and nothing is checked
        but their number. A text over the model's limit raises ContextOverflow unless `truncate`."""
        reply = self.embed_rows(
            texts, model, truncate=truncate, dimensions=dimensions, options=options, keep_alive=keep_alive, retry=retry
        )
        return EmbedReply(
            vectors=tuple(tuple(row) for row in reply["embeddings"]),
            model=str(reply.get("model", model)),
            prompt_eval_count=count(reply.get("prompt_eval_count")),
            total_s=seconds(reply.get("total_duration")),
            load_s=seconds(reply.get("load_duration")),
        )

    def embed_rows(
        self,
        texts: Sequence[str],
        model: str = "",
        *,
        truncate: bool = False,
        dimensions: int | None = None,
        options: Options | None = None,
        keep_alive: str | int | None = None,
        retry: bool = True,
    ) -> dict[str, Any]:
        """The server's own reply to `embed`, with as many "embeddings" as there are texts."""
        name = model or self.config.ollama.embed_model
        body: dict[str, object] = {
            "model": name,
            "input": list(texts),
            "truncate": truncate,
            "keep_alive": self.config.ollama.keep_alive if keep_alive is None else keep_alive,
        }
        body["options"] = self._embedding_options(name, options or Options())
        body |= {"dimensions": dimensions} if dimensions else {}
        reply = self.server.post("/api/embed", body, retry=retry)
        rows = reply.get("embeddings") or []
        if not isinstance(rows, list) or len(rows) != len(texts):
            raise BadReply(
                "The model {model} gave {found} of {asked} vectors.",
                model=name,
                found=len(rows) if isinstance(rows, list) else 0,
                asked=len(texts),
            )
        return {**reply, "embeddings": rows}

    def embed_legacy(self, text: str, model: str = "", keep_alive: str | int | None = None) -> tuple[float, ...]:
        """The vector of one text by the older `/api/embeddings`; not of unit length with every model."""
        name = model or self.config.ollama.embed_model
        body: dict[str, object] = {
            "model": name,
            "prompt": text,
            "keep_alive": self.config.ollama.keep_alive if keep_alive is None else keep_alive,
        }
        body["options"] = self._embedding_options(name, Options())
        row = self.server.post("/api/embeddings", body).get("embedding")
        if not isinstance(row, list) or (text and not row):
            raise BadReply("The model {model} gave {found} of {asked} vectors.", model=name, found=0, asked=1)
        return tuple(row)

    def _embedding_options(self, model: str, options: Options) -> dict[str, object]:
        """`options`; where they are silent the window is all that the model reads of one text."""
        limit = self.expectations(model).max_tokens
        given = options.given()
        with self._lock:
            frozen = self._loaded.setdefault(model.casefold(), {"num_ctx": limit, "num_batch": limit})
            frozen |= {name: given[name] for name in LOAD_TIME if name in given}
            return {**given, **frozen}

    def expectations(self, model: str) -> Expectations:
        """What `model` expects as an embedding model: prefixes, and how much it reads of a text.

        Not more than our chunks need: the memory of a window grows with its square.
        """
        record = self.record(model)
        names = (model, record.basename, *record.families)
        needed = max(2 * self.config.chunking.chunk_tokens, _EMBED_TOKENS)
        return expectations(self.config.embedding, names, min(record.context_tokens or needed, needed))

    # -- models --------------------------------------------------------------------------------

    def version(self, timeout_s: float | None = None) -> str:
        return str(self.server.get("/api/version", timeout_s).get("version", ""))

    def list(self, timeout_s: float | None = None) -> tuple[InstalledModel, ...]:
        """The installed models, newest first. With `timeout_s`, asked once and for so long only."""
        return tuple(installed_of(entry) for entry in entries(self.server.get("/api/tags", timeout_s)))

    def running(self) -> tuple[RunningModel, ...]:
        """The models in memory, longest remaining lifetime first."""
        return tuple(running_of(entry) for entry in entries(self.server.get("/api/ps")))

    def show(self, model: str, *, verbose: bool = False) -> ModelRecord:
        """What the server knows of `model`; `verbose` adds long lists such as its vocabulary."""
        body: dict[str, object] = {"model": model, **({"verbose": True} if verbose else {})}
        try:
            return record_of(model, self.server.post("/api/show", body))
        except EndpointMissing:
            return record_of(model, {})  # other programs that speak a part of the API

    def record(self, model: str) -> ModelRecord:
        """`show`, asked once in the life of this object."""
        if model not in self._records:
            self._records[model] = self.show(model)
        return self._records[model]

    def installed(self, model: str, timeout_s: float | None = None) -> InstalledModel | None:
        """The list's entry of `model`, by Ollama's rule: no tag is `latest`, case does not count."""
        wanted = full_name(model)
        return next((entry for entry in self.list(timeout_s) if full_name(entry.name) == wanted), None)

    def load(self, model: str = "", keep_alive: str | int | None = None) -> None:
        """Bring `model` (default: the chat model) into memory, with the options it will be used with."""
        name = model or self.config.ollama.chat_model
        able = self.record(name).capabilities
        if able and "completion" not in able:
            self.embed_rows([], name, keep_alive=keep_alive)
        else:
            self.generate(GenerateRequest("", name, keep_alive=keep_alive))

    def unload(self, model: str = "") -> None:
        """Take `model` (default: the chat model) out of memory."""
        name = model or self.config.ollama.chat_model
        self.server.post("/api/generate", {"model": name, "keep_alive": 0, "stream": False})

    def pull(self, model: str, *, insecure: bool = False) -> Iterator[Transfer]:
        """Download `model`, telling each step. A download that breaks off is resumed a few times; it
        raises unless the server said "success"."""
        for attempt in range(_RESUMES + 1):
            try:
                yield from self._progress("/api/pull", {"model": model, "insecure": insecure})
                return
            except ModelError as exc:
                if not exc.passing or attempt == _RESUMES:
                    raise

    def push(self, model: str, *, insecure: bool = False) -> Iterator[Transfer]:
        """Upload `model` to its registry."""
        return self._progress("/api/push", {"model": model, "insecure": insecure})

    def create(
        self,
        model: str,
        *,
        base: str = "",
        file: Path | None = None,
        system: str = "",
        template: str = "",
        parameters: Options | None = None,
        quantize: str = "",
    ) -> Iterator[Transfer]:
        """Make `model` from the model `base`, or from a GGUF file of this machine, which is uploaded
        unless the server has it. Raises InputError when the file cannot be read."""
        texts = {"from": base, "system": system, "template": template, "quantize": quantize}
        body: dict[str, object] = {"model": model, **{name: text for name, text in texts.items() if text}}
        body |= {"parameters": parameters.given()} if parameters and parameters.given() else {}
        if file is not None:
            digest = yield from self.upload(file)
            body["files"] = {file.name: digest}
        yield from self._progress("/api/create", body)

    def upload(self, file: Path) -> Generator[Transfer, None, str]:
        """Put a file on the server unless it is there; returns its digest. Raises InputError."""
        try:
            digest = yield from _hashed(file)
            total, name = file.stat().st_size, f"uploading {file.name}"
            if not self.server.has(f"/api/blobs/{digest}"):
                yield Transfer(name, digest, total, 0)
                with file.open("rb") as stream:
                    self.server.upload(f"/api/blobs/{digest}", iter(lambda: stream.read(_UPLOAD_BYTES), b""))
            yield Transfer(name, digest, total, total)
            return digest
        except OSError as exc:
            raise InputError("Cannot read {path}: {why}.", path=file, why=exc.strerror) from exc

    def copy(self, source: str, destination: str) -> None:
        self.server.post("/api/copy", {"source": source, "destination": destination, "model": source})

    def delete(self, model: str) -> None:
        """Remove `model` from the server's disk."""
        self.server.delete("/api/delete", {"model": model})

    def _progress(self, path: str, body: dict[str, object]) -> Iterator[Transfer]:
        model = str(body["model"])
        with contextlib.closing(self.server.stream(path, {**body, "stream": True}, _PROGRESS_SILENCE_S)) as lines:
            for line in lines:
                part = as_object(line, model)
                if "error" in part:
                    raise text_error(error_text(part["error"]), model)
                step = Transfer(
                    str(part.get("status", "")),
                    str(part.get("digest", "")),
                    count(part.get("total")) or 0,
                    count(part.get("completed")) or 0,
                )
                yield step
                if step.status == "success":
                    return
        raise BadReply(
            "Ollama broke off before {model} was done.", hint="Run it again: it goes on.", passing=True, model=model
        )


def full_name(model: str) -> str:
    """A model's name with its tag, as the server compares names."""
    return (model if ":" in model.rpartition("/")[2] else f"{model}:latest").casefold()


def _last(parts: Iterator[Piece | Reply]) -> Reply:
    *_, reply = parts
    assert isinstance(reply, Reply)
    return reply


def _hashed(path: Path) -> Generator[Transfer, None, str]:
    """The digest of a file; tells how far it is."""
    found, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as stream:
        while piece := stream.read(16 * _UPLOAD_BYTES):
            found.update(piece)
            done += len(piece)
            yield Transfer(f"hashing {path.name}", "", total, done)
    return "sha256:" + found.hexdigest()
