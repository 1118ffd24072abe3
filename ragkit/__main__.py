"""`python -m ragkit` is the command `ragkit`."""

from ragkit.frontends.cli.start import main

if __name__ == "__main__":
    main()
