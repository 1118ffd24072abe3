"""A command on a pseudo-terminal: what is typed, and what it shows."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time

from tests.helpers.terminal import Terminal

DEADLINE_S = 60


class Screen:
    """A command on a pseudo-terminal."""

    def __init__(self, terminal: Terminal, *words: str, **environment: str) -> None:
        master, slave = pty.openpty()
        self._master = master
        self._command = subprocess.Popen(
            [sys.executable, "-m", "ragkit", *words],
            cwd=terminal.folder,
            env={**terminal.environment, "TERM": "xterm", "NO_COLOR": "1", **environment},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)
        self._letters = codecs.getincrementaldecoder("utf-8")("replace")
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> str:
        """Returns what is shown before `text`, since the last call."""
        if not self._comes(text, DEADLINE_S):
            self._end()
            raise AssertionError(f"{text!r} does not come; there is {self.shown!r}")
        before, _, self.shown = self.shown.partition(text)
        return before

    def press(self, key: str, until: str) -> None:
        """Presses `key` again when nothing comes: a Ctrl-C while readline is drawing is seen only with the next key."""
        for _ in range(DEADLINE_S // 5):
            self.type(key)
            if self._comes(until, 5):
                break
        self.wait_for(until)

    def _comes(self, text: str, wait_s: float) -> bool:
        """Returns whether `text` is shown within `wait_s`."""
        end = time.monotonic() + wait_s
        while text not in self.shown and time.monotonic() < end:
            if select.select([self._master], [], [], 0.2)[0]:
                self.shown += self._letters.decode(os.read(self._master, 65536))
        return text in self.shown

    def code(self) -> int:
        try:
            return self._command.wait(DEADLINE_S)
        finally:
            self._end()

    def _end(self) -> None:
        self._command.kill()
        self._command.wait()
        os.close(self._master)


def _take_terminal() -> None:
    """Makes standard input the terminal of the new process; Ctrl-C ends it even where the test run ignores SIGINT."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
