"""What ragkit gives as JSON, in one place: the command line, Python and HTTP use the same shapes.
Values of `types` and `evaluation` go in and plain dictionaries come out; it imports what `frontends` may import.

The shapes stand as types in the modules `..._shapes`. Only type checkers and `tools/json_schemas.py` import these, so
that no command pays for them.
"""
