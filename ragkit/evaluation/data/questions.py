"""The values of an evaluation: what is asked, and what would be right."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Question:
    """A question and all that is known about what is right.

    Where nothing is relevant and the question is not unanswerable, what is found for it is not judged.
    """

    id: str
    text: str
    relevant: Mapping[str, int] = field(default_factory=dict)  # grade of each right document, above 0
    spans: tuple[tuple[int, int], ...] = ()  # where the answer stands, in characters of the one right document
    page: int | None = None  # of the right document; None: any
    quote: str = ""  # words of the right passage
    answers: tuple[str, ...] = ()  # each of them is right
    unanswerable: bool = False
    kind: str = ""  # figures are also given for each kind of question


@dataclass(frozen=True, slots=True)
class Dataset:
    """Questions and the documents that they are asked of, as texts or as files.

    With neither, the questions are about an index that is there already, and name its files.
    """

    name: str
    questions: tuple[Question, ...]
    texts: Mapping[str, str] = field(default_factory=dict)  # by the name of the document
    files: Mapping[str, Path] = field(default_factory=dict)  # by the name of the document

    def sample(self, limit: int, seed: int) -> Dataset:
        """Returns the set with `limit` questions by chance, in their order; with all when it is 0 or they are fewer."""
        if not limit or limit >= len(self.questions):
            return self
        kept = sorted(random.Random(seed).sample(range(len(self.questions)), limit))
        return replace(self, questions=tuple(self.questions[at] for at in kept))

    def judged(self) -> Dataset:
        """Returns the set with the questions alone that some document is relevant to."""
        return replace(self, questions=tuple(question for question in self.questions if question.relevant))
