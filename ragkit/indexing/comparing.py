"""What was found in folders compared with what the index knows: same, changed, new, gone."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path

from ragkit.types.ports import FileFacts, Loader
from ragkit.types.reports import FileOutcome, FileState, FoundFile

_RACY_NS = 2_000_000_000  # a file that was changed so shortly before it was read may change again within its time stamp


def plan(
    found: Sequence[FoundFile | FileOutcome],
    roots: Sequence[Path],
    known: Mapping[str, FileFacts],
    loader: Loader,
    same_content: Callable[[FoundFile, str], bool],
) -> list[FileOutcome]:
    """What `update` would do with each file, in path order, without doing it. `same_content` tells
    whether a file still has the content of a hash; it is asked where times do not decide."""
    outcomes = {}
    for item in found:
        if isinstance(item, FileOutcome):
            outcomes[item.source] = item
            continue
        source = str(item.path)
        before = known.get(source)
        trusted = before is not None and loader.is_current(before)
        if before is None or before.outcome.state in ("unreadable", "unsupported", "skipped"):
            state: FileState = "added"
        elif trusted and (surely_same(item, before, loader) or same_content(item, before.content_hash)):
            state = "unchanged"
        else:
            state = "changed"
        outcomes[source] = FileOutcome(source, state)
    removals = [outcome for facts in gone(known, outcomes, roots) for outcome in removed(facts)]
    return sorted([*outcomes.values(), *removals], key=lambda outcome: outcome.source)


def surely_same(item: FoundFile, before: FileFacts, loader: Loader) -> bool:
    """Whether size and times prove that the file holds what was read before, so that it need not be read again."""
    return (
        loader.is_current(before)
        and bool(before.content_hash)
        and (item.size_bytes, item.modified_ns) == (before.size_bytes, before.modified_ns)
        and before.modified_ns < before.seen_ns - _RACY_NS
    )


def gone(known: Mapping[str, FileFacts], met: Container[str], roots: Sequence[Path]) -> list[FileFacts]:
    """What the index knows of files under `roots` that are not there any more."""
    return [facts for source, facts in sorted(known.items()) if source not in met and _is_under(source, roots)]


def removed(facts: FileFacts) -> list[FileOutcome]:
    """How a file that is gone is reported: not at all if nothing of it was in the index."""
    in_index = facts.outcome.state not in ("unsupported", "skipped")
    return [FileOutcome(facts.source, "removed")] if in_index else []


def _is_under(source: str, roots: Sequence[Path]) -> bool:
    path = Path(source)
    return any(path == root or root in path.parents for root in roots)
