"""The chat model as a help to retrieval: other ways to ask, and which passages really answer."""

from __future__ import annotations

from collections.abc import Sequence

from ragkit.retrieval import chat_prompts
from ragkit.text import fencing
from ragkit.types.answers import ChatMessage, Completion
from ragkit.types.ports import Chat
from ragkit.types.search import ScoredChunk


class ChatAssistant:
    """Costs one request for each call. Raises ModelError."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def other_queries(self, question: str, way: str) -> list[str]:
        """What to search for beside the question: its translation, paraphrases, or a passage that might
        answer it ("translate", "paraphrase", "hyde"); [] when the model says nothing usable."""
        reply = self._reply(chat_prompts.expansion_prompt(question, way))
        return chat_prompts.read_expansions(reply, way)

    def reranked(self, question: str, ranked: Sequence[ScoredChunk]) -> list[int]:
        """Places in `ranked`, from 0: those that answer, best first; a model that names none changes nothing."""
        room = max(self._chat.window_tokens - self._chat.answer_tokens, 0) // 2
        shown: list[str] = []
        for hit in ranked:
            room -= self._chat.count_tokens(hit.chunk.text) + fencing.FRAME_TOKENS
            if room < 0:
                break
            shown.append(hit.chunk.text)
        if len(shown) < 2:
            return []
        return chat_prompts.read_order(self._reply(chat_prompts.rerank_prompt(question, shown)), len(shown))

    def _reply(self, messages: Sequence[ChatMessage]) -> str:
        *_, completion = self._chat.stream(messages)
        assert isinstance(completion, Completion)
        return completion.text
