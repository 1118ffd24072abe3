"""The door to disk: the catalog (SQLite, the truth), the vectors (exact or Chroma, a copy), small files beside them.
Documents go in and chunks come out; it imports `types`, `config`, `i18n` and `text`."""
