"""One `RagKit` used by many threads at once, as a server does."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ragkit import RagKit, resolve
from ragkit.testing import ScriptedOllama

TOPICS = ("leave", "travel", "pension", "parking", "canteen", "training", "laptops", "badges")


def write(folder: Path, topic: str, days: int) -> None:
    (folder / f"{topic}.md").write_text(
        f"# The {topic} rules\n\nThe {topic} rules give everyone {days} days in the year for {topic}.\n"
        f"The first line of the {topic} rules says {days}, and the last line of the {topic} rules says {days}.\n"
    )


@pytest.mark.parametrize("exact_mb", [64, 0], ids=["exact", "chroma"])
def test_twenty_threads_ask_and_search_while_another_indexes(tmp_path: Path, exact_mb: int) -> None:
    """Every answer comes from one state of the index: the file as it was before or after a change, never a mixture."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for topic in TOPICS:
        write(docs, topic, 1)
    with ScriptedOllama(answer='They say so ("days in the year") [1].') as server:
        flags = {"models.backend": "ollama", "ollama.host": server.url, "store.exact_mb": str(exact_mb)}
        flags |= {"ollama.embed_model": "embed", "ollama.chat_model": "chat"}
        with RagKit.open(tmp_path / "index", resolve(flags=flags)[0]) as kit:
            kit.index([docs])
            over = threading.Event()

            def indexing() -> int:
                runs = 0
                for days in range(2, 6):
                    for topic in TOPICS:
                        write(docs, topic, days)
                    runs += kit.index([docs], checksum=True).count("changed") == len(TOPICS)
                return runs

            def reading(number: int) -> list[str]:
                """Returns what was wrong with what this thread was told."""
                topic, wrong, turns = TOPICS[number % len(TOPICS)], [], 0
                while not over.is_set() or turns < 2:
                    turns += 1
                    hits = kit.search(f"How many days do the {topic} rules give?", k=3)
                    if Path(hits[0].chunk.source).stem != topic:
                        wrong.append(f"{topic}: found {hits[0].chunk.source}")
                    for hit in hits:
                        said = set(re.findall(r"\d+", hit.chunk.text))
                        if len(said) > 1:
                            wrong.append(f"{topic}: a passage of two states says {said}")
                    if number % 4 == 0:
                        answer = kit.ask(f"How many days do the {topic} rules give?")
                        if not answer.citations or not answer.citations[0].verified:
                            wrong.append(f"{topic}: {answer.text} {answer.citations}")
                        if kit.status().documents != len(TOPICS):
                            wrong.append("a document was missing")
                return wrong

            with ThreadPoolExecutor(21) as pool:
                readers = [pool.submit(reading, number) for number in range(20)]
                try:
                    assert pool.submit(indexing).result() == 4
                finally:
                    over.set()
                assert [line for reader in readers for line in reader.result()] == []
            assert kit.verify(deep=True) == []


def test_writes_of_two_threads_wait_for_each_other(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    with ScriptedOllama() as server:
        flags = {"models.backend": "ollama", "ollama.host": server.url}
        flags |= {"ollama.embed_model": "embed", "ollama.chat_model": "chat"}
        with RagKit.open(tmp_path / "index", resolve(flags=flags)[0]) as kit:
            for folder in folders:
                folder.mkdir()
                for topic in TOPICS:
                    write(folder, topic, 3)
            with ThreadPoolExecutor(3) as pool:
                reports = list(pool.map(lambda folder: kit.index([folder]), folders))
            assert [report.count("added") for report in reports] == [len(TOPICS)] * 3
            assert kit.status().documents == 3 * len(TOPICS)
            assert kit.verify(deep=True) == []
