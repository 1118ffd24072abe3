"""Public fakes: a deterministic embedder, and a scripted Ollama server that can misbehave."""

from ragkit.testing.embedder import DIMENSION, HashEmbedder, hash_vector
from ragkit.testing.faults import FAULTS, Fault
from ragkit.testing.ollama import Behaviour, ScriptedOllama, chat_reply, count_tokens
from ragkit.testing.wire import Request, Scripted, json_reply, stream_reply

__all__ = [
    "DIMENSION",
    "FAULTS",
    "Behaviour",
    "Fault",
    "HashEmbedder",
    "Request",
    "Scripted",
    "ScriptedOllama",
    "chat_reply",
    "count_tokens",
    "hash_vector",
    "json_reply",
    "stream_reply",
]
