"""Deadlines that hold, whatever a server sends: a watch ends what is past its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Protocol

_TICK_S = 0.2  # how late a deadline may be noticed
_IDLE_TICKS = 50  # without anything to watch, after which the thread ends


class Timed(Protocol):
    """Something that must be done by a time of the monotonic clock."""

    deadline: float
    expired: bool

    def extend(self, timeout_s: float) -> None: ...
    def expire(self) -> None: ...


class Watch:
    """A thread that ends requests past their deadline; it runs only while there are requests."""

    def __init__(self) -> None:
        self._busy: set[Timed] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def over(self, connection: Timed, timeout_s: float) -> Iterator[None]:
        connection.extend(timeout_s)
        connection.expired = False
        with self._lock:
            self._busy.add(connection)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ragkit-deadlines", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(connection)

    def expire_all(self) -> None:
        with self._lock:
            for connection in self._busy:
                connection.expire()

    def _run(self) -> None:
        idle_ticks = 0
        while idle_ticks < _IDLE_TICKS:
            time.sleep(_TICK_S)
            now = time.monotonic()
            with self._lock:
                for connection in self._busy:
                    if connection.deadline < now:
                        connection.expire()
                idle_ticks = 0 if self._busy else idle_ticks + 1
                if idle_ticks >= _IDLE_TICKS:
                    self._thread = None
