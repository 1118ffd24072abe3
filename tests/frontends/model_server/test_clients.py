"""Other people's clients, unchanged, against `serve-models`; and ragkit's own two doors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.models.embedded.e5 import weights_path
from ragkit.types.answers import Turn
from tests.helpers.serving import served_models

pytestmark = [
    pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed"),
    # Other people's clients leave their sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EMBED, CHAT = "multilingual-e5-small", "ragkit-extractive"
CONTEXT = "Context: The valve opens at three bar. The pump stops at noon.\nQuestion: {}"
TEXTS = ["query: When does the pump stop?", "passage: The pump stops at noon.", "passage: 主阀门在三个大气压时打开。"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served_models() as address:
        yield address


def near(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_the_official_ollama_client(url: str) -> None:
    import ollama

    client = ollama.Client(host=url)
    assert {model.model for model in client.list().models} == {f"{EMBED}:latest", f"{CHAT}:latest"}
    assert client.show(CHAT).capabilities == ["completion"]
    vectors = client.embed(EMBED, TEXTS).embeddings
    assert near(list(vectors[0]), list(vectors[1])) > near(list(vectors[0]), list(vectors[2]))
    assert len(client.embeddings(EMBED, TEXTS[0]).embedding) == 384
    prompt = CONTEXT.format("When does the pump stop?")
    assert client.generate(CHAT, prompt).response == "“The pump stops at noon.” [1]"
    pieces = list(client.chat(CHAT, [{"role": "user", "content": prompt}], stream=True))
    assert "".join(piece.message.content or "" for piece in pieces) == "“The pump stops at noon.” [1]"
    assert pieces[-1].done_reason == "stop"
    assert client.ps().models[0].context_length
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat("absent", [{"role": "user", "content": "x"}])
    assert (caught.value.status_code, caught.value.error) == (404, "model 'absent' not found")


def test_the_official_openai_client(url: str) -> None:
    import openai

    with openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0) as client:
        assert {model.id for model in client.models.list()} == {f"{EMBED}:latest", f"{CHAT}:latest"}
        vectors = [item.embedding for item in client.embeddings.create(model=EMBED, input=TEXTS).data]
        assert near(vectors[0], vectors[1]) > near(vectors[0], vectors[2])
        prompt = "上下文：主阀门在三个大气压时打开。水泵在中午停止。\n问题：主阀门何时打开？"
        message: openai.types.chat.ChatCompletionUserMessageParam = {"role": "user", "content": prompt}
        whole = client.chat.completions.create(model=CHAT, messages=[message])
        assert whole.choices[0].message.content == "“主阀门在三个大气压时打开。” [1]"
        options: openai.types.chat.ChatCompletionStreamOptionsParam = {"include_usage": True}
        parts = list(
            client.chat.completions.create(model=CHAT, messages=[message], stream=True, stream_options=options)
        )
        text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
        assert text == whole.choices[0].message.content
        assert parts[-1].usage is not None
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="absent", messages=[message])


def test_langchain(url: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from langchain_ollama import ChatOllama, OllamaEmbeddings

        embeddings = OllamaEmbeddings(model=EMBED, base_url=url)
        vectors = embeddings.embed_documents(TEXTS[1:])
        query = embeddings.embed_query(TEXTS[0])
        assert near(query, vectors[0]) > near(query, vectors[1])
        chat = ChatOllama(model=CHAT, base_url=url, validate_model_on_init=True)
        prompt = CONTEXT.format("When does the pump stop?")
        assert chat.invoke(prompt).content == "“The pump stops at noon.” [1]"
        assert "".join(str(part.content) for part in chat.stream(prompt)) == "“The pump stops at noon.” [1]"


def test_llama_index(url: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from llama_index.embeddings.ollama import OllamaEmbedding

        embedding = OllamaEmbedding(model_name=EMBED, base_url=url)
        vectors = embedding.get_text_embedding_batch(TEXTS[1:])
        query = embedding.get_query_embedding(TEXTS[0])
    assert near(query, vectors[0]) > near(query, vectors[1])


@pytest.mark.parametrize("backend", ["ollama", "openai"])
def test_ragkits_own_door(url: str, tmp_path: Path, backend: str) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "pump.md").write_text("# Pump\n\nThe pump stops at noon. It starts again at two.\n", "utf-8")
    (docs / "阀门.md").write_text("# 阀门\n\n主阀门在三个大气压时打开。备用阀门一直关闭。\n", "utf-8")
    flags = {
        "models.backend": backend,
        f"{backend}.embed_model": EMBED,
        f"{backend}.chat_model": CHAT,
        "ollama.host": url,
        "openai.base_url": url + "/v1",
    }
    config, _ = resolve(environ={}, flags=flags)
    with RagKit.open(tmp_path / "index", config) as kit:
        kit.index([docs])
        generation = kit.status().generation
        assert generation is not None
        assert (generation.query_prefix, generation.document_prefix) == ("query: ", "passage: ")
        asked = {"When does the pump stop?": "pump stops at noon", "主阀门何时打开？": "三个大气压时打开"}
        for question, quote in asked.items():
            answer = kit.ask(question)
            assert quote in answer.text
            assert [citation.verified for citation in answer.citations] == [True] * len(answer.citations)
            assert answer.citations
        assert not kit.ask("Who painted the ceiling of the chapel?").citations
        # A follow-up is searched for with the words of the question before it.
        history = [Turn("When does the pump stop?", "At noon.")]
        follow_up = kit.ask("And when does it start again?", history=history)
        assert follow_up.query == "when does it start again? (pump stop)"
        assert follow_up.citations
        assert kit.ask("备用阀门呢？", history=[Turn("主阀门何时打开？", "")]).query == "备用阀门呢？ (主阀门何时打开)"
