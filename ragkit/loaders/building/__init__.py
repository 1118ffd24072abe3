"""What readers of all formats share: building a document line by line, its tables and pictures, and the files within a
file. Pieces of a file go in and a `Document` comes out; it imports what `loaders` may import."""
