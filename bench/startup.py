"""Start-up time of `ragkit --help` beside a bare interpreter, in turn, as medians of 15 runs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def run_s(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> None:
    pairs = [(run_s("-m", "ragkit", "--help"), run_s("-c", "pass")) for _ in range(15)]
    ours, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"ragkit --help {ours * 1e3:.0f} ms, bare python {bare * 1e3:.0f} ms, ratio {ours / bare:.1f}")


if __name__ == "__main__":
    main()
