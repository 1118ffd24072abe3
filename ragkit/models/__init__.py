"""The door to models: servers (Ollama, OpenAI-compatible) and the embedded model, which needs none.
Texts and messages go in and vectors and completions come out; it imports `types`, `config`, `i18n` and `text`."""

import os

# onnxruntime reports to its makers over the network unless this is set before it is first imported
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
