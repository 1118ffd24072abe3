"""Index a real folder, twice, and ask questions whose answers were looked up by hand."""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.types.reports import FILE_STATES, IndexReport

QUESTIONS = Path(__file__).with_name("mixed_docs_questions.toml")


def comparable(text: str) -> str:
    """Returns `text` without what extractors differ in: white space, hyphens, case."""
    return re.sub("[\\s\\-\u00ad\u2010\ufffe]", "", text).casefold()


def show(name: str, report: IndexReport) -> None:
    counts = ", ".join(f"{report.count(state)} {state}" for state in FILE_STATES if report.count(state))
    rate = len(report.outcomes) / report.seconds
    print(f"{name}: {len(report.outcomes)} files: {counts}")
    chunks = f"{report.chunks_embedded} chunks embedded, {report.chunks_reused} reused"
    print(f"  {chunks}, {report.seconds:.1f} s, {rate:.1f} files/s")


def first_rank(question: dict[str, Any], texts: list[str]) -> int | None:
    evidence = [comparable(item) for item in question["evidence"]]
    return next(
        (rank for rank, text in enumerate(texts, 1) if any(item in comparable(text) for item in evidence)), None
    )


def ask_all(kit: RagKit) -> None:
    ranks: list[int | None] = []
    cited: list[bool] = []
    quotes: list[bool] = []
    for question in tomllib.loads(QUESTIONS.read_text("utf-8"))["question"]:
        answer = kit.ask(question["ask"])
        rank = first_rank(question, [hit.chunk.text for hit in answer.nearest])
        ranks.append(rank)
        cited.append(first_rank(question, [citation.quote for citation in answer.citations]) is not None)
        quotes += [citation.verified for citation in answer.citations]
        outcome = "refused" if answer.refused else "answer quoted" if cited[-1] else "other quote"
        print(f"  {question['language']}  rank {rank or '-'}  {outcome:13}  {question['ask']}")
    total = len(ranks)
    print(
        f"right passage first {sum(rank == 1 for rank in ranks)}/{total}, in the top 5 "
        f"{sum(rank is not None and rank <= 5 for rank in ranks)}/{total}, answer inside the quotes "
        f"{sum(cited)}/{total}, quotes verified {sum(quotes)}/{len(quotes)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--index", type=Path)
    arguments = parser.parse_args()
    config, _ = resolve(environ={}, flags={"models.backend": "embedded"})
    with tempfile.TemporaryDirectory() as scratch, RagKit.open(arguments.index or Path(scratch), config) as kit:
        show("first run", kit.index([arguments.folder]))
        peak = (
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
        )
        print(f"  peak memory {peak[0] / 1024:.0f} MB, of the reader {peak[1] / 1024:.0f} MB")
        show("second run", kit.index([arguments.folder]))
        ask_all(kit)


if __name__ == "__main__":
    main()
