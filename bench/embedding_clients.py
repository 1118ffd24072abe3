"""Texts a second through ragkit's Ollama door beside `langchain-ollama` and `llama-index-embeddings-ollama`.

    python bench/embedding_clients.py [FOLDER] [--texts 2000] [--rounds 5]

The texts are the chunks of the folder's documents (default: sample_docs, repeated). All three talk to the
same zero-cost server (a process of its own) in turn, several rounds, and the median counts. A second table
puts 20 ms on each text, as a model would, and shows the longest request: it is what a timeout meets.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ragkit.config.resolving import resolve
from ragkit.models.ollama.client import Ollama
from ragkit.models.ollama.ports import OllamaEmbedder
from ragkit.text import chunking
from ragkit.types.documents import Document

HERE = Path(__file__).parent
Embed = Callable[[list[str]], object]


@contextmanager
def zero_cost_server(delay_ms: float, dimension: int = 1024) -> Iterator[str]:
    command = [sys.executable, str(HERE / "zero_cost_ollama.py"), "--delay-ms", str(delay_ms)]
    command += ["--dimension", str(dimension)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def clients(url: str) -> dict[str, Embed]:
    from langchain_ollama import OllamaEmbeddings
    from llama_index.embeddings.ollama import OllamaEmbedding

    config, _ = resolve(environ={}, flags={"ollama.host": url})
    return {
        "ragkit": OllamaEmbedder(Ollama(config, {}), "bge-m3").embed_documents,
        "langchain-ollama": OllamaEmbeddings(model="bge-m3", base_url=url).embed_documents,
        "llama-index-embeddings-ollama": OllamaEmbedding(model_name="bge-m3", base_url=url).get_text_embedding_batch,
    }


def texts_of(folder: Path, count: int) -> list[str]:
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".txt", ".md"):
            text = path.read_text("utf-8", "replace")
            document = Document(str(path), "text/plain", "", text)
            found += [chunk.text for chunk in chunking.split(document, lambda part: len(part) // 4 + 1, 256, 32, "")]
        if len(found) >= count:
            break
    if not found:
        raise SystemExit(f"No .txt or .md file under {folder}.")
    return (found * (count // len(found) + 1))[:count]


def stats(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url + "/stats") as reply:
        found: dict[str, float] = json.load(reply)
    return found


def measure(delay_ms: float, texts: list[str], rounds: int) -> None:
    with zero_cost_server(delay_ms) as url:
        made = clients(url)
        for embed in made.values():
            embed(texts[:16])
        stats(url)
        rates: dict[str, list[float]] = {name: [] for name in made}
        asked: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for name, embed in made.items():
                started = time.perf_counter()
                embed(texts)
                rates[name].append(len(texts) / (time.perf_counter() - started))
                asked[name] = stats(url)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    fastest_peer = max(rate for name, rate in medians.items() if name != "ragkit")
    print(f"\n{len(texts)} texts, {delay_ms:g} ms a text, median of {rounds} rounds\n")
    print("| client | texts/s | to the faster peer | requests | longest request s |\n|---|---|---|---|---|")
    for name, rate in medians.items():
        told = asked[name]
        ratio = f"{rate / fastest_peer:.2f} x"
        print(f"| {name} | {rate:,.0f} | {ratio} | {told['requests']:.0f} | {told['longest_s']:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent / "sample_docs")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    measure(0, texts_of(options.folder, options.texts), options.rounds)
    measure(20, texts_of(options.folder, min(options.texts, 1000)), 1)


if __name__ == "__main__":
    main()
