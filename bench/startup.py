"""What a terminal user waits for each time: whole processes, run in turn, as medians.

    python bench/startup.py [--runs 15] [--against OTHER_PYTHON]

Compares `ragkit --help`, `ragkit search` and `ragkit ask` (embedded models, index of sample_docs) with a
bare interpreter and with a bare process that loads the embedded model and embeds the question.
OTHER_PYTHON is the interpreter of another installation, whose commands take turns with these.
Modules are compiled before the first counted run, as an installation leaves them. Beside the time on the
clock stands that of the processors: on a machine with other work, compare that.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
QUESTION = "How many days of leave do I get?"
MODEL = f"""
try:
    from ragkit.models.embedded.embedder import EmbeddedEmbedder
except ImportError:  # where it stood before
    from ragkit.models.embedded import EmbeddedEmbedder
EmbeddedEmbedder().embed_query({QUESTION!r})
"""


def commands(index: Path) -> dict[str, list[str]]:
    """The arguments of the interpreter, by the name of the row."""
    embedded = ["-m", "ragkit", "--index", str(index), "--config", str(CHECKOUT / "configs" / "embedded.toml")]
    return {
        "bare python": ["-c", "pass"],
        "bare model": ["-c", MODEL],
        "--help": ["-m", "ragkit", "--help"],
        "search": [*embedded, "search", QUESTION],
        "ask": [*embedded, "ask", QUESTION],
    }


def run_s(python: str, arguments: list[str], folder: Path) -> tuple[float, float]:
    """On the clock, and on the processors."""
    environment = {**os.environ, "RAGKIT_LANG": "en"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began, used = time.perf_counter(), processor_s()
    subprocess.run(
        [python, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began, processor_s() - used


def processor_s() -> float:
    """Of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--against", metavar="OTHER_PYTHON")
    asked = parser.parse_args()
    pythons = {"this": sys.executable, **({"other": asked.against} if asked.against else {})}
    with tempfile.TemporaryDirectory() as name:
        rows = {}
        for who, python in pythons.items():
            index = Path(name) / who
            run_s(python, [*commands(index)["search"][:-2], "index", str(CHECKOUT / "sample_docs")], Path(name))
            rows |= {(who, what): arguments for what, arguments in commands(index).items()}
        times_s: dict[tuple[str, str], list[tuple[float, float]]] = {row: [] for row in rows}
        for turn in range(asked.runs + 1):
            for row, arguments in rows.items():
                took_s = run_s(pythons[row[0]], arguments, Path(name))
                if turn:  # the first one compiles, and fills the caches of the system
                    times_s[row].append(took_s)
    show({row: [statistics.median(column) for column in zip(*taken, strict=True)] for row, taken in times_s.items()})


def show(medians_s: dict[tuple[str, str], list[float]]) -> None:
    print(
        "| installation | process | clock | x bare python | x bare model | processors | x bare python | x bare model |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for (who, what), both_s in medians_s.items():
        cells = [who, what]
        for median_s, python_s, model_s in zip(
            both_s, medians_s[who, "bare python"], medians_s[who, "bare model"], strict=True
        ):
            cells += [f"{median_s * 1e3:.0f} ms", f"{median_s / python_s:.1f}", f"{median_s / model_s:.2f}"]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
