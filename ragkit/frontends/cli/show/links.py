"""Addresses of the places where sources stand, and links to them that a terminal can open (OSC 8)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ragkit.config.sections import Links
from ragkit.types.documents import Place

_PROGRAMS = {"iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby", "rio", "mintty", "zed"}
_TERMS = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "contour", "wezterm")
_SIGNS = ("WT_SESSION", "KITTY_WINDOW_ID", "ALACRITTY_WINDOW_ID", "DOMTERM")
_MIN_VTE, _MIN_KONSOLE = 5000, 201200  # the first versions of these terminals that know links


def url(source: str, place: Place) -> str:
    """Returns the address of a file; a PDF's names the page, as browsers and many viewers read it."""
    address = Path(source).as_uri()
    if place.page is not None and place.kind in ("page", "described_page") and source.lower().endswith(".pdf"):
        address += f"#page={place.page}"
    return address


def link(text: str, address: str) -> str:
    return f"\x1b]8;;{address}\x1b\\{text}\x1b]8;;\x1b\\"


def wanted(setting: Links) -> bool:
    """Returns whether links are to be written to standard output."""
    if setting == "auto":
        return sys.stdout.isatty() and known_to(os.environ)
    return setting == "always"


def known_to(environ: Mapping[str, str]) -> bool:
    """Returns whether the terminal is likely to know links; one that does not would show the address as rubbish."""
    term = environ.get("TERM", "")
    if environ.get("NO_COLOR") or term in ("dumb", "linux"):
        return False
    if "FORCE_HYPERLINK" in environ:
        return environ["FORCE_HYPERLINK"] != "0"
    if term.startswith(("screen", "tmux")):  # They pass links on only where they are told to.
        return False
    if _number(environ, "VTE_VERSION") >= _MIN_VTE or _number(environ, "KONSOLE_VERSION") >= _MIN_KONSOLE:
        return True
    known = environ.get("TERM_PROGRAM") in _PROGRAMS or term.startswith(_TERMS)
    return known or any(environ.get(sign) for sign in _SIGNS)


def _number(environ: Mapping[str, str], name: str) -> int:
    text = environ.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else 0
