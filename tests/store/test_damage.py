"""A damaged index answers, or says that it is damaged: no other error leaves the store, whatever is damaged."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.config.sections import Config, StoreConfig
from ragkit.frontends.cli import exit_codes, main
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.store.sidecars import evidence_cache
from ragkit.store.sidecars.conversation import ConversationFile
from ragkit.store.sidecars.reply_cache import RepliesFile
from ragkit.store.vectors.search import DenseVectors
from ragkit.testing import ScriptedOllama, hash_vector
from ragkit.types.answers import Turn
from ragkit.types.errors import BadReply, IndexDamaged, IndexMismatch, InputError, RagkitError
from ragkit.types.search import Condition

FLIPS = int(os.environ.get("FLIPS", "40"))  # files with overwritten bytes
FILES = {
    "leave.md": "# Leave\n\nStaff have 15 days of annual leave.\n\n## Sick leave\n\nA note is needed after 3 days.\n",
    "假期.md": "# 假期\n\n员工每年享有十五天年假。\n",
    "fees.csv": "name,fee\nA,10\nB,20\n",
    "travel.html": "<title>Travel</title><meta name=author content=HR><h1>Travel</h1><p>Paid within 30 days.</p>",
}
QUESTION = "How many days of annual leave? 年假"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama() as running:
        yield running


@pytest.fixture(scope="module")
def config(server: ScriptedOllama) -> Config:
    flags = {"ollama.host": server.url, "ollama.embed_model": "embed", "ollama.chat_model": "chat"}
    return resolve(environ={}, flags={**flags, "models.backend": "ollama"})[0]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, config: Config) -> Path:
    folder, made = tmp_path_factory.mktemp("documents"), tmp_path_factory.mktemp("made") / "index"
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    (folder / "old.txt").write_bytes("设备间的温度必须保持在二十度，值班人员每天检查两次。".encode("gb18030"))
    (folder / "data.bin").write_bytes(b"\0not read")
    with RagKit.open(made, config) as kit:
        kit.index([folder], labels=["hr"])
    return made


@pytest.fixture
def copy(index: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes a fresh copy of the index, in place of the one before, and returns its folder."""

    def copied() -> Path:
        target = tmp_path / "copy"
        shutil.rmtree(target, ignore_errors=True)
        return Path(shutil.copytree(index, target))

    return copied


