"""The embedding model that needs no server and no network: multilingual-e5-small.
Texts go in and vectors of unit length come out; it imports what `models` may import."""
