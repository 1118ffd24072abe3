"""Pure functions over text: terms, sentences, chunks, quotes, numbers and dates, readability, places in words.
Text goes in and values come out, without input, output, clock or chance; it imports `types` and `i18n`."""
