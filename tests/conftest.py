"""Every test runs without the network: only loopback and local sockets may be used."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for name in ("OLLAMA_HOST", "RAGKIT_INDEX", "RAGKIT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAGKIT_LANG", "en")
