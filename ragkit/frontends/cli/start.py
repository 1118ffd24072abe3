"""Where the command `ragkit` starts: the page of all verbs at once, anything else by way of the verbs."""

from __future__ import annotations

import contextlib
import sys


def main() -> None:
    if sys.argv[1:] in (["--help"], ["-h"]):
        from ragkit.frontends.cli import help_page

        with contextlib.suppress(OSError, UnicodeError):  # click knows what to do then
            print(help_page.page(), flush=True)
            return
    from ragkit.frontends.cli.verbs.main import main as run

    run()
