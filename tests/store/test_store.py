"""The catalog is the truth; Chroma is a copy that may be lost, damaged or behind."""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ragkit.config.sections import ChunkingConfig
from ragkit.indexing.generations import generation_of
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.store.locks import FileLock
from ragkit.store.vectors.search import DenseVectors
from ragkit.store.vectors.stored import StoredVectors
from ragkit.testing import HashEmbedder, hash_vector
from ragkit.text.chunking import embedding_key, split
from ragkit.types.documents import Document, Generation
from ragkit.types.errors import IndexDamaged, IndexMismatch, IndexMissing
from ragkit.types.ports import CatalogEntry, FileFacts
from ragkit.types.reports import FileOutcome
from ragkit.types.search import Condition

EMBEDDER = HashEmbedder()
GENERATION = generation_of(EMBEDDER, ChunkingConfig(chunk_tokens=32, overlap_tokens=0))


def put(
    catalog: SqliteCatalog, source: str, text: str, generation: Generation = GENERATION, tokens: int = 32
) -> list[str]:
    document = Document(source, "text/plain", "", text)
    chunks = split(document, EMBEDDER.count_tokens, tokens, 0, generation.fingerprint)
    facts = FileFacts(source, "h", len(text), 1, 2, "l", FileOutcome(source, "added"))
    entry = CatalogEntry(facts, document, chunks, {embedding_key(c): hash_vector(c.text) for c in chunks})
    catalog.commit(generation, [entry])
    return [chunk.id for chunk in chunks]


def graph(directory: Path, catalog: SqliteCatalog) -> DenseVectors:
    """With a graph of Chroma's, however small the index is."""
    return DenseVectors(directory, catalog, exact_mb=0)


def chunk_ids(catalog: SqliteCatalog) -> set[str]:
    return {name for names, _ in StoredVectors(catalog).all() for name in names}


def chroma_ids(directory: Path) -> set[str]:
    import chromadb

    [folder] = [path for path in directory.glob("vectors-g*") if path.is_dir()]
    client = chromadb.PersistentClient(str(folder))
    ids = set(client.get_collection("chunks", embedding_function=None).get(include=[])["ids"])
    client.close()
    return ids


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    opened = SqliteCatalog.open(tmp_path, write=True)
    opened.start_generation(GENERATION)
    yield opened
    opened.close()


TEXTS = {
    "/d/leave.md": "Annual leave is fifteen days. " * 3 + "Sick leave needs a note. " * 8,
    "/d/假期.md": "年假为十五天，可结转五天。" * 12,
    "/d/travel.md": "Travel expenses are paid within thirty days. " * 10,
}


def fill(catalog: SqliteCatalog) -> None:
    for source, text in TEXTS.items():
        put(catalog, source, text)


def test_a_document_is_found_by_words_of_both_languages(catalog: SqliteCatalog) -> None:
    fill(catalog)
    for terms, source in ((["expens"], "/d/travel.md"), (["年假", "结转"], "/d/假期.md"), (["假"], "/d/假期.md")):
        found = catalog.chunks(list(catalog.lexical(terms, 10)))
        assert {chunk.source for chunk in found.values()} == {source}
    assert catalog.document_frequencies(["note", "结转", "假", "absent"]).keys() == {"note", "结转", "假"}


def test_replacing_and_removing_a_document_leaves_no_trace(catalog: SqliteCatalog) -> None:
    fill(catalog)
    before = chunk_ids(catalog)
    old = put(catalog, "/d/leave.md", TEXTS["/d/leave.md"])
    assert chunk_ids(catalog) == before  # the same text: the same chunks
    new = put(catalog, "/d/leave.md", "Sabbaticals are possible.")
    assert not chunk_ids(catalog) & set(old)
    assert set(new) <= chunk_ids(catalog)
    assert catalog.lexical(["sick"], 10) == {}
    catalog.remove("/d/leave.md")
    assert catalog.lexical(["sabbat"], 10) == {}
    assert catalog.document("/d/leave.md") is None
    assert "/d/leave.md" not in catalog.files()


def test_a_document_comes_back_whole(catalog: SqliteCatalog) -> None:
    fill(catalog)
    document = catalog.document("/d/假期.md")
    assert document is not None
    assert document.text == TEXTS["/d/假期.md"]
    chunks = catalog.chunks(list(chunk_ids(catalog))).values()
    assert all(chunk.text == TEXTS[chunk.source][chunk.start : chunk.end] for chunk in chunks)


