"""Doors to models: `ollama` (a server), `embedded` (no server, no network)."""
