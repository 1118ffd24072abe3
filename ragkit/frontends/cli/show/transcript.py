"""A conversation as Markdown. What documents say is shown as they wrote it, never as markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragkit.frontends.cli.show.terminal import place_text, safe, tr
from ragkit.types.answers import Citation, Turn

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")


def markdown(turns: Sequence[Turn]) -> str:
    parts = ["# " + tr("A conversation with the documents")]
    for turn in turns:
        parts += ["## " + _line(turn.question), _paragraphs(turn.answer)]
        if turn.citations:
            parts.append("\n".join(_item(citation) for citation in turn.citations))
    return "\n\n".join(parts) + "\n"


def _item(citation: Citation) -> str:
    mark = tr("verified") if citation.verified else tr("NOT verified")
    quote = f"\n  > {_line(citation.quote)}" if citation.quote else ""
    place = _line(place_text(citation.place))
    return f"- \\[{citation.marker}\\] {_line(citation.source)}, {place} · {mark}{quote}"


def _line(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(safe(text).split()))


def _paragraphs(text: str) -> str:
    """Escapes a text line by line, because an indent or a list mark of it is no markup either."""
    return "  \n".join(re.sub(r"^(\d+)\.", r"\1\\.", re.sub(r"^-", r"\\-", _line(line))) for line in text.splitlines())
