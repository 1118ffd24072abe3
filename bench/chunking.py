"""Chroma's chunking evaluation: characters of ragkit's chunks beside the published table."""

from __future__ import annotations

import csv
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import shared
from ragkit.evaluation.runs import Row

SET = "chunking_evaluation"
MEASURES = {
    "char_recall": "recall",
    "char_precision": "precision",
    "char_precision_omega": "precision_omega",
    "char_iou": "iou",
}


def published(path: Path) -> list[list[str]]:
    """The rows of the report's two tables, as its authors give them."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            [
                f"{row['chunking']} {row['size_tokens']}".strip() + f", overlap {row['overlap']} · {row['embedding']}",
                *(f"{row[name]} ± {row[name + '_sd']}" for name in MEASURES.values()),
            ]
            for row in csv.DictReader(stream, delimiter="\t")
        ]


def measured(label: str, rows: Sequence[Row]) -> list[str]:
    """Percent, mean and standard deviation over all questions."""
    values = [[row.scores[name][0] * 100 for row in rows] for name in MEASURES]
    return [f"**{label}**", *(f"{statistics.mean(of):.1f} ± {statistics.pstdev(of):.1f}" for of in values)]


def main() -> None:
    parser = shared.parser(__doc__, "chunking.md")
    parser.add_argument("--sizes", nargs="+", default=["256/32", "128/0", "400/60"], metavar="TOKENS/OVERLAP")
    arguments = parser.parse_args()
    dataset = shared.read_sets(arguments.data, [SET])[SET].sample(arguments.limit, arguments.seed)
    rows = []
    for size in arguments.sizes:
        tokens, overlap = size.split("/")
        sizes = {"chunking.chunk_tokens": tokens, "chunking.overlap_tokens": overlap}
        for mode in shared.MODES[: 2 if size == arguments.sizes[0] else 1]:
            settings = {**shared.settings_of(arguments), **sizes, "retrieval.mode": mode}
            label = f"ragkit {tokens}, overlap {overlap} · multilingual-e5-small, {mode}"
            rows.append(measured(label, shared.measured(dataset, arguments.work, settings)))
    head = ["chunks · found by", "recall", "precision", "precision-omega", "IoU"]
    shared.publish(
        _PAGE,
        shared.table(head, rows + published(arguments.data / SET / "published_results.tsv")),
        "chunking.py",
        arguments,
    )


_PAGE = """# Chunks, measured

Chroma's chunking evaluation (Smith and Troynikov 2024): 472 questions about five long documents, whose answers are
marked by characters. Percent, mean and standard deviation over the questions, five chunks retrieved. The rows in bold
are measured here; the others are the published ones.

{table}

- **recall**: of the marked characters, those in the five chunks. **precision**: of the characters in the five chunks,
  the marked ones; what overlaps counts twice. **IoU**: both in one. **precision-omega**: the precision if every
  chunk that touches a mark were found: what the cutting alone allows.
- Longer chunks buy recall with precision. ragkit's size is a limit, not an aim: chunks end where a sentence or
  section ends.

{facts}
"""


if __name__ == "__main__":
    main()
