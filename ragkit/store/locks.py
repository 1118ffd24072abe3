"""Locks between processes, held by the operating system: a killed holder holds nothing."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from ragkit.types.errors import IndexBusy, StoreError


class FileLock:
    """An advisory lock on a file of its own; shared or exclusive, for this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: IO[bytes] | None = None

    @property
    def held(self) -> bool:
        return self._stream is not None

    def acquire(self, *, exclusive: bool, timeout_s: float = 0.0) -> bool:
        """Whether the lock is held now; waits up to `timeout_s` for another process to let go."""
        if self._stream is not None:
            return True
        import portalocker

        flag = portalocker.LockFlags.EXCLUSIVE if exclusive else portalocker.LockFlags.SHARED
        try:
            lock = portalocker.Lock(
                self._path,
                mode="ab",
                timeout=timeout_s,
                check_interval=0.05,
                flags=flag | portalocker.LockFlags.NON_BLOCKING,
                fail_when_locked=timeout_s == 0,
            )
            self._stream = lock.acquire()
        except portalocker.exceptions.LockException:
            return False
        except OSError as exc:
            raise StoreError(
                "Cannot write in the index folder {folder}: {why}.",
                hint="Check its permissions, or choose another with --index.",
                folder=self._path.parent,
                why=exc.strerror,
            ) from exc
        return True

    def acquire_or_fail(self) -> None:
        """Take the lock exclusively at once, or raise IndexBusy."""
        if not self.acquire(exclusive=True):
            raise IndexBusy(
                "Another process is writing to the index {folder}.",
                hint="Wait for it to end and run the command again; nothing was changed.",
                folder=self._path.parent,
            )

    def release(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
