"""From a question to chunks:
(expand) -> embed -> dense + lexical -> fuse -> feedback -> fuse -> among alike -> (rerank) -> select; for an answer,
with what stands beside the best of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ragkit.config.sections import RetrievalConfig
from ragkit.retrieval import selection
from ragkit.retrieval.fusion import (
    ALIKE,
    FEEDBACK_CHUNKS,
    NEIGHBOURS,
    Candidates,
    Fusion,
    by_one_search,
    columns,
    feedback,
    merged,
    reorder_keeping_scores,
    term_weights,
)
from ragkit.retrieval.selection import Selection
from ragkit.text import terms
from ragkit.types.documents import Chunk, ChunkRef, Vector
from ragkit.types.ports import Catalog, DenseIndex, Embedder, Reranker
from ragkit.types.search import Condition, Hit, ReadChunk

_LOOKED_AROUND = 3  # of the best chunks, times those that are wanted: their neighbours are scored
_READ_AT_ONCE = 16  # chunks: few more than are wanted


@dataclass(frozen=True, slots=True)
class RetrievalContext:
    """What retrieval works with."""

    catalog: Catalog
    dense: DenseIndex
    embedder: Embedder
    settings: RetrievalConfig
    reranker: Reranker | None = None
    expand: Callable[[str], Sequence[str]] | None = None  # what to search for beside a question


@dataclass(frozen=True, slots=True)
class Stages:
    """What each stage made of a question."""

    ranked: list[Hit]
    reranked: list[Hit]  # the same as `ranked` where nothing reranks
    selection: Selection


def retrieve(question: str, k: int, index: RetrievalContext, where: Sequence[Condition] = ()) -> Selection:
    """The `k` best chunks for `question` of those for which every condition holds, best first; fewer when
    there are fewer."""
    found = _found(question, max(index.settings.candidates, k), index, where)
    read = _reader(found.ranked, index.catalog)
    return selection.select(_reranked(question, found, read, index), read, k, index.settings)


def for_answer(question: str, k: int, index: RetrievalContext, where: Sequence[Condition] = ()) -> Selection:
    """The chunks that an answer is made from: up to `k` of the best, with the neighbours that belong to them."""
    return stages(question, k, index, where).selection


def stages(question: str, k: int, index: RetrievalContext, where: Sequence[Condition] = ()) -> Stages:
    found = _found(question, max(index.settings.candidates, k), index, where, around=_LOOKED_AROUND * k)
    read = _reader([*found.ranked, *found.beside], index.catalog)
    ordered = _reranked(question, found, read, index)
    by_score = index.reranker is None or index.reranker.keeps_scores
    chosen = selection.for_answer(ordered, found.beside, read, k, index.settings, by_score=by_score)
    return Stages(found.ranked, ordered, chosen)


@dataclass(frozen=True, slots=True)
class _Found:
    vector: Vector  # of the question
    ranked: list[Hit]
    beside: list[Hit]  # neighbours of the best that are not among them


def _found(question: str, limit: int, index: RetrievalContext, where: Sequence[Condition], around: int = 0) -> _Found:
    """All that the two searches find, `limit` each, best first; for each of the queries that the question is
    expanded to."""
    found = _of_one_query(question, limit, index, where, around)
    if index.expand is None:
        return found
    others = index.expand(question)
    lists = [found.ranked, *(_of_one_query(query, limit, index, where, 0).ranked for query in others)]
    return _Found(found.vector, merged(lists), [])


def _reader(hits: Sequence[Hit], catalog: Catalog) -> ReadChunk:
    """Reads the chunks of `hits` some at once, in their order: of what is ranked, most is never used."""
    ids = [hit.ref.id for hit in hits]
    places = {name: place for place, name in enumerate(ids)}
    known: dict[str, Chunk] = {}

    def read(name: str) -> Chunk:
        if name not in known:
            known.update(catalog.chunks(ids[places[name] : places[name] + _READ_AT_ONCE]))
        return known[name]

    return read


def _reranked(question: str, found: _Found, read: ReadChunk, index: RetrievalContext) -> list[Hit]:
    reranker, ranked = index.reranker, found.ranked
    if reranker is None or (reranker.keeps_scores and not selection.of_one_scale(ranked, index.settings)):
        return ranked
    return reranker.rerank(question, found.vector, ranked, read)


def _of_one_query(
    question: str, limit: int, index: RetrievalContext, where: Sequence[Condition], around: int
) -> _Found:
    catalog, dense, settings = index.catalog, index.dense, index.settings
    vector = index.embedder.embed_query(question)
    question_terms = terms.query_terms(question)
    near = dense.nearest(vector, limit, where)
    weights = term_weights(question_terms, catalog.document_frequencies(question_terms), catalog.counts()["chunks"])
    lexical = catalog.lexical(question_terms, limit, where)
    refs = catalog.refs(sorted({*near, *lexical}))
    if not refs:
        return _Found(vector, [], [])
    found = _candidates(refs, near, lexical, weights, catalog)
    fusion = Fusion(found)
    vectors = dense.among(vector, [ref.id for ref in refs])
    like = dict[str, float]()
    scores = fusion.scores(vectors.nearer(like))
    if settings.mode != "hybrid":
        ranked = fusion.ranked(scores, vectors.similarities)
        return _Found(vector, by_one_search(found, ranked, settings.mode), [])
    if fusion.trust:
        best = feedback(scores, FEEDBACK_CHUNKS, fusion.trust)
        like = {refs[place].id: weight for place, weight in best.items()}
        scores = fusion.scores(vectors.nearer(like))
        smooth = vectors.smoothed(scores, NEIGHBOURS, ALIKE * fusion.trust)
        scores = reorder_keeping_scores(scores, smooth)
    ranked = fusion.ranked(scores, vectors.similarities)
    return _Found(vector, ranked, _beside(ranked[:around], vector, like, found, index, where))


def _beside(
    best: Sequence[Hit],
    vector: Vector,
    like: Mapping[str, float],
    found: Candidates,
    index: RetrievalContext,
    where: Sequence[Condition],
) -> list[Hit]:
    """The chunks beside the `best` that no search found, scored together with these: on one scale with them."""
    if not best or not index.settings.join:
        return []
    near = index.catalog.neighbours([hit.ref for hit in best], index.settings.join, where)
    liked = [ref for ref in found.refs if ref.id in like]
    refs = sorted({*near, *liked, *(hit.ref for hit in best)})
    together = _candidates(refs, found.dense, found.lexical, found.term_weights, index.catalog)
    fusion = Fusion(together)
    vectors = index.dense.among(vector, [ref.id for ref in refs])
    scored = fusion.ranked(fusion.scores(vectors.nearer(like)), vectors.similarities)
    known = {ref.id for ref in found.refs}
    return [hit for hit in scored if hit.ref.id not in known]


def _candidates(
    refs: Sequence[ChunkRef],
    near: Mapping[str, float],
    lexical: Mapping[str, float],
    weights: Mapping[str, float],
    catalog: Catalog,
) -> Candidates:
    openings = catalog.openings(sorted({ref.source for ref in refs if ref.ordinal}))
    names = columns(refs, openings)
    scores = catalog.term_scores(list(weights), names)
    return Candidates(refs, openings, near, lexical, weights, names, scores)