def run(directory: Path, sql: str, *values: object) -> None:
    """Change the catalog behind ragkit's back."""
    with closing(sqlite3.connect(directory / "catalog.db", isolation_level=None)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(sql, values)


def read_catalog(directory: Path) -> bool:
    """Read all that the catalog gives, each part by itself; whether any of it is said to be damaged."""
    try:
        catalog = SqliteCatalog.open(directory, write=False)
    except (IndexDamaged, IndexMismatch):
        return True
    said = False
    with closing(catalog):
        with suppress(IndexDamaged):
            if catalog.active() is None:  # no generation is marked as the active one: an empty index
                return True
        for read in readings(catalog, directory):
            try:
                read()
            except IndexDamaged:
                said = True
    return said


def readings(catalog: SqliteCatalog, directory: Path) -> list[Callable[[], object]]:
    dense, graph = DenseVectors(directory, catalog, exact_mb=64), DenseVectors(directory, catalog, exact_mb=0)
    query, where = hash_vector(QUESTION), [Condition("label", "=", "hr"), Condition("date", ">", "2000")]
    terms, wanted = ["leav", "年假", "days"], "annual leave"

    def found() -> list[str]:
        return list(dense.nearest(query, 9))

    return [
        lambda: (catalog.active(), catalog.building(), catalog.counts(), catalog.labels()),
        lambda: [
            (str(file.outcome.reason), list(map(str, file.outcome.notes)), f"{file.modified_ns:d}")
            for file in catalog.files().values()
        ],
        lambda: [catalog.document(source) for source in catalog.files()],
        lambda: [catalog.chunks_of(source) for source in catalog.files()],
        lambda: catalog.chunks(list(catalog.lexical(terms, 9))),
        lambda: catalog.lexical(terms, 9, where),
        lambda: catalog.term_scores(terms, found()),
        lambda: catalog.document_frequencies(terms),
        lambda: catalog.neighbours(catalog.refs(found()), 2, where),
        lambda: catalog.openings([ref.source for ref in catalog.refs(found())]),
        lambda: catalog.matching(where),
        lambda: dense.nearest(query, 9, where),
        lambda: dense.among(query, found()).smoothed(dense.among(query, found()).similarities, 2, 0.5),
        lambda: graph.nearest(query, 9),
        lambda: graph.ordinary(hash_vector(wanted)),
        lambda: graph.among(query, found()).nearer(dict.fromkeys(found(), 0.1)),
        lambda: graph.unpublished_count(),
    ]


def columns(directory: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(directory / "catalog.db")) as db:
        tables = ("meta", "generations", "files", "documents", "chunks")
        return [(table, row[1]) for table in tables for row in db.execute(f"PRAGMA table_info({table})")]


NOT_READ = {("chunks", "key")}  # only an index run looks at what these hold
ROWIDS = {("generations", "id"), ("chunks", "number")}  # SQLite itself refuses what is no integer there


def test_a_sound_index_is_read_whole(index: Path) -> None:
    assert not read_catalog(index)


def test_a_wrong_type_in_any_column_is_said(copy: Callable[[], Path]) -> None:
    for table, column in columns(copy()):
        for value in (b"\xff\xfe\x00", 1.5, 2**62, "nonsense", None):
            directory = copy()
            with suppress(sqlite3.Error):  # SQLite takes no NULL here, or no two equal keys
                run(directory, f"UPDATE {table} SET {column} = ?", value)
                said = read_catalog(directory)
                if isinstance(value, bytes) and (table, column) not in NOT_READ | ROWIDS:
                    assert said, (table, column)


JSON_COLUMNS = [
    ("chunks", "place"),
    ("chunks", "headings"),
    ("documents", "structure"),
    ("files", "reason"),
    ("files", "notes"),
    ("files", "weak_pages"),
    ("meta", "value"),
]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "{}",
        "null",
        "7",
        '"page"',
        "[null]",
        '[["x", "y"]]',
        '{"pages": 3}',
        '{"pages": [["1", 0, 5]], "headings": [], "line_marks": [], "author": "", "date": ""}',
        '{"pages": [], "headings": [["1", "Leave", 0]], "line_marks": [], "author": "", "date": ""}',
        '{"pages": [], "headings": [], "line_marks": [[1, "2"]], "author": "", "date": ""}',
        '{"pages": [], "headings": [], "line_marks": [], "author": 5, "date": ""}',
        '["{missing}", {"x": 1}, "", ""]',
        '["{count:d}", {"count": "1"}, "", ""]',
        '["text", {"a": ["b"]}, "", ""]',
        '[["{missing}", {}, "", ""]]',
        '[[1, NaN, ["text", {}, "", ""]]]',
        '[1, 2, "no kind", "x"]',
        "[" * 100_000,
    ],
    ids=lambda text: text[:20],
)
def test_broken_json_in_any_column_is_said(copy: Callable[[], Path], text: str) -> None:
    for table, column in JSON_COLUMNS:
        directory = copy()
        rest = " WHERE key <> 'format'" if table == "meta" else ""
        run(directory, f"UPDATE {table} SET {column} = ?{rest}", text)
        assert read_catalog(directory), (table, column)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE chunks SET vector = substr(vector, 1, length(vector) - 1)",
        "UPDATE chunks SET vector = substr(vector, 1, length(vector) / 2)",
        "UPDATE chunks SET vector = zeroblob(0)",
        "UPDATE chunks SET vector = CAST(replace(hex(vector), '3', 'F') AS BLOB)",
        "UPDATE documents SET body = substr(body, 1, length(body) / 2)",
        "UPDATE documents SET body = zeroblob(100)",
        "UPDATE generations SET dimension = 0",
        "UPDATE generations SET dimension = -5",
        "UPDATE generations SET dimension = dimension * 2",
        "UPDATE files SET state = 'eaten'",
        "UPDATE chunks SET text = CAST(x'fffe41' AS TEXT)",
        "UPDATE chunks SET number = number + 1000",
        "UPDATE lexical_1_docsize SET sz = zeroblob(0)",
        "UPDATE lexical_1_docsize SET sz = x'ff'",
        "UPDATE lexical_1_docsize SET id = id + 1000",
        "DELETE FROM chunks",
        *(f"DROP TABLE {table}" for table in ("meta", "generations", "documents", "files", "chunks", "lexical_1")),
    ],
)
def test_a_part_that_is_cut_or_lost_is_said(copy: Callable[[], Path], change: str) -> None:
    directory = copy()
    run(directory, change)
    assert read_catalog(directory)


@pytest.mark.parametrize("lost", ["chunks_of", "chunks_by_key", "chunks_without_vector"])
def test_without_a_table_index_everything_is_still_read(copy: Callable[[], Path], lost: str) -> None:
    directory = copy()
    run(directory, f"DROP INDEX {lost}")
    assert not read_catalog(directory)


