"""Data sets on disk become questions and documents, and a broken one says where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragkit.evaluation.data.corpus import write_documents
from ragkit.evaluation.data.datasets import read_folder
from ragkit.evaluation.data.questions import Dataset
from ragkit.types.errors import InputError

LIBRARY = "The library opens at nine."
LIBRARY_ZH = "图书馆早上九点开门。"


def write_lines(path: Path, items: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), "utf-8")


def write_judged(folder: Path) -> None:
    texts = [
        {"_id": "1", "title": "opening hours", "text": LIBRARY},
        {"_id": "2", "title": "图书馆", "text": LIBRARY_ZH},
        {"_id": "3", "title": "图书馆", "text": "图书馆\n开放时间"},
        {"_id": "4", "title": "", "text": " "},
    ]
    write_lines(folder / "corpus.jsonl", texts)
    write_lines(folder / "queries.jsonl", [{"_id": "q1", "text": "When?"}, {"_id": "q2", "text": "几点？"}])
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t1\t4\nq1\t2\t0\nq2\t2\t1\n", "utf-8")


def test_judged_texts(tmp_path: Path) -> None:
    write_judged(tmp_path / "abstracts")
    dataset = read_folder(tmp_path / "abstracts")
    assert dataset.name == "abstracts"
    assert dataset.texts == {"1": f"opening hours\n\n{LIBRARY}", "2": LIBRARY_ZH, "3": "图书馆\n开放时间"}
    assert [(question.text, question.relevant) for question in dataset.questions] == [
        ("When?", {"1": 4}),
        ("几点？", {"2": 1}),
    ]


def test_judgments_in_a_folder_of_their_own(tmp_path: Path) -> None:
    write_judged(tmp_path)
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels.tsv").rename(tmp_path / "qrels" / "test.tsv")
    write_lines(tmp_path / "queries.jsonl", [{"_id": "q1", "text": "When?"}, {"_id": "train", "text": "不评判"}])
    assert [question.id for question in read_folder(tmp_path).questions] == ["q1"]


def test_a_broken_judgment_says_where(tmp_path: Path) -> None:
    write_judged(tmp_path)
    (tmp_path / "qrels.tsv").write_text("q\td\tgrade\nq1\t1\tgood\n", "utf-8")
    with pytest.raises(InputError, match=r"qrels\.tsv, line 2"):
        read_folder(tmp_path)


def test_paragraphs_with_unanswerable_questions(tmp_path: Path) -> None:
    write_lines(tmp_path / "corpus.jsonl", [{"_id": "p0", "title": "Town", "text": LIBRARY}])
    asked = [
        {"id": "a", "question": "When?", "answers": ["nine"], "context_id": "p0"},
        {"id": "b", "question": "建筑师是谁？", "answers": [], "context_id": "p0", "unanswerable": True},
    ]
    write_lines(tmp_path / "qa.jsonl", asked)
    dataset = read_folder(tmp_path)
    first, second = dataset.questions
    assert dataset.texts == {"p0": LIBRARY}
    assert (first.relevant, first.answers, first.unanswerable) == ({"p0": 1}, ("nine",), False)
    assert (second.relevant, second.answers, second.unanswerable) == ({}, (), True)


def test_files_with_spans(tmp_path: Path) -> None:
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "城市.md").write_text(LIBRARY_ZH, "utf-8")
    parts = [{"start": 4, "end": 8, "text": "早上九点"}]
    asked = {"id": "q", "question": "几点？", "context_id": "城市", "references": parts}
    write_lines(tmp_path / "qa.jsonl", [asked])
    [question] = read_folder(tmp_path).questions
    assert (question.relevant, question.spans) == ({"corpora/城市.md": 1}, ((4, 8),))


def test_files_with_several_right_documents(tmp_path: Path) -> None:
    for name in ("2022 Q3.pdf", "2023 Q1.pdf"):
        (tmp_path / "pdfs").mkdir(exist_ok=True)
        (tmp_path / "pdfs" / name).write_bytes(b"")
    named = ["pdfs/2022 Q3.pdf", "pdfs/2023 Q1.pdf"]
    write_lines(tmp_path / "qa.jsonl", [{"id": "q", "question": "?", "context_ids": named, "question_type": "Multi"}])
    [question] = read_folder(tmp_path).questions
    assert (question.relevant, question.kind) == (dict.fromkeys(named, 1), "Multi")


@pytest.mark.parametrize(
    ("corpus", "asked", "said"),
    [
        ('{"_id": "p0", "text": "x"}', "{broken", "qa.jsonl, line 1: "),
        ('{"text": "x"}', "", "An entry of the data set has no _id"),
    ],
)
def test_a_broken_set_says_where(tmp_path: Path, corpus: str, asked: str, said: str) -> None:
    (tmp_path / "corpus.jsonl").write_text(corpus, "utf-8")
    (tmp_path / "qa.jsonl").write_text(asked, "utf-8")
    with pytest.raises(InputError) as caught:
        read_folder(tmp_path)
    assert said in str(caught.value)


def test_a_folder_without_a_set_and_a_document_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no data set"):
        read_folder(tmp_path)
    (tmp_path / "pdfs").mkdir()
    write_lines(tmp_path / "qa.jsonl", [{"id": "q", "question": "?", "context_id": "缺"}])
    with pytest.raises(InputError) as caught:
        read_folder(tmp_path)
    assert "has no document 缺" in str(caught.value)


def test_a_sample_keeps_the_order_and_follows_the_seed(tmp_path: Path) -> None:
    write_lines(tmp_path / "corpus.jsonl", [{"_id": "p", "text": "x"}])
    write_lines(tmp_path / "qa.jsonl", [{"id": str(at), "question": "?", "context_id": "p"} for at in range(50)])
    dataset = read_folder(tmp_path)
    ids = [[int(question.id) for question in dataset.sample(5, seed).questions] for seed in (1, 1, 2)]
    assert ids[0] == ids[1] == sorted(ids[0]) != ids[2]
    assert dataset.sample(0, 1) is dataset.sample(50, 1) is dataset


def test_a_long_name_still_makes_a_file(tmp_path: Path) -> None:
    names = ["文" * 90 + end for end in "甲乙"]
    corpus = write_documents(Dataset("set", (), {name: name for name in names}), tmp_path)
    assert sorted(corpus.names.values()) == sorted(names)
    assert [Path(source).read_text("utf-8") for source in corpus.names] == list(corpus.names.values())


def test_texts_are_laid_out_once(tmp_path: Path) -> None:
    write_judged(tmp_path / "set")
    dataset = read_folder(tmp_path / "set")
    work = tmp_path / "work"
    corpus = write_documents(dataset, work)
    sources = {name: Path(source) for source, name in corpus.names.items()}
    assert sources["2"].read_text("utf-8") == LIBRARY_ZH
    before = sources["2"].stat().st_mtime_ns
    sources["1"].write_text("altered", "utf-8")
    (work / "set" / "texts" / "left.txt").write_text("of another set", "utf-8")
    assert write_documents(dataset, work) == corpus
    assert sources["2"].stat().st_mtime_ns == before
    assert LIBRARY in sources["1"].read_text("utf-8")
    assert sorted((work / "set" / "texts").iterdir()) == sorted(sources.values())
