"""Which files of an index are not wholly readable, and why: what `ragkit audit` shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from ragkit.types.reports import UNREAD_STATES

if TYPE_CHECKING:
    from ragkit.i18n.messages import Message
    from ragkit.types.reports import FileOutcome

Readiness = Literal["ready", "partly readable", "unreadable", "unsupported", "skipped"]
READINESS: tuple[Readiness, ...] = get_args(Readiness)


@dataclass(frozen=True, slots=True)
class SharedReason:
    """A reason with how many files and pages have it; what differs between them is left open in its text."""

    reason: Message
    files: int
    pages: int


@dataclass(frozen=True, slots=True)
class Audit:
    counts: Mapping[Readiness, int]  # of all files, ready ones too
    reasons: tuple[SharedReason, ...]  # the commonest first
    files: tuple[FileOutcome, ...]  # not wholly readable, the worst first


def audit(files: Sequence[FileOutcome]) -> Audit:
    """Files of which nothing was read come first, then those with weak pages, the largest share of them first."""
    weak = [outcome for outcome in files if readiness(outcome) != "ready"]
    weak.sort(key=lambda outcome: (outcome.state not in UNREAD_STATES, -_weak_share(outcome), outcome.source))
    states = Counter(map(readiness, files))
    return Audit({state: states[state] for state in READINESS}, tuple(_shared_reasons(weak)), tuple(weak))


def readiness(outcome: FileOutcome) -> Readiness:
    match outcome.state:
        case "unreadable" | "unsupported" | "skipped":
            return outcome.state
        case _:
            return "partly readable" if outcome.weak_pages else "ready"


def _weak_share(outcome: FileOutcome) -> float:
    return sum(1 - page.score for page in outcome.weak_pages) / max(outcome.pages, 1)


def _shared_reasons(weak: Sequence[FileOutcome]) -> list[SharedReason]:
    said: dict[str, list[Message]] = {}
    files, pages = Counter[str](), Counter[str]()
    for outcome in weak:
        whole = [outcome.reason] if outcome.state in UNREAD_STATES else []
        reasons = [*whole, *(page.reason for page in outcome.weak_pages)]
        for reason in reasons:
            said.setdefault(_kind(reason), []).append(reason)
        files.update({_kind(reason) for reason in reasons})
        pages.update(_kind(page.reason) for page in outcome.weak_pages if page.number)
    order = sorted(said, key=lambda kind: (-files[kind], -pages[kind], said[kind][0].text))
    return [SharedReason(_in_common(said[kind]), files[kind], pages[kind]) for kind in order]


def _kind(reason: Message) -> str:
    """What is the same for all reasons of a kind: the code; in an index of an earlier version the sentence."""
    return reason.code or reason.text


def _in_common(messages: Sequence[Message]) -> Message:
    """Returns the message that all are; with "…" for its values where they differ in those."""
    first = messages[0]
    if all(one == first for one in messages):
        return first
    return replace(first, values=dict.fromkeys(first.values, "…"))
