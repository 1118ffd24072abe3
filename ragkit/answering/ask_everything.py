"""Reads everything: a question whose answer is a list is put to every passage, not to the best few.

chunks -> batches -> rows of each batch (asked for, or kept from a run that was cut off) -> checked -> ExhaustiveAnswer
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ragkit.answering import citations
from ragkit.i18n.messages import Message, coded
from ragkit.retrieval.selection import Selection
from ragkit.text.fencing import PASSAGE_OVERHEAD_TOKENS
from ragkit.types.answers import Citation, Completion, ExhaustiveAnswer, Row
from ragkit.types.documents import Chunk, Document
from ragkit.types.errors import ContextOverflow
from ragkit.types.ports import Answerer, KeptReplies, ReadDocument
from ragkit.types.search import Passage, ScoredChunk

_BATCH_TOKENS = 3000  # passages that are asked about at once: small models overlook things in longer prompts


def collect(
    question: str, chunks: Sequence[Chunk], *, answerer: Answerer, read: ReadDocument, kept: KeptReplies
) -> Iterator[ExhaustiveAnswer]:
    """Yields what has been found after each batch; the last one has everything.

    `kept` holds the replies to batches that were asked about before, so that a run that was cut off goes on where it
    stopped. Raises ModelError.
    """
    found = ExhaustiveAnswer(question, (), 0, len(chunks), answerer.mode, answerer.model)
    waiting = _batches(chunks, answerer)[::-1]
    documents: dict[str, Document | None] = {}
    while waiting:
        batch = waiting.pop()
        passages = [_passage(marker, chunk) for marker, chunk in enumerate(batch, 1)]
        key = _key(question, answerer.model, passages)
        reply = kept.get(key)
        if reply is None:
            completion = _rows_of(question, passages, answerer)
            if completion is None and len(batch) > 1:  # it was too much at once, so each half is asked by itself
                half = len(batch) // 2
                waiting += [batch[half:], batch[:half]]
                continue
            reply = completion.text if completion is not None else ""
            if completion is None:
                found = replace(found, notes=(*found.notes, _too_long(batch[0])))
            kept.put(key, reply)
        for source in {passage.source for passage in passages} - documents.keys():
            documents[source] = read(source)
        texts = {name: text for name, text in documents.items() if text is not None}
        found = _with_rows(found, reply, passages, texts)
        found = replace(found, chunks_read=found.chunks_read + len(batch))
        documents = {name: text for name, text in documents.items() if name == batch[-1].source}
        yield found
    if not chunks:
        yield found


def as_selection(found: ExhaustiveAnswer, read: ReadDocument) -> Selection:
    """Makes the verified findings chunks of their own, each exactly the words that prove it, to answer from."""
    kept: list[ScoredChunk] = []
    for row in found.rows:
        best = next((citation for citation in row.citations if citation.verified), None)
        document = read(best.source) if best is not None else None
        if best is None or document is None:
            continue
        name = hashlib.sha256(repr(_span(best)).encode()).hexdigest()[:24]
        text = document.text[best.start : best.end]
        chunk = Chunk(name, best.source, len(kept), text, best.start, best.end, best.place, ())
        kept.append(ScoredChunk(chunk, 0.0, len(kept) + 1, None, None, None, 0.0))
    return Selection(tuple(kept))


def _rows_of(question: str, passages: Sequence[Passage], answerer: Answerer) -> Completion | None:
    """Asks for the findings in some passages; returns None where these, or their findings, are too long."""
    try:
        completion = answerer.rows(question, passages)
    except ContextOverflow:
        return None
    return None if completion.done_reason == "length" else completion


def _batches(chunks: Sequence[Chunk], answerer: Answerer) -> list[list[Chunk]]:
    """Returns the chunks in batches, in order; a chunk that is too long for any batch is one by itself."""
    most = min(answerer.passage_tokens, _BATCH_TOKENS)
    batches: list[list[Chunk]] = []
    used = most + 1
    for chunk in chunks:
        tokens = answerer.count_tokens(chunk.text) + PASSAGE_OVERHEAD_TOKENS
        if used + tokens > most:
            batches.append([])
            used = 0
        batches[-1].append(chunk)
        used += tokens
    return batches


def _passage(marker: int, chunk: Chunk) -> Passage:
    return Passage(
        marker, chunk.source, "", chunk.text, chunk.start, chunk.end, chunk.place, chunk.heading_path, (chunk.id,),
        0.0, None, 0.0,
    )  # fmt: skip


def _key(question: str, model: str, passages: Sequence[Passage]) -> str:
    """Returns the key that the reply to a batch is kept under."""
    parts = [question, model, *(f"{passage.source}\0{passage.text}" for passage in passages)]
    return hashlib.sha256("\0\0".join(parts).encode()).hexdigest()


def _with_rows(
    found: ExhaustiveAnswer, reply: str, passages: Sequence[Passage], documents: Mapping[str, Document]
) -> ExhaustiveAnswer:
    """Adds the rows of a reply; what was found before, in the overlap of two passages, is left out."""
    rows = list(found.rows)
    seen = {_span(citation) for row in rows for citation in row.citations if citation.verified}
    for line in filter(None, (line.strip() for line in reply.splitlines())):
        cited = citations.check(line, passages, documents)
        if not cited:
            continue  # it is "none", or talk around the list: no passage is said to hold it
        best = next((citation for citation in cited if citation.verified), cited[0])
        if best.verified and _span(best) in seen:
            continue
        seen |= {_span(citation) for citation in cited if citation.verified}
        rows.append(Row(line, tuple(replace(one, marker=len(rows) + 1) for one in cited)))
    return replace(found, rows=tuple(rows))


def _span(citation: Citation) -> tuple[str, int, int]:
    return citation.source, citation.start, citation.end


def _too_long(chunk: Chunk) -> Message:
    return coded(
        "passage_too_long",
        "A passage was too long for the model, and was not read: {file}, characters {start} to {end}.",
        file=chunk.source,
        start=chunk.start,
        end=chunk.end,
    )
