"""Query expansion: a language model adds what to search for beside the question."""

from __future__ import annotations

from ragkit.retrieval import chat_prompts
from ragkit.types.ports import Chat, complete


def expand_query(chat: Chat, way: str, question: str) -> list[str]:
    """Returns a translation of the question, paraphrases, or a passage that might answer it (`way` is "translate",
    "paraphrase" or "hyde"); [] when the model says nothing usable. Costs one request. Raises ModelError."""
    return chat_prompts.read_expansions(complete(chat, chat_prompts.expansion_prompt(question, way)).text, way)
