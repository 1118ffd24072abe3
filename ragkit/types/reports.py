"""Values that say what was done: outcomes of files, reports, the state of an index, checks, progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from ragkit.i18n.messages import Message

if TYPE_CHECKING:
    pass
from ragkit.types.documents import Generation, WeakPage

FileState = Literal["added", "changed", "removed", "unchanged", "unreadable", "unsupported", "skipped"]


FILE_STATES: tuple[FileState, ...] = get_args(FileState)
UNREAD_STATES: tuple[FileState, ...] = ("unreadable", "unsupported", "skipped")  # nothing of such a file is indexed


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file. `reason` is set for all but added, changed, removed, unchanged."""

    source: str
    state: FileState
    reason: Message = field(default_factory=Message)
    notes: tuple[Message, ...] = ()  # parts of a readable file that were not read
    chunks: int = 0
    pages: int = 0  # of a readable file; 0: its format has none
    weak_pages: tuple[WeakPage, ...] = ()  # of a readable file: those that are not, or hardly


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a folder that a reader exists for."""

    path: Path
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Every file met, in path order, and what the run cost."""

    outcomes: tuple[FileOutcome, ...]
    generation: Generation
    chunks_embedded: int
    chunks_reused: int  # vectors taken over because the text was known
    chunks_without_vector: int  # found by words only, because the model refused them
    chunks_unpublished: int  # in the catalog, not yet in Chroma; searched all the same
    seconds: float
    notes: tuple[Message, ...] = ()

    def count(self, state: FileState) -> int:
        return sum(outcome.state == state for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What an index holds."""

    directory: str
    generation: Generation | None  # None: nothing was indexed yet
    documents: int
    chunks: int
    chunks_unpublished: int
    chunks_without_vector: int
    search: Literal["exact", "chroma"]  # of vectors: one by one, or by Chroma's graph of a large index
    disk_bytes: int
    unread: tuple[FileOutcome, ...]  # as of the last run over each file
    labels: Mapping[str, tuple[str, ...]]  # of roots, by path


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `ragkit doctor`."""

    name: str
    state: Literal["ok", "warning", "fault"]
    detail: Message
    fix: Message = field(default_factory=Message)  # the one thing to do; empty when all is well


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an index run is. `total_files` counts all files of the run."""

    done_files: int
    total_files: int
    chunks: int
    source: str
    pages_done: int = 0  # of pictures and pages that are pictures, in the file `source`
    pages: int = 0
    done_bytes: int = 0  # of files; with the total, how much is done: files differ in size more than in cost a byte
    total_bytes: int = 0  # 0: not known
