"""Counting tokens with tiktoken's cl100k_base, from a vocabulary file that ships with ragkit.

tiktoken itself would download that file at its first use; here it is read from the package and
checked against the hash that tiktoken pins. Where it cannot be used, a script-aware estimate that
errs on the high side stands in, and `exact()` says so. The vocabulary is OpenAI's, MIT licence.
"""

from __future__ import annotations

import gzip
import hashlib
import math
from base64 import b64decode
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from ragkit.terms import CJK

if TYPE_CHECKING:
    import tiktoken

VOCABULARY_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"

# Tokens of other models per cl100k token, at the 99th percentile of XQuAD paragraphs under e5,
# MiniLM, SmolLM2 and Gemma tokenizers: 1.29 for English. Chinese is 0.8 to 1.7 times; the higher
# end belongs to models that were not trained on Chinese.
_SAFETY = 1.3
_PIECE_CHARACTERS = 100_000  # counted at once: bounds memory, and a cut adds one token at the most


def count(text: str) -> int:
    """How many tokens `text` has for a model whose own tokenizer is not at hand: a safe estimate."""
    return math.ceil(_cl100k_count(text) * _SAFETY)


def exact() -> str:
    """ "" when tiktoken counts; else why the estimate by script is used."""
    return _encoding()[1]


def estimate(text: str) -> int:
    """Tokens by script: one and a half for a CJK character, one for three bytes of anything else."""
    import re

    cjk = len(re.findall(f"[{CJK}]", text))
    rest = len(re.sub(f"[{CJK}]", "", text).encode("utf-8", "replace"))
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
