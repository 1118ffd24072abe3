"""What embedding models expect of their callers: prefixes and the length that they really read.

Ollama applies neither. Facts from the model cards; a family is matched in the model's name and in
the base name that the server reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragkit.config.sections import EmbeddingConfig

_UNKNOWN_TOKENS = 512  # what nearly every embedding model reads


@dataclass(frozen=True, slots=True)
class Family:
    query_prefix: str = ""
    document_prefix: str = ""
    max_tokens: int | None = None  # of one text, prefix included; None: not known


_RETRIEVE = "Represent this sentence for searching relevant passages: "
_INSTRUCT = "Instruct: Given a question, retrieve passages that answer it\nQuery:"

# The first name that occurs wins: longer names stand before the names they contain.
_FAMILIES: tuple[tuple[str, Family], ...] = (
    ("nomic-embed-text-v2", Family("search_query: ", "search_document: ", 512)),
    ("nomic-embed-text", Family("search_query: ", "search_document: ", 2048)),
    ("mxbai-embed", Family(_RETRIEVE, "", 512)),
    ("snowflake-arctic-embed2", Family("query: ", "", 8192)),
    ("snowflake-arctic-embed", Family(_RETRIEVE, "", 512)),
    ("bge-m3", Family("", "", 8192)),
    ("bge-large", Family(_RETRIEVE, "", 512)),
    ("all-minilm", Family("", "", 256)),
    ("paraphrase-multilingual", Family("", "", 128)),
    ("granite-embedding", Family("", "", 512)),
    ("qwen3-embedding", Family(_INSTRUCT, "", 32768)),
    ("embeddinggemma", Family("task: search result | query: ", "title: none | text: ", 2048)),
    ("multilingual-e5", Family("query: ", "passage: ", 512)),
    ("e5-", Family("query: ", "passage: ", 512)),
    ("text-embedding-3", Family("", "", 8191)),
    ("text-embedding-ada", Family("", "", 8191)),
)


def family(*names: str) -> Family:
    """The family of a model by any of its names; one that is not known has no prefix."""
    for known, found in _FAMILIES:
        if any(known in name.casefold().replace("_", "-") for name in names):
            return found
    return Family()


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a served embedding model is given: the configuration's word before the family's."""

    query_prefix: str
    document_prefix: str
    max_tokens: int  # of one text, prefix included


def expectations(config: EmbeddingConfig, names: Sequence[str], trained_tokens: int | None) -> Expectations:
    """For a model of these names; `trained_tokens` is what its server tells of its length, if it does."""
    known = family(*names)
    limits = [limit for limit in (known.max_tokens, trained_tokens) if limit]
    return Expectations(
        known.query_prefix if config.query_prefix is None else config.query_prefix,
        known.document_prefix if config.document_prefix is None else config.document_prefix,
        config.max_tokens or min(limits, default=_UNKNOWN_TOKENS),
    )
