"""Makes a follow-up question stand alone without a language model: what it leans on is added.

A question leans on the one before when a word points outside it ("How long is it?", "它保修多久？") or
when a part is missing ("And for contractors?", "那保修期呢？"). Every other question stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragkit.text import terms
from ragkit.types.answers import Turn

_CODE = re.compile(r"([A-Za-z]+-?)\d[\w.-]*")
_MAX_WORDS = 12  # words of the conversation that a question may end up with; in Chinese, runs of characters

# -- English -------------------------------------------------------------------------------------

_LEADING_EN = re.compile(
    r"(?:and|but|or|so|then|also|plus|ok(?:ay)?|well|now|thanks|thank you|what about|how about)\b[\s,.:!]*", re.I
)
_ABOUT_EN = re.compile(r"\b(?:what|how) about\b|^(?:and )?(?:the )?same (?:for|with|in)\b", re.I)
_ASKS_EN = r"who|whom|whose|which|what|when|where|why|how"
_VERB_EN = re.compile(
    r"\b(?:am|is|are|was|were|be|do|does|did|has|have|had|will|would|shall|should|can|could|may|might|must|"
    r"explain|describe|list|tell|show|give|compare|summari[sz]e|find|name|define|translate|quote)\b|n't\b|'s\b",
    re.I,
)
_MORE_EN = frozenset("more detail details elaborate explain example examples continue further again go on".split())
_CLAUSE = (
    r"(?:[,;:，；：]|\b(?:when|if|after|before|because|while|that|which|who|where|and|but|or|until|unless|once|as|"
)
_CLAUSE += r"although|though|since|whether)\b)"
_NAMED_EN = re.compile(r"\b(?:a|an|the|my|our|your|each|every|any|no)\s+[\w-]+|(?<=\s)[A-Z0-9][\w-]*", re.M)
_EXPLETIVE = re.compile(
    r"it\b(?=(?:'s)?(?:\s+[\w-]+){0,5}?\s+(?:to|that|if|when|whether|for|legal|like)\b)|it\b(?=\s+(?:rain|snow)s?\b)",
    re.I,
)
_PERSONAL = re.compile(r"\b(?:it|they|them|he|she|him)\b(?!-)|(?<!-)\b(?:its|their|theirs|his|her|hers)\b", re.I)
_POSSESSIVE = frozenset("its their theirs his her hers".split())
_ASKED_NOUN = re.compile(rf"(?:which|what)\s+(?!(?:{_VERB_EN.pattern})\b)\w+", re.I)
_POINTING = re.compile(
    r"\b(?:this|these)\b(?!\s+(?:year|season|spring|summer|autumn|winter|month|week|quarter|morning|afternoon|"
    r"evening|time)\b)|(?:^(?:are|were|do|did|can|could|should|must|will)\s+|\bof )those\b(?!\s+(?:who|with|that|in)\b)"
    r"|\bthose\b(?=\W*$)|\bthat\b(?=\s*[?.!,]*$)|(?:^|\b(?:is|was|does|did|do|can|could|will|would|for|of|about|after|before|in|by|"
    r"with|to|like|than|on|at|under|has)\s+)that\b(?!\s+(?:the|a|an|all|any|every|you|i|we|they|he|she|it)\b)"
    r"|\b(?:which|the other|another|the same|the first|the second|the last|that)\s+ones?\b"
    r"|\bthe\s+(?:former|latter|above|others?)\b(?=\s*[?.!,]*$)|\b(?:is|are|does|do) the same\b(?!.*\bas\b)"
    r"|(?<!\bare )(?<!\bis )(?<!\bwere )(?<!\bwas )\bthere(?=\s*[?.!]*$)|\b(?:then|instead|otherwise|too)(?=\s*[?.!]*$)"
    r"|^(?:what|who|anything|anyone|where) else\b",
    re.I,
)

# -- Chinese -------------------------------------------------------------------------------------

_LEADING_ZH = re.compile(
    r"(?:那么|那|还有|以及|另外|而且|而|但是|但|可是|然后|接着|所以|并且|此外|对于|至于|好的|好|谢谢)[，,、\s]*"
)
_ASKS_ZH = re.compile(
    "什么|为何|如何|怎|多少|多久|多长|多大|多高|多远|几|哪|谁|是否|能否|可否|何时|吗|是不是|能不能|可不可以|有没有|要不要"
)
_PRONOUN_ZH = re.compile(
    "(?:前者|后者|上述|上面|刚才)|(?<![应活])该(?!如何|怎|不该|去|找|由|在|做|用|给|向|填|交)"
    "|(?<![因如彼从在])此(?![外后前次时])|这(?!一?年|个?月|一?周|个?星期|个?季度|几天|天)"
    "|(?<=[^，,、\\s])那(?=[个些种样里儿份家台次])|^那(?=[个些种样里儿份家台次])"
    "|^其(?![他她它中实余次间])|(?<=[，,的是和对])其(?![他她它中实余次间])"
)
_TAIL_ZH = re.compile(rf"(?<=[{terms.CJK}]{{3}})(?:(?<!目)的|[由在是了])$")
_PERSONAL_ZH = re.compile("(?<![其吉])[它他她](?!人|国)[们們]?(?P<possessive>的)?")
_SIMPLIFIED = str.maketrans("這個麼幾誰樣裡兒該為還時間嗎們於對應給請", "这个么几谁样里儿该为还时间吗们于对应给请")
_SOFTENER = re.compile(r"呢[？?。!！\s]*$")
_FILLER_ZH = re.compile("[的是在了要会可以得一个天年月周元钱小时间长才就都来说请再]")
_OBJECT_MISSING = re.compile("^(?:由|在|要|需要|应该)?(?:谁|多少|几|多久|多长|多大|多高|多远|何时|什么时候)")


def condense(question: str, history: Sequence[Turn]) -> str:
    """Returns `question` with the words of the questions before that it leans on, in brackets after it; as it is
    when it stands alone or nothing was asked before."""
    topic: list[str] = []
    for turn in history:
        said = topic_words(turn.question)
        topic = _joined(topic, said) if depends_on_history(turn.question) else said
    joined = _joined(topic, topic_words(question)) if topic and depends_on_history(question) else []
    said_now = {word.casefold() for word in terms.content_words(question)}
    added = [word for word in joined if word.casefold() not in said_now and not _within(word, question)]
    if not added:
        return question
    bare = _without_leading(question)
    return f"{bare} ({' '.join(added)})"


def depends_on_history(question: str) -> bool:
    """Says whether a question can only be understood with the one before it."""
    text = " ".join(question.split())
    return _depends_zh(text) if terms.is_cjk(text) else _depends_en(text.replace("’", "'"))


def topic_words(question: str) -> list[str]:
    """Returns the words of a question that say what it is about, in order, as they stand."""
    found = [_TAIL_ZH.sub("", word) for word in terms.content_words(question) if word.casefold() not in _MORE_EN]
    return [word for word in found if len(word) > 1 or not terms.is_cjk(word)]


def _joined(topic: Sequence[str], then: Sequence[str]) -> list[str]:
    """Joins both lists, each word once; if there are many, the first and the latest are kept. A code takes the place
    of those of its family: who asks of the BL-200 after the BL-510 means the BL-200 alone."""
    families = {_family(word) for word in then} - {""}
    words = list(dict.fromkeys([*(word for word in topic if _family(word) not in families), *then]))
    half = _MAX_WORDS // 2
    return words if len(words) <= _MAX_WORDS else [*words[:half], *words[-half:]]


def _family(word: str) -> str:
    """Returns the letters before the number of a code such as "BL-510" or "A1"; "" for other words."""
    code = _CODE.fullmatch(word)
    return code[1].casefold() if code else ""


def _within(word: str, text: str) -> bool:
    """Says whether a run of Chinese, which has no borders between words, stands in `text`."""
    return terms.is_cjk(word) and word in text


def _without_leading(question: str) -> str:
    """Returns the question without the word that ties it to the one before."""
    leading = _LEADING_ZH if terms.is_cjk(question) else _LEADING_EN
    found = leading.match(question.strip())
    rest = question.strip()[found.end() :].strip() if found else ""
    return rest if len(rest) > 1 else question.strip()


def _depends_en(text: str) -> bool:
    rest = text
    while (tie := _LEADING_EN.match(rest)) and tie.end() < len(rest):
        rest = rest[tie.end() :]
    said = topic_words(rest)
    asks = re.match(rf"(?:(?:for|since|until|by|from|at|in|to)\s+)?(?:{_ASKS_EN})\b", rest, re.I)
    if not said or _ABOUT_EN.search(text) or _POINTING.search(rest):
        return True
    if asks and len(said) <= 1 and not _VERB_EN.search(rest):
        return True  # "How long?", "Which form?"
    if rest != text and not asks and not _VERB_EN.search(rest):
        return True  # "And in winter?"
    return _points_outside(rest)


def _points_outside(text: str) -> bool:
    """Says whether a personal pronoun stands for something that the text itself does not name before it."""
    return any(
        not _named_before(found.group().casefold(), text[: found.start()])
        for found in _PERSONAL.finditer(text)
        if not _EXPLETIVE.match(text, found.start())
    )


def _named_before(pronoun: str, before: str) -> bool:
    """Says whether what stands before a pronoun may name what it stands for."""
    named = bool(_NAMED_EN.search(before))
    if pronoun in _POSSESSIVE:
        bare = re.sub(rf"^(?:{_ASKS_EN})\b\s*\w*", "", before, flags=re.I)
        several = any(word.endswith("s") or word == "staff" for word in topic_words(bare))
        return named or several or bool(_ASKED_NOUN.match(before))
    # In its own clause nothing is named that "it" could stand for: "Is the fee included in it?"
    bare = re.sub(rf"^(?:{_ASKS_EN})\b", "", before, flags=re.I)
    return bool(re.search(_CLAUSE, bare, re.I)) and (named or bool(topic_words(bare)))


def _depends_zh(text: str) -> bool:
    text = text.translate(_SIMPLIFIED)
    tie = _LEADING_ZH.match(text)
    rest = text[tie.end() :] if tie and tie.end() < len(text) else text
    asks = bool(_ASKS_ZH.search(rest))
    if not "".join(terms.content_words(rest)) or (not asks and _SOFTENER.search(rest)):
        return True  # "为什么？", "保修期呢？"
    if tie and not asks and len(rest) <= 8:
        return True  # "那周末？"
    if _OBJECT_MISSING.search(rest) and "是" not in rest:
        left = _FILLER_ZH.sub("", _ASKS_ZH.sub("", re.sub(r"\W", "", rest)))
        if len(left) <= 2:
            return True  # "谁负责？", "多久到期？"
    found = _PRONOUN_ZH.search(text if text.startswith("那") else rest)
    if found is not None and not re.search(r"\w{3,}[，,；;]", text[: found.start()]):
        return True
    return any(
        len("".join(terms.content_words(rest[: personal.start()]))) < (2 if personal["possessive"] else 4)
        for personal in _PERSONAL_ZH.finditer(rest)
    )
