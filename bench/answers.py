"""Refusals and answers on SQuAD 2.0, beside always answering (with the first paragraph found) and always refusing."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import shared
from ragkit.evaluation.data.questions import Dataset
from ragkit.evaluation.report.labels import label
from ragkit.evaluation.runs import Row, figures, latencies_ms, outcome_scores

SET = "squad2_dev_part"
BEGIN, END = "<!-- answers: begin -->", "<!-- answers: end -->"  # the marks of the table in its page
SHOWN = ("answer_right", "wrong_refusals", "refusal_precision", "refusal_recall", "refusal_f1", "quotes_verified")


def judged(rows: Sequence[Row], dataset: Dataset, say: Callable[[Row], str | None]) -> list[Row]:
    """Returns the same questions answered by `say`, where None is a refusal."""
    gold = {question.id: question for question in dataset.questions}
    return [
        replace(
            row,
            answer=say(row) or "",
            refused=say(row) is None,
            scores=outcome_scores(gold[row.id], say(row), refusals=True),
        )
        for row in rows
    ]


def column(rows: Sequence[Row], timed: Sequence[Row]) -> list[str]:
    found = figures(rows)
    given = [len(row.answer or "") for row in rows if not row.refused]
    times = latencies_ms(timed)
    return [
        *(f"{found[name]:.3f}" if name in found else "–" for name in SHOWN),
        f"{statistics.median(given):.0f}" if given else "–",
        " / ".join(f"{time_ms:.0f}" for time_ms in times["ask"]) if "ask" in times else "–",
    ]


def main() -> None:
    arguments = shared.parser(__doc__, "answers.md").parse_args()
    dataset = shared.read_sets(arguments.data, [SET])[SET].sample(arguments.limit, arguments.seed)
    rows = shared.measured(dataset, arguments.work, shared.settings_of(arguments), ask=True)
    answering = judged(rows, dataset, lambda row: dataset.texts[row.found[0]] if row.found else "")
    refusing = judged(rows, dataset, lambda _: None)
    names = [*(str(label(name)) for name in SHOWN), "characters of an answer, median", "ask, ms, p50 / p95"]
    columns = [column(rows, rows), column(answering, []), column(refusing, [])]
    lines = [[name, *cells] for name, *cells in zip(names, *columns, strict=True)]
    unanswerable = sum(question.unanswerable for question in dataset.questions)
    head = [f"{len(rows)} questions, {unanswerable} unanswerable", "ragkit", "always answer", "always refuse"]
    table = shared.table(head, lines)
    print(table)
    shared.put(arguments.out, BEGIN, END, f"{table}\n\n{shared.facts('answers.py', arguments)}")


if __name__ == "__main__":
    main()
