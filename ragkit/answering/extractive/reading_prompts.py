"""Reads a conversation that another tool wrote: its question, and the texts to answer it from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ragkit.answering.prompts import CONDENSE
from ragkit.types.answers import ChatMessage, Turn


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text that a prompt gives to be answered from, and the number it is cited by."""

    marker: int
    text: str


_FENCED = re.compile(r"^\[(?P<number>\d+)\] [^\n]*\n<(?P<name>passage-[0-9a-f]{8})>\n", re.M)
_BEFORE_LABEL = r"^[ \t]*[#*]*[ \t]*"
_AFTER_LABEL = r"[ \t]*\**[ \t]*[:：][ \t]*\**[ \t]*"
_ASKING = re.compile(
    rf"{_BEFORE_LABEL}(?:(?:user |my |the )?(?:question|query)|用户问题|问题|提问){_AFTER_LABEL}", re.I | re.M
)
_GIVING = re.compile(
    rf"{_BEFORE_LABEL}(?:(?:retrieved |provided )?(?:contexts?|documents?|passages?|sources?|excerpts?|articles?)"
    rf"|上下文|参考资料|资料|文档|段落|材料|文章)[ \t]*[#\[(（【]?(?P<number>\d+)?[\])）】]?{_AFTER_LABEL}",
    re.I | re.M,
)
_ANSWERING = re.compile(
    rf"{_BEFORE_LABEL}(?:(?:helpful |your |final )?answer|回答|答案|答){_AFTER_LABEL}\Z", re.I | re.M
)
_NUMBERED = re.compile(r"^\[(\d+)\][ \t:：]*", re.M)
# Marks around a text that is given: tags (the inner ones first), or two equal lines of dashes or backticks.
_TAGGED = (
    re.compile(r"<(?P<name>document|doc|passage|source|excerpt)\b[^>\n]*>"),
    re.compile(r"<(?P<name>contexts?|documents|docs|passages|sources|text|data)\b[^>\n]*>"),
)
_RULED = re.compile(r"^([-=]{5,}|`{3}|\"{3})\w*[ \t]*\n(.*)\n\1[ \t]*$", re.M | re.S)
# A sentence that tells a model what to do, up to its end or its colon.
_INSTRUCTION = re.compile(
    r"\s*(?:(?:you are (?:an?|the)\b[^.:!?\n]{0,300}?\b(?:assistant|expert|system|bot|chatbot|model)"
    r"|(?:use|answer|given|based on|according to|read|please|always|if you|context|the following|below|here (?:is|are))"
    r"\b[^.:!?\n]{0,300}?\b(?:contexts?|questions?|query|answers?|passages?|excerpts?|texts?|following|below|provided))"
    r"[^.:!?\n]{0,300}(?:[.:!?]|(?=\n)|\Z)"
    r"|(?:你是|请|根据|基于|使用|利用|阅读|以下|下面|如果你?(?:不知道|无法))"
    r"[^。：:！？\n]{0,300}?(?:助手|上下文|资料|文档|段落|材料|问题|回答|内容|信息)"
    r"[^。：:！？\n]{0,300}(?:[。：:！？]|(?=\n)|\Z))[ \t]*",
    re.I,
)
_MIN_CHARACTERS = 200  # a shorter unmarked text is taken for talk or instructions, not for a source


def read_prompt(messages: Sequence[ChatMessage]) -> tuple[str, tuple[SourceText, ...]]:
    """Returns the question of a conversation and the texts to answer it from, in ragkit's own form or in those
    that other tools use ("Context: ... Question: ...", in any order, in English or Chinese).

    The question is what follows its label in the last user message, else that message's last line, or
    its first one if only that one asks. Texts that are marked as given (fences, labels, tags, the role
    "tool") are taken and nothing beside them; where nothing is marked, what stands beside the question
    and long earlier messages are taken. A conversation may bring no texts at all. What an assistant said
    is never a source.
    """
    at = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    last = messages[at].content if at >= 0 else ""
    fenced, beside = _enclosed(last, _FENCED, "\n</{}>")
    question, rest, after = _asked(beside)
    if fenced:
        return question, tuple(SourceText(int(mark["number"]), text) for mark, text in fenced)
    others = [message for place, message in enumerate(messages) if place != at and message.role != "assistant"]
    given = [text for message in others for text in _marked(message)] + _given(rest)
    given = given or _unmarked([*_long(others), rest]) or _given(after) or _unmarked([after])
    return question, _numbered(given)


def read_condense_prompt(messages: Sequence[ChatMessage]) -> tuple[str, tuple[Turn, ...]] | None:
    """Returns the question and the turns before it, if this is ragkit's own request to rewrite a follow-up."""
    text = messages[-1].content if messages else ""
    for template in CONDENSE.values():
        head, middle = template.partition("{turns}")[0], template.partition("{turns}")[2].partition("{question}")[0]
        turns, found, question = text.removeprefix(head).rpartition(middle)
        if text.startswith(head) and found:
            pairs = re.findall(r"^Q: (.*?)\nA: (.*?)(?=\n\nQ: |\Z)", turns, re.M | re.S)
            return question, tuple(Turn(asked, said) for asked, said in pairs)
    return None


