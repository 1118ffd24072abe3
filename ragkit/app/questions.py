"""Questions to an index: each method takes the ports that a use case needs from the index and hands them over.

A method imports what it alone needs, after the embedded model has begun to load: so the two happen side by side.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit.app.answerers import Answerers
from ragkit.app.models import ChosenModels
from ragkit.retrieval import filters
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.store.index_folder import IndexFolder
from ragkit.types.answers import Answer, ExhaustiveAnswer, QuestionImages, Turn, Withdrawn
from ragkit.types.documents import Document
from ragkit.types.errors import InputError, LoadError
from ragkit.types.ports import Answerer, Embedder, Reranker
from ragkit.types.reports import FileOutcome
from ragkit.types.search import Passage, ScoredChunk, WhyNot
from ragkit.types.structured import StructuredAnswer

if TYPE_CHECKING:
    from ragkit.config.sections import Config
    from ragkit.retrieval.search import RetrievalContext
    from ragkit.retrieval.selection import Selection


class Questions:
    """What `RagKit` asks of one index. Its methods are documented there."""

    def __init__(self, index: IndexFolder, chosen: ChosenModels, answerers: Answerers, config: Config) -> None:
        self._index = index
        self._chosen = chosen
        self._answerers = answerers
        self._config = config

    def search(self, question: str, k: int, where: Sequence[str]) -> list[ScoredChunk]:
        return list(self._selected(question, k, where).kept)

    def passages(self, question: str, k: int, where: Sequence[str]) -> list[Passage]:
        from ragkit.answering import ask, packing

        found = self._selected(question, k, where, to_answer=True)
        budget = ask.context_budget(self._answerer(), self._read)
        return list(packing.pack(found, budget).passages)

    def stream(
        self,
        question: str,
        history: Sequence[Turn],
        where: Sequence[str],
        images: Sequence[str | os.PathLike[str]],
    ) -> Iterator[str | Withdrawn | Answer]:
        if not question.strip():
            raise InputError(
                "The question is empty.", hint='Ask something: ragkit ask "How many days of leave do I get?"'
            )
        self._chosen.begin_loading(self._index.reader().active())
        from ragkit.answering import ask

        answerer = self._answerer()
        yield from ask.stream(
            question,
            history,
            retrieve=lambda query: self._selected(query, self._config.retrieval.k, where, to_answer=True),
            read=self._read,
            answerer=answerer,
            unread_count=self._unread_count(),
            shown=self._shown(images, answerer) if images else QuestionImages(),
        )

    def stream_everything(
        self, question: str, where: Sequence[str]
    ) -> Iterator[ExhaustiveAnswer | str | Withdrawn | Answer]:
        if not question.strip():
            raise InputError("The question is empty.", hint='Ask something: ragkit ask --everything "Which fees?"')
        from ragkit.answering import ask, ask_everything
        from ragkit.store.sidecars.reply_cache import NAME, RepliesFile

        conditions = filters.parse(where)
        catalog = self._index.reader()
        answerer = self._answerer()
        with catalog.snapshot():
            chunks = catalog.matching(conditions) if catalog.active() is not None else []
        key = hashlib.sha256("\0".join([question, *sorted(where)]).encode()).hexdigest()[:16]
        kept = RepliesFile(self._index.directory / NAME.format(key=key))
        found = None
        for found in ask_everything.collect(question, chunks, answerer=answerer, read=self._read, kept=kept):
            yield found
        if found is not None and found.rows and found.mode == "generative":
            yield from ask.stream(
                question,
                (),
                retrieve=lambda _: ask_everything.as_selection(found, self._read),
                read=self._read,
                answerer=answerer,
                unread_count=self._unread_count(),
            )
        kept.remove()

    def structured(self, question: str, schema: Mapping[str, object], where: Sequence[str]) -> StructuredAnswer:
        if not question.strip():
            raise InputError("The question is empty.", hint='Ask something: ragkit ask --schema form.json "The fees"')
        from ragkit.answering.structured.ask import ask
        from ragkit.answering.structured.schema import make_form

        form = make_form(schema)
        return ask(
            question,
            form,
            retrieve=lambda query: self._selected(query, self._config.retrieval.k, where),
            read=self._read,
            filler=self._answerers.filler(self._index.reader().active()),
            unread_count=self._unread_count(),
        )

    def why_not(self, question: str, expect: str, where: Sequence[str]) -> WhyNot:
        if not question.strip() or not expect.strip():
            raise InputError("The question is empty." if not question.strip() else "The expected passage is empty.")
        from ragkit.answering import why_not

        conditions = filters.parse(where)
        catalog = self._index.reader()
        if catalog.active() is None:
            raise InputError("The index is empty.", hint="Run: ragkit index FOLDER")
        files = {source: facts.outcome for source, facts in catalog.files().items()}
        expected = why_not.expected_of(
            expect,
            files,
            lambda name: _known_names(name, files),
            self._read,
            lambda text: list(dict.fromkeys(hit.chunk.source for hit in self.search(text, 50, ()))),
        )
        if isinstance(expected, WhyNot):  # lost before any search
            return expected
        context = self._context(catalog)
        with catalog.snapshot():
            return why_not.why_not(question, expected, conditions, context, self._answerer())

    def prepare(self) -> None:
        self.search("?", 1, ())
        self._answerer()

    def _selected(self, question: str, k: int, where: Sequence[str], *, to_answer: bool = False) -> Selection:
        if not question.strip():
            raise InputError("The question is empty.", hint='Ask something: ragkit search "annual leave"')
        if k < 1:
            raise InputError("k is {k}; it must be at least 1.", k=k)
        conditions = filters.parse(where)
        catalog = self._index.reader()
        self._chosen.begin_loading(catalog.active())
        from ragkit.retrieval.search import retrieve, retrieve_for_answer
        from ragkit.retrieval.selection import Selection

        if catalog.active() is None:
            return Selection(())
        context = self._context(catalog)
        with catalog.snapshot():
            return (retrieve_for_answer if to_answer else retrieve)(question, k, context, conditions)

    def _context(self, catalog: SqliteCatalog) -> RetrievalContext:
        """Returns what a search of the active generation needs; Chroma is brought up to date first, where it lags."""
        from ragkit.retrieval.search import RetrievalContext

        embedder = self._chosen.embedder(catalog.active(), to_index=False)
        self._index.publish(wait=False)
        settings = self._config.retrieval
        expand = None
        if settings.expand != "off":
            from ragkit.retrieval.expansion import expand_query

            expand = partial(expand_query, self._chosen.chat(), settings.expand)
        return RetrievalContext(catalog, self._index.dense(), embedder, settings, self._reranker(embedder), expand)

    def _reranker(self, embedder: Embedder) -> Reranker | None:
        from ragkit.retrieval.reranking import ChatReranker, SentenceReranker

        which = self._config.retrieval.rerank
        if which == "auto":
            which = "sentences" if embedder.backend == "embedded" else "off"
        if which == "sentences":
            return SentenceReranker(embedder, self._index.dense().ordinary)
        return ChatReranker(self._chosen.chat()) if which == "chat" else None

    def _answerer(self) -> Answerer:
        return self._answerers.answerer(self._index.reader().active())

    def _unread_count(self) -> int:
        return self._index.reader().counts()["unread"]

    def _shown(self, images: Sequence[str | os.PathLike[str]], answerer: Answerer) -> QuestionImages:
        from ragkit.answering import question_images
        from ragkit.app.index_upkeep import picture_bytes
        from ragkit.loaders.sandbox.loader import SandboxLoader

        def read(path: Path) -> bytes:
            try:
                return picture_bytes(path)
            except LoadError as exc:
                raise InputError("Cannot read {path}: {why}", path=path, why=exc.message) from exc

        paths = [Path(image).expanduser().resolve() for image in images]
        with closing(SandboxLoader(self._config.loading)) as loader:
            return question_images.read_images(
                paths, read=read, loader=loader, accepts_images=answerer.accepts_images, model=answerer.model
            )

    def _read(self, source: str) -> Document | None:
        return self._index.reader().document(source)


def _known_names(name: str, files: Mapping[str, FileOutcome]) -> list[str]:
    """Returns the one file that `name` means, or [] when it means none or several."""
    from ragkit.store.catalog import maintenance

    try:
        return maintenance.named([name], files)
    except InputError:
        return []
