"""The catalog in SQLite, which is the truth: documents, chunks, vectors and the word index, one transaction a document.
Documents and questions go in and chunks come out; it imports what `store` may import."""