def test_a_file_that_was_cut_or_written_over_is_read_or_said_to_be_damaged(copy: Callable[[], Path]) -> None:
    whole, chosen, said = (copy() / "catalog.db").read_bytes(), random.Random(11), 0
    cut = [0, 1, 50, 100, 5000, 16_384, 40_000, len(whole) // 2, len(whole) - 1]
    damaged = [whole[:size] for size in cut]
    for _ in range(FLIPS):
        data = bytearray(whole)
        for _ in range(chosen.choice([1, 10, 100])):
            data[chosen.randrange(100, len(data))] = chosen.randrange(256)
        damaged.append(bytes(data))
        at = chosen.randrange(len(whole) // 4096) * 4096
        damaged.append(whole[:at] + chosen.randbytes(4096) + whole[at + 4096 :])
    for data in damaged:
        directory = copy()
        (directory / "catalog.db").write_bytes(data)
        said += read_catalog(directory)
    assert said > len(damaged) / 4


def use(kit: RagKit) -> list[Callable[[], object]]:
    """Every reading door."""
    schema = {"type": "object", "properties": {"days": {"type": "integer"}}}
    return [
        kit.status,
        lambda: list(map(str, (outcome.reason for outcome in kit.files()))),
        lambda: kit.read("假期.md"),
        lambda: kit.search(QUESTION, where=["language=en", "author!=X"]),
        lambda: kit.passages(QUESTION),
        lambda: kit.bundle(kit.ask(QUESTION)),
        lambda: list(kit.stream_everything("Which days?")),
        lambda: kit.ask_structured("annual leave", schema),
        lambda: kit.why_not(QUESTION, "假期.md"),
        lambda: kit.verify(deep=True),
        kit.last_sources,
    ]


def test_every_door_says_damage_in_the_same_way(copy: Callable[[], Path], config: Config) -> None:
    """A few of the damages above, each to every door: what is read wrongly must not fail later either."""
    chosen = random.Random(13)
    some = chosen.sample(columns(copy()), 6)
    changes = [f"UPDATE {table} SET {column} = CAST(x'fffe' AS BLOB)" for table, column in some]
    changes += [f"""UPDATE {table} SET {column} = '["a", ["b"]]'""" for table, column in chosen.sample(JSON_COLUMNS, 3)]
    changes += [
        "UPDATE chunks SET start = -7, end = 2",
        "UPDATE files SET modified_ns = -9e18",
        "DELETE FROM documents",
    ]
    said: list[RagkitError] = []
    for change in changes:
        directory = copy()
        with suppress(sqlite3.Error):
            run(directory, change)
        with RagKit.open(directory, config) as kit:
            for door in use(kit):
                try:
                    door()
                except (IndexDamaged, IndexMismatch) as exc:
                    said.append(exc)
                except (BadReply, InputError):
                    pass  # the scripted model fills in no form; a document that is not there is not found
    assert len(said) > len(changes)
    assert all(exc.hint and exit_codes.of(exc) == exit_codes.INDEX for exc in said)


SIDECARS = ["gauge.json", "last-answer.json", "catalog.seal", "vectors-g1.seal", "reading-x.jsonl"]
CONTENTS = [
    *(
        b"",
        b"\xff\xfe",
        b"[",
        b"{}",
        b"null",
        b"7",
        b"[null]",
        b"[[1, 2]]",
        b"[" * 100_000,
        b'{"key": "k", "scale": 5}',
    ),
    *(b'{"key": "k", "scale": "words", "refuse_below": [], "cover_weight": 0}', b'[{"place": {}, "marker": 1}]'),
    *(b'{"files": {"a": [1]}, "deleted": "x"}', b'{"key": 1, "reply": []}\n5\n'),
]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: repr(content[:24]))
def test_a_damaged_file_beside_the_catalog_costs_only_what_it_kept(
    copy: Callable[[], Path], config: Config, content: bytes
) -> None:
    directory = copy()
    for name in SIDECARS:
        (directory / name).write_bytes(content)
    graph = replace(config, store=StoreConfig(exact_mb=0))
    with RagKit.open(directory, graph) as kit:
        assert kit.last_sources() == []
        assert kit.status().chunks_unpublished == kit.status().chunks
    assert evidence_cache.load(directory, "k") is None
    assert RepliesFile(directory / "reading-x.jsonl").get("k") is None
    with RagKit.open(directory, config) as kit:
        assert len(kit.verify(deep=True)) == 1  # the seal of the catalog


@pytest.mark.parametrize("content", CONTENTS[1:], ids=lambda content: repr(content[:24]))
@pytest.mark.parametrize("begun", [False, True], ids=["whole file", "one turn"])
def test_a_damaged_conversation_is_said_in_one_line(tmp_path: Path, content: bytes, begun: bool) -> None:
    file = tmp_path / "talk"
    conversation = ConversationFile(file)
    conversation.append(Turn("q", "a", ()))
    file.write_bytes((file.read_bytes() if begun else b"") + content + b"\n")
    with pytest.raises(InputError, match="is not a conversation"):
        conversation.turns()


@pytest.mark.parametrize(
    "words",
    ["list", "audit", "status", "show leave.md", "search leave", "ask leave", "why-not leave --expect leave.md"],
)
def test_the_command_line_says_damage_in_one_line(
    words: str, copy: Callable[[], Path], server: ScriptedOllama, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = copy()
    for table, column in JSON_COLUMNS:
        run(directory, f"UPDATE {table} SET {column} = '[\"'" + (" WHERE key <> 'format'" if table == "meta" else ""))
    settings = [f"ollama.host={server.url}", "models.backend=ollama"]
    settings += ["ollama.embed_model=embed", "ollama.chat_model=chat"]
    flags = [word for setting in settings for word in ("--set", setting)]
    with pytest.raises(SystemExit) as ended:
        main(["--index", str(directory), *flags, *words.split()])
    said = capsys.readouterr()
    assert ended.value.code == exit_codes.INDEX
    assert "is damaged" in said.err
    assert "Restore the folder from a backup" in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
