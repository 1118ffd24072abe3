"""Making the graph in a process of its own.

Chroma's graph library writes memory that it never cleared into its files (hnswlib, `saveIndex`): whatever the process
held before may stand there, a text that is to leave no byte among it. A process that never read it has none to leave.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from ragkit.config import own_process


def publish_in_subprocess(directory: Path, exact_mb: int) -> None:
    """`DenseVectors.publish` in another process, on behalf of this one, which holds the writer's lock. What it
    leaves undone is done at the next search."""
    words = own_process.command("ragkit.store.vectors.publish_in_subprocess", str(directory), exact_mb)
    nowhere = subprocess.DEVNULL
    subprocess.run(words, stdin=nowhere, stdout=nowhere, stderr=nowhere, check=False)


def main(directory: str, exact_mb: int) -> None:
    from ragkit.store.catalog.writer import SqliteCatalog
    from ragkit.store.vectors.search import DenseVectors

    catalog = SqliteCatalog.open(Path(directory), write=True)
    dense = DenseVectors(Path(directory), catalog, exact_mb)
    try:
        dense.publish(wait=True)
    finally:
        dense.close()
        catalog.close()
