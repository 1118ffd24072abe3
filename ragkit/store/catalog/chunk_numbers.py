"""Which chunk has which row: ids and places of the chunks that questions have met, kept in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ragkit.store.catalog.connection import BY_NUMBER, CatalogFile, marks, parts
from ragkit.types.documents import ChunkRef

_MAX_REFS = 100_000  # that are kept


class ChunkNumbers:
    """The chunks of one generation in one state; None: an empty index."""

    def __init__(self, catalog: CatalogFile, generation: int | None) -> None:
        self._catalog = catalog
        self._generation = generation
        self._numbers: dict[str, int] = {}
        self._refs: dict[int, ChunkRef] = {}

    def refs(self, numbers: Sequence[int]) -> list[ChunkRef]:
        """The chunk of each number. Raises IndexDamaged: there is none."""
        self._make_room()
        for part in parts([number for number in numbers if number not in self._refs]):
            self._learn(f"{BY_NUMBER} AND number IN ({marks(part)})", part)
        if not self._refs.keys() >= set(numbers):
            raise self._catalog.damaged("the word index names a chunk that is not there")
        return [self._refs[number] for number in numbers]

    def of(self, ids: Sequence[str]) -> dict[str, int]:
        """id -> number, of those `ids` that there is a chunk of."""
        self._make_room()
        for part in parts([name for name in ids if name not in self._numbers]):
            self._learn(f"generation = ? AND id IN ({marks(part)})", part)
        return {name: self._numbers[name] for name in ids if name in self._numbers}

    def remember(self, rows: Iterable[tuple[int, str, str, int]]) -> None:
        """Rows of number, id, source and ordinal that were read for something else as well."""
        for number, name, source, ordinal in rows:
            self._refs[number] = ChunkRef(name, source, ordinal)
            self._numbers[name] = number

    def _learn(self, clause: str, values: Sequence[object]) -> None:
        sql = f"SELECT number, id, source, ordinal FROM chunks WHERE {clause}"
        self.remember(self._catalog.rows(sql, (self._generation, *values)))

    def _make_room(self) -> None:
        if len(self._refs) > _MAX_REFS:
            self._numbers, self._refs = {}, {}
