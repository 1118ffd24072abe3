"""Readers of office formats, new and old: Word, slides, sheets, OpenDocument, EPUB, RTF.
Bytes go in and a `Document` comes out; it imports `loaders.building` and `loaders.text`."""