def test_an_interrupted_commit_changes_nothing(catalog: SqliteCatalog) -> None:
    fill(catalog)
    before, files = chunk_ids(catalog), catalog.files()
    document = Document("/d/leave.md", "text/plain", "", "Another text.")
    [chunk] = split(document, EMBEDDER.count_tokens, 32, 0, "f")
    facts = FileFacts("/d/leave.md", "h2", 1, 1, 2, "l", FileOutcome("/d/leave.md", "changed"))
    with pytest.raises(ValueError, match="float"):
        catalog.commit(GENERATION, [CatalogEntry(facts, document, [chunk], {embedding_key(chunk): "not a vector"})])  # type: ignore[dict-item]
    assert (chunk_ids(catalog), catalog.files()) == (before, files)


def test_publishing_makes_chroma_equal_to_the_catalog(catalog: SqliteCatalog, tmp_path: Path) -> None:
    fill(catalog)
    dense = graph(tmp_path, catalog)
    assert dense.unpublished_count() == len(chunk_ids(catalog))
    assert dense.publish(wait=False) == 0
    put(catalog, "/d/note.md", "A new text about leave.")
    assert dense.publish(wait=False) == 0
    dense.close()
    assert chroma_ids(tmp_path) == chunk_ids(catalog)
    catalog.remove("/d/travel.md")
    put(catalog, "/d/leave.md", "Another text about leave.")
    assert dense.publish(wait=False) == 0
    dense.close()
    assert chroma_ids(tmp_path) == chunk_ids(catalog)


@pytest.mark.parametrize("state", ["published", "behind", "never published", "locked"])
def test_the_nearest_chunks_are_the_same_in_every_state_of_chroma(
    catalog: SqliteCatalog, tmp_path: Path, state: str
) -> None:
    fill(catalog)
    dense = graph(tmp_path, catalog)
    if state != "never published":
        dense.publish(wait=False)
    removed = put(catalog, "/d/old.md", "Leave was ten days.")
    if state == "published":
        dense.publish(wait=False)
    put(catalog, "/d/old.md", "Leave is twenty days now.")
    if state == "published":
        dense.publish(wait=False)
    other = FileLock(tmp_path / "vectors.lock")
    if state == "locked":
        assert other.acquire(exclusive=True)
    hits = dense.nearest(hash_vector("Leave is twenty days now."), 3)
    best = catalog.chunks(list(hits))
    first = next(iter(hits))
    assert best[first].source == "/d/old.md"
    assert hits[first] == pytest.approx(1.0, abs=1e-5)
    assert not set(removed) & hits.keys()
    assert len(hits) == 3
    other.release()
    dense.close()


