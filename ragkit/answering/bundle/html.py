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
from typing import Any

from ragkit.i18n.messages import Message, say
from ragkit.text import terms
from ragkit.text.json_values import value_of
from ragkit.text.place_text import spoken
from ragkit.types.bundle import Bundle, BundledQuote
from ragkit.types.errors import InputError

_FORMAT = 1
_DATA = re.compile(r'<pre id="ragkit-bundle">(.*?)</pre>', re.DOTALL)
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
    "|[\U000e0000-\U000e007f]"
)
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5c6675; --paper: #fff; --card: #f5f7fa; --line: #d8dee7;
  --good: #176f3d; --mark: #ffe89a; --bad: #a92525; --badmark: #fde4e4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --dim: #9aa5b4; --paper: #14181f; --card: #1d232c; --line: #343d4a; --good: #6fd199;
    --mark: #5f4d0b; --bad: #ff9a94; --badmark: #4a2323; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 46rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.65 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.35; margin: 0 0 1rem; }
h2 { font-size: 1.05rem; margin: 2.2rem 0 .7rem; }
.answer { font-size: 1.1rem; white-space: pre-wrap; border-left: 4px solid var(--line); padding: .2rem 0 .2rem 1rem; }
.dim { color: var(--dim); font-size: .875rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem;
  margin: .8rem 0; }
