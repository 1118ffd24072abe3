"""Doors to models: `ollama` (a server), `embedded` (no server, no network)."""

import os

# onnxruntime reports to its makers over the network unless this is set before it is first imported
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
