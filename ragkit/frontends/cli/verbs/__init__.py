"""The verbs of the command line, a module a family: arguments in, one call of `RagKit`, and what comes back shown.
It imports what `frontends` may import."""
