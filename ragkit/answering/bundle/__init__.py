"""Bundles: one HTML page that proves an answer, and what became of its files and quotes since.
An `Answer` goes in and a page comes out, or a page goes in and a `BundleCheck` comes out; it imports what `answering`
may import."""
