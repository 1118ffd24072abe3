"""Which generation of vectors a model and the settings make."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, replace

from ragkit.config.sections import ChunkingConfig
from ragkit.text import chunking, terms
from ragkit.types.documents import Generation
from ragkit.types.ports import Embedder


def generation_of(embedder: Embedder, settings: ChunkingConfig) -> Generation:
    """The generation that this embedder and these settings make. A change of any part, or of how
    ragkit splits and finds words, makes another generation."""
    chunk_tokens = chunking.fit_chunk_tokens(settings.chunk_tokens, embedder.max_tokens)
    overlap_tokens = min(settings.overlap_tokens, chunk_tokens // 2)
    made = Generation(
        "",
        embedder.backend,
        embedder.model,
        embedder.digest,
        embedder.dimension,
        embedder.query_prefix,
        embedder.document_prefix,
        chunk_tokens,
        overlap_tokens,
    )
    _, *parts = astuple(made)
    parts += (chunking.VERSION, terms.VERSION)
    return replace(made, fingerprint=hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16])
