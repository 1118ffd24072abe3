"""Two tiny data sets, English and Chinese, in the form that benchmarks read."""

from __future__ import annotations

import json
from pathlib import Path

EN = {
    "p0": "The library opens at nine in the morning. It is closed on Mondays, when the shelves are cleaned.",
    "p1": "The river is 6,300 kilometres long. It rises in the western mountains and ends in the eastern sea.",
    "p2": "Roast duck must be ordered one day before the visit. The restaurant has room for ninety guests.",
}
EN_QUESTIONS = [
    ("When does the library open in the morning?", ["nine"], "p0"),
    ("How long is the river in kilometres?", ["6,300 kilometres"], "p1"),
    ("When must roast duck be ordered?", ["one day before"], "p2"),
    ("How old is the architect of the railway station?", [], "p0"),
]
ZH = {
    "p0": "图书馆早上九点开门，晚上八点关门。星期一闭馆，馆员在这一天整理书架。",
    "p1": "这条河全长约六千三百公里，发源于西部的高原，在东部流入大海。",
    "p2": "这家餐厅的招牌菜是烤鸭，需要提前一天预订。每桌最多可以坐十位客人。",
}
ZH_QUESTIONS = [
    ("图书馆早上几点开门？", ["九点"], "p0"),
    ("这条河全长多少公里？", ["六千三百公里"], "p1"),
    ("烤鸭需要提前多久预订？", ["提前一天"], "p2"),
]


def write_set(folder: Path, corpus: dict[str, str], questions: list[tuple[str, list[str], str]]) -> None:
    folder.mkdir()
    paragraphs = [{"_id": name, "title": "", "text": text} for name, text in corpus.items()]
    asked = [{"id": text, "question": text, "answers": gold, "context_id": name} for text, gold, name in questions]
    for name, items in {"corpus.jsonl": paragraphs, "qa.jsonl": asked}.items():
        (folder / name).write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), "utf-8")
