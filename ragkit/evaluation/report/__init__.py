"""What an evaluation looks like: an HTML page, charts, JUnit files. Figures go in and text comes out; it imports what
`evaluation` may import."""
