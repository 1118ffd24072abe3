"""HTTP to a model server: deadlines that hold, retries with a budget, replies of a bounded size.

A deadline of the whole reply, or of the next line of a stream, is kept by a watch that shuts the
connection's socket down: a server that sends one byte a second never trips a read timeout.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, Protocol

import httpx
import orjson
import tenacity

from ragkit.config.sections import RequestsConfig
from ragkit.i18n.messages import Message
from ragkit.models.http.addresses import is_loopback
from ragkit.models.http.deadlines import Watch
from ragkit.types.errors import BadReply, ModelError, ModelTimeout, ModelUnavailable

MAX_REPLY_BYTES = 512 * 2**20
_MAX_LINE_BYTES = 64 * 2**20
_MAX_ERROR_BYTES = 2**20
_CONNECT_TIMEOUT_S = 3.0
_FOREVER_S = 1e9
_MAX_WAIT_S = 8.0  # between two tries

_UNREADABLE = (ValueError, RecursionError)


class StatusError(Protocol):
    """Makes the error that a reply stands for: its status, body and the model that was asked."""

    def __call__(self, status: int, body: bytes, model: str) -> ModelError: ...


class Server:
    """One model server; each request at a time has its own connection, which is used again.

    `name` is what messages call it ("Ollama"); `start_hint` what to do when nothing answers.
    """

    def __init__(
        self,
        url: str,
        name: str,
        settings: RequestsConfig,
        status_error: StatusError,
        *,
        start_hint: Message,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.url = url
        self.name = name
        self.settings = settings
        self._status_error = status_error
        self._start_hint = start_hint
        self._headers = {"Accept-Encoding": "identity", **(headers or {})}
        self._idle: list[_Connection] = []
        self._closed = False
        self._watch = Watch()

    def close(self) -> None:
        """End every connection, also those in the middle of a reply."""
        self._closed = True
        self._watch.expire_all()
        while self._idle:
            self._idle.pop().close()

    def abort(self) -> None:
        """End the requests that other threads are waiting in."""
        self._watch.expire_all()

    def get(self, path: str, timeout_s: float | None = None) -> dict[str, Any]:
        """The JSON object at `path`. With `timeout_s`, tried once and for so long only."""
        if timeout_s is not None:
            return self._whole("GET", path, None, "", timeout_s)
        return self._retried(lambda: self._whole("GET", path, None, "", self.settings.first_byte_timeout_s))

    def post(self, path: str, body: Mapping[str, object], *, retry: bool = True) -> dict[str, Any]:
        """The JSON object that answers `body`; {} for an empty reply. Raises ModelError."""
        return self._send("POST", path, body, retry=retry)

    def delete(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        return self._send("DELETE", path, body, retry=True)

    def has(self, path: str) -> bool:
        """Whether HEAD `path` is 200; False for 404."""
        with self._exchange("HEAD", path, None, self.settings.first_byte_timeout_s) as (response, _):
            if response.status_code in (200, 404):
                return response.status_code == 200
            raise self._status_error(response.status_code, b"", "")

    def upload(self, path: str, content: Iterable[bytes]) -> None:
        """POST raw bytes, in pieces; the deadline counts from the last piece that was taken."""

        def pieces(connection: _Connection) -> Iterator[bytes]:
            for piece in content:
                connection.extend(self.settings.first_byte_timeout_s)
                yield piece

        with self._exchange("POST", path, pieces, self.settings.first_byte_timeout_s) as (response, connection):
            body = _read(response, connection, _MAX_ERROR_BYTES)
            if response.status_code not in (200, 201):
                raise self._status_error(response.status_code, body, "")

    def stream(
        self, path: str, body: Mapping[str, object], idle_timeout_s: float | None = None
    ) -> Generator[bytes, None, None]:
        """The lines of a streamed reply, blank ones left out. `idle_timeout_s` is for the silence
        between two of them (default: the configured one).

        Tried again after a passing fault as long as no line has come. Leaving the iterator closes the
        connection, which stops the server's work.
        """
        model = str(body.get("model", ""))
        idle_s = self.settings.idle_timeout_s if idle_timeout_s is None else idle_timeout_s
        first, lines = self._attempts()(lambda: self._opened(path, body, model, idle_s))
        with contextlib.closing(lines):
            if first is not None:
                yield first
            yield from lines

    def _opened(
        self, path: str, body: Mapping[str, object], model: str, idle_s: float
    ) -> tuple[bytes | None, Generator[bytes, None, None]]:
        lines = self._stream_once(path, body, model, idle_s)
        return next(lines, None), lines

    # -- one exchange --------------------------------------------------------------------------

    def _send(self, method: str, path: str, body: Mapping[str, object], *, retry: bool) -> dict[str, Any]:
        model, limit_s = str(body.get("model", "")), self.settings.first_byte_timeout_s
        content = orjson.dumps(body)
        if not retry:
            return self._whole(method, path, content, model, limit_s)
        return self._retried(lambda: self._whole(method, path, content, model, limit_s))

    def _whole(self, method: str, path: str, content: bytes | None, model: str, timeout_s: float) -> dict[str, Any]:
        with self._exchange(method, path, content, timeout_s) as (response, connection):
            if response.status_code != 200:
                raise self._refusal(response, connection, model)
            body = _read(response, connection, MAX_REPLY_BYTES)
        return as_object(body, model) if body.strip() else {}

    def _refusal(self, response: httpx.Response, connection: _Connection, model: str) -> ModelError:
        if response.has_redirect_location or 300 <= response.status_code < 400:
            return BadReply(
                "{server} at {url} sends the request on to {target}; ragkit does not follow.",
                hint="Set the address that really answers.",
                server=self.name,
                url=self.url,
                target=response.headers.get("location", "?"),
            )
        error = self._status_error(response.status_code, _read(response, connection, _MAX_ERROR_BYTES), model)
        with contextlib.suppress(ValueError):
            error.retry_after_s = max(float(response.headers.get("retry-after", "")), 0.0)
        return error

    def _stream_once(
        self, path: str, body: Mapping[str, object], model: str, idle_s: float
    ) -> Generator[bytes, None, None]:
        timeout_s = self.settings.first_byte_timeout_s
        with self._exchange("POST", path, orjson.dumps(body), timeout_s) as (response, connection):
            if response.status_code != 200:
                raise self._refusal(response, connection, model)
            rest = b""
            for piece in response.iter_raw():
                *whole, rest = (rest + piece).split(b"\n")
                if len(rest) > _MAX_LINE_BYTES:
                    raise _too_long()
                for text in whole:
                    connection.extend(_FOREVER_S)  # the reader may take its time
                    if text.strip():
                        yield text
                if whole:
                    connection.extend(idle_s)
            connection.check()
            if rest.strip():
                yield rest

    @contextlib.contextmanager
    def _exchange(
        self,
        method: str,
        path: str,
        content: bytes | Callable[[_Connection], Iterator[bytes]] | None,
        timeout_s: float,
    ) -> Iterator[tuple[httpx.Response, _Connection]]:
        """A reply whose headers have come, and its connection; the rest of it must be there within
        `timeout_s` unless the connection's deadline is extended."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = _Connection()
        try:
            with self._translated(connection), self._watch.over(connection, timeout_s):
                client = connection.client(self.url)
                request = client.build_request(
                    method,
                    self.url + path,
                    content=content(connection) if callable(content) else content,
                    headers={**self._headers, **({"Content-Type": "application/json"} if content else {})},
                    extensions={"trace": connection.trace},
                )
                response = client.send(request, stream=True)
                try:
                    if response.headers.get("content-encoding", "identity") != "identity":
                        raise BadReply(
                            "{server} at {url} sent a compressed reply, which ragkit did not ask for.",
                            hint="Switch compression off in the proxy before it.",
                            server=self.name,
                            url=self.url,
                        )
                    yield response, connection
                finally:
                    response.close()
        finally:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    @contextlib.contextmanager
    def _translated(self, connection: _Connection) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectTimeout as exc:
            raise self._unavailable() from exc
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            if connection.expired or isinstance(exc, httpx.TimeoutException):
                raise ModelTimeout(
                    "{server} at {url} took too long.",
                    hint="Raise requests.first_byte_timeout_s or requests.idle_timeout_s, or use a smaller model.",
                    server=self.name,
                    url=self.url,
                ) from exc
            if isinstance(exc, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
                raise BadReply(
                    "{server} at {url} broke off its reply.",
                    hint="Ask again; if it stays so, look into the server's log.",
                    passing=True,
                    server=self.name,
                    url=self.url,
                ) from exc
            raise self._unavailable() from exc

    def _unavailable(self) -> ModelUnavailable:
        return ModelUnavailable(
            "No {server} server answers at {url}.",
            hint=self._start_hint,
            passing=True,
            server=self.name,
            url=self.url,
        )

    # -- retries -------------------------------------------------------------------------------

    def _retried(self, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return self._attempts()(ask)

    def _attempts(self) -> tenacity.Retrying:
        """Tries again what may pass: at most five times, with jitter, within `settings.retry_s`."""
        jitter = tenacity.wait_random_exponential(multiplier=0.25, max=_MAX_WAIT_S)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after_s if isinstance(error, ModelError) else None
            return max(asked or 0.0, jitter(state))

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda exc: isinstance(exc, ModelError) and exc.passing),
            stop=tenacity.stop_after_attempt(5) | tenacity.stop_before_delay(self.settings.retry_s),
            wait=wait,
            reraise=True,
        )


