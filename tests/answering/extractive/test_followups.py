"""A follow-up takes the words that it leans on from the questions before; any other question stays as it is."""

from __future__ import annotations

import pytest

from ragkit.answering.extractive.followups import condense, depends_on_history
from ragkit.types.answers import Turn

FOLLOW_UPS = """
And how long is it?|How long is it?|What about sick leave?|And for contractors?|How long?|Why?|Who approves it?
Does it include the battery?|What is its capacity?|When must they be submitted?|Is that allowed?|Why is that?
Which one is cheaper?|And in winter?|What else is covered?|Tell me more|Where do I upload it?|Go on|Are these paid?
How much does it cost to extend it?|Is the fee included in it?|Can I park there?|How many days?|Who pays?
What happens then?|How about the Suzhou office?|When does their contract end?|Who should I tell about this?|By when?
那保修期呢？|保修期呢？|它保修多久？|那周末？|为什么？|多少钱？|谁负责？|多久到期？|这个怎么申请？|那实习生呢？
他们有几天？|需要多长时间？|该设备的保修期多长？|上述规定适用于实习生吗？|还有呢？|其保修期是多久？|那里可以停车吗？|這個怎麼申請？|還有嗎？
"""
SELF_CONTAINED = """
How much does it cost to have an instrument inspected when it is out of warranty?|annual leave|What is DNS?
How long does it take to get a badge?|Is it possible to carry leave over?|How many days of annual leave do I get?
And where is the canteen?|So how do I apply for a parking permit?|Is there a swimming pool?|Who approves expenses?
If the printer fails, who repairs it?|Does the company pay its employees weekly?|Do staff pay for their own meals?
Is it true that leave can be carried over?|What documents expire this year?|What happens to those who resign?
Which documents say that leave is paid?|Do employees lose leave if they resign?|What if I lose my badge?
What must I do before I leave the building?|Is the same form as last year used?|How many parking places are there?
年假有几天？|那食堂在哪里？|年假到底有几天呢？|如果打印机坏了，谁来修它？|其他员工有年假吗？|如何报销？|怎么请假？
公司是否为员工及其家属买保险？|我应该找谁报销？|机房温度达到多少度会触发 A1 报警？|这个月的食堂几点开门？
因此会扣工资吗？|什么是年假？|谁是经理？|此外还有哪些补贴？|员工丢失工牌后，它的工本费是多少？
"""


def questions(table: str) -> list[str]:
    return table.strip().replace("\n", "|").split("|")


@pytest.mark.parametrize("question", questions(FOLLOW_UPS))
def test_a_question_that_leans_on_the_one_before_takes_its_words(question: str) -> None:
    before = [Turn("What is the warranty of the BL-510?", "Two years.")]
    assert condense(question, before).endswith(" (warranty BL-510)")
    assert condense(question, []) == question


@pytest.mark.parametrize("question", questions(SELF_CONTAINED))
def test_a_question_that_stands_alone_is_not_touched(question: str) -> None:
    assert not depends_on_history(question)
    assert condense(question, [Turn("What is the warranty of the BL-510?", "")]) == question


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        (["Who repairs the BL-510?", "And how long is it?"], "how long is it? (repairs BL-510)"),
        (["BL-510 的价格？", "那保修期呢？"], "保修期呢？ (BL-510 的价格)"),
        # a word that the question has itself is not said twice
        (["How many days of annual leave are there?", "And sick leave?"], "sick leave? (days annual)"),
        # follow-ups of follow-ups keep the topic, a question that stands alone ends it
        (["Who repairs a pump?", "And a valve?", "How long?"], "How long? (repairs pump valve)"),
        # a code takes the place of its like
        (["Who repairs the BL-510?", "And the BL-200?", "How long?"], "How long? (repairs BL-200)"),
        (["触发 A1 报警的温度？", "那 A2 呢？"], "A2 呢？ (触发 报警的温度)"),
        (["Who repairs the BL-510?", "Where is the canteen?", "Is it far?"], "Is it far? (canteen)"),
    ],
)
def test_what_is_searched_for(asked: list[str], query: str) -> None:
    assert condense(asked[-1], [Turn(question, "") for question in asked[:-1]]) == query


def test_a_long_conversation_does_not_grow_the_query() -> None:
    turns = [Turn("Who repairs the BL-510?", "")]
    turns += [Turn(f"And what about the {number}part of it?", "") for number in range(40)]
    added = condense("How long?", turns).partition("(")[2].rstrip(")").split()
    assert len(added) <= 12
    assert added[:2] == ["repairs", "BL-510"]
    assert added[-1] == "39part"
