"""Near-identical quarterly reports: is the right document found first, or among the first five?"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import shared
from ragkit.evaluation.runs import Row, kinds

MODES = ("hybrid", "dense", "lexical")
SET = "sec_10q"


def first(rows: Sequence[Row], documents: int) -> float:
    """Returns the share of the questions with a right document among the first `documents`, 0 to 1."""
    return sum(not set(row.found[:documents]).isdisjoint(row.expected) for row in rows) / len(rows)


def lines(by_mode: Mapping[str, Sequence[Row]]) -> list[list[str]]:
    found = []
    every = next(iter(by_mode.values()))
    for kind in [*kinds(every), ""]:
        for mode, rows in by_mode.items():
            of_kind = [row for row in rows if kind in ("", row.kind)]
            shares = (f"{first(of_kind, documents):.1%}" for documents in (1, 5))
            recall = sum(row.scores["recall@5"][0] for row in of_kind) / len(of_kind)
            found.append([f"{kind or 'all'} · {mode}", str(len(of_kind)), *shares, f"{recall:.1%}"])
    return found


def main() -> None:
    arguments = shared.parser(__doc__, "sec10q.md").parse_args()
    dataset = shared.read_sets(arguments.data, [SET])[SET].sample(arguments.limit, arguments.seed)
    settings = shared.settings_of(arguments)
    by_mode = {mode: shared.measured(dataset, arguments.work, {**settings, "retrieval.mode": mode}) for mode in MODES}
    head = [
        "questions · found by",
        "number",
        "right document first",
        "in the first 5",
        "of all right ones in the first 5",
    ]
    shared.publish(_PAGE, shared.table(head, lines(by_mode)), "sec10q.py", arguments)


_PAGE = """# Near-identical documents, measured

195 questions about 20 quarterly reports of five companies, as PDF: four of each company, alike but for the quarter.
A question may have several right documents; a document stands where its best passage stands.

{table}

- Of the 130 questions about one report, 37 name neither a year nor a quarter: nothing tells which report they mean.

{facts}
"""


if __name__ == "__main__":
    main()
