"""nDCG@10 of hybrid, dense and lexical retrieval beside a published-quality BM25, on eight public sets."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import shared
from ragkit.evaluation.questions import Dataset
from ragkit.evaluation.runs import figures

# Lucene's BM25 with k1 0.9 and b 0.4; English stopwords and Porter stemming, for Chinese jieba's search-mode words.
REFERENCE = {
    "cranfield": 0.344,
    "med": 0.664,
    "npl": 0.441,
    "adi": 0.475,
    "xquad_en": 0.965,
    "xquad_zh": 0.965,
    "drcd_dev": 0.953,
    "squad2_dev_part": 0.872,
}


def measure(dataset: Dataset, work: Path, settings: Mapping[str, str]) -> dict[str, float]:
    """By way of searching: the mean over the questions that something is relevant to, 0 to 1."""
    found = {}
    for mode in shared.MODES:
        rows = shared.measured(dataset, work, {**settings, "retrieval.mode": mode})
        found[mode] = figures(rows)["ndcg@10"]
        shared.say(f"{dataset.name}: {mode} {found[mode]:.3f}")
    return found


def row(name: str, dataset: Dataset, found: Mapping[str, float]) -> list[str]:
    best = max(found.values())
    shown = [f"**{value:.3f}**" if value == best else f"{value:.3f}" for value in found.values()]
    return [name, str(len(dataset.texts)), str(len(dataset.questions)), *shown, f"{REFERENCE[name]:.3f}"]


def main() -> None:
    parser = shared.parser(__doc__, "retrieval.md")
    parser.add_argument("--sets", nargs="+", choices=REFERENCE, default=list(REFERENCE))
    arguments = parser.parse_args()
    sets = {
        name: dataset.judged().sample(arguments.limit, arguments.seed)
        for name, dataset in shared.read_sets(arguments.data, arguments.sets).items()
    }
    settings = shared.settings_of(arguments)
    rows = [row(name, dataset, measure(dataset, arguments.work, settings)) for name, dataset in sets.items()]
    head = ["set", "documents", "questions", "hybrid", "dense alone", "BM25 alone", "reference BM25"]
    shared.publish(_PAGE, shared.table(head, rows), "retrieval.py", arguments)


_PAGE = """# Retrieval, measured

nDCG@10 of the embedded default: both searches fused, each of the two alone, and as a reference Lucene's BM25
(k1 0.9, b 0.4) over whole documents, computed outside of ragkit.

{table}

- Every document is a file of its own; an abstract has its title above it. A document stands where its best chunk
  stands, among the first 50 chunks. nDCG@10 is trec_eval's, over the questions that something is relevant to.
- cranfield, med, npl and adi are classic English test collections of abstracts, judged by people. The others are
  question-answering sets, where the paragraph that a question was written for counts as the one relevant.

{facts}
"""


if __name__ == "__main__":
    main()
