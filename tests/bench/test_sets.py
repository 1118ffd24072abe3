"""The benchmarks over public sets, each run whole over a tiny one: a page is written, an index is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ragkit.models.embedded.e5 import weights_path
from tests.helpers.paths import CHECKOUT
from tests.helpers.pdfs import text_pdf
from tests.helpers.question_sets import EN, EN_QUESTIONS, ZH, ZH_QUESTIONS, write_set

BENCH = CHECKOUT / "bench"
pytestmark = pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")


def run(script: str, folder: Path, *words: str) -> tuple[str, str, str]:
    """Returns standard output, standard error and the page, on which the folder is not named."""
    page = folder / "page.md"
    command = [sys.executable, str(BENCH / script), str(folder), "--work", str(folder / "work"), "--out", str(page)]
    done = subprocess.run([*command, *words], capture_output=True, encoding="utf-8", check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    text = page.read_text("utf-8")
    assert done.stdout.strip() in text
    assert str(folder) not in text
    return done.stdout, done.stderr, text


def test_retrieval(tmp_path: Path) -> None:
    write_set(tmp_path / "xquad_zh", ZH, ZH_QUESTIONS)
    write_set(tmp_path / "squad2_dev_part", EN, [question for question in EN_QUESTIONS if question[1]])
    shown, said, _ = run("retrieval.py", tmp_path)
    assert "| questions | hybrid | not reranked | dense alone | BM25 alone | reference BM25 |" in shown
    assert "| xquad_zh | 3 | 3 | **1.000** | **1.000** | **1.000** | **1.000** | 0.965 |" in shown
    assert "cranfield: skipped, it is not in the folder" in said
    assert "xquad_zh: 3 chunks embedded" in said
    _, again, page = run("retrieval.py", tmp_path, "--sets", "xquad_zh", "--limit", "2")
    assert "xquad_zh: 0 chunks embedded" in again
    assert "--limit 2 --seed 1" in page


def test_a_page_is_written_only_when_it_is_asked_for(tmp_path: Path) -> None:
    write_set(tmp_path / "xquad_zh", ZH, ZH_QUESTIONS)
    here = tmp_path / "here"
    (here / "docs").mkdir(parents=True)
    words = ["--sets", "xquad_zh", "--limit", "1", "--work", str(tmp_path / "work")]
    command = [sys.executable, str(BENCH / "retrieval.py"), str(tmp_path), *words]
    subprocess.run(command, cwd=here, capture_output=True, check=True, timeout=300)
    assert list(here.rglob("*")) == [here / "docs"]


def test_questions_in_one_language_are_asked_of_paragraphs_in_another(tmp_path: Path) -> None:
    for name, texts, questions in (("xquad_zh", ZH, ZH_QUESTIONS), ("xquad_en", EN, EN_QUESTIONS[:3])):
        write_set(tmp_path / name, texts, questions)
        asked = tmp_path / name / "qa.jsonl"
        items = [json.loads(line) for line in asked.read_text("utf-8").splitlines()]
        asked.write_text("".join(json.dumps({**item, "id": item["context_id"]}) + "\n" for item in items), "utf-8")
    shown, _, _ = run("retrieval.py", tmp_path, "--sets", "xquad_zh", "xquad_en")
    assert "| questions → paragraphs · found by | questions | hit@1 | hit@5 | MRR |" in shown
    assert "| xquad_zh → xquad_en · hybrid | 3 | 1.000 | 1.000 | 1.000 |" in shown
    assert "| xquad_en → xquad_zh · dense alone | 3 | 1.000 | 1.000 | 1.000 |" in shown


def test_answers(tmp_path: Path) -> None:
    questions = [json.loads(line) for line in _squad(tmp_path).read_text("utf-8").splitlines()]
    assert sum(question["unanswerable"] for question in questions) == 1
    shown, _, _ = run("answers.py", tmp_path)
    assert "| 4 questions, 1 unanswerable | ragkit | always answer | always refuse |" in shown
    assert "| refusals: F1 |" in shown
    assert "| answerable, but refused | 0.000 | 0.000 | 1.000 |" in shown


def _squad(folder: Path) -> Path:
    write_set(folder / "squad2_dev_part", EN, EN_QUESTIONS)
    asked = folder / "squad2_dev_part" / "qa.jsonl"
    items = [json.loads(line) for line in asked.read_text("utf-8").splitlines()]
    lines = [json.dumps({**item, "unanswerable": not item["answers"]}) + "\n" for item in items]
    asked.write_text("".join(lines), "utf-8")
    return asked


def test_chunking(tmp_path: Path) -> None:
    folder = tmp_path / "chunking_evaluation"
    (folder / "corpora").mkdir(parents=True)
    text = "\n\n".join((*EN.values(), *ZH.values()))
    (folder / "corpora" / "town.md").write_text(text, "utf-8")
    start = text.index("九点")
    part = {"start": start, "end": start + 2, "text": "九点"}
    asked = {"id": "q", "question": "图书馆早上几点开门？", "context_id": "town", "references": [part]}
    (folder / "qa.jsonl").write_text(json.dumps(asked), "utf-8")
    names = [f"{name}{end}" for name in ("recall", "precision", "precision_omega", "iou") for end in ("", "_sd")]
    head = "\t".join(["embedding", "chunking", "size_tokens", "overlap", *names])
    (folder / "published_results.tsv").write_text(f"{head}\nmodel\tLines\t\t0\t" + "\t".join(["1.5"] * 8), "utf-8")
    shown, _, _ = run("chunking.py", tmp_path, "--sizes", "64/0")
    assert "| **chunks of 64/0** | 100.0 ± 0.0 |" in shown
    assert "| Lines, overlap 0 · model | 1.5 ± 1.5 |" in shown


def test_near_identical_reports(tmp_path: Path) -> None:
    folder = tmp_path / "sec_10q"
    (folder / "pdfs").mkdir(parents=True)
    questions = []
    for quarter, sales in (("first", 10), ("second", 20)):
        page = f"Report of the {quarter} quarter.\nNet sales of the {quarter} quarter were {sales} million."
        (folder / "pdfs" / f"{quarter}.pdf").write_bytes(text_pdf(page))
        asked = f"What were the net sales of the {quarter} quarter?"
        questions.append({"id": quarter, "question": asked, "context_ids": [f"pdfs/{quarter}.pdf"]})
    lines = "".join(json.dumps({**question, "question_type": "Single"}) + "\n" for question in questions)
    (folder / "qa.jsonl").write_text(lines, "utf-8")
    shown, _, _ = run("sec10q.py", tmp_path)
    assert "| Single · lexical | 2 | 100.0% | 100.0% | 100.0% |" in shown
    assert "| all · hybrid | 2 |" in shown
