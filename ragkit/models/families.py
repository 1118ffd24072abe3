"""What embedding models expect of their callers: prefixes and the length that they really read.

Ollama applies neither. Facts from the model cards; a family is matched in the model's name and in
the base name that the server reports.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    query_prefix: str = ""
    document_prefix: str = ""
    max_tokens: int = 512  # of one text, prefix included


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
)


def family(*names: str) -> Family:
    """The family of a model by any of its names; one that is not known has no prefix and 512 tokens."""
    for known, found in _FAMILIES:
        if any(known in name.casefold().replace("_", "-") for name in names):
            return found
    return Family()
