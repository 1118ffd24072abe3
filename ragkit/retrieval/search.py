"""Goes from a question to the chunks that speak to it:

(expand) -> embed -> dense + lexical -> fuse -> feedback -> fuse -> smooth among alike -> (rerank) -> select

For an answer, the chunks beside the best ones come with them, as far as they fit the question too.
"""

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
    column_ids,
    feedback_weights,
    merge_rankings,
    order_of_one_search,
    reorder_keeping_scores,
    term_weights,
)
from ragkit.retrieval.selection import Selection
from ragkit.text import terms
from ragkit.types.documents import Chunk, ChunkRef, Vector
from ragkit.types.ports import Catalog, DenseIndex, Embedder, Reranker
from ragkit.types.search import Condition, Hit, ReadChunk

_NEIGHBOURS_OF = 3  # times as many chunks as are wanted have their neighbours scored
_CHUNKS_READ_AT_ONCE = 16  # few more than are wanted


@dataclass(frozen=True, slots=True)
class RetrievalContext:
    """The parts of an index that retrieval works with, its settings, and the helps that are switched on."""

    catalog: Catalog
    dense: DenseIndex
    embedder: Embedder
    settings: RetrievalConfig
    reranker: Reranker | None = None
    expand: Callable[[str], Sequence[str]] | None = None  # returns what to search for beside a question

    @property
    def ordered_by_score(self) -> bool:
        """Whether the scores make the final order, so that a low one is a reason to leave a chunk out."""
        return self.reranker is None or self.reranker.keeps_scores


@dataclass(frozen=True, slots=True)
class Stages:
    """What each stage of a retrieval gave, all of it best first."""

    ranked: list[Hit]
    reranked: list[Hit]  # the same as `ranked` where nothing reranks
    selection: Selection


def retrieve(question: str, k: int, index: RetrievalContext, where: Sequence[Condition] = ()) -> Selection:
    """Returns the `k` best chunks for `question` of those for which every condition holds, best first; fewer when
    there are fewer."""
    found = _search(question, max(index.settings.candidates, k), index, where)
    read = _chunk_reader(found.ranked, index.catalog)
    return selection.select(_reranked(question, found, read, index), read, k, index.settings)


def retrieve_for_answer(question: str, k: int, index: RetrievalContext, where: Sequence[Condition] = ()) -> Selection:
    """Returns the chunks that an answer is made from: up to `k` of the best, with the neighbours that belong to
    them."""
    return retrieve_in_stages(question, k, index, where).selection


def retrieve_in_stages(question: str, k: int, index: RetrievalContext, where: Sequence[Condition] = ()) -> Stages:
    """Returns what `retrieve_for_answer` does, and what led to it."""
    found = _search(question, max(index.settings.candidates, k), index, where, around=_NEIGHBOURS_OF * k)
    read = _chunk_reader([*found.ranked, *found.beside], index.catalog)
    ordered = _reranked(question, found, read, index)
    chosen = selection.select_for_answer(
        ordered, found.beside, read, k, index.settings, by_score=index.ordered_by_score
    )
    return Stages(found.ranked, ordered, chosen)


@dataclass(frozen=True, slots=True)
class _Results:
    """What the dense and the lexical search found together."""

    vector: Vector  # the question's embedding
    ranked: list[Hit]
    beside: list[Hit]  # neighbours of the best chunks that no search found


def _search(
    question: str, limit: int, index: RetrievalContext, where: Sequence[Condition], around: int = 0
) -> _Results:
    """Returns all that the two searches find, `limit` each, for the question and for the queries that it is expanded
    to. The neighbours of the `around` best chunks come with the question's own; an expanded one has none."""
    found = _search_one_query(question, limit, index, where, around)
    if index.expand is None:
        return found
    others = index.expand(question)
    lists = [found.ranked, *(_search_one_query(query, limit, index, where, 0).ranked for query in others)]
    return _Results(found.vector, merge_rankings(lists), [])


def _chunk_reader(hits: Sequence[Hit], catalog: Catalog) -> ReadChunk:
    """Returns a function that reads the chunks of `hits`, some at once in their order: of what is ranked, most is
    never used."""
    ids = [hit.ref.id for hit in hits]
    places = {name: place for place, name in enumerate(ids)}
    known: dict[str, Chunk] = {}

    def read(name: str) -> Chunk:
        if name not in known:
            known.update(catalog.chunks(ids[places[name] : places[name] + _CHUNKS_READ_AT_ONCE]))
        return known[name]

    return read


def _reranked(question: str, found: _Results, read: ReadChunk, index: RetrievalContext) -> list[Hit]:
    """Returns the ranked chunks as the reranker orders them. One that adds to the scores has nothing to add to where
    these cannot be compared, and is left out there."""
    reranker, ranked = index.reranker, found.ranked
    if reranker is None or (reranker.keeps_scores and not selection.scores_are_comparable(ranked, index.settings)):
        return ranked
    return reranker.rerank(question, found.vector, ranked, read)


def _search_one_query(
    question: str, limit: int, index: RetrievalContext, where: Sequence[Condition], around: int
) -> _Results:
    """Searches by meaning and by words, fuses both, moves the question towards the best chunks and fuses again."""
    catalog, dense, settings = index.catalog, index.dense, index.settings
    vector = index.embedder.embed_query(question)
    question_terms = terms.query_terms(question)
    near = dense.nearest(vector, limit, where)
    weights = term_weights(question_terms, catalog.document_frequencies(question_terms), catalog.counts()["chunks"])
    lexical = catalog.lexical(question_terms, limit, where)
    refs = catalog.refs(sorted({*near, *lexical}))
    if not refs:
        return _Results(vector, [], [])
    found = _candidates(refs, near, lexical, weights, catalog)
    fusion = Fusion(found)
    vectors = dense.among(vector, [ref.id for ref in refs])
    like = dict[str, float]()
    scores = fusion.scores(vectors.nearer(like))
    if settings.mode != "hybrid":
        ranked = fusion.ranked(scores, vectors.similarities)
        return _Results(vector, order_of_one_search(found, ranked, settings.mode), [])
    if fusion.trust:
        best = feedback_weights(scores, FEEDBACK_CHUNKS, fusion.trust)
        like = {refs[place].id: weight for place, weight in best.items()}
        scores = fusion.scores(vectors.nearer(like))
        smooth = vectors.smoothed(scores, NEIGHBOURS, ALIKE * fusion.trust)
        scores = reorder_keeping_scores(scores, smooth)
    ranked = fusion.ranked(scores, vectors.similarities)
    return _Results(vector, ranked, _scored_neighbours(ranked[:around], vector, like, found, index, where))


def _scored_neighbours(
    best: Sequence[Hit],
    vector: Vector,
    like: Mapping[str, float],
    found: Candidates,
    index: RetrievalContext,
    where: Sequence[Condition],
) -> list[Hit]:
    """Returns the chunks beside the `best` that no search found. They are scored together with these, so that their
    scores are on one scale."""
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
    """Returns the candidates with what their words and their documents' openings score."""
    openings = catalog.openings(sorted({ref.source for ref in refs if ref.ordinal}))
    names = column_ids(refs, openings)
    scores = catalog.term_scores(list(weights), names)
    return Candidates(refs, openings, near, lexical, weights, names, scores)
