"""A small Ollama on a real socket, without a model: it says what real servers say, and records it all."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from ragkit.testing.embedder import DIMENSION, hash_vector
from ragkit.testing.faults import FAULTS
from ragkit.testing.wire import Request, Scripted, WireServer, json_reply, stream_reply
from ragkit.text.terms import CJK

Behaviour = Callable[[str, dict[str, Any]], Scripted | None]
Answer = str | Callable[[dict[str, Any]], str]

_LOAD_TIME = ("num_ctx", "num_batch", "num_gpu", "num_thread", "main_gpu", "use_mmap", "draft_num_predict")
_TOKEN = re.compile(rf"[{CJK}]|[^\W{CJK}]+|[^\w\s]")
_TIME = "2026-01-02T03:04:05.123456789Z"


def count_tokens(text: str) -> int:
    """How many tokens the scripted server takes `text` for: a word, a mark, a CJK character each."""
    return len(_TOKEN.findall(text))


def chat_reply(text: str, **final: object) -> Scripted:
    """A streamed answer, a word a line, ended as Ollama ends it."""
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1].rstrip(" ")
    parts: list[dict[str, object]] = [
        {"model": "m", "message": {"role": "assistant", "content": word}, "done": False} for word in words
    ]
    last = {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    return stream_reply([*parts, {**last, **final}])


@dataclass
class ScriptedOllama:
    """An Ollama server on loopback that does as it is told and records every request.

    By default it has the models `embed` and `chat`, embeds by `hash_vector` and answers with `answer`.
    `fault` names a row of `FAULTS`, which befalls the paths that start with one of `on` (default: those
    the row is about), the first `times` times. A `behaviour` sees (path, body) first and may return
    another reply.
    """

    models: Sequence[str] = ("embed:latest", "chat:latest")
    answer: Answer = "The documents do not say."
    behaviour: Behaviour | None = None
    fault: str = ""
    on: Sequence[str] = ()
    times: int | None = None
    window_tokens: int | None = None  # really allocated; None: what num_ctx asks for
    trained_tokens: int = 32_768
    cuts_silently: bool = False  # an over-long prompt is cut, as old servers do, instead of refused
    max_embed_tokens: int = 100_000
    load_s: float = 0.0  # silence while a model loads: at first, and when its load-time options change
    piece_pause_s: float = 0.0  # before each piece of an answer
    digest: str = "d" * 64
    capabilities: Sequence[str] = ("completion", "tools", "vision")  # of its chat models
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    records: list[Request] = field(default_factory=list)
    loaded: dict[str, dict[str, Any]] = field(default_factory=dict)
    loads: list[str] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)

    def __enter__(self) -> ScriptedOllama:
        self._lock = threading.Lock()
        self._wire = WireServer(self._reply)
        if self.fault and FAULTS[self.fault].refused:
            self._wire.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not (self.fault and FAULTS[self.fault].refused):
            self._wire.close()

    @property
    def url(self) -> str:
        return self._wire.url

    @property
    def closed_early(self) -> list[str]:
        """The paths of the replies whose client left before their end."""
        return self._wire.closed_early

    def texts_embedded(self) -> int:
        """How many texts were sent to be embedded."""
        return sum(len(body.get("input", ())) for path, body in self.requests if path == "/api/embed")

    def prompts(self) -> list[dict[str, Any]]:
        """The bodies of the chat requests that ask something."""
        return [body for path, body in self.requests if path == "/api/chat" and body.get("messages")]

    def _reply(self, request: Request) -> Scripted:
        with self._lock:
            self.requests.append((request.path, request.body))
            self.records.append(request)
            if self.behaviour is not None:
                special = self.behaviour(request.path, request.body)
                if special is not None:
                    return special
            normal = self._normal(request)
            return self._faulty(request, normal) if self.fault else normal

    def _faulty(self, request: Request, normal: Scripted) -> Scripted:
        fault = FAULTS[self.fault]
        if self.times == 0 or not request.path.startswith(tuple(self.on or fault.on)):
            return normal
        spoilt = fault.reply(request, normal)
        if self.times is not None and spoilt is not normal:
            self.times -= 1
        return spoilt

    # -- what a healthy server says ------------------------------------------------------------

    def _normal(self, request: Request) -> Scripted:
        path, body = request.path, request.body
        if path == "/":
            return Scripted(200, (b"Ollama is running",), "text/plain; charset=utf-8")
        if path.startswith("/api/blobs/"):
            return self._blob(request)
        if path == "/api/version":
            return json_reply({"version": "0.33.0"})
        if path == "/api/tags":
            return json_reply({"models": [self._entry(model) for model in self.models]})
        if path == "/api/ps":
            return json_reply({"models": [self._running(model) for model in self.loaded]})
        if path == "/v1/models":
            return json_reply({"object": "list", "data": [{"id": model, "object": "model"} for model in self.models]})
        if path in ("/api/pull", "/api/push", "/api/create"):
            return self._transfer(path, body)
        known = self._known(str(body.get("model") or body.get("source") or ""))
        serve = _ROUTES.get(path)
        if serve is None:
            return Scripted(404, (b"404 page not found",), "text/plain")
        if not known:
            return self._missing(path, str(body.get("model", "")))
        return serve(self, body, known)

    def _known(self, name: str) -> str:
        wanted = name if ":" in name else f"{name}:latest"
        return next((model for model in self.models if model.casefold() == wanted.casefold()), "")

    def _missing(self, path: str, model: str) -> Scripted:
        if path.startswith("/v1/"):
            error = {"message": f"model '{model}' not found", "type": "not_found_error", "param": None, "code": None}
            return json_reply({"error": error}, 404)
        if path in ("/api/embed", "/api/embeddings"):
            return json_reply({"error": f'model "{model}" not found, try pulling it first'}, 404)
        return json_reply({"error": f"model '{model}' not found"}, 404)

    def _entry(self, model: str) -> dict[str, object]:
        details = {"format": "gguf", "family": "bert", "parameter_size": "4B", "quantization_level": "Q4_K_M"}
        digest = hashlib.sha256((self.digest + model).encode()).hexdigest()
        return {
            "name": model,
            "model": model,
            "modified_at": _TIME,
            "size": 2_500_000_000,
            "digest": digest,
            "details": details,
            "capabilities": list(self._capabilities(model)),
        }

    def _capabilities(self, model: str) -> tuple[str, ...]:
        return ("embedding",) if "embed" in model else tuple(self.capabilities)

    def _running(self, model: str) -> dict[str, object]:
        window = self.loaded[model].get("num_ctx", 4096)
        return {
            **self._entry(model),
            "expires_at": "2026-01-02T03:09:05Z",
            "size_vram": 0,
            "context_length": min(window, self.window_tokens or window, self.trained_tokens),
        }

    def _load(self, model: str, body: Mapping[str, Any]) -> float:
        """Load `model` unless it is, with the same options; how long that takes in seconds."""
        options = body.get("options") or {}
        wanted = {name: options[name] for name in _LOAD_TIME if name in options}
        if "shift" in body:
            wanted["shift"] = body["shift"]
        if self.loaded.get(model) == wanted:
            return 0.0
        self.loaded[model] = wanted
        self.loads.append(model)
        return self.load_s

    def _show(self, body: dict[str, Any], model: str) -> Scripted:
        info = {
            "general.architecture": "bert",
            "bert.context_length": self.trained_tokens,
            "bert.embedding_length": DIMENSION,
        }
        details = self._entry(model)["details"]
        reply = {"details": details, "model_info": info, "capabilities": list(self._capabilities(model))}
        return json_reply({**reply, "parameters": "temperature 0.7", "template": "{{ .Prompt }}"})

    def _embed(self, body: dict[str, Any], model: str) -> Scripted:
        given = body.get("input")
        texts = [given] if isinstance(given, str) and given else given or []
        silence_s = self._load(model, body)
        counts = [count_tokens(text) for text in texts]
        if body.get("truncate") is False and any(count > self.max_embed_tokens for count in counts):
            return json_reply({"error": "the input length exceeds the context length"}, 400)
        reply: dict[str, object] = {"model": model, "embeddings": [list(hash_vector(text)) for text in texts]}
        if texts:
            reply |= {"total_duration": 900, "prompt_eval_count": sum(counts)}
        return Scripted(200, (json.dumps(reply).encode(),), silence_s=silence_s)

    def _embeddings(self, body: dict[str, Any], model: str) -> Scripted:
        prompt = str(body.get("prompt", ""))
        return json_reply({"embedding": [value * 3 for value in hash_vector(prompt)] if prompt else []})

    def _unable(self, body: Mapping[str, Any], model: str, what: str) -> Scripted | None:
        if "completion" not in self._capabilities(model):
            return json_reply({"error": f'"{body["model"]}" does not support {what}'}, 400)
        if body.get("think"):
            return json_reply({"error": f'"{body["model"]}" does not support thinking'}, 400)
        return None

    def _chat(self, body: dict[str, Any], model: str) -> Scripted:
        refusal = self._unable(body, model, "chat")
        if refusal is not None:
            return refusal
        silence_s = self._load(model, body)
        if not body.get("messages"):
            return self._loaded_reply(body, {"message": {"role": "assistant", "content": ""}}, silence_s)
        prompt = "\n".join(str(message.get("content", "")) for message in body["messages"])
        return self._answered(body, prompt, silence_s, lambda text: {"message": {"role": "assistant", "content": text}})

    def _generate(self, body: dict[str, Any], model: str) -> Scripted:
        if not body.get("prompt") and body.get("keep_alive") == 0:
            self.loaded.pop(model, None)
            return json_reply({"model": model, "response": "", "done": True, "done_reason": "unload"})
        refusal = self._unable(body, model, "generate")
        if refusal is not None:
            return refusal
        silence_s = self._load(model, body)
        if not body.get("prompt"):
            return self._loaded_reply(body, {"response": ""}, silence_s)
        return self._answered(body, str(body["prompt"]), silence_s, lambda text: {"response": text})

    def _loaded_reply(self, body: Mapping[str, Any], part: dict[str, object], silence_s: float) -> Scripted:
        reply = {"model": body["model"], "created_at": _TIME, **part, "done": True, "done_reason": "load"}
        return Scripted(200, (json.dumps(reply).encode(),), silence_s=silence_s)

    def _answered(
        self, body: dict[str, Any], prompt: str, silence_s: float, part: Callable[[str], dict[str, object]]
    ) -> Scripted:
        """An answer as generate and chat give it, within the window and the token limit."""
        options = body.get("options") or {}
        asked = options.get("num_ctx", 4096)
        window = min(asked, self.window_tokens or asked, self.trained_tokens)
        read = count_tokens(prompt)
        if read > window and not self.cuts_silently:
            return json_reply({"error": _overflow(read, window)}, 400)
        if read > window:
            read = window // 2 + 2
        words, reason = self._words(body)
        limit = options.get("num_predict", -1)
        if 0 < limit < len(words):
            words, reason = words[:limit], "length"
        common = {"model": body["model"], "created_at": _TIME}
        last = {**common, **part(""), "done": True, "done_reason": reason, "total_duration": 5_000_000}
        last |= {"prompt_eval_count": read, "eval_count": len(words), "eval_duration": 1_000_000}
        if body.get("stream", True):
            lines = [*({**common, **part(word), "done": False} for word in words), last]
            pieces = tuple(json.dumps(line).encode() + b"\n" for line in lines)
            return Scripted(200, pieces, "application/x-ndjson", self.piece_pause_s, silence_s=silence_s)
        return Scripted(200, (json.dumps({**last, **part("".join(words))}).encode(),), silence_s=silence_s)

    def _words(self, body: dict[str, Any]) -> tuple[list[str], str]:
        text = self.answer(body) if callable(self.answer) else self.answer
        words = [word + " " for word in text.split(" ")]
        words[-1] = words[-1].rstrip(" ")
        return words, "stop"

    def _copy(self, body: dict[str, Any], model: str) -> Scripted:
        self.models = (*self.models, f"{body['destination']}:latest")
        return Scripted(200)

    def _delete(self, body: dict[str, Any], model: str) -> Scripted:
        self.models = tuple(name for name in self.models if name != model)
        return Scripted(200)

    def _blob(self, request: Request) -> Scripted:
        digest = request.path.removeprefix("/api/blobs/")
        if request.method == "HEAD":
            return Scripted(200 if digest in self.blobs else 404)
        if digest != "sha256:" + hashlib.sha256(request.raw).hexdigest():
            return json_reply({"error": "digest mismatch, expected another"}, 400)
        self.blobs[digest] = request.raw
        return Scripted(201)

    def _transfer(self, path: str, body: dict[str, Any]) -> Scripted:
        model = str(body.get("model", ""))
        if path == "/api/create" and not (body.get("from") or body.get("files")):
            return json_reply({"error": "neither 'from' or 'files' was specified"}, 400)
        if path == "/api/pull" and "absent" in model:
            return stream_reply([{"status": "pulling manifest"}, {"error": "pull model manifest: file does not exist"}])
        layer = {"status": "pulling 970aa74c0a90", "digest": "sha256:" + "9" * 64, "total": 100}
        self.models = tuple(dict.fromkeys((*self.models, model if ":" in model else f"{model}:latest")))
        after = ({"status": name} for name in ("verifying sha256 digest", "writing manifest", "success"))
        return stream_reply(
            [{"status": "pulling manifest"}, layer, {**layer, "completed": 40}, {**layer, "completed": 100}, *after]
        )

    def _openai_chat(self, body: dict[str, Any], model: str) -> Scripted:
        prompt = "\n".join(str(message.get("content", "")) for message in body.get("messages") or [])
        window = self.window_tokens or 4096
        read = min(count_tokens(prompt), window)
        words, _ = self._words(body)
        usage = {"prompt_tokens": read, "completion_tokens": len(words), "total_tokens": read + len(words)}
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": "".join(words)}, "finish_reason": "stop"}
            return json_reply({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage})
        chunks: list[dict[str, object]] = [
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}]}
            for word in words
        ]
        chunks.append({"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]})
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks.append({"choices": [], "usage": usage})
        events = [b"data: " + json.dumps({"object": "chat.completion.chunk", **c}).encode() + b"\n\n" for c in chunks]
        return Scripted(200, (*events, b"data: [DONE]\n\n"), "text/event-stream", self.piece_pause_s)

    def _openai_embeddings(self, body: dict[str, Any], model: str) -> Scripted:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        data = [
            {"object": "embedding", "index": at, "embedding": list(hash_vector(text))} for at, text in enumerate(texts)
        ]
        tokens = sum(map(count_tokens, texts))
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return json_reply({"object": "list", "data": data, "model": model, "usage": usage})


def _overflow(read: int, window: int) -> str:
    message = f"request ({read} tokens) exceeds the available context size ({window} tokens), try increasing it"
    inner = {"code": 400, "message": message, "type": "exceed_context_size_error"}
    return json.dumps({"error": {**inner, "n_prompt_tokens": read, "n_ctx": window}})


_ROUTES: Mapping[str, Callable[[ScriptedOllama, dict[str, Any], str], Scripted]] = {
    "/api/show": ScriptedOllama._show,
    "/api/embed": ScriptedOllama._embed,
    "/api/embeddings": ScriptedOllama._embeddings,
    "/api/chat": ScriptedOllama._chat,
    "/api/generate": ScriptedOllama._generate,
    "/api/copy": ScriptedOllama._copy,
    "/api/delete": ScriptedOllama._delete,
    "/v1/chat/completions": ScriptedOllama._openai_chat,
    "/v1/embeddings": ScriptedOllama._openai_embeddings,
}
