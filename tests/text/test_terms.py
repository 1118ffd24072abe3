"""Words and character pairs: a question and a document meet in the same terms."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.text.terms import Matcher, cover, document_terms, language, lowercase_shouting, query_terms


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("annual leaves", "Annual leave is paid"),
        ("年假有几天？", "员工的年假为十五天"),
        ("error ERR-1042", "If err-1042 shows, restart"),
        ("ＶＰＮ", "connect the VPN first"),
        ("税", "个人所得税率表"),
        ("v2.3.1", "since v2.3.1 only"),
        ("Wi-Fi密码", "会客室的Wi-Fi密码贴在墙上"),
    ],
)
def test_a_question_meets_its_document(question: str, text: str) -> None:
    asked = query_terms(question)
    assert cover(dict.fromkeys(asked, 1.0), Matcher(asked).count(text)) > 0
    indexed = list(document_terms(text))
    assert any(term in indexed or any(other.startswith(term) for other in indexed) for term in asked)


WORDS = ["dying", "tied", "lies", "happy", "happily", "ERR-1042", "C++", "don't", "3.11", "naïve", "x", "v2.3.1"]


@given(st.lists(st.sampled_from([*WORDS, "年假", "休", "税率", " ", "-", "，", "Straße", "a"]), max_size=12))
def test_a_text_is_counted_as_the_index_counts_it(pieces: list[str]) -> None:
    text, asked = " ".join(pieces), query_terms(" ".join(WORDS) + " 年假 税率")
    counted = Counter(document_terms(text))
    assert Matcher(asked).count(text) == {term: counted[term] for term in asked if term in counted}


def test_question_words_carry_no_weight() -> None:
    assert query_terms("How many days do I get?") == ("day", "get")
    assert query_terms("请问年假是什么") == ("年假",)
    assert query_terms("what is it") == ("what", "is", "it")  # better than nothing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How long?", "en"),
        ("年假几天", "zh"),
        ("VPN 怎么连接", "zh"),
        ("what does 年假 mean in English", "en"),
        ("", "en"),
    ],
)
def test_the_language_of_a_question(text: str, expected: str) -> None:
    assert language(text) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("USE OF COMPUTERS IN FILTERS", "use of computers in filters"),
        ("What is NATO?", "What is NATO?"),
        ("IBM PC", "IBM PC"),
        ("NASA 是 什么 ？", "NASA 是 什么 ？"),
        ("1984", "1984"),
    ],
)
def test_a_question_in_capitals_is_calmed_and_a_name_is_not(question: str, expected: str) -> None:
    assert lowercase_shouting(question) == expected
