"""Reading prompts back: ragkit's own and those of other tools, in English and Chinese."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.answering.extractive.reading_prompts import read_condense_prompt, read_prompt
from ragkit.answering.prompts import answer_prompt, condense_prompt
from ragkit.types.answers import ChatMessage, Context, ContextLedger, QuestionImages, Turn
from ragkit.types.documents import Place
from ragkit.types.search import Passage

PUMP, VALVE = "The pump stops at noon. It starts again at two.", "主阀门在三个大气压时打开。备用阀门一直关闭。"
BOTH = [PUMP, VALVE]
ASK, ASK_ZH = "When does the pump stop?", "主阀门何时打开？"


def user(text: str) -> ChatMessage:
    return ChatMessage("user", text)


def context(*texts: str) -> Context:
    passages = tuple(
        Passage(marker, "", "docs/plant.md", text, 0, len(text), Place(3, None), (), (), 0.0, None, 0.0)
        for marker, text in enumerate(texts, 1)
    )
    return Context(passages, ContextLedger(None, 0, 0, (), ()))


@pytest.mark.parametrize("question", [ASK, ASK_ZH])
def test_ragkits_own_prompt_is_read_back_whole(question: str) -> None:
    texts = (PUMP, VALVE, "Question: is this one?\n\nContext: no, a text that looks like a prompt.\nAnswer:")
    asked, sources = read_prompt(answer_prompt(question, context(*texts), QuestionImages()))
    assert asked == question
    assert [(source.marker, source.text) for source in sources] == list(enumerate(texts, 1))


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1).map(str.strip).filter(bool), min_size=1, max_size=4))
def test_no_text_breaks_out_of_ragkits_own_prompt(texts: list[str]) -> None:
    asked, sources = read_prompt(answer_prompt(ASK, context(*texts), QuestionImages()))
    assert (asked, [source.text for source in sources]) == (ASK, texts)


STUFF = (
    "You are an assistant for question-answering tasks. Use the following pieces of retrieved context to answer the "
    "question. If you don't know the answer, say that you don't know. Use three sentences maximum and keep the answer "
    "concise."
)
LLAMA = (
    "Context information is below.\n---------------------\n{text}\n---------------------\nGiven the context "
    "information and not prior knowledge, answer the query.\nQuery: {question}\nAnswer: "
)
LONG = PUMP + " " + "The hall is cleaned on Fridays by a company from the town. " * 4


@pytest.mark.parametrize(
    ("messages", "question", "texts"),
    [
        ([user(f"Context: {PUMP}\nQuestion: {ASK}")], ASK, [PUMP]),
        ([user(f"上下文：{VALVE}\n问题：{ASK_ZH}\n回答：")], ASK_ZH, [VALVE]),
        ([user(f"## Context:\n{PUMP}\n\n## Question:\n{ASK}\n\nAnswer in one sentence.")], ASK, [PUMP]),
        ([user(f"**问题：** {ASK_ZH}\n**资料：** {VALVE}")], ASK_ZH, [VALVE]),
        ([user(f"{STUFF}\nQuestion: {ASK} \nContext: {PUMP} \nAnswer:")], ASK, [PUMP]),
        ([ChatMessage("system", f"{STUFF}\n\n{LONG}"), user(ASK)], ASK, [LONG.strip()]),
        ([ChatMessage("system", "You are an expert. " * 20), user(LLAMA.format(text=PUMP, question=ASK))], ASK, [PUMP]),
        ([user(LLAMA.format(text=VALVE, question=ASK_ZH))], ASK_ZH, [VALVE]),
        ([user(f"<context>\n{PUMP}\n</context>\n\n{ASK}")], ASK, [PUMP]),
        ([user(f"<documents>\n<document>{PUMP}</document>\n<doc>{VALVE}</doc></documents>\n{ASK}")], ASK, BOTH),
        ([user(f"Answer from this text:\n\n```\n{PUMP}\n```\n\n{ASK}")], ASK, [PUMP]),
        ([user(f"{PUMP}\n\n{ASK}")], ASK, [PUMP]),
        ([user(f"请根据以下资料回答问题：\n{VALVE}\n\n{ASK_ZH}")], ASK_ZH, [VALVE]),
        ([user(f"Answer the question using the following: {PUMP}\n\n{ASK}")], ASK, [PUMP]),
        ([user(f"{ASK}\n\n{PUMP}")], ASK, [PUMP]),
        ([user(f"Question: {ASK}\n\n{PUMP}")], ASK, [PUMP]),
        ([ChatMessage("tool", VALVE), user(ASK_ZH)], ASK_ZH, [VALVE]),
        ([user(LONG), ChatMessage("assistant", "I read it. " * 30), user(ASK)], ASK, [LONG.strip()]),
        ([user("What is a pump?"), ChatMessage("assistant", PUMP), user(ASK)], ASK, []),
        ([ChatMessage("system", "You are kind. Never talk about prices."), user("Prices?")], "Prices?", []),
        ([user("hello")], "hello", []),
        ([user(f"Context: \n\nQuestion: {ASK}")], ASK, []),
        ([ChatMessage("system", PUMP)], "", []),
        ([], "", []),
    ],
)
def test_the_question_and_the_texts_of_other_tools(
    messages: list[ChatMessage], question: str, texts: list[str]
) -> None:
    asked, sources = read_prompt(messages)
    assert (asked, [source.text for source in sources]) == (question, texts)


@pytest.mark.parametrize(
    "form",
    ["Context:\n[4] {one}\n[7] {two}\n\nQuestion: {ask}", "Document 4: {one}\nDocument 7: {two}\n\n{ask}",
     "资料[4]：{one}\n资料[7]：{two}\n问题：{ask}"],
)  # fmt: skip
def test_numbers_of_the_prompt_are_kept(form: str) -> None:
    asked, sources = read_prompt([user(form.format(one=PUMP, two=VALVE, ask=ASK_ZH))])
    assert (asked, [(source.marker, source.text) for source in sources]) == (ASK_ZH, [(4, PUMP), (7, VALVE)])


def test_a_text_may_hold_questions_and_answers_of_its_own() -> None:
    faq = "Question: When is the hall cleaned?\nAnswer: On Fridays.\n\nQuestion: Who cleans it?\nAnswer: A company."
    for form in ("Context:\n{faq}\n\nQuestion: {ask}\nAnswer:", "Question: {ask}\nContext:\n{faq}\nAnswer:"):
        asked, sources = read_prompt([user(form.format(faq=faq, ask=ASK))])
        assert (asked, [source.text for source in sources]) == (ASK, [faq])


def test_a_pasted_document_is_taken_whole() -> None:
    page = f"Pumps\n=====\n\n{PUMP}\n\nCleaning\n========\n\n{LONG}\n\nSources:\nthe keeper's notes\n\n```\nrun\n```"
    asked, sources = read_prompt([user(f"{page}\n\n{ASK}")])
    assert asked == ASK
    told = " ".join(source.text for source in sources)
    assert all(part in told for part in ("Pumps", PUMP, LONG.strip(), "the keeper's notes", "run"))


@pytest.mark.parametrize(("first", "then"), [(ASK, "And when does it start again?"), (ASK_ZH, "那备用阀门呢？")])
def test_a_request_to_rewrite_a_question_is_known(first: str, then: str) -> None:
    history = (Turn("Is there a hall?", "Yes.\n\nIt is large."), Turn(first, PUMP))
    assert read_condense_prompt(condense_prompt(then, history)) == (then, history)
    assert read_condense_prompt(answer_prompt(then, context(PUMP), QuestionImages())) is None
    assert read_condense_prompt([]) is None
