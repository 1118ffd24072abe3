"""Data sets, question files and runs, read and written. Files go in and questions come out; it imports what
`evaluation` may import."""
