"""A bundle as one HTML page: nothing in it runs, nothing is fetched, and its data can be read back.

Every text of a document, a model or a user is escaped, and characters that hide or turn text are shown by
their code.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict
from html import escape, unescape
from pathlib import Path
from typing import Any

from ragkit.i18n.messages import Message, say
from ragkit.text import terms
from ragkit.text.html_pages import page_of, shown
from ragkit.text.json_values import value_of
from ragkit.text.place_text import place_in_words
from ragkit.types.bundle import Bundle
from ragkit.types.errors import InputError

_FORMAT = 1
_HERE = Path(__file__).parent
_DATA = re.compile(r'<pre id="ragkit-bundle">(.*?)</pre>', re.DOTALL)


def to_html(bundle: Bundle) -> str:
    """Returns the page; the same bundle always gives the same page."""
    style = (_HERE / "page.css").read_text("utf-8")
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    data = json.dumps({"ragkit_bundle": _FORMAT, **asdict(bundle)}, indent=1)  # in ASCII nothing can hide
    return page_of(
        _HERE / "page.html.jinja",
        bundle.language,
        bundle=bundle,
        policy=f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'",
        style=style,
        answer=_with_links(bundle),
        how_to_check=_how_to_check(bundle.language),
        data=escape(data),
        language_of=terms.language,
        place_in_words=place_in_words,
        json=json.dumps,
    )


def _with_links(bundle: Bundle) -> str:
    """Returns the answer as HTML, with markers that lead to their quotes."""
    known = {quote.marker for quote in bundle.quotes}

    def to_quote(marker: re.Match[str]) -> str:
        return f'<a href="#source-{marker[1]}">{marker[0]}</a>' if int(marker[1]) in known else marker[0]

    return re.sub(r"\[(\d{1,3})\]", to_quote, str(shown(bundle.answer)))


def _how_to_check(language: str) -> str:
    text = say(Message("`ragkit check-bundle` tells whether the files are still the same."), language)
    return re.sub("`(.+?)`", r"<code>\1</code>", str(shown(text)))


def from_html(page: str) -> Bundle:
    """Returns the bundle that a page holds. Raises InputError when it holds none."""
    found = _DATA.findall(page)
    try:
        if len(found) != 1:
            raise ValueError("no data")
        return _from_json(json.loads(unescape(found[0])))
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise InputError(
            "This file is not a bundle of ragkit, or its data are damaged.",
            hint='Make one: ragkit ask "annual leave" --bundle out.html',
        ) from exc


def _from_json(data: Any) -> Bundle:
    """Reads a bundle. Raises ValueError, KeyError or TypeError when `data` is not a bundle's."""
    if data["ragkit_bundle"] != _FORMAT:
        raise ValueError("another format")
    return value_of(data, Bundle)
