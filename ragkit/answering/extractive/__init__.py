"""Answers that are quotes: the sentences of the passages that answer best, or that the documents do not say.
A question and its context go in and a `Completion` comes out; it imports what `answering` may import."""
