"""Values of bundles: an answer with its proof, in a file that stands alone, and what became of it since."""

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
    cited: str  # the document's own words: the quote's if it is verified, else the passage's
    after: str


@dataclass(frozen=True, slots=True)
class BundledSource:
    """A cited file, as it was when it was indexed."""

    path: str  # absolute
    sha256: str  # the hash of the bytes that were indexed
    size_bytes: int


@dataclass(frozen=True, slots=True)
class BundledModel:
    """A model that had a part in the answer."""

    role: Literal["embedding", "answer"]
    name: str
    backend: str
    digest: str  # the digest of the model's weights; "" when the server does not tell


@dataclass(frozen=True, slots=True)
class Bundle:
    """An answer and all that proves it."""

    version: str  # the version of ragkit that made it
    made_at: str  # ISO 8601, UTC
    language: str  # the language of the page: "en" or "zh"
    question: str
    query: str
    answer: str
    refused: bool
    mode: str
    unread_count: int
    quotes: tuple[BundledQuote, ...]
    sources: tuple[BundledSource, ...]
    models: tuple[BundledModel, ...]
    settings: Mapping[str, object]  # the settings that shape an answer
    notes: tuple[str, ...]  # in the page's language


SourceState = Literal["unchanged", "changed", "moved", "gone", "unreadable"]


@dataclass(frozen=True, slots=True)
class QuoteCheck:
    """A quote of a bundle, looked for in the file of today."""

    marker: int
    quote: str
    verified: bool  # whether the quote was verified when the bundle was made
    stands: bool | None  # whether it stands in the file as it is now; None: the file cannot be read


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """What became of a file of a bundle and of its quotes."""

    path: str
    state: SourceState
    found_at: str  # where the same bytes are now, when the file was moved
    quotes: tuple[QuoteCheck, ...]
    reason: Message = field(default_factory=Message)  # why the file could not be read


@dataclass(frozen=True, slots=True)
class BundleCheck:
    """What became of a bundle since it was made."""

    bundle: Bundle
    sources: tuple[SourceCheck, ...]
    page_intact: bool | None  # whether the page still says what its data say; None: another version made it

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was: a file, a verified quote, or the page itself."""
        lost = any(quote.verified and not quote.stands for source in self.sources for quote in source.quotes)
        return lost or self.page_intact is False or any(source.state != "unchanged" for source in self.sources)