.card p { margin: 0; }
.card blockquote { margin: .6rem 0 0; white-space: pre-wrap; color: var(--dim); font-size: .95rem; }
mark { background: var(--mark); color: var(--ink); border-radius: .2rem; padding: .05rem .1rem; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.unproved { background: var(--badmark); color: var(--ink); border-bottom: 2px dashed var(--bad); }
.odd { color: var(--bad); font: .75em/1 ui-monospace, monospace; }
code, pre, .path { font: .85rem/1.5 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; }
pre { white-space: pre-wrap; background: var(--card); padding: .8rem; border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
td { border-top: 1px solid var(--line); padding: .35rem .8rem .35rem 0; vertical-align: top; }
td:first-child { color: var(--dim); white-space: nowrap; }
a { color: inherit; }
@media print { body { max-width: none; padding: 0; } details { display: none; } }
"""


def to_html(bundle: Bundle) -> str:
    """The page; the same bundle always gives the same page."""
    hashed = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'"
    body = (
        f'<h1 dir="auto" lang="{terms.language(bundle.question)}">{_shown(bundle.question)}</h1>',
        f'<div class="answer" dir="auto" lang="{terms.language(bundle.answer)}">{_answer(bundle)}</div>',
        *_notes(bundle),
        _quotes(bundle),
        _proof(bundle),
        f"<details><summary>{_said(bundle, Message('The same for programs'))}</summary>",
        f'<pre id="ragkit-bundle">{escape(_to_json(bundle))}</pre></details>',
    )
    head = (
        "<!doctype html>",
        f'<html lang="{"zh-CN" if bundle.language == "zh" else "en"}">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f'<meta name="generator" content="ragkit {_plain(bundle.version)}">',
        f"<title>{_plain(bundle.question)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
    )
    return "\n".join((*head, *body, "</body>\n</html>\n"))


def from_html(page: str) -> Bundle:
    """The bundle that a page holds. Raises InputError when it holds none."""
    found = _DATA.findall(page)
    try:
        if len(found) != 1:
            raise ValueError("no data")
        return _of_json(json.loads(unescape(found[0])))
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise InputError(
            "This file is not a bundle of ragkit, or its data are damaged.",
            hint='Make one: ragkit ask "annual leave" --bundle out.html',
        ) from exc


# -- the page ------------------------------------------------------------------------------------


def _said(bundle: Bundle, message: Message) -> str:
    return _shown(say(message, bundle.language))


def _plain(text: str) -> str:
    """`text` for HTML, with odd characters by their code."""
    return escape(_ODD.sub(lambda odd: f"⟨U+{ord(odd[0]):04X}⟩", text))


def _shown(text: str) -> str:
    """The same, where the codes can be marked."""
    return re.sub(r"⟨U\+[0-9A-F]{4,6}⟩", r'<span class="odd">\g<0></span>', _plain(text))


def _answer(bundle: Bundle) -> str:
    known = {quote.marker for quote in bundle.quotes}

    def to_quote(marker: re.Match[str]) -> str:
        return f'<a href="#source-{marker[1]}">{marker[0]}</a>' if int(marker[1]) in known else marker[0]

    return re.sub(r"\[(\d{1,3})\]", to_quote, _shown(bundle.answer))


def _notes(bundle: Bundle) -> list[str]:
    notes = [_shown(note) for note in bundle.notes]
    if bundle.query != bundle.question:
        notes.insert(0, _said(bundle, Message("Searched for: {query}", {"query": bundle.query})))
    if bundle.unread_count:
        unread = Message("{count} files of the index could not be read.", {"count": bundle.unread_count})
        notes.append(_said(bundle, unread))
    return [f'<p class="dim" dir="auto">{note}</p>' for note in notes]


def _quotes(bundle: Bundle) -> str:
    title = Message("Nearest passages:") if bundle.refused else Message("Sources:")
    seen: set[int] = set()
    cards = []
    for quote in bundle.quotes:
        anchor = "" if quote.marker in seen else f' id="source-{quote.marker}"'
        seen.add(quote.marker)
        cards.append(f'<div class="card"{anchor}>{_card(bundle, quote)}</div>')
    none = f'<p class="dim">{_said(bundle, Message("none"))}</p>'
    return f"<h2>{_said(bundle, title)}</h2>\n" + ("\n".join(cards) or none)


def _card(bundle: Bundle, quote: BundledQuote) -> str:
    name = re.split(r"[/\\]", quote.source)[-1]
    where = (
        f"[{quote.marker}] <b><bdi>{_shown(name)}</bdi></b>, <bdi>{_shown(spoken(quote.place, bundle.language))}</bdi>"
    )
    if bundle.refused:
        mark = ""
    elif quote.verified:
        mark = f' · <span class="good">✓ {_said(bundle, Message("verified"))}</span>'
    else:
        mark = f' · <span class="bad">✗ {_said(bundle, Message("NOT verified"))}</span>'
    claim = ""
    if quote.quote and not quote.verified:
        title = _said(bundle, Message("Not found in the passage:"))
        claim = f'<p>{title} <span class="unproved" dir="auto">{_shown(quote.quote)}</span></p>'
    cited = f"<mark>{_shown(quote.cited)}</mark>" if quote.verified else _shown(quote.cited)
    text = f'<blockquote dir="auto">{_shown(quote.before)}{cited}{_shown(quote.after)}</blockquote>'
    return f'<p>{where}{mark}</p>\n<p class="dim path"><bdi>{_shown(quote.source)}</bdi></p>\n{claim}{text}'


def _proof(bundle: Bundle) -> str:
    rows = [
        ("SHA-256", f'<bdi class="path">{_shown(one.path)}</bdi><br><code>{_plain(one.sha256)}</code>')
        for one in bundle.sources
    ]
    roles = {
        "embedding": _said(bundle, Message("embedding model")),
        "answer": _said(bundle, Message("answering model")),
    }
    rows += [
        (roles[one.role], f"{_shown(one.name)} ({_shown(one.backend)})<br><code>{_plain(one.digest)}</code>")
        for one in bundle.models
    ]
    rows += [(_plain(key), f"<code>{_plain(json.dumps(value))}</code>") for key, value in bundle.settings.items()]
    made = _said(bundle, Message("made"))
    rows.append((made, f"{_plain(bundle.made_at)}, ragkit {_plain(bundle.version)}"))
    table = "\n".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in rows)
    title = _said(bundle, Message("Files, models and settings"))
    check = _said(bundle, Message("`ragkit check-bundle` tells whether the files are still the same."))
    check = re.sub("`(.+?)`", r"<code>\1</code>", check)
    return f'<h2>{title}</h2>\n<table>\n{table}\n</table>\n<p class="dim">{check}</p>'


# -- the data ------------------------------------------------------------------------------------


def _to_json(bundle: Bundle) -> str:
    return json.dumps({"ragkit_bundle": _FORMAT, **asdict(bundle)}, indent=1)  # ASCII: nothing in it can hide


def _of_json(data: Any) -> Bundle:
    """Raises ValueError, KeyError or TypeError when `data` is not a bundle's."""
    if data["ragkit_bundle"] != _FORMAT:
        raise ValueError("another format")
    return value_of(data, Bundle)
