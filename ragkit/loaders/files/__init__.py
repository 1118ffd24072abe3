"""Finding the files of a folder and reading their bytes: ignore rules, links, hidden files, hashes.
Roots go in and `FoundFile` values come out; it imports what `loaders` may import."""
