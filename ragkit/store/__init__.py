"""Doors to disk: `catalog` (SQLite, the truth), `chroma` (a cache of its vectors), `dense` (both)."""
