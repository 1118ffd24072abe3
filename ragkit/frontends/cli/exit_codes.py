"""The exit codes, as the README documents them."""

from __future__ import annotations

from ragkit.types.errors import ConfigError, DiskFull, InputError, ModelError, RagkitError, StoreError

OK = 0
FAILURE = 1  # something unexpected: a fault of ragkit's own, or of the machine
USAGE = 2  # wrong words on the command line, a wrong setting, a path that is not there
MODEL = 3  # the model server or model does not answer as it should
PARTLY = 4  # done, but some files could not be read
NOTHING_FOUND = 5  # the documents do not say
INDEX = 6  # the index is missing, in use, damaged, or of another version
DISK_FULL = 7
CHANGED = 8  # check-bundle: a file or a quote is not as it was
BROKEN_ANSWER = 9  # an answer of `ragkit test` is not as expected
INTERRUPTED = 130
BROKEN_PIPE = 141

_OF = ((DiskFull, DISK_FULL), (StoreError, INDEX), (ModelError, MODEL), (ConfigError, USAGE), (InputError, USAGE))


def of(error: RagkitError) -> int:
    """Returns the exit code that belongs to an error."""
    return next((code for kind, code in _OF if isinstance(error, kind)), FAILURE)
