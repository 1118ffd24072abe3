"""The first straight line: what was found in a folder is compared with the catalog, loaded, split, embedded and
committed. Files and ports go in and an `IndexReport` comes out; it imports `types`, `config`, `i18n` and `text`."""
