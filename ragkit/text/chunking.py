"""Splits a document into chunks: spans that end where a sentence, a paragraph or a section ends."""

from __future__ import annotations

import hashlib
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from ragkit.text.sentences import sentence_spans
from ragkit.types.documents import Chunk, Document, Heading, Place
from ragkit.types.ports import CountTokens

VERSION = 3  # part of an index's generation: a change here re-indexes


@dataclass(frozen=True, slots=True)
class _Span:
    """The part of a document's text that becomes one chunk."""

    start: int
    end: int
    tokens: int
    closes: bool  # it is the last of its section


@dataclass(frozen=True, slots=True)
class _Atom:
    """What is never cut: a sentence, or a piece of one that is too long for a chunk."""

    start: int
    end: int  # trailing white space included: atoms tile the text
    tokens: int
    heading: bool


def split(
    document: Document, count_tokens: CountTokens, chunk_tokens: int, overlap_tokens: int, fingerprint: str
) -> list[Chunk]:
    """Returns the chunks of `document`, in reading order; every character that is not white space is in one.

    No chunk is longer than `chunk_tokens` by the sum of its sentences, but for the last of a section: a rest
    of up to a third of that joins the chunk before it. Neighbours in one section share up to `overlap_tokens` of
    whole sentences. A document without text gives [].
    """
    starts = [heading.start for heading in document.headings]
    paths = _heading_paths(document.headings)
    chunks: list[Chunk] = []
    line, counted = 1, 0
    plain_lines = not (document.pages or document.line_marks)
    spans = _pack(_atoms(document, count_tokens, chunk_tokens), chunk_tokens, overlap_tokens)
    for span in _with_rests(spans, chunk_tokens):
        start, end = _trim(document.text, span.start, span.end)
        if start == end:
            continue
        if plain_lines:
            line, counted = line + document.text.count("\n", counted, start), start
            place = Place(None, line)
        else:
            place = document.place(start)
        above = bisect_right(starts, start)
        chunks.append(
            _chunk(
                document,
                len(chunks),
                (start, end),
                place,
                paths[above - 1] if above else (),
                fingerprint,
            )
        )
    return chunks


