"""Readers of mail and archives, which hold other files: EML, MBOX, Outlook's MSG, ZIP.
Bytes go in and a `Document` comes out; it imports `loaders.building` and reads what is inside through
`loaders.formats`."""
