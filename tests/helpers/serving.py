"""The embedded models served on a real socket, for tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from ragkit.app.models import embedded_models
from ragkit.frontends.model_server.app import ModelsApp


@contextmanager
def served_models(**environ: str) -> Iterator[str]:
    """Serves the embedded models and yields their address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(ModelsApp(embedded_models(), environ=environ), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
