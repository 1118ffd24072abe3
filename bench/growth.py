"""What a chunk costs as an index grows, and how much memory indexing takes whatever the size of the corpus.

    python bench/growth.py [--sizes 1000 5000 20000 50000 100000 200000] [--mb 0] [--out FILE.md]

So many small generated files of one chunk each are indexed by ragkit and by a loop over `collection.add`, each size
into a new index, with an embedding server that does no work (`zero_cost_ollama.py`, 384 numbers a vector). `--mb`
also indexes one text file of so many megabytes. Writes the page and, beside it, its plot.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import shared
from embedding_clients import zero_cost_server
from ingest import LOOP, RAGKIT, run_one

DIMENSION = 384
COMMON = "pump valve filter meter sensor order report budget contract visit 水泵 阀门 预算 合同 请假 出差".split()
WORDS = [*COMMON * 200, *(f"item{number}" for number in range(20_000))]
PAGE = """# Growth, measured

Indexing {largest:,} small files, each of one chunk, at a time when embedding costs nothing: what a chunk costs,
in milliseconds of wall time from an empty index to a finished one, and the peak of memory of all processes together.

{table}

![ms a chunk by number of chunks]({plot})

- The loop is what one writes by hand: read, embed 64 texts at once, `collection.add` with documents.
- ragkit holds a few files that are read ahead, two parts of 32 chunks that are being embedded, and one transaction,
  beside what it knows of each file and 64 MB of cache. The vectors of a long document wait in the catalog; its text and
  its chunks are in memory until it is committed whole, at most `loading.max_text_mb` of it.{large}
- Vectors of more than 64 MB (from {graph:,} chunks on, here) go into Chroma's graph at the end, which Chroma holds in
  memory while it makes it: that is the step in the last row.

`python bench/growth.py --sizes {sizes} --loop-up-to {upto}` · {cores} cores, busy with {load:.1f} processes · {date}
"""


def generate(folder: Path, count: int) -> None:
    chance = random.Random(1)
    for number in range(count):
        place = folder / f"{number // 1000:03}"
        place.mkdir(exist_ok=True)
        text = f"Note {number}. " + " ".join(chance.choices(WORDS, k=40))
        (place / f"{number:06}.txt").write_text(text, "utf-8")


def large_text(path: Path, megabytes: int) -> None:
    chance = random.Random(2)
    with path.open("w", encoding="utf-8") as stream:
        written = 0
        while written < megabytes * 1_000_000:
            written += stream.write(" ".join(chance.choices(WORDS, k=60)) + ".\n\n" * (chance.random() < 0.2) + " ")


def plot(lines: dict[str, list[tuple[int, float]]]) -> str:
    """ms a chunk (from 0) over the number of chunks (a logarithm), as SVG."""
    from math import log10

    width, height, left = 640, 300, 50
    points = [point for line in lines.values() for point in line]
    low, high = log10(min(x for x, _ in points)), log10(max(x for x, _ in points))
    top = max(y for _, y in points) * 1.1

    def at(x: float, y: float) -> tuple[float, float]:
        share = (log10(x) - low) / ((high - low) or 1)
        return left + (width - left - 110) * share, height - 30 - (height - 50) * y / top

    parts = [f'<rect width="{width}" height="{height}" fill="white"/>']
    for x in sorted({x for x, _ in points}):
        parts.append(f'<text x="{at(x, 0)[0]:.0f}" y="{height - 10}" text-anchor="middle">{x:,}</text>')
    for step in range(5):
        y = top * step / 4
        parts.append(f'<text x="{left - 6}" y="{at(10**low, y)[1] + 4:.0f}" text-anchor="end">{y:.1f}</text>')
    for (name, line), colour in zip(lines.items(), ("#1a6dad", "#b3541e"), strict=False):
        shown = " ".join(f"{x:.0f},{y:.0f}" for x, y in (at(*point) for point in line))
        parts.append(f'<polyline points="{shown}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = at(*line[-1])
        parts.append(f'<text x="{x + 6:.0f}" y="{y + 4:.0f}" fill="{colour}">{name}</text>')
    style = 'font-family="sans-serif" font-size="11"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {style}>{"".join(parts)}</svg>\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 5000, 20_000, 50_000, 100_000, 200_000])
    parser.add_argument("--loop-up-to", type=int, default=200_000, help="the loop is run up to this size")
    parser.add_argument("--mb", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the page, as docs/growth.md, here, and its plot beside it")
    options = parser.parse_args()
    lines: dict[str, list[tuple[int, float]]] = {"ragkit": [], "loop": []}
    with zero_cost_server(0, DIMENSION) as url:
        rows = [measured(size, options.loop_up_to, url, lines) for size in options.sizes]
        large = measured_large_file(options.mb, url) if options.mb else ""
    text = page(options, rows, large)
    print(text)
    if options.out is not None:
        options.out.write_text(text, "utf-8")
        curves = {name: line for name, line in lines.items() if line}
        options.out.with_suffix(".svg").write_text(plot(curves), "utf-8")


def measured(size: int, loop_up_to: int, url: str, lines: dict[str, list[tuple[int, float]]]) -> list[str]:
    """Returns the row of one size, and adds its points to the lines of the plot."""
    row = [f"{size:,}"]
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), size)
        for name, program in (("ragkit", RAGKIT), ("loop", LOOP)):
            if name == "loop" and size > loop_up_to:
                row += ["–", "–"]
                continue
            seconds, memory, _, chunks = run_one(sys.executable, program, Path(folder), url)
            lines[name].append((size, seconds * 1000 / chunks))
            row += [f"{seconds * 1000 / chunks:.2f}", f"{memory:.0f}"]
    print(row, flush=True)
    return row


def measured_large_file(mb: int, url: str) -> str:
    """Returns a sentence about one text file of this size."""
    with tempfile.TemporaryDirectory() as folder:
        large_text(Path(folder) / "large.txt", mb)
        seconds, memory, _, chunks = run_one(sys.executable, RAGKIT, Path(folder), url)
    return f" A text file of {mb} MB took {memory:.0f} MB at its peak, {seconds:.0f} s and {chunks:,} chunks."


def page(options: argparse.Namespace, rows: list[list[str]], large: str) -> str:
    return PAGE.format(
        largest=max(options.sizes),
        table=shared.table(["chunks", "ragkit, ms a chunk", "peak MB", "loop, ms a chunk", "peak MB"], rows),
        plot=options.out.with_suffix(".svg").name if options.out is not None else "growth.svg",
        large=large,
        sizes=" ".join(map(str, options.sizes)),
        upto=options.loop_up_to,
        graph=64 * 2**20 // 4 // DIMENSION,
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
        date=f"{datetime.now(UTC):%Y-%m-%d}",
    )


if __name__ == "__main__":
    main()
