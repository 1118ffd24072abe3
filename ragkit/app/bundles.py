"""Bundles of one index: an answer with everything that proves it, and what became of its files since."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit.answering.bundle import html, make
from ragkit.app.answerers import Answerers
from ragkit.store.index_folder import IndexFolder
from ragkit.types.answers import Answer
from ragkit.types.bundle import BundleCheck, BundledSource
from ragkit.types.errors import StoreError
from ragkit.types.ports import FileFacts

if TYPE_CHECKING:
    from ragkit.config.sections import Config


class Bundles:
    """What `RagKit` does with bundles. Its methods are documented there."""

    def __init__(self, index: IndexFolder, answerers: Answerers, config: Config) -> None:
        self._index = index
        self._answerers = answerers
        self._config = config

    def make(self, answer: Answer, language: str) -> str:
        catalog = self._index.reader()
        with catalog.snapshot():
            made = make.make(
                answer,
                files=catalog.files(),
                read=catalog.document,
                models=self._answerers.bundled_models(answer, catalog.active()),
                config=self._config,
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
                language=language,
            )
        return html.to_html(made)

    def check(self, page: str, look_in: Sequence[str | os.PathLike[str]]) -> BundleCheck:
        from ragkit.loaders.files.access import where_is
        from ragkit.loaders.sandbox.loader import SandboxLoader

        def elsewhere(source: BundledSource) -> Iterator[Path]:
            known = [Path(facts.source) for facts in self._known_files() if facts.content_hash == source.sha256]
            folders = [Path(source.path).parent, *(Path(folder).expanduser().absolute() for folder in look_in)]
            yield from where_is(source.sha256, source.size_bytes, known, folders)

        with closing(SandboxLoader(self._config.loading)) as loader:
            return make.check(page, loader=loader, elsewhere=elsewhere)

    def _known_files(self) -> list[FileFacts]:
        """Returns the files that the index knows; [] also where there is no index that can be read."""
        with contextlib.suppress(StoreError):
            return list(self._index.reader().files().values())
        return []
