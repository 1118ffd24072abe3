"""Search by vectors: exactly one by one, or through Chroma's graph, which is a copy that can be made again.
A query vector goes in and chunk ids come out; it imports `store.catalog`."""