@pytest.mark.parametrize("damage", ["deleted", "emptied", "flipped", "seal lost"])
def test_a_lost_or_damaged_chroma_is_rebuilt_from_the_catalog(
    catalog: SqliteCatalog, tmp_path: Path, damage: str
) -> None:
    fill(catalog)
    graph(tmp_path, catalog).publish(wait=False)
    [folder] = [path for path in tmp_path.glob("vectors-g*") if path.is_dir()]
    if damage == "deleted":
        shutil.rmtree(folder)
    elif damage == "emptied":
        for path in folder.rglob("*"):
            if path.is_file():
                path.unlink()
    elif damage == "flipped":
        for path in folder.rglob("*"):
            if path.is_file() and path.stat().st_size:
                data = bytearray(path.read_bytes())
                data[len(data) // 2] ^= 0xFF
                path.write_bytes(data)
    else:
        next(tmp_path.glob("*.seal")).unlink()
    dense = graph(tmp_path, catalog)
    assert dense.unpublished_count() == len(chunk_ids(catalog))
    assert dense.publish(wait=False) == 0
    assert len(dense.nearest(hash_vector("annual leave"), 5)) == 5
    dense.close()
    assert chroma_ids(tmp_path) == chunk_ids(catalog)


def test_an_index_that_grows_and_shrinks_is_searched_right(catalog: SqliteCatalog, tmp_path: Path) -> None:
    """The graph is made when the index outgrows the exact search, removed when it no longer pays, and one that
    was left behind is not taken up again with what it held then."""
    fill(catalog)
    exact = DenseVectors(tmp_path, catalog, exact_mb=64)
    query = hash_vector("annual leave")
    for text in ("Annual leave is ten days.", "Annual leave is twelve days.", "Annual leave is thirty days."):
        put(catalog, "/d/old.md", text)
        assert exact.publish(wait=False) == 0
        assert not list(tmp_path.glob("vectors-g*"))
        expected = list(exact.nearest(query, 9))
        large = graph(tmp_path, catalog)
        assert large.unpublished_count() == len(chunk_ids(catalog))
        assert large.publish(wait=False) == 0
        assert list(large.nearest(query, 9)) == expected
        large.close()
        assert chroma_ids(tmp_path) == chunk_ids(catalog)


def test_what_is_alike_shares_its_scores_with_a_graph_and_without(catalog: SqliteCatalog, tmp_path: Path) -> None:
    fill(catalog)
    exact, large = DenseVectors(tmp_path, catalog, exact_mb=64), graph(tmp_path, catalog)
    large.publish(wait=False)
    ids = sorted(chunk_ids(catalog))
    scores = np.arange(len(ids) + 1, dtype=float)
    found = []
    for dense in (exact, large):
        among = dense.among(hash_vector("annual leave"), ["unknown", *ids])
        assert np.isnan(among.similarities).tolist() == [True, *[False] * len(ids)]
        smooth = among.smoothed(scores, 2, 1.0)
        found.append(smooth)
        assert smooth[0] == scores[0]
        assert smooth[1:].min() > scores[1:].min()
        assert smooth.max() < scores.max()
        assert among.smoothed(scores, 2, 0.0) == pytest.approx(scores)
        assert dense.among(hash_vector("annual leave"), ids[1:2]).smoothed(scores[1:2], 2, 1.0) == [1.0]
        assert dense.among(hash_vector("annual leave"), []).smoothed(scores[:0], 2, 1.0).size == 0
        moved, still = among.nearer({ids[0]: 1.0}), among.nearer({})
        assert moved.cosines[1] > still.cosines[1]
        assert math.isnan(moved.cosines[0])
    assert found[0] == pytest.approx(found[1], abs=1e-4)
    large.close()


def test_the_opening_of_a_document_is_its_first_chunk(catalog: SqliteCatalog) -> None:
    fill(catalog)
    chunks = catalog.chunks(list(chunk_ids(catalog)))
    found = catalog.openings([*sorted({chunk.source for chunk in chunks.values()}), "/d/unknown.md"])
    assert {(chunks[name].source, chunks[name].ordinal) for name in found.values()} == {(source, 0) for source in TEXTS}
    assert all(chunks[name].source == source for source, name in found.items())


def test_what_terms_add_up_to_is_the_score_of_the_words_together(catalog: SqliteCatalog) -> None:
    fill(catalog)
    names = [*sorted(chunk_ids(catalog)), "unknown"]
    for terms in (["leav", "note", "dai"], ["年假", "假"], ["absent"], []):
        together = catalog.lexical(terms, 100)
        alone = catalog.term_scores(terms, names)
        assert alone.sum(axis=0) == pytest.approx([together.get(name, 0.0) for name in names])
    put(catalog, "/d/leave.md", "Sabbaticals are possible.")
    assert not catalog.term_scores(["note"], sorted(chunk_ids(catalog))).any()


def test_the_score_of_a_term_is_the_bm25_of_fts5(catalog: SqliteCatalog, tmp_path: Path) -> None:
    fill(catalog)
    put(catalog, "/d/long.md", "Leave, and leave again. 年假与年终。" * 40, tokens=4000)  # its length takes two bytes
    put(catalog, "/d/travel.md", "")
    connection = sqlite3.connect(tmp_path / "catalog.db")
    for term, match in (("leav", '"leav"'), ("年假", '"年假"'), ("年", '"年"*'), ("note", '"note"'), ("no", '"no"')):
        sql = (
            "SELECT id, -bm25(lexical_1) FROM lexical_1 JOIN chunks ON number = lexical_1.rowid WHERE lexical_1 MATCH ?"
        )
        expected = dict(connection.execute(sql, (match,)))
        assert catalog.lexical([term], 100) == pytest.approx(expected)
        assert catalog.document_frequencies([term]).get(term, 0) == len(expected)
    connection.close()


def test_chunks_are_read_by_their_numbers(catalog: SqliteCatalog, tmp_path: Path) -> None:
    """A few rows for which the whole index is read, or sorted, make a large one take seconds for a question."""
    fill(catalog)
    asked: list[str] = []
    catalog._db.set_trace_callback(asked.append)
    query = hash_vector("annual leave")
    for dense in (DenseVectors(tmp_path, catalog, exact_mb=64), graph(tmp_path, catalog)):
        assert dense.nearest(query, 3)
        dense.among(query, list(chunk_ids(catalog)))
    refs = catalog.refs(list(catalog.lexical(["leav"], 9)))
    assert catalog.neighbours(refs, 1)
    assert catalog.openings([ref.source for ref in refs])
    catalog._db.set_trace_callback(None)
    reads = [sql for sql in asked if "number" in sql.partition("WHERE")[2]]
    assert len(reads) > 7
    for sql in reads:
        plan = str(catalog._db.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall())
        assert "INTEGER PRIMARY KEY" in plan, sql
        assert "B-TREE" not in plan, sql


def test_words_are_searched_where_conditions_hold(catalog: SqliteCatalog) -> None:
    fill(catalog)
    where = [Condition("source", "=", "leave.md")]
    found = catalog.chunks(list(catalog.lexical(["leav", "年假"], 100, where)))
    assert {chunk.source for chunk in found.values()} == {"/d/leave.md"}
    assert len(catalog.lexical(["leav", "年假"], 100)) > len(found)


def test_a_graph_of_mostly_deleted_points_is_built_anew(catalog: SqliteCatalog, tmp_path: Path) -> None:
    fill(catalog)
    dense = graph(tmp_path, catalog)
    deleted = []
    for turn in range(6):
        put(catalog, "/d/note.md", f"Version {turn}: annual leave is {turn + 10} days.")
        assert dense.publish(wait=False) == 0
        dense.close()
        seal = json.loads(next(tmp_path.glob("*.seal")).read_text("utf-8"))
        deleted.append(seal["deleted"])
        assert seal["deleted"] <= 0.3 * len(chunk_ids(catalog))
    assert deleted[:3] == [0, 1, 2]
    assert 0 in deleted[3:]
    assert chroma_ids(tmp_path) == chunk_ids(catalog)


def test_a_new_generation_is_built_beside_the_old_and_then_takes_its_place(
    catalog: SqliteCatalog, tmp_path: Path
) -> None:
    fill(catalog)
    dense = graph(tmp_path, catalog)
    dense.publish(wait=False)
    old = chunk_ids(catalog)
    new = generation_of(HashEmbedder(model="other"), ChunkingConfig(chunk_tokens=32, overlap_tokens=0))
    catalog.start_generation(new)
    assert set(catalog.documents_to_rebuild()) == set(TEXTS)
    for source, text in TEXTS.items():
        put(catalog, source, text, new)
    assert chunk_ids(catalog) == old  # still answered from the old one
    assert catalog.documents_to_rebuild() == []
    catalog.activate(new)
    assert catalog.active() == new
    assert not chunk_ids(catalog) & old
    assert catalog.lexical(["expens"], 5)
    assert dense.publish(wait=False) == 0
    dense.close()
    assert chroma_ids(tmp_path) == chunk_ids(catalog)


def test_readers_see_a_whole_snapshot(catalog: SqliteCatalog, tmp_path: Path) -> None:
    fill(catalog)
    reader = SqliteCatalog.open(tmp_path, write=False)
    with reader.snapshot():
        before = chunk_ids(reader)
        catalog.remove("/d/travel.md")
        assert chunk_ids(reader) == before
    assert chunk_ids(reader) < before
    reader.close()


def test_a_missing_damaged_or_foreign_catalog_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing):
        SqliteCatalog.open(tmp_path, write=False)
    (tmp_path / "catalog.db").write_bytes(os.urandom(8192))
    with pytest.raises(IndexDamaged):
        SqliteCatalog.open(tmp_path, write=False)
    other = tmp_path / "other"
    other.mkdir()
    connection = sqlite3.connect(other / "catalog.db")
    connection.execute("CREATE TABLE meta (key TEXT, value TEXT)")
    connection.execute("INSERT INTO meta VALUES ('format', '99')")
    connection.commit()
    connection.close()
    with pytest.raises(IndexMismatch, match="format 99"):
        SqliteCatalog.open(other, write=False)
