"""The doors in: the command line, the server of the embedded models, and the JSON that all of them give.
A person's or program's words go in and text comes out; it imports `app`, `types`, `config`, `i18n`, `evaluation` and
the pure text functions that show places."""
