"""Ollama's own API: its client, what its JSON means, its errors, and the ports over it.
Texts and messages go in and vectors and completions come out; it imports `models.http`."""
