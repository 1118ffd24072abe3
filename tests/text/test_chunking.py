"""Chunks are spans that tile a document and end where sentences end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit.text.chunking import embedding_key, split
from ragkit.text.sentences import sentence_spans
from ragkit.types.documents import Document, Heading, Page

PIECES = st.sampled_from(
    [
        "Leave is paid. ",
        "年假为十五天。",
        "\n\n",
        "\n",
        "- item one\n",
        "a" * 70,
        "Really? Yes! ",
        "“好。”他说。",
        "e.g. this ",
        "👩‍👩‍👧 ",
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)


def count(text: str) -> int:
    return len(text) // 4 + 1


def document(text: str, **more: object) -> Document:
    return Document("/d/a.md", "text/markdown", "", text, **more)  # type: ignore[arg-type]


@given(TEXTS, st.integers(8, 60))
@settings(max_examples=200, deadline=None)
def test_every_character_is_in_a_chunk_and_every_chunk_is_a_span(text: str, limit: int) -> None:
    chunks = split(document(text), count, limit, limit // 4, "f")
    covered = [False] * len(text)
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.text == chunk.text.strip()
        assert chunk.place.line == text.count("\n", 0, chunk.start) + 1
        covered[chunk.start : chunk.end] = [True] * (chunk.end - chunk.start)
    assert all(done or character.isspace() for done, character in zip(covered, text, strict=True))
    assert [chunk.start for chunk in chunks] == sorted({chunk.start for chunk in chunks})


@given(TEXTS, st.integers(8, 60))
@settings(max_examples=200, deadline=None)
def test_no_chunk_is_over_the_limit_by_more_than_a_rest(text: str, limit: int) -> None:
    # `count` is not additive: each of the sentences in a chunk may round up by one.
    for chunk in split(document(text), count, limit, limit // 4, "f"):
        assert count(chunk.text) <= limit + limit // 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One. ", "Two! ", "Three?"]),
        ("See e.g. the annex. Then go.", ["See e.g. the annex. ", "Then go."]),
        ("年假为十五天。病假另算！可以吗？", ["年假为十五天。", "病假另算！", "可以吗？"]),
        ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
        ("version 1.5 is out. Yes.", ["version 1.5 is out. ", "Yes."]),
        ("等等……以后再说。", ["等等……以后再说。"]),
        ("a line\nthat goes on. Next.", ["a line\nthat goes on. ", "Next."]),
        ("- one\n- two\n", ["- one\n", "- two\n"]),
    ],
)
def test_sentences_of_both_languages(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == expected


def test_headings_travel_beside_the_chunk_and_start_a_new_one() -> None:
    text = "# Leave\n\n" + "Annual leave is paid. " * 8 + "\n\n## Sick leave\n\n" + "Sick leave is paid too. " * 8
    headings = (Heading(1, "Leave", 0), Heading(2, "Sick leave", text.index("## Sick")))
    chunks = split(document(text, headings=headings), count, 60, 0, "f")
    assert [chunk.heading_path for chunk in chunks] == [("Leave",), ("Leave", "Sick leave")]
    assert chunks[1].text.startswith("## Sick leave")


def test_pages_are_cited_by_number() -> None:
    text = "First page text here.\n\nSecond page text here."
    pages = (Page(1, 0, 21), Page(2, 23, len(text)))
    chunks = split(document(text, pages=pages), count, 8, 0, "f")
    assert [(chunk.place.page, chunk.place.line) for chunk in chunks] == [(1, None), (2, None)]


def test_the_same_text_gives_the_same_ids_and_another_text_others() -> None:
    one = split(document("A sentence. Another one."), count, 50, 0, "f")
    assert one == split(document("A sentence. Another one."), count, 50, 0, "f")
    other = split(document("A sentence. Another two."), count, 50, 0, "f")
    assert one[0].id != other[0].id
    assert embedding_key(one[0]) != embedding_key(other[0])
    assert split(document("A sentence. Another one."), count, 50, 0, "g")[0].id != one[0].id


def test_a_text_without_spaces_is_cut_all_the_same() -> None:
    chunks = split(document("x" * 10_000), count, 50, 0, "f")
    assert "".join(chunk.text for chunk in chunks) == "x" * 10_000
