"""The reader of PDF: text, headings, pictures and attached files, with OCR for pages that are pictures.
Bytes go in and a `Document` comes out; it imports `loaders.building` and `loaders.images`."""
