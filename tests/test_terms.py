"""Words and character pairs: a question and a document meet in the same terms."""

from __future__ import annotations

import pytest

from ragkit.terms import cover, document_terms, language, query_terms


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
    weights = dict.fromkeys(query_terms(question), 1.0)
    assert cover(weights, frozenset(document_terms(text))) > 0


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
