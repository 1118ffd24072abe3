"""The second half of the second straight line: chunks are packed as context, a model or the extractive answerer
replies, and its citations are checked. A question goes in and an `Answer` comes out; it imports `retrieval` and what
that may import."""
