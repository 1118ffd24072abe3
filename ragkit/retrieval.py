"""From a question to ranked chunks: embed -> dense + lexical -> fuse."""

from __future__ import annotations

from ragkit import ranking, terms
from ragkit.config import RetrievalConfig
from ragkit.ports import Catalog, DenseIndex, Embedder
from ragkit.types import ScoredChunk


def retrieve(
    question: str, k: int, *, catalog: Catalog, dense: DenseIndex, embedder: Embedder, settings: RetrievalConfig
) -> list[ScoredChunk]:
    """The `k` best chunks for `question`, best first; fewer when the index holds fewer."""
    limit = max(settings.candidates, k)
    vector = embedder.embed_query(question)
    question_terms = terms.query_terms(question)
    near = dense.nearest(vector, limit)
    lexical = catalog.lexical(question_terms, limit)
    only_lexical = [name for name in lexical if name not in near.similarities]
    similarities = {**near.similarities, **dense.similarities(vector, only_lexical)}
    found = ranking.Candidates(
        chunks=catalog.chunks([*near.similarities, *only_lexical]),
        dense=near,
        lexical=lexical,
        similarities=similarities,
        term_weights=ranking.term_weights(
            question_terms, catalog.document_frequencies(question_terms), catalog.counts()["chunks"]
        ),
    )
    return ranking.fuse(found, settings.cover_weight)[:k]
