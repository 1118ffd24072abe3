"""The nouns of bundles: an answer with its proof, in a file that stands alone, and what became of it since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ragkit.i18n.messages import Message
from ragkit.types.documents import Place


@dataclass(frozen=True, slots=True)
class BundledQuote:
    """A citation with the words around it, as the document had them when it was indexed."""

    marker: int
    source: str
    place: Place
    quote: str  # as the answer has it; "" when it gave none
    verified: bool
    before: str
    cited: str  # the document's own words: of the quote if verified, else the passage's
    after: str


@dataclass(frozen=True, slots=True)
class BundledSource:
    path: str  # absolute
    sha256: str  # of the bytes that were indexed
    size_bytes: int


@dataclass(frozen=True, slots=True)
class BundledModel:
    role: Literal["embedding", "answer"]
    name: str
    backend: str
    digest: str  # of its weights; "" when the server does not tell


@dataclass(frozen=True, slots=True)
class Bundle:
    version: str  # of ragkit
    made_at: str  # ISO 8601, UTC
    language: str  # of the page: "en" or "zh"
    question: str
    query: str
    answer: str
    refused: bool
    mode: str
    unread_count: int
    quotes: tuple[BundledQuote, ...]
    sources: tuple[BundledSource, ...]
    models: tuple[BundledModel, ...]
    settings: Mapping[str, object]  # those that shape an answer
    notes: tuple[str, ...]  # in the page's language


SourceState = Literal["unchanged", "changed", "moved", "gone", "unreadable"]


@dataclass(frozen=True, slots=True)
class QuoteCheck:
    marker: int
    quote: str
    verified: bool  # when the bundle was made
    stands: bool | None  # in the file as it is now; None: the file cannot be read


@dataclass(frozen=True, slots=True)
class SourceCheck:
    path: str
    state: SourceState
    found_at: str  # where the same bytes are now, when it was moved
    quotes: tuple[QuoteCheck, ...]
    reason: Message = field(default_factory=Message)  # why it could not be read


@dataclass(frozen=True, slots=True)
class BundleCheck:
    """What is so now. `page_intact`: the page still says what its data say; None: another version made it."""

    bundle: Bundle
    sources: tuple[SourceCheck, ...]
    page_intact: bool | None

    @property
    def changed(self) -> bool:
        lost = any(quote.verified and not quote.stands for source in self.sources for quote in source.quotes)
        return lost or self.page_intact is False or any(source.state != "unchanged" for source in self.sources)
