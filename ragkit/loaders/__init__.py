"""The door to files: bytes go in and a `Document` comes out, read in a child process with limits.
It imports `types`, `config`, `i18n` and `text`; `formats` is the table of everything that can be read."""
