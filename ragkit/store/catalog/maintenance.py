"""Looking after a whole catalog: checking it, making it small, forgetting for good, moving it.

Every function here needs the index's writer lock to be held, except `problems` without `deep`.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ragkit.i18n.messages import Message, coded
from ragkit.store.catalog.rows import CHUNK_COLUMNS, chunk_of, is_unit_vector
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.text.chunking import embedding_key
from ragkit.types.errors import IndexBusy, InputError, RagkitError


def compact(catalog: SqliteCatalog) -> tuple[int, int]:
    """Give back the space of what was removed; the catalog's bytes on disk before and after."""
    before = _size(catalog.path)
    with catalog.connection() as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5(%'").fetchall():
            db.execute(f"INSERT INTO {name}({name}) VALUES ('optimize')")
        db.execute("VACUUM")
        if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:  # a reader held on to what was
            raise IndexBusy(
                "Another process reads the index; what was removed is still on the disk.",
                hint="Run it again when the other process is done.",
            )
    return before, _size(catalog.path)


def forget(catalog: SqliteCatalog, sources: list[str]) -> None:
    """Remove documents so that no byte of them stays in the catalog's files: pages are overwritten, the
    word index is merged, and the file is written anew."""
    with catalog.connection() as db:
        db.execute("PRAGMA secure_delete = ON")
    for source in sources:
        catalog.remove(source)
    catalog.clear_stage()
    compact(catalog)


def export(catalog: SqliteCatalog, target: Path) -> int:
    """Write the whole index into one new file; its bytes. Raises InputError: it is there already."""
    if target.exists():
        raise InputError("{path} is there already.", hint="Choose another name, or remove it first.", path=target)
    fresh = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        with catalog.connection() as db:
            db.execute("VACUUM INTO ?", (str(fresh),))
        with fresh.open("rb+") as stream:
            os.fsync(stream.fileno())
        fresh.rename(target)
    except OSError as exc:
        raise InputError("Cannot write {path}: {why}.", path=target, why=exc.strerror) from exc
    finally:
        fresh.unlink(missing_ok=True)
    return target.stat().st_size


def import_file(file: Path, directory: Path) -> None:
    """Put an exported index into an empty folder. Raises InputError: it is not one."""
    try:
        with file.open("rb") as stream:
            if stream.read(16) != b"SQLite format 3\0":
                raise InputError("{path} is not an exported index.", path=file)
        directory.mkdir(parents=True, exist_ok=True)
        fresh = directory / f"catalog.{os.getpid()}.new"
        try:
            shutil.copyfile(file, fresh)
            with contextlib.closing(sqlite3.connect(fresh)) as db:
                sound = db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
                known = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'generations'").fetchone()[0]
            if not (sound and known):
                raise InputError("{path} is not an exported index.", path=file)
            fresh.rename(directory / "catalog.db")
        finally:
            fresh.unlink(missing_ok=True)
    except sqlite3.Error as exc:
        raise InputError("{path} is not an exported index.", path=file) from exc
    except OSError as exc:
        raise InputError("Cannot read {path}: {why}.", path=file, why=exc.strerror) from exc


def named(names: Sequence[str], known: Collection[str]) -> list[str]:
    """The sources that `names` mean: a path, the end of one, or a folder with all below it.

    Raises InputError for a name that means nothing, or a bare file name that means several.
    """
    found: list[str] = []
    for name in names:
        path = os.path.abspath(Path(name).expanduser())  # noqa: PTH100  (links stay as they were indexed)
        exact = [source for source in known if source == path or source.startswith(path + os.sep)]
        ends = [source for source in known if source.endswith(os.sep + name)]
        if not exact and not ends:
            near = difflib.get_close_matches(name, [Path(source).name for source in known], n=1)
            raise InputError(
                "The index has no document {name}.",
                hint="Did you mean {near}?" if near else "`ragkit list` names all of them.",
                name=name,
                near=near[0] if near else "",
            )
        if not exact and len(ends) > 1:
            raise InputError(
                "{name} means {count} documents: {sources}.",
                hint="Write more of the path.",
                name=name,
                count=len(ends),
                sources=", ".join(ends[:5]),
            )
        found += exact or ends
    return list(dict.fromkeys(found))


def seal(catalog: SqliteCatalog) -> None:
    """Write down what the catalog's file is now, to find any later change of it that we did not make."""
    path = _seal_path(catalog.path)
    path.unlink(missing_ok=True)
    with catalog.connection() as db:
        busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        return  # a reader holds the log: the next run seals
    found = {"size": catalog.path.stat().st_size, "sha256": _sha256(catalog.path)}
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.write_text(json.dumps(found), "utf-8")
    fresh.replace(path)


def problems(catalog: SqliteCatalog, *, deep: bool) -> Iterator[Message]:
    """What is wrong with the catalog, a line each; nothing when all is well. `deep` reads every byte."""
    try:
        if deep:
            yield from _seal_problems(catalog.path)
        yield from _database_problems(catalog, deep=deep)
        yield from _count_problems(catalog)
        if deep:
            yield from _content_problems(catalog)
    except RagkitError as exc:
        yield coded("catalog_unreadable", "The catalog cannot be read whole: {why}", why=exc.message)


def _seal_problems(path: Path) -> Iterator[Message]:
    log = path.with_name(path.name + "-wal")
    try:
        sealed = json.loads(_seal_path(path).read_text("utf-8"))
    except FileNotFoundError:
        return  # never sealed, or a run was cut short: the contents are looked at all the same
    except (OSError, ValueError, RecursionError):
        yield coded("seal_damaged", "The seal of the catalog is damaged.")
        return
    if log.exists() and log.stat().st_size:
        return  # written to since
    if sealed != {"size": path.stat().st_size, "sha256": _sha256(path)}:
        yield coded("catalog_changed", "The catalog's file was changed by something other than ragkit.")


def _database_problems(catalog: SqliteCatalog, *, deep: bool) -> Iterator[Message]:
    with catalog.connection() as db:
        rows = db.execute("PRAGMA integrity_check(20)" if deep else "PRAGMA quick_check(20)").fetchall()
        found = [row[0] for row in rows if row[0] != "ok"]
        if deep:
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5(%'").fetchall():
                try:
                    db.execute(f"INSERT INTO {name}({name}, rank) VALUES ('integrity-check', 0)")
                except sqlite3.Error as exc:
                    found.append(f"{name}: {exc}")
    for text in found:
        yield coded("sqlite_complaint", "SQLite: {text}", text=" ".join(str(text).split()))


def _count_problems(catalog: SqliteCatalog) -> Iterator[Message]:
    lost = catalog.rows(
        "SELECT source FROM files WHERE state IN ('added', 'changed', 'unchanged')"
        " AND source NOT IN (SELECT source FROM documents)"
    )
    alone = catalog.rows("SELECT DISTINCT source FROM chunks WHERE source NOT IN (SELECT source FROM documents)")
    for (source,) in [*lost, *alone]:
        yield coded("part_missing", "{source}: a part of it is missing.", source=source)


def _content_problems(catalog: SqliteCatalog) -> Iterator[Message]:
    """Every chunk against its document's text, its embedding key and its vector's shape."""
    dimensions = dict(catalog.rows("SELECT id AS generation, dimension FROM generations"))
    for (source,) in catalog.rows("SELECT source FROM documents ORDER BY source"):
        document = catalog.document(source)
        rows = catalog.made(
            lambda row: (*row[:3], chunk_of(row[3:])),
            f"SELECT key, vector, generation, {CHUNK_COLUMNS} FROM chunks WHERE source = ?",
            (source,),
        )
        for key, blob, generation, chunk in rows:
            if document is None or document.text[chunk.start : chunk.end] != chunk.text:
                yield coded(
                    "passage_text_differs",
                    "{source}: the text of a passage is not that of its document.",
                    source=source,
                )
            elif embedding_key(chunk) != key:
                yield coded("passage_differs", "{source}: a passage is not the one that was embedded.", source=source)
            elif blob is not None and not is_unit_vector(blob, dimensions.get(generation, -1)):
                yield coded("vector_damaged", "{source}: a vector is damaged.", source=source)


def _seal_path(path: Path) -> Path:
    return path.with_name("catalog.seal")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _size(path: Path) -> int:
    return sum(part.stat().st_size for part in path.parent.glob(path.name + "*"))