def _asked(text: str) -> tuple[str, str, str]:
    """Returns the question of a message, what stands around it, and the paragraphs right after it."""
    text = _ANSWERING.sub("", text.strip()).strip()
    labels = list(_ASKING.finditer(text))
    if not labels:
        return (*_asked_bare(text), "")
    given = _GIVING.search(text)
    first = given is not None and labels[0].start() < given.start()
    label = labels[0] if first else labels[-1]  # a text may hold questions of its own
    end = given.start() if given and first else len(text)
    question, _, after = text[label.end() : end].strip().partition("\n\n")
    return question.strip(), f"{text[: label.start()]}\n{text[end:]}".strip(), after


def _asked_bare(text: str) -> tuple[str, str]:
    """Returns the question of a message without labels, and the rest of it: the question is the last line, or the
    first one if only that one asks."""
    before, _, last = text.rpartition("\n")
    first, _, after = text.partition("\n")
    asks = ("?", "？")
    if first.strip().endswith(asks) and not last.strip().endswith(asks):
        return first.strip(), after.strip()
    return last.strip(), before.strip()


def _marked(message: ChatMessage) -> list[str]:
    """Returns the texts of an earlier message that are marked as given."""
    return _given(message.content) or ([message.content] if message.role == "tool" else [])


def _given(text: str) -> list[str]:
    """Returns the texts between marks or after labels; none when there are no marks."""
    for pattern in _TAGGED:
        if blocks := [block.strip() for _, block in _enclosed(text, pattern, "</{}>")[0]]:
            return blocks
    ruled = _RULED.search(text)
    if ruled and not _without_instructions(text[: ruled.start()]):  # otherwise the lines belong to the text itself
        return [ruled[2].strip()]
    labels = list(_GIVING.finditer(text))
    before = _without_instructions(text[: labels[0].start()]) if labels else ""
    found = [before] if len(before) >= _MIN_CHARACTERS else []  # a long text before a "label" is a source itself
    for label, end in zip(labels, _ends(labels, text), strict=True):
        number = f"[{label['number']}] " if label["number"] else ""
        if part := text[label.end() : end].strip():
            found.append(number + part)
    return found


def _enclosed(text: str, opening: re.Pattern[str], closing: str) -> tuple[list[tuple[re.Match[str], str]], str]:
    """Returns the texts from each opening to the first closing of its name, and what stands beside them."""
    found, beside, at, start = [], "", 0, 0
    unclosed = set()  # each is looked for only once, as a hostile text may open a thousand
    while mark := opening.search(text, at):
        close = closing.format(mark["name"])
        end = -1 if close in unclosed else text.find(close, mark.end())
        if end < 0:
            unclosed.add(close)
            at = mark.end()
        else:
            found.append((mark, text[mark.end() : end]))
            beside += text[start : mark.start()]
            at = start = end + len(close)
    return found, beside + text[start:]


def _ends(marks: Sequence[re.Match[str]], text: str) -> list[int]:
    """Returns where the part of a text that follows each mark ends."""
    return [*(mark.start() for mark in marks[1:]), len(text)][: len(marks)]


def _long(messages: Sequence[ChatMessage]) -> list[str]:
    """Returns the texts of the messages that are long enough to be sources."""
    return [message.content for message in messages if len(message.content) >= _MIN_CHARACTERS]


def _unmarked(texts: Sequence[str]) -> list[str]:
    """Returns what unmarked texts give to be answered from."""
    found = [_without_instructions(_GIVING.sub("", text)) for text in texts]
    return [text for text in found if text]


def _without_instructions(text: str) -> str:
    """Returns a text without what it tells the model at its beginning and on its last line."""
    while found := _INSTRUCTION.match(text):
        text = text[found.end() :]
    before, _, last = text.strip().rpartition("\n")
    return (before if _INSTRUCTION.fullmatch(last) else text).strip()


def _numbered(texts: Sequence[str]) -> tuple[SourceText, ...]:
    """Returns the texts with the numbers that the prompt gave them ("[2] ..."), else with new ones."""
    parts = [part for text in texts for part in _split_numbered(text)]
    numbers = [number for number, _ in parts]
    if None in numbers or len(set(numbers)) < len(numbers):
        return tuple(SourceText(marker, text.strip()) for marker, text in enumerate(texts, 1))
    return tuple(SourceText(number, text) for number, text in parts if number is not None)


def _split_numbered(text: str) -> list[tuple[int | None, str]]:
    """Splits a text at the lines that begin with a number in brackets; the number is None where there is none."""
    text = text.strip()
    marks = list(_NUMBERED.finditer(text))
    if not marks or marks[0].start():
        return [(None, text)]
    return [(int(mark[1]), text[mark.end() : end].strip()) for mark, end in zip(marks, _ends(marks, text), strict=True)]
