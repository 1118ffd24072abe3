"""nDCG@10 of hybrid, dense and lexical retrieval beside a published-quality BM25, on eight public sets; and questions
in one language asked of paragraphs in another."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import shared
from ragkit.evaluation.data.questions import Dataset
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
WAYS = {
    "hybrid": {"retrieval.mode": "hybrid"},
    "not reranked": {"retrieval.mode": "hybrid", "retrieval.rerank": "off"},
    "dense alone": {"retrieval.mode": "dense"},
    "BM25 alone": {"retrieval.mode": "lexical"},
}
ACROSS = (
    ("xquad_zh", "xquad_en"),
    ("xquad_en", "xquad_zh"),
)  # sets of the same questions and paragraphs


def measure(dataset: Dataset, work: Path, settings: Mapping[str, str]) -> dict[str, float]:
    """Returns for each way of searching the mean over the questions that something is relevant to, 0 to 1."""
    found = {}
    for way, own in WAYS.items():
        rows = shared.measured(dataset, work, {**settings, **own})
        found[way] = figures(rows)["ndcg@10"]
        shared.say(f"{dataset.name}: {way} {found[way]:.4f}")
    return found


def row(name: str, dataset: Dataset, found: Mapping[str, float]) -> list[str]:
    best = max(found.values())
    shown = [f"**{value:.3f}**" if value == best else f"{value:.3f}" for value in found.values()]
    return [name, str(len(dataset.texts)), str(len(dataset.questions)), *shown, f"{REFERENCE[name]:.3f}"]


def across(asked: Dataset, documents: Dataset) -> Dataset:
    """Puts the questions of one set to the documents of another, whose questions have the same ids."""
    relevant = {question.id: question.relevant for question in documents.questions}
    questions = [replace(one, relevant=relevant[one.id]) for one in asked.questions if one.id in relevant]
    return replace(documents, questions=tuple(questions))


def across_rows(
    sets: Mapping[str, Dataset], whole: Mapping[str, Dataset], work: Path, settings: Mapping[str, str]
) -> list[list[str]]:
    rows = []
    for questions, documents in ACROSS:
        if questions not in sets or documents not in sets:
            continue
        dataset = across(sets[questions], whole[documents])
        for way in ("hybrid", "not reranked", "dense alone") if dataset.questions else ():
            found = figures(shared.measured(dataset, work, {**settings, **WAYS[way]}))
            shares = [f"{found[name]:.3f}" for name in ("recall@1", "recall@5", "mrr")]
            rows.append([f"{questions} → {documents} · {way}", str(len(dataset.questions)), *shares])
    return rows


def main() -> None:
    parser = shared.parser(__doc__, "retrieval.md")
    parser.add_argument("--sets", nargs="+", choices=REFERENCE, default=list(REFERENCE))
    arguments = parser.parse_args()
    whole = {name: dataset.judged() for name, dataset in shared.read_sets(arguments.data, arguments.sets).items()}
    sets = {name: dataset.sample(arguments.limit, arguments.seed) for name, dataset in whole.items()}
    settings = shared.settings_of(arguments)
    rows = [row(name, dataset, measure(dataset, arguments.work, settings)) for name, dataset in sets.items()]
    head = ["set", "documents", "questions", *WAYS, "reference BM25"]
    tables = [shared.table(head, rows)]
    if crossed := across_rows(sets, whole, arguments.work, settings):
        head = ["questions → paragraphs · found by", "questions", "hit@1", "hit@5", "MRR"]
        tables.append(shared.table(head, crossed))
    shared.publish(_PAGE, "\n\n".join(tables), "retrieval.py", arguments)


_PAGE = """# Retrieval, measured

nDCG@10 of the embedded default: both searches fused and the first five passages put in order by their nearest
sentence; the same without that; each of the two searches alone; and as a reference Lucene's BM25 (k1 0.9, b 0.4) over
whole documents, computed outside of ragkit.

{table}

- Every document is a file of its own; an abstract has its title above it. A document stands where its best chunk
  stands, among the first 100 chunks. nDCG@10 is trec_eval's, over the questions that something is relevant to.
- cranfield, med, npl and adi are classic English test collections of abstracts, judged by people. The others are
  question-answering sets, where the paragraph that a question was written for counts as the one relevant.
- The second table asks the questions of one language of the paragraphs of the other: the same 1,190 questions and 240
  paragraphs, translated by people. hit@1 and hit@5: the right paragraph first, or among the first five. The two share
  hardly a word, so all rests on the meaning.

{facts}
"""


if __name__ == "__main__":
    main()
