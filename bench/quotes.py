"""The quote check against quotes that are nearly true, and true ones that were copied as copying goes.

    python bench/quotes.py [DATA_DIR] [--quotes 1000] [--seed 1] [--out FILE]

Quotes are runs of words out of sentences, half English and half Chinese: of DATA_DIR's `squad2_dev_part` and
`drcd_dev`, or of this repository's sample documents. A mutated quote must never be verified, a true one always. A
mutation that happens to stand in the passage after all is thrown away; that is looked up without the checker.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ragkit.answering import citations
from ragkit.text import terms
from ragkit.text.sentences import sentence_spans
from ragkit.types.documents import Place
from ragkit.types.search import Passage

SAMPLES = Path(__file__).parent.parent / "sample_docs"
_PAIRS = ("“”", "「」", '""', "«»", "『』")


@dataclass(frozen=True, slots=True)
class Quote:
    text: str
    passage: str
    other: str  # a sentence of another passage
    far: str  # a sentence of the same passage that does not touch the quote's


def texts_of(data: Path | None, language: str) -> list[str]:
    """Returns passages of one language, a few sentences each."""
    name = "drcd_dev" if language == "zh" else "squad2_dev_part"
    if data is not None:
        lines = (data / name / "corpus.jsonl").read_text("utf-8").splitlines()
        return [str(json.loads(line)["text"]) for line in lines]
    names = ("*-zh*", "*zh*") if language == "zh" else ("*-en*", "*.md")
    files = sorted({path for name in names for path in SAMPLES.glob(name) if path.suffix in (".txt", ".md", ".rst")})
    texts = [path.read_bytes() for path in files]
    found = [_decoded(text) for text in texts]
    return [text for text in found if terms.is_cjk(text) == (language == "zh")]


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace")


def quotes(texts: Sequence[str], language: str, random_: random.Random) -> Iterator[Quote]:
    """Yields quotes without end."""
    sentences = [[text[a:b].strip() for a, b in sentence_spans(text)] for text in texts]
    usable = [n for n, found in enumerate(sentences) if len(found) >= 3]
    while True:
        n, m = random_.choice(usable), random_.choice(usable)
        at = random_.randrange(len(sentences[n]))
        text = _part(sentences[n][at], language, random_)
        far = [one for k, one in enumerate(sentences[n]) if abs(k - at) > 1]
        if text and far and m != n:
            yield Quote(text, texts[n], random_.choice(sentences[m]), random_.choice(far))


def _part(sentence: str, language: str, random_: random.Random) -> str:
    """Returns a run of words; "" where the sentence is too short for one."""
    if language == "zh":
        if not 12 <= len(sentence) <= 200:
            return ""
        size = random_.randint(10, min(40, len(sentence)))
        start = random_.randint(0, len(sentence) - size)
        return re.sub(r"^\W+|\W+$", "", _whole_numbers(sentence, start, start + size))
    words = sentence.split()
    if not 5 <= len(words) <= 60:
        return ""
    size = random_.randint(4, min(25, len(words)))
    start = random_.randint(0, len(words) - size)
    return " ".join(words[start : start + size])


def _whole_numbers(text: str, start: int, stop: int) -> str:
    """Returns text[start:stop] without the halves of words and numbers at its ends."""
    while start < stop and start and text[start - 1].isascii() and not text[start - 1].isspace():
        start += 1
    while stop > start and stop < len(text) and text[stop].isascii() and not text[stop].isspace():
        stop -= 1
    return text[start:stop]


# -- quotes that are not true --------------------------------------------------------------------


def _letters(text: str) -> list[int]:
    return [at for at, character in enumerate(text) if character.isalpha()]


def another_letter(quote: Quote, r: random.Random) -> str:
    at = r.choice(_letters(quote.text))
    pool = [c for c in quote.other if c.isalpha() and c.casefold() != quote.text[at].casefold()]
    return quote.text[:at] + r.choice(pool or ["x"]) + quote.text[at + 1 :]


def letter_missing(quote: Quote, r: random.Random) -> str:
    at = r.choice(_letters(quote.text)[1:-1])
    return quote.text[:at] + quote.text[at + 1 :]


def letter_doubled(quote: Quote, r: random.Random) -> str:
    at = r.choice(_letters(quote.text))
    return quote.text[:at] + quote.text[at] + quote.text[at:]


def other_case(quote: Quote, r: random.Random) -> str:
    at = r.choice([at for at in _letters(quote.text) if quote.text[at].swapcase() != quote.text[at]])
    return quote.text[:at] + quote.text[at].swapcase() + quote.text[at + 1 :]


def another_number(quote: Quote, r: random.Random) -> str:
    at = r.choice([at for at, c in enumerate(quote.text) if c in "0123456789"])
    return quote.text[:at] + r.choice("0123456789".replace(quote.text[at], "")) + quote.text[at + 1 :]


def longer_number(quote: Quote, r: random.Random) -> str:
    number = r.choice(list(re.finditer(r"[0-9]+", quote.text)))
    return quote.text[: number.end()] + r.choice("0123456789") + quote.text[number.end() :]


def shorter_number(quote: Quote, r: random.Random) -> str:
    number = r.choice(list(re.finditer(r"[0-9]{2,}", quote.text)))
    return quote.text[: number.start()] + number[0][:-1] + quote.text[number.end() :]


def word_missing(quote: Quote, r: random.Random) -> str:
    words = quote.text.split() if " " in quote.text else list(quote.text)
    at = r.randrange(1, len(words) - 1)
    return (" " if " " in quote.text else "").join(words[:at] + words[at + 1 :])


def words_swapped(quote: Quote, r: random.Random) -> str:
    words = quote.text.split() if " " in quote.text else list(quote.text)
    at = r.randrange(len(words) - 1)
    words[at : at + 2] = words[at + 1], words[at]
    return (" " if " " in quote.text else "").join(words)


def negated(quote: Quote, r: random.Random) -> str:
    words = quote.text.split() if " " in quote.text else list(quote.text)
    at = r.randrange(1, len(words))
    spaced = " " in quote.text
    return (" " if spaced else "").join([*words[:at], "not" if spaced else "不", *words[at:]])


def joined(quote: Quote, r: random.Random) -> str:
    spaced = " " if " " in quote.text else ""
    return quote.text[: len(quote.text) // 2].rstrip() + spaced + quote.far[len(quote.far) // 2 :].lstrip()


def of_another_document(quote: Quote, r: random.Random) -> str:
    return quote.other


MUTATIONS: tuple[Callable[[Quote, random.Random], str], ...] = (
    another_letter, letter_missing, letter_doubled, other_case, another_number, longer_number, shorter_number,
    word_missing, words_swapped, negated, joined, of_another_document,
)  # fmt: skip


# -- quotes that are true ------------------------------------------------------------------------


def white_space(text: str, r: random.Random) -> str:
    return re.sub(r" ", lambda _: r.choice(["  ", "\n", " \n ", "\u00a0", "\t"]), text)


def spaces_between_han(text: str, r: random.Random) -> str:
    return re.sub(f"(?<=[{terms.CJK}])(?=[{terms.CJK}])", lambda _: r.choice(["", "", " ", "\n"]), text)


def full_width(text: str, r: random.Random) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" and c not in "\"'-" else c for c in text)


def hyphenated(text: str, r: random.Random) -> str:
    spots = [match.start() + 3 for match in re.finditer(r"[a-z]{6,}", text)]
    at = r.choice(spots)
    return f"{text[:at]}-\n{text[at:]}"


def invisible(text: str, r: random.Random) -> str:
    at = r.randrange(1, len(text))
    return text[:at] + r.choice("\u00ad\u200b\u2060\ufeff") + text[at:]


def decomposed(text: str, r: random.Random) -> str:
    return unicodedata.normalize("NFD", text)


def other_marks(text: str, r: random.Random) -> str:
    return text.translate(str.maketrans({"'": "’", "’": "'", "-": "‑", "–": "-", "，": ",", "。": ".", "：": ":"}))


CHANGES: tuple[Callable[[str, random.Random], str], ...] = (
    white_space, spaces_between_han, full_width, hyphenated, invisible, decomposed, other_marks,
)  # fmt: skip


# -- the check -----------------------------------------------------------------------------------


def verified(quote: str, text: str) -> bool:
    """Returns whether an answer that cites the quote is told that it is verified."""
    pair = next(pair for pair in _PAIRS if not set(pair) & set(quote))
    passage = Passage(1, "a.txt", "", text, 0, len(text), Place(None, 1), (), (), 1.0, None, 0.0)
    found = citations.check(f"{pair[0]}{quote}{pair[1]} [1]", [passage], {})
    return any(citation.verified and citation.quote for citation in found)


def mutated(language: str, data: Path | None, count: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """Yields kind, quote and passage of quotes that are not true."""
    r = random.Random(seed)
    source = quotes(texts_of(data, language), language, r)
    while count:
        quote, kind = next(source), r.choice(MUTATIONS)
        try:
            text = kind(quote, r)
        except (IndexError, ValueError):  # The quote has no number, or no case.
            continue
        if _bare(text) and _bare(text) not in _bare(quote.passage) and len(_usable_pairs(text)):
            count -= 1
            yield kind.__name__, text, quote.passage


def copied(language: str, data: Path | None, count: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """Yields kind, quote and passage of true quotes; the change is in the quote, or in the passage."""
    r = random.Random(seed)
    source = quotes(texts_of(data, language), language, r)
    while count:
        quote, kind = next(source), r.choice(CHANGES)
        try:
            changed = kind(quote.text, r)
        except (IndexError, ValueError):
            continue
        if changed == quote.text or not _usable_pairs(changed) or not _usable_pairs(quote.text):
            continue
        count -= 1
        if r.random() < 0.5:
            yield kind.__name__, changed, quote.passage
        else:
            yield kind.__name__, quote.text, quote.passage.replace(quote.text, changed)


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text) if c.isalnum())


def _usable_pairs(text: str) -> list[str]:
    return [pair for pair in _PAIRS if not set(pair) & set(text) and "\n\n" not in text]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, metavar="DATA_DIR")
    parser.add_argument("--quotes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = ["| quotes | kind | en: verified of | zh: verified of |", "|---|---|---|---|"]
    for title, make in (("not true", mutated), ("true, copied", copied)):
        counts: Counter[tuple[str, str, bool]] = Counter()
        for language in ("en", "zh"):
            for kind, quote, passage in make(language, arguments.data, arguments.quotes // 2, arguments.seed):
                ok = verified(quote, passage)
                counts[kind, language, ok] += 1
                if ok != (title != "not true"):
                    print(f"{title}, {kind}, {language}: {quote!r}")
        for kind in sorted({kind for kind, _, _ in counts}):
            rows.append(f"| {title} | {kind.replace('_', ' ')} | {_cells(counts, kind)} |")
        rows.append(f"| **{title}** | **all** | {_cells(counts)} |")
    print("\n".join(rows))
    if arguments.out:
        head = f"# The quote check\n\n`python bench/quotes.py DATA_DIR --quotes {arguments.quotes}`: "
        head += "quotes of SQuAD 2.0 and DRCD passages.\nOf those that are not true none may be verified, "
        head += "of the true ones all should be.\n\n"
        arguments.out.write_text(head + "\n".join(rows) + "\n", "utf-8")


def _cells(counts: Counter[tuple[str, str, bool]], kind: str | None = None) -> str:
    cells = []
    for language in ("en", "zh"):
        mine = {key: n for key, n in counts.items() if key[1] == language and kind in (None, key[0])}
        cells.append(f"{sum(n for key, n in mine.items() if key[2])} of {sum(mine.values())}")
    return " | ".join(cells)


if __name__ == "__main__":
    main()
