"""What retrieval adds to the model: everything between a question's vector and its passages, by index size.

    python bench/latency.py DATA_DIR [--sizes 1000 20000 200000] [--rounds 3] [--out FILE]

Beside it, in turns, a bare `collection.query` over the same vectors in Chroma. Texts are the abstracts of the set
`npl`, over and over with a number of their own, and the questions are that set's; vectors are random around 500
centres, 384 numbers each, as no model is timed. Each question is asked once a round, with another vector: in the first
round its words are new to the process, which reads their lists, later they are known.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import numpy.typing as npt
import shared

from ragkit.config.resolving import DEFAULTS
from ragkit.indexing.generations import generation_of
from ragkit.retrieval.search import RetrievalContext, retrieve
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.store.vectors.search import DenseVectors
from ragkit.testing import HashEmbedder
from ragkit.text.chunking import embedding_key, split
from ragkit.types.documents import Document, Vector
from ragkit.types.ports import CatalogEntry, FileFacts
from ragkit.types.reports import FileOutcome

DIMENSION = 384
GROUP = 500
PAGE = """# Latency of retrieval, measured

Milliseconds from a question's vector to its passages, without the embedding model: dense and lexical search, ranking,
feedback, choice of passages. Beside it a bare `collection.query` of Chroma over the same vectors, in turns.

{table}

- New words: the first {questions} questions of a process. Known words: the same questions again with other vectors, so
  that other passages are near, {rounds} times.
- Up to {exact_mb} MB of vectors (`store.exact_mb`) are searched one by one in memory, more in Chroma's graph.

`python bench/latency.py DATA_DIR` · {cores} cores, busy with {load:.1f} processes · {date}
"""


class Prepared(HashEmbedder):
    """Gives the vectors that were made for the questions: embedding costs nothing."""

    def __init__(self, vectors: dict[str, Vector]) -> None:
        super().__init__(dimension=DIMENSION)
        self.vectors = vectors

    def embed_query(self, text: str) -> Vector:
        return self.vectors[text]


def vectors(count: int, seed: int) -> npt.NDArray[np.float32]:
    centres = np.random.default_rng(0).standard_normal((500, DIMENSION))
    random = np.random.default_rng(seed)
    found = centres[random.integers(0, 500, count)] + random.standard_normal((count, DIMENSION))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line)["text"] for line in stream]


def fill(directory: Path, texts: list[str], made: npt.NDArray[np.float32], embedder: HashEmbedder) -> SqliteCatalog:
    directory.mkdir()
    catalog = SqliteCatalog.open(directory, write=True)
    generation = generation_of(embedder, DEFAULTS.chunking)
    catalog.start_generation(generation)

    def entries(first: int) -> Iterator[CatalogEntry]:
        for number in range(first, min(first + GROUP, len(made))):
            source = f"/abstracts/{number:06}.txt"
            document = Document(source, "text/plain", "", f"{texts[number % len(texts)]} No. {number}."[:900])
            [chunk, *_] = split(document, lambda text: len(text) // 4 + 1, 256, 0, generation.fingerprint)
            facts = FileFacts(source, str(number), 1, 1, 2, "l", FileOutcome(source, "added"))
            yield CatalogEntry(facts, document, [chunk], {embedding_key(chunk): made[number]})  # type: ignore[dict-item]

    for first in range(0, len(made), GROUP):
        catalog.commit(generation, list(entries(first)))
    return catalog


def bare_collection(directory: Path, made: npt.NDArray[np.float32]) -> Any:
    client = chromadb.PersistentClient(str(directory))
    collection = client.create_collection("bare", embedding_function=None, configuration={"hnsw": {"space": "cosine"}})
    for first in range(0, len(made), 5000):
        part = made[first : first + 5000]
        collection.add(ids=[str(first + at) for at in range(len(part))], embeddings=part)
    return collection


def milliseconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def measured(size: int, texts: list[str], questions: list[str], rounds: int, folder: Path) -> list[str]:
    embedder = Prepared({})
    made = vectors(size, 1)
    catalog = fill(folder / "index", texts, made, embedder)
    bare = bare_collection(folder / "bare", made)
    dense = DenseVectors(folder / "index", catalog, DEFAULTS.store.exact_mb)
    dense.publish(wait=True)
    index = RetrievalContext(catalog, dense, embedder, DEFAULTS.retrieval)

    def ours(question: str) -> None:
        with catalog.snapshot():
            assert retrieve(question, 8, index).kept

    def theirs(question: str) -> None:
        vector = embedder.vectors[question]
        bare.query(query_embeddings=np.asarray(vector)[None], n_results=8, include=["distances"])

    times: list[list[tuple[float, float]]] = []
    for number in range(rounds + 1):
        asked = vectors(len(questions), number + 2)
        embedder.vectors = dict(zip(questions, asked, strict=True))  # type: ignore[arg-type]
        if not number:  # What is loaded once is no part of a question.
            embedder.vectors["zzz"] = asked[0]  # type: ignore[assignment]
            ours("zzz"), theirs("zzz")
        times.append([(milliseconds(lambda: ours(q)), milliseconds(lambda: theirs(q))) for q in questions])  # noqa: B023
    search = "Chroma" if dense.has_graph() else "one by one"
    dense.close()
    catalog.close()
    new, known = [one for one, _ in times[0]], [one for part in times[1:] for one, _ in part]
    floor = [other for part in times for _, other in part]
    middles = [statistics.median(column) for column in (new, known, floor)]
    ends = [statistics.quantiles(column, n=20)[18] for column in (new, known, floor)]
    figures = [f"{value:.1f}" for pair in zip(middles, ends, strict=True) for value in pair]
    return [f"{size:,}", search, *figures, *(f"{middle / middles[2]:.1f} x" for middle in middles[:2])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 20_000, 200_000])
    parser.add_argument("--rounds", type=int, default=3, help="after the first")
    parser.add_argument("--out", type=Path, help="write the page, as docs/latency.md, here")
    options = parser.parse_args()
    texts = lines(options.data / "npl" / "corpus.jsonl")
    asked = lines(options.data / "npl" / "queries.jsonl")
    questions = [text.lower() for text in asked]
    head = ["chunks", "search", "new words p50", "p95", "known words p50", "p95", "bare query p50", "p95"]
    head += ["new to bare", "known to bare"]
    rows = []
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(size, texts, questions, options.rounds, Path(folder)))
        print("| " + " | ".join(rows[-1]) + " |", flush=True)
    table = shared.table(head, rows)
    print(table)
    if options.out is not None:
        options.out.write_text(page(table, len(questions), options.rounds), "utf-8")


def page(table: str, questions: int, rounds: int) -> str:
    return PAGE.format(
        table=table,
        exact_mb=DEFAULTS.store.exact_mb,
        questions=questions,
        rounds=rounds,
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
        date=f"{datetime.now(UTC):%Y-%m-%d}",
    )


if __name__ == "__main__":
    main()
