"""Indexing a folder: ragkit beside a hand-written loop over the same libraries, LangChain and LlamaIndex.

    python bench/ingest.py FOLDER [--rounds 3] [--peers PYTHON] [--only NAME ...] [--pdf yes|no] [--delay-ms MS]

Every contender indexes the same .txt, .md, .rst, .html and .pdf files with the same embedding server, which
does no work (`zero_cost_ollama.py`), each run in a process and an index of its own; the rounds take turns and
the medians count. `--peers` is a Python with langchain-community, langchain-chroma, langchain-ollama,
llama-index-embeddings-ollama, llama-index-vector-stores-chroma and llama-index-readers-file; without it only
ragkit and the loop run. FOLDER may also hold a `corpus.jsonl` (`_id`, `text`): its texts become files first.
With `--delay-ms` the model takes so long for each text, one after the other, and the table tells what is added to
its own time. A last line times `ragkit index` as a command over the same files, of which none has changed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from embedding_clients import zero_cost_server

SUFFIXES = {".txt", ".md", ".rst", ".html", ".htm", ".pdf"}

RAGKIT = """
import sys
from ragkit import RagKit
from ragkit.config.resolving import resolve
folder, index, url = sys.argv[1:]
config, _ = resolve(environ={}, flags={"ollama.host": url, "models.backend": "ollama"})
with RagKit.open(index, config) as kit:
    kit.index([folder])
    print(kit.status().chunks)
"""

# What one writes in an afternoon: read, cut into windows of tokens, embed in batches, add.
LOOP = """
import pathlib, sys
import chromadb, httpx, pypdf
from ragkit.models import tokens
encoding = tokens._encoding()[0]
folder, index, url = sys.argv[1:]
collection = chromadb.PersistentClient(index).create_collection("docs", embedding_function=None)
client = httpx.Client(base_url=url, timeout=300)
count, ids, texts, sources = 0, [], [], []

def flush():
    if ids:
        vectors = client.post("/api/embed", json={"model": "bge-m3", "input": texts}).json()["embeddings"]
        collection.add(ids=list(ids), embeddings=vectors, documents=list(texts), metadatas=list(sources))
        ids.clear(), texts.clear(), sources.clear()

for path in sorted(pathlib.Path(folder).rglob("*")):
    if path.suffix.lower() not in {".txt", ".md", ".rst", ".html", ".htm", ".pdf"}:
        continue
    try:
        if path.suffix.lower() == ".pdf":
            text = "\\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
        else:
            text = path.read_text("utf-8", "replace")
    except Exception:
        continue
    found = encoding.encode_ordinary(text)
    for at in range(0, len(found), 224):
        piece = encoding.decode(found[at : at + 256])
        if piece.strip():
            ids.append(f"{path}:{at}"); texts.append(piece); sources.append({"source": str(path)})
            count += 1
        if len(ids) == 64:
            flush()
flush()
print(count)
"""

LANGCHAIN = """
import pathlib, sys
from langchain_chroma import Chroma
from langchain_community.document_loaders import PyPDFLoader, TextLoader
from langchain_ollama import OllamaEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter
folder, index, url = sys.argv[1:]
documents = []
for path in sorted(pathlib.Path(folder).rglob("*")):
    if path.suffix.lower() not in {".txt", ".md", ".rst", ".html", ".htm", ".pdf"}:
        continue
    try:
        pdf = path.suffix.lower() == ".pdf"
        loader = PyPDFLoader(str(path)) if pdf else TextLoader(str(path), autodetect_encoding=True)
        documents += loader.load()
    except Exception:
        continue
splits = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200).split_documents(documents)
store = Chroma(
    collection_name="docs",
    embedding_function=OllamaEmbeddings(model="bge-m3", base_url=url),
    persist_directory=index,
)
for at in range(0, len(splits), 5000):
    store.add_documents(splits[at : at + 5000])
print(len(splits))
"""

LLAMA_INDEX = """
import pathlib, sys
import chromadb
from llama_index.core import SimpleDirectoryReader, StorageContext, VectorStoreIndex
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.vector_stores.chroma import ChromaVectorStore
folder, index, url = sys.argv[1:]
suffixes = [".txt", ".md", ".rst", ".html", ".htm", ".pdf"]
documents = SimpleDirectoryReader(folder, recursive=True, required_exts=suffixes).load_data()
collection = chromadb.PersistentClient(index).create_collection("docs", embedding_function=None)
storage = StorageContext.from_defaults(vector_store=ChromaVectorStore(chroma_collection=collection))
VectorStoreIndex.from_documents(
    documents, storage_context=storage, embed_model=OllamaEmbedding(model_name="bge-m3", base_url=url)
)
print(collection.count())
"""


def texts_as_files(corpus: Path, folder: Path) -> None:
    with corpus.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            entry = json.loads(line)
            (folder / f"{number:06}.txt").write_text(f"{entry.get('title', '')}\n{entry['text']}".strip(), "utf-8")


def copy_files(folder: Path, target: Path, suffixes: set[str]) -> None:
    """Copies the files that every contender reads."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and path.is_file():
            place = target / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())


