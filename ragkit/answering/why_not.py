"""Tells why an expected passage is not in an answer: the first stage that lost it, and what would keep it.

index -> reading -> splitting -> candidates (dense, lexical) -> ranking -> reranking -> selection ->
packing -> (the answerer had it)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ragkit.answering import packing
from ragkit.answering.ask import context_budget
from ragkit.i18n.messages import Message, coded, runs
from ragkit.retrieval import selection
from ragkit.retrieval.search import RetrievalContext, Stages, retrieve_in_stages
from ragkit.text import quotes, terms
from ragkit.types.documents import Chunk
from ragkit.types.ports import Answerer, Catalog, ReadDocument
from ragkit.types.reports import FileOutcome
from ragkit.types.search import Condition, Stage, WhyNot

_UNREAD = ("unreadable", "unsupported", "skipped")
_MAX_RANKED = 20_000  # candidates among which a passage's true rank is looked for
_FILE = re.compile(r"\S[^\n]*\.[A-Za-z0-9]{1,5}(:\d+)?")
_LEFT_OUT = coded("left_out", "It was left out: it {why}.")
_MAX_LIKELY = 40  # likely documents that a passage is looked for in before all the others


@dataclass(frozen=True, slots=True)
class Expected:
    """What was to be found: a whole file, a page of it, or a passage."""

    source: str
    page: int | None
    quote: str  # "": any passage of the source and page
    span: tuple[int, int] | None  # where the quote stands, in characters of the document's text


def why_not(
    question: str, expected: Expected, where: Sequence[Condition], index: RetrievalContext, answerer: Answerer
) -> WhyNot:
    """Looks at the stages in order, up to the one that lost the passage. Raises what retrieval raises."""
    stages = retrieve_in_stages(question, index.settings.k, index, where)
    search = _Search(question, expected, _chunks(expected, index.catalog), where, index, answerer, stages)
    seen: list[Message] = []
    for look in (_split, _conditions, _candidates, _ranking, _reranking, _selection, _packing):
        found = look(search)
        if isinstance(found, WhyNot):
            return replace(found, seen=tuple(filter(None, seen)))
        seen.append(found)
    template = coded("given", "It is put before the answerer, which chooses what it quotes.")
    return WhyNot("given", template, Message(), tuple(filter(None, seen)))


@dataclass(frozen=True, slots=True)
class _Search:
    """A question, what was expected for it, and what retrieval made of it."""

    question: str
    expected: Expected
    chunks: Sequence[Chunk]  # the chunks that hold a part of what is expected
    where: Sequence[Condition]
    index: RetrievalContext
    answerer: Answerer
    stages: Stages

    def rank(self, order: Iterable[str]) -> int | None:
        """Returns the rank, from 1, of the best of the expected chunks in an order of ids; None: none is in it."""
        names = {chunk.id for chunk in self.chunks}
        return next((rank for rank, name in enumerate(order, 1) if name in names), None)

    def reason(self) -> Message | None:
        """Returns why selection left one of the chunks out, though it ranked well enough; None: it left out none."""
        names = {chunk.id for chunk in self.chunks}
        return next((one.reason for one in self.stages.selection.left_out if one.chunk.id in names), None)


def expected_of(
    written: str,
    files: Mapping[str, FileOutcome],
    named: Callable[[str], list[str]],
    read: ReadDocument,
    likely: Callable[[str], Sequence[str]],
) -> Expected | WhyNot:
    """Finds what a person expects, who has `written` a file with or without `:PAGE`, or words of a passage. `named`
    gives the sources that a name means; `likely` those that a passage may stand in, the likeliest first."""
    name, _, page = written.rpartition(":")
    for candidate, number in ((written, None), (name, int(page) if page.isdecimal() else None)):
        sources = named(candidate) if candidate and (number is not None or candidate == written) else []
        if len(sources) == 1:
            return _expected_file(files[sources[0]], number)
    if _looks_like_a_file(written):
        return _lost(
            "index",
            coded("no_such_file", "No file of the index has this name: {name}"),
            Message("Run: ragkit index {name}"),
            name=written,
        )
    tried = list(likely(written))[:_MAX_LIKELY]
    for source in [*tried, *(other for other in files if other not in tried)]:
        document = read(source)
        span = quotes.find_quote(written, document.text) if document is not None else None
        if span is not None:
            return Expected(source, None, written, span)
    return _words_not_found(files)


def _words_not_found(files: Mapping[str, FileOutcome]) -> WhyNot:
    """Says that no text of the index holds some words, and whether files that could not be read may hold them."""
    unread = [outcome for outcome in files.values() if outcome.state in _UNREAD or outcome.weak_pages]
    if unread:
        return _lost(
            "reading",
            coded(
                "words_perhaps_unread",
                "No text of the index holds these words; {count} file was not read, or not wholly.",
                "No text of the index holds these words; {count} files were not read, or not wholly.",
            ),
            Message("Run: ragkit audit"),
            count=len(unread),
        )
    return _lost(
        "index",
        coded("words_not_indexed", "No text of the index holds these words."),
        Message("Run: ragkit index FOLDER"),
    )


def _expected_file(outcome: FileOutcome, page: int | None) -> Expected | WhyNot:
    """Returns a file, or a page of it, as what is expected, unless it was not read."""
    fix = Message("Run: ragkit audit")
    if outcome.state in _UNREAD:
        return _lost("reading", coded("file_not_read", "The file was not read: {why}"), fix, why=outcome.reason)
    weak = [one for one in outcome.weak_pages if one.number == page]
    if page is not None and weak and not weak[0].score:
        return _lost(
            "reading", coded("page_not_read", "Page {page} was not read: {why}"), fix, page=page, why=weak[0].reason
        )
    return Expected(outcome.source, page, "", None)


def _chunks(expected: Expected, catalog: Catalog) -> list[Chunk]:
    """Returns the chunks that hold a part of what is expected."""
    found = catalog.chunks_of(expected.source)
    if expected.span is not None:
        start, end = expected.span
        return [chunk for chunk in found if chunk.start < end and start < chunk.end]
    return [chunk for chunk in found if expected.page in (None, chunk.place.page)]


def _split(search: _Search) -> WhyNot | Message:
    chunks, expected = search.chunks, search.expected
    if not chunks:
        template = coded(
            "no_passage_on_page", "No passage begins on page {page}; its text is part of the passages around it."
        )
        return _lost("splitting", template, Message("Expect the file without a page."), page=expected.page or 0)
    if expected.span is None:
        return coded(
            "passages_of_file",
            "The file has {count} passage that counts.",
            "The file has {count} passages that count.",
            count=len(chunks),
        )
    start, end = expected.span
    whole = [chunk for chunk in chunks if chunk.start <= start and end <= chunk.end]
    if whole:
        return coded("in_passage", "It stands in passage {number} of its document.", number=whole[0].ordinal + 1)
    return _lost(
        "splitting",
        coded(
            "split_over_passages",
            "Only a part of it stands in {count} passage (number {numbers} of its document).",
            "It is split over {count} passages (numbers {numbers} of its document); none holds all of it.",
        ),
        Message("Raise chunking.overlap_tokens or chunking.chunk_tokens, and index again."),
        count=len(chunks),
        numbers=runs([chunk.ordinal + 1 for chunk in chunks]),
    )


def _conditions(search: _Search) -> WhyNot | Message:
    if not search.where:
        return Message()
    vector = search.index.embedder.embed_query(search.question)
    if search.rank(search.index.dense.nearest(vector, _MAX_RANKED, search.where)) is None:
        return _lost(
            "conditions", coded("conditions_exclude", "The conditions leave it out."), Message("Ask without --where.")
        )
    return coded("conditions_keep", "The conditions leave it in.")


def _candidates(search: _Search) -> WhyNot | Message:
    index, settings = search.index, search.index.settings
    vector = index.embedder.embed_query(search.question)
    dense = search.rank(index.dense.nearest(vector, _MAX_RANKED, search.where))
    lexical = search.rank(index.catalog.lexical(terms.query_terms(search.question), _MAX_RANKED, search.where))
    ranks = {"dense": dense or "–", "lexical": lexical or "–"}
    most = max(settings.candidates, settings.k)
    best = min((rank for rank in (dense, lexical) if rank), default=None)
    if best is None:
        template = coded("no_candidate", "It has no vector and shares no word with the question.")
        return _lost("candidates", template, Message("Run: ragkit rebuild, or ask in the document's words."))
    if best <= most:
        return coded("candidate_ranks", "Dense rank {dense}, lexical rank {lexical}.", **ranks)
    return _lost(
        "candidates",
        coded(
            "candidate_too_low",
            "Dense rank {dense}, lexical rank {lexical}; only the first of each is looked at.",
            "Dense rank {dense}, lexical rank {lexical}; the first {count} of each are looked at.",
        ),
        Message("Set retrieval.candidates to {best}."),
        **ranks,
        count=most,
        best=best,
    )


def _ranking(search: _Search) -> WhyNot | Message:
    settings = search.index.settings
    rank = search.rank(hit.ref.id for hit in search.stages.ranked)
    fix, k = Message("Set retrieval.k to {rank}."), settings.k
    if search.reason() is not None or (rank is not None and rank <= max(k, _rerank_depth(search.index))):
        return coded("rank_after_fusion", "Rank {rank} after fusion.", rank=rank or "–")
    weakest = min((hit.score for hit in search.stages.ranked if hit.rank == rank), default=0.0)
    least = selection.least_score(search.stages.ranked, settings, by_score=search.index.ordered_by_score)
    if rank is not None and weakest < least:
        why = coded(
            "fused_too_weak",
            "Rank {rank} after fusion, with less than {percent} % of the best score; only the first is used.",
            "Rank {rank} after fusion, with less than {percent} % of the best score; the first {count} are used.",
        )
        fix = Message("Set retrieval.k to {rank} and retrieval.least_share to 0.")
        return _lost("ranking", why, fix, rank=rank, percent=round(100 * settings.least_share), count=k)
    why = coded(
        "fused_too_low",
        "Rank {rank} after fusion; only the first is used.",
        "Rank {rank} after fusion; the first {count} are used.",
    )
    return _lost("ranking", why, fix, rank=rank or "–", count=k)


def _reranking(search: _Search) -> WhyNot | Message:
    settings = search.index.settings
    if not _rerank_depth(search.index):
        return Message()
    rank = search.rank(hit.ref.id for hit in search.stages.reranked)
    if search.reason() is not None or (rank is not None and rank <= settings.k):
        return coded("rank_after_reranking", "Rank {rank} after reranking.", rank=rank or "–")
    why = coded(
        "reranked_too_low",
        "Rank {rank} after reranking; only the first is used.",
        "Rank {rank} after reranking; the first {count} are used.",
    )
    return _lost("reranking", why, Message("Set retrieval.k to {rank}."), rank=rank or "–", count=settings.k)


def _selection(search: _Search) -> WhyNot | Message:
    reason = search.reason()
    found = search.stages.selection
    used = [*found.kept, *(hit for hits in found.joined.values() for hit in hits)]
    if reason is None or search.rank(hit.chunk.id for hit in used) is not None:
        return Message()
    if reason.code == selection.TOO_WEAK.code:
        fix = Message("Set retrieval.least_share to 0, or ask for one thing at a time.")
        return _lost("selection", _LEFT_OUT, fix, why=reason)
    if search.index.settings.per_source and reason.code == selection.ENOUGH_OF_DOCUMENT.code:
        fix = Message("Set retrieval.per_source to {more}.")
        return _lost("selection", _LEFT_OUT, fix, why=reason, more=search.index.settings.per_source + 1)
    return _lost("selection", _LEFT_OUT, Message("Nothing is lost: the other one says it."), why=reason)


def _packing(search: _Search) -> WhyNot | Message:
    answerer = search.answerer
    context = packing.pack(search.stages.selection, context_budget(answerer, search.index.catalog.document))
    names = {chunk.id for chunk in search.chunks}
    for passage in context.passages:
        if names & set(passage.chunk_ids):
            return coded("in_context", "It is passage [{marker}] of the context.", marker=passage.marker)
    return _lost(
        "packing",
        coded("context_full", "It did not fit into the context of {tokens} tokens."),
        Message("Raise options.num_ctx, or lower retrieval.k."),
        tokens=answerer.passage_tokens,
    )


def _rerank_depth(index: RetrievalContext) -> int:
    """Returns how many of the best chunks are reranked."""
    return index.reranker.depth if index.reranker is not None else 0


def _looks_like_a_file(written: str) -> bool:
    return bool(_FILE.fullmatch(written))


def _lost(stage: Stage, why: Message, fix: Message, /, **values: object) -> WhyNot:
    """Says that `stage` lost the passage; the values fill both messages."""
    return WhyNot(stage, replace(why, values=values), replace(fix, values=values))
