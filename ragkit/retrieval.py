"""From a question to ranked chunks: embed -> dense + lexical -> fuse -> feedback -> fuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragkit import ranking, terms
from ragkit.config import RetrievalConfig
from ragkit.ports import Catalog, DenseIndex, Embedder
from ragkit.types import Condition, ScoredChunk


@dataclass(frozen=True, slots=True)
class Index:
    """What retrieval works with."""

    catalog: Catalog
    dense: DenseIndex
    embedder: Embedder
    settings: RetrievalConfig


def retrieve(question: str, k: int, index: Index, where: Sequence[Condition] = ()) -> list[ScoredChunk]:
    """The `k` best chunks for `question` of those for which every condition holds, best first; fewer when
    there are fewer."""
    return candidates(question, max(index.settings.candidates, k), index, where)[:k]


def candidates(question: str, limit: int, index: Index, where: Sequence[Condition] = ()) -> list[ScoredChunk]:
    """All that the two searches find, `limit` each, best first."""
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
    found = ranking.Candidates(
        chunks=catalog.chunks([*near.similarities, *only_lexical]),
        dense=near,
        lexical=lexical,
        similarities=similarities,
        term_weights=weights,
    )
    fusion = ranking.Fusion(found, settings)
    ranked = fusion.ranked(replace(near, similarities=similarities))
    if settings.mode != "hybrid":
        return ranking.by_one_search(found, ranked, settings.mode)
    if settings.feedback and ranked and fusion.trust:
        like = ranking.feedback(ranked, settings.feedback, fusion.trust)
        ranked = fusion.ranked(dense.nearer(vector, like, list(found.chunks)))
    return ranked
