"""When quoting refuses: one fixed threshold, and the one that each index finds for itself, with three kinds of vectors.

`e5` is the embedded model, which the fixed threshold was made for. `words` are hashed words (ragkit.testing) and `lsa`
the first 128 dimensions of latent semantic analysis: two models that no threshold was made for.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import numpy.typing as npt

from bench import shared
from ragkit.answering.extractive import evidence
from ragkit.answering.extractive.answerer import measure_threshold
from ragkit.evaluation.data.questions import Dataset
from ragkit.models.embedded.embedder import EmbeddedEmbedder
from ragkit.retrieval import fusion
from ragkit.testing import HashEmbedder
from ragkit.text import terms
from ragkit.types.documents import Vector
from ragkit.types.ports import Embedder

SETS = ("xquad_en", "xquad_zh", "squad2_dev_part")
QUESTIONS, PASSAGES = 150, 400  # the most of them in a set
_FIXED = evidence.known_threshold("multilingual-e5-small")
BEGIN, END = "<!-- refusals: begin -->", "<!-- refusals: end -->"
Floats = npt.NDArray[np.float32]


class Lsa(HashEmbedder):
    """Latent semantic analysis of the passages that it is made with."""

    def __init__(self, texts: Sequence[str], dimensions: int = 128) -> None:
        super().__init__()
        self.model = "lsa"
        counts = [Counter(terms.document_terms(text)) for text in texts]
        held = Counter(term for one in counts for term in one)
        self._places = {term: at for at, term in enumerate(term for term, times in held.items() if times > 1)}
        self._weights = np.array([np.log(len(texts) / held[term]) for term in self._places], dtype=np.float32)
        rows = np.stack([self._row(text) for text in texts])
        self._axes = np.linalg.svd(rows, full_matrices=False)[2][:dimensions].T

    def _row(self, text: str) -> Floats:
        found = np.zeros(len(self._places), dtype=np.float32)
        for term, times in Counter(terms.document_terms(text)).items():
            if term in self._places:
                found[self._places[term]] = 1 + np.log(times)
        return found * self._weights

    def embed_query(self, text: str) -> Vector:
        vector = self._row(text) @ self._axes
        return array("f", (vector / max(float(np.linalg.norm(vector)), 1e-9)).tolist())

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:  # type: ignore[override]
        return [self.embed_query(text) for text in texts]


MODELS: dict[str, Callable[[Sequence[str]], Embedder]] = {
    "e5": lambda _: EmbeddedEmbedder(),
    "lsa": Lsa,
    "words": lambda _: HashEmbedder(),
}


def refusals(dataset: Dataset, make: Callable[[Sequence[str]], Embedder]) -> list[str]:
    """Returns the shares that each threshold refuses of the questions, and of them with their passage taken away."""
    names = list(dataset.texts)[:PASSAGES]
    texts = [dataset.texts[name] for name in names]
    asked = [one for one in dataset.questions if not one.unanswerable and set(one.relevant) & set(names)][:QUESTIONS]
    embedder = make(texts)
    vectors = embedder.embed_documents(texts)
    matrix = np.array([list(vector) for vector in vectors], dtype=np.float32)  # type: ignore[arg-type]
    own = measure_threshold(embedder, texts, matrix)
    refused: Counter[tuple[str, bool]] = Counter()
    for question in asked:
        near = matrix @ np.asarray(embedder.embed_query(question.text), dtype=np.float32)
        covers = np.array(fusion.covers(question.text, texts), dtype=np.float32)
        usual = evidence.cosine_baseline(near.tolist())
        ranked = np.argsort(-((near - usual.mean) / usual.deviation + 3 * covers), kind="stable")
        for removed in (False, True):
            best = next(int(at) for at in ranked if not (removed and names[at] in question.relevant))
            for name, threshold in (("fixed", _FIXED), ("own", own)):
                refused[name, removed] += not threshold.enough(float(near[best]), float(covers[best]), usual)
    return [f"{refused[name, removed] / len(asked):.2f}" for name in ("fixed", "own") for removed in (False, True)]


def main() -> None:
    arguments = shared.parser(__doc__, "answers.md").parse_args()
    head = [
        "set, vectors",
        "fixed: refused",
        "fixed: refused, passage gone",
        "own: refused",
        "own: refused, passage gone",
    ]
    lines = []
    for name, dataset in shared.read_sets(arguments.data, SETS).items():
        sample = dataset.sample(arguments.limit or 4 * QUESTIONS, arguments.seed)
        for shown, make in MODELS.items():
            lines.append([f"{name}, {shown}", *refusals(sample, make)])
            shared.say(" ".join(lines[-1]))
    table = shared.table(head, lines)
    print(table)
    shared.put(arguments.out, BEGIN, END, f"{table}\n\n{shared.facts('refusals.py', arguments)}")


if __name__ == "__main__":
    main()
