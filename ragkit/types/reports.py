"""Values that say what was done: outcomes of files, reports, the state of an index, checks, progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from ragkit.i18n.messages import Message
from ragkit.types.documents import Generation, WeakPage

FileState = Literal["added", "changed", "removed", "unchanged", "unreadable", "unsupported", "skipped"]
FILE_STATES: tuple[FileState, ...] = get_args(FileState)
UNREAD_STATES: tuple[FileState, ...] = ("unreadable", "unsupported", "skipped")  # nothing of such a file is indexed


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file."""

    source: str
    state: FileState
    reason: Message = field(default_factory=Message)  # is set for all states but added, changed, removed, unchanged
    notes: tuple[Message, ...] = ()  # parts of a readable file that were not read
    chunks: int = 0
    pages: int = 0  # 0: the format has no pages, or the file was not read
    weak_pages: tuple[WeakPage, ...] = ()  # pages of a readable file that cannot be read, or hardly


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a folder that a reader exists for."""

    path: Path
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Every file that an index run met, in the order of their paths, and what the run cost."""

    outcomes: tuple[FileOutcome, ...]
    generation: Generation
    chunks_embedded: int
    chunks_reused: int  # chunks whose text was known, so that their vectors were taken over
    chunks_without_vector: int  # chunks that are found by words only, because the model refused them
    chunks_unpublished: int  # chunks that are in the catalog and not yet in Chroma; they are searched all the same
    seconds: float
    notes: tuple[Message, ...] = ()

    def count(self, state: FileState) -> int:
        """Counts the files of one state."""
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
    search: Literal["exact", "chroma"]  # vectors are compared one by one, or by Chroma's graph of a large index
    disk_bytes: int
    unread: tuple[FileOutcome, ...]  # what the last run over each file said
    labels: Mapping[str, tuple[str, ...]]  # by the path of the folder or file that they were given to


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `ragkit doctor`."""

    name: str
    state: Literal["ok", "warning", "fault"]
    detail: Message
    fix: Message = field(default_factory=Message)  # the one thing to do; empty when all is well


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an index run is. The share of bytes tells best how much is done: files differ more in size than in what
    a byte costs."""

    done_files: int
    total_files: int  # all files of the run
    chunks: int
    source: str
    pages_done: int = 0  # pictures, and pages that are pictures, that were read in the file `source`
    pages: int = 0  # how many of these the file has
    done_bytes: int = 0
    total_bytes: int = 0  # 0: not known
