"""From a question to chunks:
(expand) -> embed -> dense + lexical -> fuse -> feedback -> fuse -> among alike -> (rerank) -> select; for an answer,
with what stands beside the best of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ragkit import ranking, selection, terms
from ragkit.config import RetrievalConfig
from ragkit.ports import Assistant, Catalog, DenseIndex, Embedder
from ragkit.selection import Selection
from ragkit.types import Chunk, Condition, ScoredChunk, Vector

_LOOKED_AROUND = 3  # of the best chunks, times those that are wanted: their neighbours are scored


@dataclass(frozen=True, slots=True)
class Index:
    """What retrieval works with."""

    catalog: Catalog
    dense: DenseIndex
    embedder: Embedder
    settings: RetrievalConfig
    assistant: Assistant | None = None  # for `settings.rerank` and `settings.expand`


@dataclass(frozen=True, slots=True)
class Stages:
    """What each stage made of a question."""

    ranked: list[ScoredChunk]
    reranked: list[ScoredChunk]  # the same as `ranked` where nothing reranks
    selection: Selection


def retrieve(question: str, k: int, index: Index, where: Sequence[Condition] = ()) -> Selection:
    """The `k` best chunks for `question` of those for which every condition holds, best first; fewer when
    there are fewer."""
    ranked = _found(question, max(index.settings.candidates, k), index, where).ranked
    return selection.select(_reranked(question, ranked, index), k, index.settings)


def for_answer(question: str, k: int, index: Index, where: Sequence[Condition] = ()) -> Selection:
    """The chunks that an answer is made from: up to `k` of the best, with the neighbours that belong to them."""
    return stages(question, k, index, where).selection


def stages(question: str, k: int, index: Index, where: Sequence[Condition] = ()) -> Stages:
    found = _found(question, max(index.settings.candidates, k), index, where, around=_LOOKED_AROUND * k)
    ordered = _reranked(question, found.ranked, index)
    return Stages(found.ranked, ordered, selection.for_answer(ordered, found.beside, k, index.settings))


@dataclass(frozen=True, slots=True)
class _Found:
    ranked: list[ScoredChunk]
    beside: list[ScoredChunk]  # neighbours of the best that are not among them


def _found(question: str, limit: int, index: Index, where: Sequence[Condition], around: int = 0) -> _Found:
    """All that the two searches find, `limit` each, best first; for each of the queries that the question is
    expanded to."""
    found = _of_one_query(question, limit, index, where, around)
    if index.assistant is None or index.settings.expand == "off":
        return found
    others = index.assistant.other_queries(question, index.settings.expand)
    lists = [found.ranked, *(_of_one_query(query, limit, index, where, 0).ranked for query in others)]
    return _Found(ranking.merged(lists), [])


def _reranked(question: str, ranked: list[ScoredChunk], index: Index) -> list[ScoredChunk]:
    """`ranked` with its best chunks in the order of the assistant, where there is one to be asked."""
    if index.assistant is None or index.settings.rerank == "off":
        return ranked
    best = index.assistant.reranked(question, ranked[: index.settings.rerank_passages])
    rest = [at for at in range(len(ranked)) if at not in set(best)]
    return [replace(ranked[at], rank=rank) for rank, at in enumerate([*best, *rest], 1)]


def _of_one_query(question: str, limit: int, index: Index, where: Sequence[Condition], around: int) -> _Found:
    catalog, dense, settings = index.catalog, index.dense, index.settings
    vector = index.embedder.embed_query(question)
    question_terms = terms.query_terms(question)
    near = dense.nearest(vector, limit, where)
    weights = ranking.term_weights(
        question_terms, catalog.document_frequencies(question_terms), catalog.counts()["chunks"]
    )
    lexical = catalog.lexical(question_terms, limit, where)
    names = list(dict.fromkeys([*near.similarities, *lexical]))
    chunks, vectors = catalog.chunks(names), dense.among(vector, names)
    openings = _openings(chunks.values(), catalog)
    found = ranking.Candidates(
        chunks=chunks,
        openings=openings,
        dense=near,
        lexical=lexical,
        similarities={**vectors.similarities, **near.similarities},
        term_weights=weights,
        term_scores=catalog.term_scores(question_terms, [*chunks, *openings.values()]),
    )
    fusion = ranking.Fusion(found, settings)
    if settings.mode != "hybrid":
        return _Found(ranking.by_one_search(found, fusion.ranked(fusion.scores(near)), settings.mode), [])
    like = dict[str, float]()
    scores = fusion.scores(vectors.nearer(like))
    if settings.feedback and scores and fusion.trust:
        like = ranking.feedback(scores, settings.feedback, fusion.trust)
        scores = fusion.scores(vectors.nearer(like))
    if settings.neighbours and scores and fusion.trust:
        smooth = vectors.smoothed(scores, settings.neighbours, ranking.ALIKE * fusion.trust)
        scores = ranking.dealt_anew(scores, smooth)
    ranked = fusion.ranked(scores)
    return _Found(ranked, _beside(ranked[:around], vector, like, found, index, where))


def _beside(
    best: Sequence[ScoredChunk],
    vector: Vector,
    like: Mapping[str, float],
    found: ranking.Candidates,
    index: Index,
    where: Sequence[Condition],
) -> list[ScoredChunk]:
    """The chunks beside the `best` that no search found, scored together with these: on one scale with them."""
    if not best or not index.settings.join:
        return []
    near = index.catalog.neighbours([hit.chunk for hit in best], index.settings.join, where)
    chunks = {chunk.id: chunk for chunk in near} | {hit.chunk.id: hit.chunk for hit in best}
    openings = {**found.openings, **_openings(near, index.catalog)}
    scores = index.catalog.term_scores(list(found.term_weights), [*chunks, *openings.values()])
    fusion = ranking.Fusion(replace(found, chunks=chunks, openings=openings, term_scores=scores), index.settings)
    vectors = index.dense.among(vector, [*chunks, *like])
    scored = fusion.ranked(fusion.scores(vectors.nearer(like)))
    return [hit for hit in scored if hit.chunk.id not in found.chunks]


def _openings(chunks: Iterable[Chunk], catalog: Catalog) -> Mapping[str, str]:
    """source -> id of the first chunk, of the documents that a later one is from."""
    return catalog.openings(sorted({chunk.source for chunk in chunks if chunk.ordinal}))
