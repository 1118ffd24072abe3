"""The wiring: the only room that picks concrete classes for the ports, behind the facade `RagKit`.
Settings and a folder go in and a working index comes out; it imports every room but `frontends`, `evaluation` and
`testing`."""
