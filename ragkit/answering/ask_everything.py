"""Reading everything: a question whose answer is a list is put to every passage, not to the best few.

chunks -> batches -> rows of each batch (asked for, or kept from a run that was cut off) -> checked -> Collected
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ragkit.answering import citations
from ragkit.i18n.messages import Message, coded
from ragkit.retrieval.selection import Selection
from ragkit.types.answers import Citation, Completion, ExhaustiveAnswer, Row
from ragkit.types.documents import Chunk, Document
from ragkit.types.errors import ContextOverflow
from ragkit.types.ports import KeptReplies, RowReader
from ragkit.types.search import Passage, ScoredChunk

_BATCH_TOKENS = 3000  # of passages asked about at once: small models overlook things in longer prompts
_OVERHEAD_TOKENS = 40  # of a passage's frame in the prompt

Read = Callable[[str], Document | None]


def collect(
    question: str, chunks: Sequence[Chunk], *, reader: RowReader, read: Read, kept: KeptReplies
) -> Iterator[ExhaustiveAnswer]:
    """What has been found after each batch, and last with everything read.

    `kept` holds the replies of before by batch, so that a run that was cut off goes on where it stopped.
    Raises ModelError.
    """
    found = ExhaustiveAnswer(question, (), 0, len(chunks), reader.mode, reader.model)
    waiting = _batches(chunks, reader)[::-1]
    documents: dict[str, Document | None] = {}
    while waiting:
        batch = waiting.pop()
        passages = [_passage(marker, chunk) for marker, chunk in enumerate(batch, 1)]
        key = _key(question, reader.model, passages)
        reply = kept.get(key)
        if reply is None:
            completion = _asked(question, passages, reader)
            if completion is None and len(batch) > 1:  # too much at once: each half by itself
                half = len(batch) // 2
                waiting += [batch[half:], batch[:half]]
                continue
            reply = completion.text if completion is not None else ""
            if completion is None:
                found = replace(found, notes=(*found.notes, _cut(batch[0])))
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


def as_selection(found: ExhaustiveAnswer, read: Read) -> Selection:
    """The verified findings as chunks of their own, each exactly the words that prove it, to answer from."""
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


def _asked(question: str, passages: Sequence[Passage], reader: RowReader) -> Completion | None:
    """None: the passages, or the rows of them, were too long."""
    try:
        completion = reader.rows(question, passages)
    except ContextOverflow:
        return None
    return None if completion.done_reason == "length" else completion


def _batches(chunks: Sequence[Chunk], reader: RowReader) -> list[list[Chunk]]:
    """In order; a chunk that is too long for any batch is one by itself."""
    most = min(reader.passage_tokens, _BATCH_TOKENS)
    batches: list[list[Chunk]] = []
    used = most + 1
    for chunk in chunks:
        tokens = reader.count_tokens(chunk.text) + _OVERHEAD_TOKENS
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
    parts = [question, model, *(f"{passage.source}\0{passage.text}" for passage in passages)]
    return hashlib.sha256("\0\0".join(parts).encode()).hexdigest()


def _with_rows(
    found: ExhaustiveAnswer, reply: str, passages: Sequence[Passage], documents: Mapping[str, Document]
) -> ExhaustiveAnswer:
    """`found` and the rows of a reply; what was found before, in the overlap of two passages, is left out."""
    rows = list(found.rows)
    seen = {_span(citation) for row in rows for citation in row.citations if citation.verified}
    for line in filter(None, (line.strip() for line in reply.splitlines())):
        cited = citations.check(line, passages, documents)
        if not cited:
            continue  # "none", or talk around the list: no passage is said to hold it
        best = next((citation for citation in cited if citation.verified), cited[0])
        if best.verified and _span(best) in seen:
            continue
        seen |= {_span(citation) for citation in cited if citation.verified}
        rows.append(Row(line, tuple(replace(one, marker=len(rows) + 1) for one in cited)))
    return replace(found, rows=tuple(rows))


def _span(citation: Citation) -> tuple[str, int, int]:
    return citation.source, citation.start, citation.end


def _cut(chunk: Chunk) -> Message:
    return coded(
        "passage_too_long",
        "A passage was too long for the model, and was not read: {file}, characters {start} to {end}.",
        file=chunk.source,
        start=chunk.start,
        end=chunk.end,
    )
