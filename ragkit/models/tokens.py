"""Counting tokens with tiktoken's cl100k_base, from a vocabulary file that ships with ragkit.

tiktoken itself would download that file at its first use; here it is read from the package and
checked against the hash that tiktoken pins. Where it cannot be used, a script-aware estimate that
errs on the high side stands in, and `exact()` says so. The vocabulary is OpenAI's, MIT licence.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import re
import threading
from base64 import b64decode
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from ragkit.text.terms import CJK

if TYPE_CHECKING:
    import tiktoken

VOCABULARY_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"

# Texts that a new model is asked to count, one a script.
SAMPLES = (
    "An index keeps every document's text, so that each answer can be traced to the page and the line it came from. "
    "What could not be read is listed by name, with the reason, and nothing is left out without a word. Ask in your "
    "own language; the quotes stay in that of the document.",
    "索引保存每份文档的全文，因此每个答案都能追溯到所在的页码和行号。无法读取的内容会逐一列出并说明原因，任何部分都不会被悄悄略去。"
    "可以用自己的语言提问，引文保持文档原来的语言。",
)
# Tokens of other models per cl100k token, by script: what is assumed until a server has counted, and the
# fewest that any model needs. From XQuAD paragraphs under the e5, MiniLM, SmolLM2, Gemma and Qwen
# tokenizers: English 0.9 to 1.29 (99th percentile); Chinese 0.5 to 1.7, the higher end by models that
# were not trained on it.
_ASSUMED = {"cjk": 1.5, "other": 1.3}
_FEWEST = {"cjk": 0.35, "other": 0.6}
_MARGIN = 1.1  # kept over what a server counted
_LEARN_TOKENS = 40  # a shorter text teaches too little
_CJK = re.compile(f"[{CJK}]")
_PIECE_CHARACTERS = 100_000  # counted at once: bounds memory, and a cut adds one token at the most


class Scale:
    """How one model counts, learned from what its server says it read. Errs on the high side."""

    def __init__(self) -> None:
        self._factors = dict(_ASSUMED)
        self._fewest = dict(_FEWEST)
        self._lessons: list[tuple[str, int]] = []  # looked at when first needed: reading the vocabulary takes time
        self._looking = threading.Lock()

    def count(self, text: str) -> int:
        """How many tokens `text` has for this model: a safe estimate."""
        if not text:
            return 0
        self._look_at_lessons()
        return math.ceil(_cl100k_count(text) * _blend(text, self._factors))

    def learn(self, text: str, counted: int) -> None:
        """The server read `text` as `counted` tokens. Texts of mixed scripts teach nothing."""
        with self._looking:
            self._lessons.append((text, counted))

    def _look_at_lessons(self) -> None:
        with self._looking:
            for text, counted in self._lessons:
                self._look_at(text, counted)
            self._lessons = []

    def _look_at(self, text: str, counted: int) -> None:
        raw, share = _cl100k_count(text), _cjk_share(text)
        if raw < _LEARN_TOKENS or 0.2 < share < 0.8:
            return
        script = "cjk" if share > 0.5 else "other"
        # Rounded up, so that the same model counts the same in every run.
        self._factors[script] = min(max(math.ceil(counted / raw * _MARGIN * 10) / 10, 0.3), 3.0)
        self._fewest[script] = 0.75 * counted / raw

    def is_cut(self, text: str, counted: int) -> bool:
        """Whether `counted` is too few for the server to have read all of `text`."""
        self._look_at_lessons()
        raw = _cl100k_count(text)
        return raw > _LEARN_TOKENS and counted < raw * _blend(text, self._fewest)


def count(text: str) -> int:
    """How many tokens `text` has for a model of which nothing is known: a safe estimate."""
    return Scale().count(text)


def _blend(text: str, factors: dict[str, float]) -> float:
    share = _cjk_share(text)
    return share * factors["cjk"] + (1 - share) * factors["other"]


def _cjk_share(text: str) -> float:
    """About which part of the tokens of `text` is Chinese, Japanese or Korean: 0 to 1."""
    cjk = len(_CJK.findall(text))
    return cjk * 1.2 / max(cjk * 1.2 + (len(text) - cjk) / 4, 1)


def exact() -> str:
    """ "" when tiktoken counts; else why the estimate by script is used."""
    return _encoding()[1]


def estimate(text: str) -> int:
    """Tokens by script: one and a half for a CJK character, one for three bytes of anything else."""
    cjk = len(_CJK.findall(text))
    rest = len(_CJK.sub("", text).encode("utf-8", "replace"))
    return math.ceil(cjk * 1.5 + rest / 3)


def _cl100k_count(text: str) -> int:
    encoding = _encoding()[0]
    if encoding is None:
        return estimate(text)
    return sum(
        len(encoding.encode_ordinary(text[at : at + _PIECE_CHARACTERS]))
        for at in range(0, len(text), _PIECE_CHARACTERS)
    )


@lru_cache(maxsize=1)
def _encoding() -> tuple[tiktoken.Encoding | None, str]:
    try:
        packed = resources.files("ragkit.models").joinpath("cl100k_base.tiktoken.gz").read_bytes()
        raw = gzip.decompress(packed)
    except (OSError, EOFError) as exc:
        return None, f"the vocabulary file cannot be read: {exc}"
    if hashlib.sha256(raw).hexdigest() != VOCABULARY_SHA256:
        return None, "the vocabulary file is damaged (its hash is wrong)"
    try:
        import tiktoken
    except ImportError as exc:
        return None, f"tiktoken cannot be imported: {exc}"
    ranks = {b64decode(piece): int(rank) for piece, rank in (line.split() for line in raw.splitlines())}
    # The pattern that cl100k_base splits text with: contractions, words, numbers of up to three
    # digits, punctuation, line ends, white space.
    pattern = (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    )
    return tiktoken.Encoding("ragkit_cl100k", pat_str=pattern, mergeable_ranks=ranks, special_tokens={}), ""
