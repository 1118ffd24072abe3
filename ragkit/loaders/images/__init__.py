"""The reader of pictures by OCR, and the order in which lines on a page are read.
Bytes go in and a `Document` comes out; it imports `loaders.building`."""
