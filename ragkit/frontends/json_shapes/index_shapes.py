"""The JSON shapes of index runs, of what an index holds, and of checks and settings."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypedDict

from ragkit.frontends.audit import Readiness
from ragkit.frontends.json_shapes.answer_shapes import End, Notes, PlaceJson, Source, Start
from ragkit.types.documents import PageKind
from ragkit.types.reports import FileState

CheckState: TypeAlias = Literal["ok", "warning", "fault"]
ListedState: TypeAlias = Literal["read", "unreadable", "unsupported", "skipped"]


class FileOutcomeJson(TypedDict):
    """What became of one file."""

    source: Source
    state: FileState
    reason: Annotated[str, "Why it was not read; else empty."]
    notes: Annotated[list[str], "Parts of a readable file that were not read."]
    chunks: int


class CountsJson(TypedDict):
    """How many files each state has."""

    added: int
    changed: int
    removed: int
    unchanged: int
    unreadable: int
    unsupported: int
    skipped: int


class IndexReportJson(TypedDict):
    """Every file that an index run met, and what the run cost."""

    files: list[FileOutcomeJson]
    counts: CountsJson
    chunks_embedded: int
    chunks_reused: Annotated[int, "Vectors taken over because the text was known."]
    chunks_without_vector: Annotated[int, "Passages that the model refused; they are found by their words only."]
    chunks_unpublished: Annotated[int, "In the catalog, not yet in Chroma; searched all the same."]
    model: str
    backend: str
    seconds: float
    notes: Notes


class PlanJson(TypedDict):
    """What an index run would do with each file."""

    files: list[FileOutcomeJson]


class GenerationJson(TypedDict):
    """What the vectors of an index were made with."""

    fingerprint: str
    backend: str
    model: str
    digest: Annotated[str, "The digest of the model's weights; empty when the server does not tell."]
    dimension: int
    query_prefix: str
    document_prefix: str
    chunk_tokens: int
    overlap_tokens: int


class IndexStatusJson(TypedDict):
    """What an index holds."""

    directory: str
    documents: int
    chunks: int
    chunks_unpublished: Annotated[int, "In the catalog, not yet in Chroma; searched all the same."]
    chunks_without_vector: Annotated[int, "Found by their words only."]
    search: Annotated[Literal["exact", "chroma"], "Vectors are compared one by one, or by Chroma's graph."]
    disk_bytes: int
    generation: Annotated[GenerationJson | None, "Null when nothing was indexed yet."]
    labels: Annotated[dict[str, list[str]], "The labels of each indexed path that has any."]
    unread: Annotated[list[FileOutcomeJson], "Files that were met and not read, or not read whole."]


class ListedFileJson(TypedDict):
    """A file that the index knows."""

    source: Source
    state: ListedState
    reason: Annotated[str, "Why it was not read; else empty."]
    notes: Annotated[list[str], "Parts of a readable file that were not read."]
    chunks: int


class FilesJson(TypedDict):
    """The files that the index knows."""

    files: list[ListedFileJson]


class WeakPageJson(TypedDict):
    """A page that was not read, or reads badly."""

    page: Annotated[int, "0 where the format has no pages."]
    score: Annotated[float, "0: nothing was read, to 1: it reads well."]
    reason: str


class AuditedFileJson(TypedDict):
    """A file that is not wholly readable."""

    source: Source
    state: Readiness
    reason: Annotated[str, "Why nothing of it was read; else empty."]
    pages: Annotated[int, "0 where the format has no pages."]
    weak_pages: list[WeakPageJson]


class ReasonJson(TypedDict):
    """How many files and pages have one reason."""

    reason: str
    files: int
    pages: int


class AuditJson(TypedDict):
    """The files that are not wholly readable, the worst first."""

    counts: Annotated[dict[Readiness, int], "How many files there are of each state, ready ones too."]
    reasons: Annotated[list[ReasonJson], "The commonest first."]
    files: list[AuditedFileJson]


class PageJson(TypedDict):
    """A page, or what a format has in its place."""

    number: Annotated[int, "From 1."]
    start: Start
    end: End
    page_kind: PageKind
    part: str


class ChunkPlaceJson(PlaceJson):
    """Where a passage begins and ends in the document's text."""

    id: str
    start: Start
    end: End


class DocumentJson(TypedDict):
    """What was read from a file."""

    source: Source
    media_type: str
    title: Annotated[str, "Empty when the file names none."]
    author: Annotated[str, "Empty when the file names none."]
    date: Annotated[str, "YYYY-MM-DD, of the last change that the file itself names; else empty."]
    language: Annotated[str, "zh or en: what a reader of most of it reads."]
    pages: list[PageJson]
    chunks: list[ChunkPlaceJson]
    notes: Annotated[list[str], "What in the file was not read."]
    text: str


class RemovedJson(TypedDict):
    """The documents that were taken out."""

    removed: list[str]


class ProblemsJson(TypedDict):
    """What is wrong with an index; empty when it is sound."""

    problems: list[str]


class CheckJson(TypedDict):
    """One thing that was checked."""

    name: str
    state: CheckState
    detail: str
    fix: Annotated[str, "The one thing to do; empty when all is well."]


class ChecksJson(TypedDict):
    """What is installed, reachable and configured."""

    checks: list[CheckJson]


class SettingJson(TypedDict):
    """A setting with its value."""

    key: str
    value: object
    origin: Annotated[str, "default, file PATH, environment NAME or flag."]


class SettingsJson(TypedDict):
    """Every setting."""

    settings: list[SettingJson]
