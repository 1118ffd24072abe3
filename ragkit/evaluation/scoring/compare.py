"""Two runs of the same questions: is the difference more than chance?

The p-value comes from a paired randomization test: how often a difference as large comes about when each question's
two outcomes change places by chance. The interval comes from a paired bootstrap over questions (percentiles, 95 %).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragkit.evaluation.runs import FIGURES, Row, Run, Score
from ragkit.types.errors import InputError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Numbers = NDArray[numpy.float64]

ROUNDS = 10_000
_ROUNDS_AT_ONCE = 200  # rounds that are computed in one matrix
_TIMES = ("search", "ask")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in both runs; `low` to `high` is the interval of second minus first."""

    name: str
    questions: int
    first: float
    second: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Comparison:
    first: str
    second: str
    dataset: str
    questions: int  # questions that are in both runs
    differences: tuple[Difference, ...]


def compare_runs(first: Run, second: Run, names: tuple[str, str] = ("A", "B"), seed: int = 1) -> Comparison:
    """Compares the figures of the questions that both runs have. Raises InputError when there is none."""
    others = {(row.id, row.question): row for row in second.rows}
    pairs = [(row, others[row.id, row.question]) for row in first.rows if (row.id, row.question) in others]
    if not pairs:
        raise InputError(
            "The two runs have no question in common.", hint="Run both on the same data set, limit and seed."
        )
    differences = [difference for name in FIGURES if (difference := _difference(name, pairs, seed))]
    differences += [difference for name in _TIMES if (difference := _difference(f"{name}_ms", pairs, seed))]
    return Comparison(*names, first.dataset, len(pairs), tuple(differences))


def _difference(name: str, pairs: Sequence[tuple[Row, Row]], seed: int) -> Difference | None:
    """Returns how one figure differs; None where one of the runs has nothing to measure."""
    import numpy

    scores = [(_score(a, name), _score(b, name)) for a, b in pairs]
    kept = [(*a, *b) for a, b in scores if a[1] or b[1]]
    matrix = numpy.array(kept, dtype=numpy.float64).reshape(-1, 4)
    if not matrix[:, 1].any() or not matrix[:, 3].any():
        return None
    random = numpy.random.default_rng(seed)
    first, second = _ratio(matrix.sum(0, keepdims=True)[:, :2])[0], _ratio(matrix.sum(0, keepdims=True)[:, 2:])[0]
    low, high = numpy.nanpercentile(_resampled(matrix, random), [2.5, 97.5])
    by_chance = numpy.abs(_swapped(matrix, random))
    # A rounding error must not make an equal difference smaller.
    reached = int((by_chance >= abs(second - first) - 1e-12).sum())
    p_value = (1 + reached) / (ROUNDS + 1)
    return Difference(name, len(kept), float(first), float(second), float(low), float(high), p_value)


def _score(row: Row, name: str) -> Score:
    if name.endswith("_ms"):
        time_ms = row.times_ms.get(name.removesuffix("_ms"))
        return (0.0, 0.0) if time_ms is None else (time_ms, 1.0)
    return row.scores.get(name, (0.0, 0.0))


def _resampled(matrix: Numbers, random: numpy.random.Generator) -> Numbers:
    """Returns the differences of as many questions, drawn with replacement, a round each."""
    import numpy

    size = len(matrix)
    rounds = [
        matrix[random.integers(0, size, (_ROUNDS_AT_ONCE, size))].sum(1) for _ in range(ROUNDS // _ROUNDS_AT_ONCE)
    ]
    return _differences(numpy.concatenate(rounds))


def _swapped(matrix: Numbers, random: numpy.random.Generator) -> Numbers:
    """Returns the differences when the runs change places in half of the questions by chance, a round each."""
    import numpy

    change = matrix[:, [2, 3, 0, 1]] - matrix
    rounds = [
        matrix.sum(0) + random.integers(0, 2, (_ROUNDS_AT_ONCE, len(matrix))).astype(numpy.float64) @ change
        for _ in range(ROUNDS // _ROUNDS_AT_ONCE)
    ]
    return _differences(numpy.concatenate(rounds))


def _differences(sums: Numbers) -> Numbers:
    return _ratio(sums[:, 2:]) - _ratio(sums[:, :2])


def _ratio(sums: Numbers) -> Numbers:
    """Returns what was got over how much there was; NaN where there was nothing."""
    import numpy

    whole = sums[:, 1]
    return numpy.where(whole > 0, sums[:, 0] / numpy.where(whole > 0, whole, 1), numpy.nan)
