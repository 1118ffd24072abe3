"""Answers as a JSON value by a JSON Schema, each value with the quote that proves it.
A question and a schema go in and a `StructuredAnswer` comes out; it imports what `answering` may import."""
