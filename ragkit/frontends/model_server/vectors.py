"""Embedding as the APIs ask for it: cut or refused at a length, counted, shortened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ragkit.frontends.model_server.requests import ApiError
from ragkit.types.ports import CheckIn, LocalModels

_AT_ONCE = 8  # texts between two looks at whether the client is still there
_MARKS = 2  # tokens around every text

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    vectors: list[Floats]
    tokens: int  # read, marks and all


def embedded(
    models: LocalModels, texts: Sequence[str], most_tokens: int, refusal: Callable[[int], ApiError] | None
) -> Callable[[CheckIn], Embedded]:
    """The work of embedding the first `most_tokens` (marks included) of each text. `refusal` makes, from
    the tokens of a longer text, the error that is raised for it; None: it is cut."""

    def work(check_in: CheckIn) -> Embedded:
        counts: list[int] = []
        vectors: list[Floats] = []
        for text in texts:
            check_in()
            counts.append(models.count_tokens(text) + _MARKS)
            if refusal and counts[-1] > most_tokens:
                raise refusal(counts[-1])
        for at in range(0, len(texts), _AT_ONCE):
            check_in()
            found = models.embed(texts[at : at + _AT_ONCE], max(most_tokens - _MARKS, 1))
            vectors += [np.frombuffer(vector, np.float32) for vector in found]
        return Embedded(vectors, sum(min(count, most_tokens) for count in counts))

    return work


def shortened(vector: Floats, dimensions: int) -> Floats:
    """The first `dimensions` numbers, brought to unit length again; 0 or too many: the whole vector."""
    if not 0 < dimensions < len(vector):
        return vector
    part = vector[:dimensions]
    return part / (np.linalg.norm(part) or np.float32(1))