def fit_chunk_tokens(chunk_tokens: int, max_tokens: int) -> int:
    """Returns `chunk_tokens`, or fewer, so that no chunk is longer than a model's `max_tokens`."""
    return min(chunk_tokens, max_tokens * 3 // 4)


def embedding_text(chunk: Chunk) -> str:
    """Returns what is embedded and searched by words: the headings above a chunk, then its text."""
    return "\n".join((" > ".join(chunk.heading_path), chunk.text)) if chunk.heading_path else chunk.text


def embedding_key(chunk: Chunk) -> str:
    """Returns a key that two chunks share exactly when one generation would give them the same vector."""
    return hashlib.sha256(embedding_text(chunk).encode()).hexdigest()[:32]


def _chunk(
    document: Document,
    ordinal: int,
    span: tuple[int, int],
    place: Place,
    path: tuple[str, ...],
    fingerprint: str,
) -> Chunk:
    chunk = Chunk(
        id="",
        source=document.source,
        ordinal=ordinal,
        text=document.text[span[0] : span[1]],
        start=span[0],
        end=span[1],
        place=place,
        heading_path=path,
    )
    seed = "\0".join((fingerprint, document.source, str(ordinal), embedding_text(chunk)))
    return replace(chunk, id=hashlib.sha256(seed.encode()).hexdigest()[:24])


def _atoms(document: Document, count_tokens: CountTokens, limit: int) -> Iterator[_Atom]:
    """Tiles the document with its sentences; one that is over `limit` tokens comes in pieces under it."""
    starts = [heading.start for heading in document.headings]
    bounds = sorted({0, *starts, len(document.text)})
    for start, end in pairwise(bounds):
        index = bisect_left(starts, start)
        is_heading = index < len(starts) and starts[index] == start
        for begin, stop in sentence_spans(document.text, start, end):
            if document.text[begin:stop].isspace():
                continue  # otherwise an overlap could be a whole chunk but for its white space
            for piece in _pieces(document.text, begin, stop, count_tokens, limit):
                yield _Atom(*piece, heading=is_heading and begin == start)


def _pieces(text: str, start: int, end: int, count_tokens: CountTokens, limit: int) -> Iterator[tuple[int, int, int]]:
    """Yields the (start, end, tokens) of text[start:end], halved until no piece has more than `limit` tokens."""
    stack = [(start, end)]
    while stack:
        begin, stop = stack.pop()
        # A token holds at most a few dozen characters in practice; a huge span is not worth counting.
        tokens = count_tokens(text[begin:stop]) if stop - begin <= limit * 64 else limit + 1
        if tokens <= limit or stop - begin < 2:
            yield begin, stop, tokens
            continue
        cut = _middle(text, begin, stop)
        stack += [(cut, stop), (begin, cut)]


def _middle(text: str, start: int, end: int) -> int:
    """Returns a place to cut near the middle of text[start:end]: after a line or a comma, else after a space, else
    before any character that is not a mark of the one before it."""
    half, reach = (start + end) // 2, max((end - start) // 4, 1)
    for stop in ("\n", "，", ", ", " "):
        found = text.rfind(stop, half - reach, half + reach)
        if found > start:
            return min(found + len(stop), end - 1)
    cut = half
    while cut < end - 1 and (unicodedata.combining(text[cut]) or text[cut] in "\u200d\ufe0f\ufe0e"):
        cut += 1
    return cut


def _pack(atoms: Iterator[_Atom], limit: int, overlap: int) -> Iterator[_Span]:
    """Yields spans of whole atoms, at most `limit` tokens each; a heading starts a new span once the
    current one is worth keeping alone, or is the rest of a section."""
    current: list[_Atom] = []
    total = 0
    continued = False  # the current span goes on with the section of the one before
    for atom in atoms:
        worth = total >= limit // 4 or continued
        new_section = atom.heading and worth and not all(a.heading for a in current)
        if current and (new_section or total + atom.tokens > limit):
            carried: list[_Atom] = []
            while current[-1].heading and len(current) > 1 and not new_section:
                carried.insert(0, current.pop())  # a heading belongs to what follows
            yield _span(current, closes=new_section or bool(carried))
            continued = not new_section and not carried
            if continued:
                carried = _tail(current, min(overlap, limit - atom.tokens))
            if sum(a.tokens for a in carried) + atom.tokens > limit:
                yield _span(carried, closes=False)
                carried = []
            current, total = carried, sum(a.tokens for a in carried)
        current.append(atom)
        total += atom.tokens
    if current:
        yield _span(current, closes=True)


def _span(atoms: list[_Atom], *, closes: bool) -> _Span:
    return _Span(atoms[0].start, atoms[-1].end, sum(atom.tokens for atom in atoms), closes)


def _with_rests(spans: Iterable[_Span], limit: int) -> Iterator[_Span]:
    """Joins the short rest of a section to the span before it: alone it says too little to be found."""
    before: _Span | None = None
    for span in spans:
        if before and not before.closes and span.closes and span.tokens <= limit // 3:
            before = replace(before, end=span.end, closes=True)
            continue
        if before:
            yield before
        before = span
    if before:
        yield before


def _tail(atoms: list[_Atom], tokens: int) -> list[_Atom]:
    """Returns the last atoms of a span, never all of them, that fit in `tokens`."""
    kept: list[_Atom] = []
    for atom in reversed(atoms[1:]):
        tokens -= atom.tokens
        if tokens < 0 or atom.heading:
            break
        kept.insert(0, atom)
    return kept


def _heading_paths(headings: tuple[Heading, ...]) -> list[tuple[str, ...]]:
    """Returns, for each heading, the titles from the top down to it."""
    paths: list[tuple[str, ...]] = []
    open_headings: list[Heading] = []
    for heading in headings:
        while open_headings and open_headings[-1].level >= heading.level:
            open_headings.pop()
        open_headings.append(heading)
        paths.append(tuple(item.title for item in open_headings))
    return paths


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Returns the span without the white space at its ends; an empty one where there is nothing else."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