def run_one(python: str, program: str, folder: Path, url: str) -> tuple[float, float, float, int]:
    """Returns seconds, peak memory in MB of the process and its children at one moment, disk in MB, chunks."""
    with tempfile.TemporaryDirectory() as index, tempfile.TemporaryFile("w+") as said:
        began = time.perf_counter()
        words = [python, "-c", program, str(folder), index, url]
        environment = {**os.environ, "ANONYMIZED_TELEMETRY": "False"}
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=said, text=True, env=environment) as running:
            peak = 0
            while running.poll() is None:
                peak = max(peak, memory_bytes(running.pid))
                time.sleep(0.02)
            seconds = time.perf_counter() - began
            assert running.stdout is not None
            printed = running.stdout.read()
        if running.returncode:
            said.seek(0)
            raise SystemExit(said.read()[-2000:])
        disk = sum(path.stat().st_size for path in Path(index).rglob("*") if path.is_file()) / 1e6
        return seconds, peak / 2**20, disk, int(printed.split()[-1])


def unchanged_seconds(folder: Path, url: str, rounds: int) -> float:
    """Returns the median time of the command over files that it has indexed before."""
    with tempfile.TemporaryDirectory() as index:
        words = [sys.executable, "-m", "ragkit", "--index", index, "index", str(folder)]
        environment = {**os.environ, "OLLAMA_HOST": url, "RAGKIT_MODELS_BACKEND": "ollama"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # An installed ragkit is compiled.
        times = []
        for _ in range(2 + max(rounds, 3)):
            began = time.perf_counter()
            subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            times.append(time.perf_counter() - began)
            time.sleep(2.1)  # Files that were younger when they were read are compared by content once more.
        return statistics.median(times[2:])


def memory_bytes(pid: int) -> int:
    """Returns the resident memory of a process and all below it; 0 once it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(memory_bytes(int(child)) for child in below)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="", metavar="PYTHON")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--pdf", choices=("yes", "no"), help="only PDF files, or all others")
    parser.add_argument("--limit", type=int, default=0, help="files (0: all)")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="of the model, for each text")
    options = parser.parse_args()
    contenders = contenders_of(options)
    suffixes = {"yes": {".pdf"}, "no": SUFFIXES - {".pdf"}}.get(options.pdf, SUFFIXES)
    with tempfile.TemporaryDirectory() as made, zero_cost_server(options.delay_ms) as url:
        folder = Path(made)
        files = files_for(options.folder, folder, suffixes, options.limit)
        found: dict[str, list[tuple[float, float, float, int]]] = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, (python, program) in contenders.items():
                found[name].append(run_one(python, program, folder, url))
        again_s = unchanged_seconds(folder, url, options.rounds)
    print(f"\n{options.folder.name}: {files} files, median of {options.rounds} rounds, {os.cpu_count()} cores\n")
    medians = {name: [statistics.median(column) for column in zip(*runs, strict=True)] for name, runs in found.items()}
    print_table(medians)
    print(f"\n`ragkit index` again, nothing changed: {again_s:.2f} s")
    if options.delay_ms:
        model_s = medians["ragkit"][3] * options.delay_ms / 1000
        print(f"the model's own time: {model_s:.1f} s; ragkit adds {medians['ragkit'][0] / model_s - 1:.1%}")


def contenders_of(options: argparse.Namespace) -> dict[str, tuple[str, str]]:
    """Returns the interpreter and the program of each contender, by its name."""
    contenders = {"ragkit": (sys.executable, RAGKIT), "hand-written loop": (sys.executable, LOOP)}
    if options.peers:
        contenders |= {"LangChain": (options.peers, LANGCHAIN), "LlamaIndex": (options.peers, LLAMA_INDEX)}
    if options.pdf == "yes":  # No other contender reads pages that are pictures.
        without = RAGKIT.replace('"models.backend"', '"loading.ocr": "off", "models.backend"')
        contenders["ragkit, OCR off"] = (sys.executable, without)
    return {name: contenders[name] for name in options.only} if options.only else contenders


def files_for(source: Path, folder: Path, suffixes: set[str], limit: int) -> int:
    """Puts the first `limit` files (0: all) that are to be read into the folder, and returns how many there are."""
    if (source / "corpus.jsonl").exists():
        texts_as_files(source / "corpus.jsonl", folder)
    else:
        copy_files(source, folder, suffixes)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    kept = limit or len(files)
    for path in files[kept:]:
        path.unlink()
    return len(files[:kept])


def print_table(medians: dict[str, list[float]]) -> None:
    print("| | seconds | to the loop | peak memory MB | disk MB | disk to the loop | chunks | chunks/s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    floor = medians.get("hand-written loop", next(iter(medians.values())))
    for name, (seconds, memory, disk, chunks) in medians.items():
        ratios = f"{seconds / floor[0]:.2f} x", f"{disk / floor[2]:.2f} x"
        print(
            f"| {name} | {seconds:.1f} | {ratios[0]} | {memory:.0f} | {disk:.1f} | {ratios[1]} | {chunks:.0f} |"
            f" {chunks / seconds:.0f} |"
        )


if __name__ == "__main__":
    main()
