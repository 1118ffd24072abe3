"""A quote is verified exactly when it stands in the passage that is cited."""

from __future__ import annotations

import pytest

from ragkit.answering.citations import check, claims, unknown_markers
from ragkit.text.quotes import find_quote
from ragkit.types.documents import Document, Page, Place
from ragkit.types.search import Passage

ENGLISH = "Staff accrue 1.5 days of leave a month. The cap is 15 days\nfor every calen-\ndar year, at level-2 sites."
CHINESE = "员工每年享有 15 天带薪年假；\n未休完的年假，可结转至次年三月三十一日。"


def passage(marker: int, text: str, source: str = "/d/a.md", start: int = 0) -> Passage:
    return Passage(marker, source, "", text, start, start + len(text), Place(None, 1), (), ("c",), 1.0, 0.9, 0.5)


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("The cap is 15 days for every calendar year", ENGLISH),
        ("the cap is".capitalize(), ENGLISH),
        ("Staff  accrue\n1.5 days", ENGLISH),
        ("每年享有15天带薪年假", CHINESE),
        ("每年享有１５天带薪年假", CHINESE),
        ("带薪年假;未休完的年假,可结转", CHINESE),
        ("the ﬁrst ofﬁce", "In the first office."),
        ("say “yes” – now", 'They say "yes" - now.'),
    ],
)
def test_a_quote_is_found_whatever_copying_changed(quote: str, text: str) -> None:
    span = find_quote(quote, text)
    assert span is not None
    assert 0 <= span[0] < span[1] <= len(text)


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("5 days of leave", ENGLISH),  # inside 1.5
        ("The cap is 1", ENGLISH),  # inside 15
        ("The cap is 16 days", ENGLISH),
        ("the cap is 15 days", ENGLISH),  # another letter
        ("Staff accrue 1.5 days. The cap is 15 days", ENGLISH),  # two places joined
        ("每年享有 5 天带薪年假", CHINESE),
        ("每年享有 15 天无薪年假", CHINESE),
        ("", ENGLISH),
        ("...", ENGLISH),
    ],
)
def test_a_quote_that_does_not_stand_there_is_not_found(quote: str, text: str) -> None:
    assert find_quote(quote, text) is None


def test_a_verified_citation_opens_at_the_quote() -> None:
    text = "Page one is about travel.\n\nPage two: the limit is 20 kg."
    document = Document("/d/a.pdf", "application/pdf", "", text, pages=(Page(1, 0, 25), Page(2, 27, len(text))))
    [citation] = check('Twenty ("the limit is 20 kg") [1].', [passage(1, text, "/d/a.pdf")], {"/d/a.pdf": document})
    assert citation.verified
    assert (citation.place.page, citation.place.line) == (2, None)
    assert text[citation.start : citation.end] == "the limit is 20 kg"


def test_what_is_not_proved_is_marked_and_nothing_is_dropped() -> None:
    passages = [passage(1, ENGLISH), passage(2, CHINESE, "/d/b.md")]
    answer = "Up to 30 days (“The cap is 30 days”) [1]. 每年 15 天（“每年享有 15 天带薪年假”）[2]。 And more [1]."
    found = {(c.marker, c.quote): c.verified for c in check(answer, passages, {})}
    assert found == {(1, "The cap is 30 days"): False, (2, "每年享有 15 天带薪年假"): True, (1, ""): False}


def test_a_quote_is_looked_for_in_every_passage_it_is_cited_to() -> None:
    passages = [passage(1, ENGLISH), passage(2, "Other text.", "/d/b.md")]
    found = {(c.marker, c.quote): c.verified for c in check('"The cap is 15 days" [1][2]', passages, {})}
    assert found == {(1, "The cap is 15 days"): True, (2, ""): False}


def test_markers_in_code_and_unknown_markers() -> None:
    assert claims("use `row[0]` here") == ()
    assert unknown_markers("so it is [7] and [1, 9]", [passage(1, "x")]) == (7, 9)
    assert check("so it is [7]", [passage(1, "x")], {}) == ()