class _Connection:
    """One connection to the server, used by one request at a time."""

    def __init__(self) -> None:
        self.deadline = 0.0
        self.expired = False
        self._client: httpx.Client | None = None
        self._socket: socket.socket | None = None

    def client(self, url: str) -> httpx.Client:
        if self._client is None:
            self._client = httpx.Client(
                trust_env=not is_loopback(url),  # a proxy must not see what goes to this machine
                follow_redirects=False,
                timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT_S),
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            )
        return self._client

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Told by the transport of each step; keeps hold of the socket."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def extend(self, timeout_s: float) -> None:
        self.deadline = time.monotonic() + timeout_s

    def check(self) -> None:
        """A reply that ended because its time was up is not a whole one."""
        if self.expired:
            raise httpx.ReadTimeout("past the deadline")

    def expire(self) -> None:
        self.expired = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = self._socket = None


def as_object(body: bytes, model: str) -> dict[str, Any]:
    """A JSON object. Raises BadReply for anything else."""
    try:
        found = orjson.loads(body)
    except ValueError:
        found = _loosely(body)
    except RecursionError:
        found = None
    if found is None:
        raise BadReply(
            "The reply for the model {model} is not JSON.",
            hint="Is this address a model server? `ragkit doctor` looks.",
            model=model,
        )
    if not isinstance(found, dict):
        raise BadReply("The reply for the model {model} is not an object.", model=model)
    return found


def _loosely(body: bytes) -> object:
    """JSON with the NaN and Infinity that some servers write; None when it is not even that."""
    try:
        return json.loads(body)
    except _UNREADABLE:
        return None


def _read(response: httpx.Response, connection: _Connection, limit_bytes: int) -> bytes:
    parts, size = [], 0
    for part in response.iter_raw():
        size += len(part)
        if size > limit_bytes:
            raise _too_long()
        parts.append(part)
    connection.check()
    return b"".join(parts)


def _too_long() -> BadReply:
    return BadReply("The model server sent a reply without end.", hint="Is this address a model server?")
