"""Recognises the encoding of a text without a mark by how common its characters are.

General detectors go wrong on short Chinese texts: two sentences of GB18030 are also valid Big5, EUC-KR and Shift_JIS.
Each decoding gets a score by its characters, as the right one reads like language.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache

WIDER = {  # the wider encoding that browsers read under a name (WHATWG Encoding)
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_EAST_ASIAN = ("gb18030", "cp950", "big5hkscs", "cp932", "euc_jp", "cp949")
_UTF16 = ("utf-16-le", "utf-16-be")
_MIN_SCORE = 0.45  # the scale ends at 3; foreign alphabets read as Chinese stay below 0.2
_MIN_SCORE_WESTERN = 0.6
# The most frequent characters of modern Chinese, simplified and traditional, in falling order.
_FREQUENT = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "這個們來為國說時會對於著過發後裡裏與"
)
_COMMON = frozenset(
    "用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
    "日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政"
    "美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员"
    "解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件"
    "计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象"
    "完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运请您版章节"
    "種經麼學現當沒動還進樣開從實軍無長機關點業將兩間問並應戰頭體見產話內給門兒東聲員論處義幾認條氣題爾"
    "別變總電數報結務場計資許統區隊決馬書則聽卻達強難權設記類據邊張該規萬覺術領確傳師觀讓識帶導爭運請節"
    "項目系統使用檔案文件程式資料项档案料服务器网络軟體软件安裝安装"
)
_HANGUL = frozenset(
    "이다는을의에가하고한지기로사도를자나어리시대인해그서스일정아수은전보라부있것들으주제장만조적원소성과"
    "게상여위와여선안신면우공오구미비용경세동물요때말습니까거네"
)
_PUNCTUATION = frozenset("，。、：；？！「」『』《》（）“”‘’…—·　【】")
_WESTERN = frozenset("àáâãäåçèéêëìíîïñòóôõöøùúûüßæœÀÁÂÄÅÇÈÉÊÍÎÑÓÔÖØÚÜ")
_WESTERN_MARKS = frozenset("‘’“”–—…•€£©®°«»§·\xa0¿¡´™½")


def best_guess(telling: bytes, start: bytes) -> str | None:
    """The encoding in which the bytes read most like language; None if none is likely.

    `telling` holds the lines with bytes beyond ASCII, `start` the first bytes of the file.
    """
    scores = {encoding: _score(telling, encoding) for encoding in _EAST_ASIAN}
    scores["cp1252"] = _western_score(telling)
    scores |= {encoding: _wide_score(start, encoding) for encoding in _UTF16}
    best = max(scores, key=lambda encoding: scores[encoding])
    least = _MIN_SCORE_WESTERN if best == "cp1252" else _MIN_SCORE
    return best if scores[best] >= least else None


def likely_utf16(start: bytes) -> str | None:
    """The codec of a text in UTF-16 without a mark, by its byte order; None if it is no such text."""
    scores = {encoding: _wide_score(start, encoding) for encoding in _UTF16}
    best = max(scores, key=lambda encoding: scores[encoding])
    return best if scores[best] >= _MIN_SCORE else None


def _strictly(sample: bytes, encoding: str) -> str | None:
    """The sample decoded, whose end may cut a character in two; None if it is not in this encoding."""
    for end in range(len(sample), max(len(sample) - 4, 0), -1):
        try:
            return sample[:end].decode(encoding)
        except UnicodeDecodeError as exc:
            if exc.start < len(sample) - 4:
                return None
    return None


def _score(sample: bytes, encoding: str) -> float:
    """The mean weight of the characters beyond ASCII, -3 to 3."""
    text = _strictly(sample, encoding)
    counts = Counter(c for c in text or "" if c > "\x7f")
    return _mean(counts, encoding)


def _wide_score(sample: bytes, encoding: str) -> float:
    """The mean weight of all characters in UTF-16 of this byte order, -3 to 3."""
    text = "" if len(sample) % 2 else _strictly(sample, encoding)
    return _mean(Counter(text or ""), "utf-16")


def _mean(counts: Counter[str], encoding: str) -> float:
    total = sum(counts.values())
    return sum(_weight(c, encoding) * n for c, n in counts.items()) / total if total else -3.0


@lru_cache(maxsize=65_536)
def _weight(character: str, encoding: str) -> float:
    """How much a character speaks for an encoding, -3 to 3."""
    if character in _FREQUENT and encoding != "cp949":
        return 3.0
    if character in _COMMON and encoding != "cp949":
        return 2.0
    if character in _PUNCTUATION:
        return 1.5
    if "\u4e00" <= character <= "\u9fff":
        return _han_weight(character, encoding)
    if "\u3041" <= character <= "\u30ff":
        return 1.8 if encoding in ("cp932", "euc_jp", "utf-16") else 0.0
    if "\uac00" <= character <= "\ud7a3":
        return 2.0 if character in _HANGUL else 0.3 if 0xB0 <= _lead(character, "euc_kr") <= 0xC8 else -2.5
    if "\uff01" <= character <= "\uff5e":
        return 0.5
    if character < "\x80":
        return 1.0 if character.isprintable() or character in "\t\n\r" else -3.0
    if character < "\u0600" and encoding == "utf-16" and character.isalpha():
        return 0.5
    return -0.5 if unicodedata.category(character) in ("So", "Sm", "No", "Lm", "Po") else -2.0


def _han_weight(character: str, encoding: str) -> float:
    """The weight of a Chinese character: each standard has a first level of common and a second of rare ones."""
    simplified = _lead(character, "gb2312")
    traditional = _lead(character, "big5")
    if encoding == "gb18030":
        if 0xB0 <= simplified <= 0xD7:
            return 0.6
        return -1.2 if simplified else -0.3 if 0xA4 <= traditional <= 0xC6 else -1.6
    if encoding in ("cp950", "big5hkscs"):
        return 0.6 if 0xA4 <= traditional <= 0xC6 else -1.6
    if encoding == "utf-16":
        return 0.6 if 0xB0 <= simplified <= 0xD7 or 0xA4 <= traditional <= 0xC6 else -2.0
    if encoding == "cp949":
        return -1.0
    return 0.3 if 0xB0 <= _lead(character, "euc_jp") <= 0xCF else -1.6


def _lead(character: str, encoding: str) -> int:
    """The first byte of a character; 0 if the encoding does not have it."""
    try:
        return character.encode(encoding)[0]
    except UnicodeEncodeError:
        return 0


def _western_score(sample: bytes) -> float:
    """The mean weight, -3 to 3, of the characters beyond ASCII in Western European text.

    There, accented letters stand alone or in pairs within words, while characters of two bytes come in runs.
    """
    try:
        text = f" {sample.decode('cp1252')} "
    except UnicodeDecodeError:
        return -3.0
    total = count = 0.0
    for before, character, after in zip(text, text[1:], text[2:], strict=False):
        if character > "\x7f":
            count += 1
            total += _western_weight(before, character, after)
    return total / count if count else -3.0


def _western_weight(before: str, character: str, after: str) -> float:
    neighbours = (before > "\x7f") + (after > "\x7f")
    if character in _WESTERN:
        return (1.8, 0.6, -1.5)[neighbours]
    if character in _WESTERN_MARKS:
        return 1.2 if not (before.isalnum() and after.isalnum()) or character == "’" else -0.5
    return -1.5
