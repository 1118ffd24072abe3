"""Doing the next piece of work while the last one is used, within bounds of number and size."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """The items of `source`, made in a thread ahead of their use: at most `most_items` at a time, and no
    more once those waiting have `most_size` together (one item may be larger).

    An exception of the source is raised where its item would have come. `close`, or leaving the
    `with` block, ends the thread after the item that it is making.
    """

    def __init__(self, source: Iterator[T], size: Callable[[T], int], most_items: int, most_size: int) -> None:
        self._source = source
        self._size = size
        self._most = most_items, most_size
        self._waiting: deque[tuple[T, int]] = deque()
        self._held = 0
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="ragkit-prefetch", daemon=True)

    def __enter__(self) -> Generator[T, None, None]:
        self._thread.start()
        return self._items()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _items(self) -> Generator[T, None, None]:
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if not self._waiting:
                    if self._error is not None:
                        raise self._error
                    return
                item, size = self._waiting.popleft()
                self._held -= size
                self._changed.notify_all()
            yield item

    def _run(self) -> None:
        try:
            for item in self._source:
                size = self._size(item)
                with self._changed:
                    self._waiting.append((item, size))
                    self._held += size
                    self._changed.notify_all()
                    while self._is_full() and not self._closed:
                        self._changed.wait()
                    if self._closed:
                        return
        except BaseException as exc:
            self._error = exc
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _is_full(self) -> bool:
        return len(self._waiting) >= self._most[0] or self._held >= self._most[1]
