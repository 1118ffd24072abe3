"""The first half of the second straight line: from a question to the chunks that speak to it, best first.
A question and the ports of an index go in and a `Selection` comes out; it imports `types`, `config`, `i18n` and
`text`."""
