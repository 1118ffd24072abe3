"""Puts an answer into a bundle, and compares a bundle with the files of today."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from ragkit import __version__
from ragkit.answering.bundle.html import from_html, to_html
from ragkit.config.sections import Config
from ragkit.i18n.messages import Message, say
from ragkit.text import terms
from ragkit.text.quotes import find_quote
from ragkit.types.answers import Answer, Citation
from ragkit.types.bundle import Bundle, BundleCheck, BundledModel, BundledQuote, BundledSource, QuoteCheck, SourceCheck
from ragkit.types.documents import Document
from ragkit.types.ports import FileFacts, Loader, ReadDocument

_AROUND = {"en": 300, "zh": 120}  # characters of context before and after a quote
_EMPTY_LINES = re.compile(r"\n\s*\n")
_MAX_PASSAGE = 1200  # characters that are shown of a passage without a verified quote
_MAX_NEAREST = 3  # passages that are shown with a refusal
_SECTIONS = ("models", "embedding", "chunking", "retrieval")  # the settings that shape an answer


def make(
    answer: Answer,
    *,
    files: Mapping[str, FileFacts],
    read: ReadDocument,
    models: Sequence[BundledModel],
    config: Config,
    made_at: str,
    language: str,
) -> Bundle:
    """Returns what proves `answer`: its quotes in their context, and everything that it was made with."""
    cited = answer.sources[:_MAX_NEAREST] if answer.refused else answer.sources
    paths = list(dict.fromkeys(citation.source for citation in cited))
    documents = {path: read(path) for path in paths}
    return Bundle(
        version=__version__,
        made_at=made_at,
        language=language,
        question=answer.question,
        query=answer.query,
        answer=answer.text,
        refused=answer.refused,
        mode=answer.mode,
        unread_count=answer.unread_count,
        quotes=tuple(_quoted(citation, documents[citation.source]) for citation in cited),
        sources=tuple(
            BundledSource(path, files[path].content_hash, files[path].size_bytes) for path in paths if path in files
        ),
        models=tuple(models),
        settings=_settings(config, answer.mode),
        notes=tuple(say(note, language) for note in (*answer.ledger.notes, *answer.notes)),
    )


def _quoted(citation: Citation, document: Document | None) -> BundledQuote:
    text = document.text if document is not None else ""
    start, end = citation.start, citation.end
    cited, before, after = text[start:end], "", ""
    if citation.verified and find_quote(citation.quote, cited) is None:
        cited = citation.quote  # the file was indexed again since the answer, and its text is another one
    elif citation.verified:
        before, after = _around(text, start, end)
    return BundledQuote(
        citation.marker,
        citation.source,
        citation.place,
        citation.quote,
        citation.verified,
        before,
        cited if citation.verified else cited[:_MAX_PASSAGE],
        after,
    )


def _around(text: str, start: int, end: int) -> tuple[str, str]:
    """Returns the words before and after a span, with "…" where they are cut, which is never within a word."""
    most = _AROUND[terms.language(text[start:end])]
    before, after = text[max(start - most, 0) : start], text[end : end + most]
    if start > most:
        before = "…" + re.sub(r"^\w{0,20}\s+", "", before)
    if end + most < len(text):
        after = re.sub(r"\s+\w{0,20}$", "", after) + "…"
    return _EMPTY_LINES.sub("\n\n", before), _EMPTY_LINES.sub("\n\n", after)


def _settings(config: Config, mode: str) -> dict[str, object]:
    """Returns the settings that shape an answer, by their full names."""
    sections = _SECTIONS if mode == "extractive" else (*_SECTIONS, "options")
    found = {
        f"{section}.{item.name}": getattr(getattr(config, section), item.name)
        for section in sections
        for item in fields(getattr(config, section))
    }
    # JSON has lists and no tuples: so what is read back is equal.
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in found.items() if value is not None
    }


def check(page: str, *, loader: Loader, elsewhere: Callable[[BundledSource], Iterable[Path]]) -> BundleCheck:
    """Compares each source and each quote of a bundle's page with the files as they are now. `elsewhere` gives the
    files that hold a source's bytes when it is not where it was. Raises InputError."""
    bundle = from_html(page)
    intact = to_html(bundle) == page.replace("\r\n", "\n") if bundle.version == __version__ else None
    sources = tuple(_source_check(source, bundle, loader, elsewhere) for source in bundle.sources)
    return BundleCheck(bundle, sources, intact)


def _source_check(
    source: BundledSource, bundle: Bundle, loader: Loader, elsewhere: Callable[[BundledSource], Iterable[Path]]
) -> SourceCheck:
    path, found_at = Path(source.path), ""
    quotes = [quote for quote in bundle.quotes if quote.source == source.path]
    if not path.exists():
        moved = next(iter(elsewhere(source)), None)
        if moved is None:
            return SourceCheck(source.path, "gone", "", _quote_checks(quotes, None))
        path, found_at = moved, str(moved)
    [loaded] = loader.load_all([(path, "")])
    checks = _quote_checks(quotes, loaded.document)
    if loaded.document is None:
        reason = loaded.failure.reason if loaded.failure else Message()
        return SourceCheck(source.path, "unreadable", found_at, checks, reason)
    same = loaded.content_hash == source.sha256
    return SourceCheck(source.path, "moved" if found_at else "unchanged" if same else "changed", found_at, checks)


def _quote_checks(quotes: Sequence[BundledQuote], document: Document | None) -> tuple[QuoteCheck, ...]:
    """Looks for each quote in the document; a citation without a quote has nothing to check."""
    return tuple(
        QuoteCheck(
            quote.marker,
            quote.quote,
            quote.verified,
            None if document is None else find_quote(quote.quote, document.text) is not None,
        )
        for quote in quotes
        if quote.quote
    )
