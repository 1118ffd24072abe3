"""From a question to chunks:
(expand) -> embed -> dense + lexical -> fuse -> feedback -> fuse -> among alike -> (rerank) -> select."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragkit import ranking, selection, terms
from ragkit.config import RetrievalConfig
from ragkit.ports import Assistant, Catalog, DenseIndex, Embedder
from ragkit.selection import Selection
from ragkit.types import Condition, ScoredChunk


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
    return stages(question, k, index, where).selection


def stages(question: str, k: int, index: Index, where: Sequence[Condition] = ()) -> Stages:
    ranked = candidates(question, max(index.settings.candidates, k), index, where)
    ordered = _reranked(question, ranked, index)
    return Stages(ranked, ordered, selection.select(ordered, k, index.settings))


def candidates(question: str, limit: int, index: Index, where: Sequence[Condition] = ()) -> list[ScoredChunk]:
    """All that the two searches find, `limit` each, best first; for each of the queries that the question is
    expanded to."""
    ranked = _of_one_query(question, limit, index, where)
    if index.assistant is None or index.settings.expand == "off":
        return ranked
    others = index.assistant.other_queries(question, index.settings.expand)
    return ranking.merged([ranked, *(_of_one_query(query, limit, index, where) for query in others)])


def _reranked(question: str, ranked: list[ScoredChunk], index: Index) -> list[ScoredChunk]:
    """`ranked` with its best chunks in the order of the assistant, where there is one to be asked."""
    if index.assistant is None or index.settings.rerank == "off":
        return ranked
    best = index.assistant.reranked(question, ranked[: index.settings.rerank_passages])
    rest = [at for at in range(len(ranked)) if at not in set(best)]
    return [replace(ranked[at], rank=rank) for rank, at in enumerate([*best, *rest], 1)]


def _of_one_query(question: str, limit: int, index: Index, where: Sequence[Condition] = ()) -> list[ScoredChunk]:
    catalog, dense, settings = index.catalog, index.dense, index.settings
    vector = index.embedder.embed_query(question)
    question_terms = terms.query_terms(question)
    near = dense.nearest(vector, limit, where)
    weights = ranking.term_weights(
        question_terms, catalog.document_frequencies(question_terms), catalog.counts()["chunks"]
    )
    looked_up = list(weights) if settings.mode == "lexical" else ranking.telling(weights)
    lexical = catalog.lexical(looked_up, limit, where)
    only_lexical = [name for name in lexical if name not in near.similarities]
    similarities = {**near.similarities, **dense.similarities(vector, only_lexical)}
    chunks = catalog.chunks([*near.similarities, *only_lexical])
    found = ranking.Candidates(
        chunks=chunks,
        openings=catalog.openings(sorted({chunk.source for chunk in chunks.values() if chunk.ordinal})),
        dense=near,
        lexical=lexical,
        similarities=similarities,
        term_weights=weights,
    )
    fusion = ranking.Fusion(found, settings)
    if settings.mode != "hybrid":
        return ranking.by_one_search(found, fusion.ranked(near), settings.mode)
    names = list(chunks)
    ranked = fusion.ranked(dense.nearer(vector, {}, names))
    if settings.feedback and ranked and fusion.trust:
        like = ranking.feedback(ranked, settings.feedback, fusion.trust)
        ranked = fusion.ranked(dense.nearer(vector, like, names))
    if settings.neighbours and fusion.trust:
        ranked = ranking.among_alike(ranked, dense.alike(names, settings.neighbours), fusion.trust)
    return ranked
