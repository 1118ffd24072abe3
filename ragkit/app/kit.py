"""`RagKit`: one index with everything around it. The only file that picks concrete classes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ragkit.answering import ask_everything, packing, question_images
from ragkit.answering.ask import PromptedAnswerer, room
from ragkit.answering.ask import stream as answering_stream
from ragkit.answering.bundle.html import to_html
from ragkit.answering.bundle.make import check, make
from ragkit.answering.extractive import evidence
from ragkit.answering.structured.ask import PromptedFiller
from ragkit.answering.structured.ask import ask as filling_ask
from ragkit.answering.structured.schema import form_of
from ragkit.answering.why_not import expected_of
from ragkit.answering.why_not import why_not as explain_why_not
from ragkit.app.models import ChosenModels, embedded_embedder
from ragkit.app.models import embedded_models as embedded_models
from ragkit.config.resolving import resolve
from ragkit.config.sections import Config
from ragkit.i18n.messages import Message
from ragkit.indexing import picture_descriptions
from ragkit.indexing.update import plan as indexing_plan
from ragkit.indexing.update import published, update
from ragkit.retrieval import chat_assistant, filters
from ragkit.retrieval.search import RetrievalContext, for_answer, retrieve
from ragkit.retrieval.selection import Selection
from ragkit.store.catalog import maintenance
from ragkit.store.catalog.writer import SqliteCatalog
from ragkit.store.index_folder import OpenIndex
from ragkit.store.sidecars import evidence_cache, last_answer, reply_cache
from ragkit.store.sidecars.reply_cache import NAME as REPLIES
from ragkit.store.sidecars.reply_cache import RepliesFile
from ragkit.store.vectors.stored import StoredVectors
from ragkit.types.answers import Answer, Citation, ExhaustiveAnswer, QuestionImages, Turn, Withdrawn
from ragkit.types.bundle import BundleCheck, BundledModel, BundledSource
from ragkit.types.documents import Chunk, Document, EmbedFault, Generation, Vector
from ragkit.types.errors import BadReply, IndexMissing, InputError, LoadError, ModelError, ModelUnavailable, StoreError
from ragkit.types.ports import Answerer, Embedder, FileFacts, Filler, KeptConversation, Loader
from ragkit.types.reports import Check, FileOutcome, FoundFile, IndexReport, IndexStatus, Progress
from ragkit.types.search import Condition, EvidenceThreshold, Passage, ScoredChunk, WhyNot
from ragkit.types.structured import StructuredAnswer

if TYPE_CHECKING:
    from ragkit.answering.extractive.answerer import ExtractiveAnswerer
    from ragkit.models.ollama.client import Ollama

_Select = Callable[[str, int, RetrievalContext, Sequence[Condition]], Selection]

_READINGS = "ocr.jsonl"  # what OCR read in a run that is not over
_MAX_PICTURE_MB = 20  # of one that a model looks at


def default_index_directory() -> Path:
    """The index used when none is named: a folder of the user's data directory."""
    import platformdirs

    return Path(platformdirs.user_data_dir("ragkit", appauthor=False)) / "index"


def _picture_bytes(path: Path) -> bytes:
    """Raises LoadError."""
    from ragkit.loaders.files.access import read_bytes

    return read_bytes(str(path), _MAX_PICTURE_MB)


def conversation_file(path: str | os.PathLike[str]) -> KeptConversation:
    """A conversation that is kept in the file `path`, which need not exist yet."""
    from ragkit.store.sidecars.conversation import ConversationFile

    return ConversationFile(Path(path).expanduser())


class RagKit:
    """An index of documents: bring it up to date, search it, ask it. Use `RagKit.open`.

    A `with` block, or `close()`, ends it. Reading needs no lock; `index` takes the index's one
    writer lock and keeps it until `close()`.
    """

    def __init__(self, directory: Path, config: Config) -> None:
        self.directory = directory
        self.config = config
        self._index = OpenIndex(directory, config.store.exact_mb)
        self._chosen = ChosenModels(config)
        self._answerer: Answerer | None = None

    @staticmethod
    def open(
        index_dir: str | os.PathLike[str] | None = None, config: Config | str | os.PathLike[str] | None = None
    ) -> RagKit:
        """The index in `index_dir` (default: a per-user folder), which need not exist yet.

        `config` is a `Config`, the path of a TOML file, or None for the environment and the
        defaults. Raises ConfigError.
        """
        directory = Path(index_dir).expanduser() if index_dir else default_index_directory()
        if isinstance(config, Config):
            return RagKit(directory.absolute(), config)
        resolved, _ = resolve(Path(config) if config is not None else None)
        return RagKit(directory.absolute(), resolved)

    def __enter__(self) -> RagKit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of files, locks and connections. Harmless when repeated."""
        self._index.close()
        self._chosen.close()
        self._answerer = None

    @property
    def model_notes(self) -> tuple[Message, ...]:
        """Which models `auto` chose so far, and why."""
        return self._chosen.notes

    # -- verbs ---------------------------------------------------------------------------------

    def index(
        self,
        paths: Sequence[str | os.PathLike[str]],
        progress: Callable[[Progress], None] = lambda _: None,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        checksum: bool = False,
        labels: Sequence[str] | None = None,
    ) -> IndexReport:
        """Bring the index up to date with files and folders: added, changed, removed, unreadable.

        `include` and `exclude` are patterns of gitignore's syntax, relative to each path; files that
        they or a `.ragkitignore` leave out count as not there. `checksum` compares contents even
        where size and times are as they were. `labels` are given to each path, for what lies there now
        or later (condition "label=..."); None leaves it those that it has. Whatever was committed before
        an interruption stays; run it again to go on. Raises InputError (no such path), IndexBusy,
        ModelError, StoreError.
        """
        from ragkit.loaders.sandbox.loader import SandboxLoader

        roots, found = self._found(paths, include, exclude)
        catalog = self._index.writer()
        if labels is not None:
            for root in roots:
                catalog.set_labels(str(root), labels)
        embedder = self._chosen.embedder(catalog.active(), to_index=True)
        readings = self.directory / _READINGS
        described = self._descriptions()
        pictures = bool(self.config.models.image_model)
        with closing(SandboxLoader(self.config.loading, readings, pictures=pictures)) as loader:
            report = update(
                found,
                roots,
                catalog=catalog,
                loader=self._describing(loader, described),
                embedder=embedder,
                settings=self.config.chunking,
                progress=progress,
                trust_times=not checksum,
            )
        readings.unlink(missing_ok=True)  # the catalog holds them now
        if not any(map(picture_descriptions.has_failed, report.outcomes)):
            described.remove()
        unpublished, trouble = self._index.publish(wait=True)
        return published(report, unpublished, (*self.model_notes, *trouble))

    def _describing(self, loader: Loader, kept: RepliesFile) -> Loader:
        """`loader`, which also has pictures described where a model for that is configured."""
        model = self.config.models.image_model
        if not model:
            return loader
        return picture_descriptions.DescribingLoader(
            loader, model, partial(self._chosen.served_chat, model), _picture_bytes, kept
        )

    def _descriptions(self) -> RepliesFile:
        """Those of a run that is not over."""
        return RepliesFile(self.directory / REPLIES.format(key="pictures"))

    def plan(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> list[FileOutcome]:
        """What `index` would do with each file; nothing is read but files whose times do not tell, and
        nothing is written. A file to be added may still turn out to be unreadable."""
        from ragkit.loaders.files.access import has_hash
        from ragkit.loaders.sandbox.loader import SandboxLoader

        roots, found = self._found(paths, include, exclude)
        try:
            known = self._index.reader().files()
        except IndexMissing:
            known = {}
        with closing(SandboxLoader(self.config.loading)) as sandbox:
            loader = self._describing(sandbox, self._descriptions())
            return indexing_plan(found, roots, known, loader, lambda file, known: has_hash(str(file.path), known))

    def watch(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        stop: threading.Event | None = None,
    ) -> Iterator[IndexReport]:
        """Index `paths`, and again whenever something in them has changed and been still for a second;
        yields each report that is not empty of news. Ends when `stop` is set."""
        from watchfiles import watch

        roots = [Path(path).expanduser().absolute() for path in paths]
        yield self.index(paths, include=include, exclude=exclude)
        own = str(self.directory)
        for changes in watch(*roots, stop_event=stop, debounce=1600, step=1000, raise_interrupt=True):
            if any(not changed.startswith(own) for _, changed in changes):
                report = self.index([root for root in roots if root.exists()], include=include, exclude=exclude)
                if any(outcome.state in ("added", "changed", "removed") for outcome in report.outcomes):
                    yield report

    def _found(
        self, paths: Sequence[str | os.PathLike[str]], include: Sequence[str], exclude: Sequence[str]
    ) -> tuple[list[Path], list[FoundFile | FileOutcome]]:
        """The resolved roots and everything under them."""
        from ragkit.loaders.files.discovery import discover

        if not paths:
            raise InputError("No file or folder was given.", hint="Run: ragkit index FOLDER")
        roots = [Path(path).expanduser().absolute() for path in paths]
        found = list(discover(roots, self.directory, include, exclude, self.config.loading.max_age_days))
        return [root.resolve() for root in roots], found

    def search(self, question: str, k: int = 8, where: Sequence[str] = ()) -> list[ScoredChunk]:
        """The `k` best chunks for `question`, best first; [] when nothing is indexed. `where` holds
        conditions such as "type=pdf" (see `filters.FIELDS`), which all have to hold.

        Raises InputError (empty question, no condition), IndexMissing, IndexMismatch, ModelError.
        """
        return list(self._selected(question, k, where, retrieve).kept)

    def passages(self, question: str, k: int = 8, where: Sequence[str] = ()) -> list[Passage]:
        """What an answer to `question` would be made from: up to `k` of the best chunks, each with the neighbours
        that belong to it, as far as they fit the answering model; [] when nothing is indexed. Unlike those of
        `search`, much weaker ones than the best are left out. Raises what `search` raises."""
        found = self._selected(question, k, where, for_answer)
        answerer = self._answerer_of(self._index.reader().active())
        return list(packing.pack(found, room(answerer, self.document, self.config.retrieval.widen_tokens)).passages)

    def _selected(self, question: str, k: int, where: Sequence[str], select: _Select) -> Selection:
        if not question.strip():
            raise InputError("The question is empty.", hint='Ask something: ragkit search "annual leave"')
        if k < 1:
            raise InputError("k is {k}; it must be at least 1.", k=k)
        conditions = filters.parse(where)
        catalog = self._index.reader()
        active = catalog.active()
        if active is None:
            return Selection(())
        embedder = self._chosen.embedder(active, to_index=False)
        self._index.publish(wait=False)
        with catalog.snapshot():
            index = self._retrieval_index(catalog, embedder)
            return select(question, k, index, conditions)

    def ask(
        self,
        question: str,
        history: Sequence[Turn] = (),
        where: Sequence[str] = (),
        images: Sequence[str | os.PathLike[str]] = (),
    ) -> Answer:
        """The answer to `question` with checked citations. `history` holds earlier turns, oldest first; `where`
        as in `search`; `images` are files of pictures that the question is about. Raises what `search` raises,
        ModelError from the answering model, and InputError for a file that is no picture."""
        *_, answer = self.stream(question, history, where, images)
        assert isinstance(answer, Answer)
        return answer

    def ask_structured(
        self, question: str, schema: Mapping[str, object], where: Sequence[str] = ()
    ) -> StructuredAnswer:
        """A JSON value by a JSON Schema, each field with the quote that proves it, or the reason why there is
        none. Raises what `ask` raises, and InputError for a schema that is none or cannot be filled in."""
        if not question.strip():
            raise InputError("The question is empty.", hint='Ask something: ragkit ask --schema form.json "The fees"')
        form = form_of(schema)
        catalog = self._index.reader()
        return filling_ask(
            question,
            form,
            retrieve=lambda query: self._selected(query, self.config.retrieval.k, where, retrieve),
            read=self.document,
            filler=self._make_filler(catalog.active()),
            unread_count=catalog.counts()["unread"],
        )

    def why_not(self, question: str, expect: str, where: Sequence[str] = ()) -> WhyNot:
        """The stage in which the answer to `question` lost an expected passage. `expect` is a file, a file and
        page ("plan.pdf:3"), or words of the passage. Raises what `search` raises."""
        if not question.strip() or not expect.strip():
            raise InputError("The question is empty." if not question.strip() else "The expected passage is empty.")
        conditions = filters.parse(where)
        catalog = self._index.reader()
        active = catalog.active()
        if active is None:
            raise InputError("The index is empty.", hint="Run: ragkit index FOLDER")
        files = {source: facts.outcome for source, facts in catalog.files().items()}
        expected = expected_of(
            expect,
            files,
            lambda name: _known_names(name, files),
            self.document,
            lambda text: list(dict.fromkeys(hit.chunk.source for hit in self.search(text, 50))),
        )
        if isinstance(expected, WhyNot):  # lost before any search
            return expected
        embedder = self._chosen.embedder(active, to_index=False)
        self._index.publish(wait=False)
        with catalog.snapshot():
            index = self._retrieval_index(catalog, embedder)
            return explain_why_not(question, expected, conditions, index, self._answerer_of(active))

    def stream(
        self,
        question: str,
        history: Sequence[Turn] = (),
        where: Sequence[str] = (),
        images: Sequence[str | os.PathLike[str]] = (),
    ) -> Iterator[str | Withdrawn | Answer]:
        """The text of the answer as it comes and last, once, the `Answer`. See `ask`.

        A language model whose reply is not proved is asked once more. If its second reply is proved better,
        `Withdrawn` comes, and then that reply as one more piece: what came before it is not the answer.
        """
        if not question.strip():
            hint = 'Ask something: ragkit ask "How many days of leave do I get?"'
            raise InputError("The question is empty.", hint=hint)
        catalog = self._index.reader()
        answerer = self._answerer_of(catalog.active())
        yield from answering_stream(
            question,
            history,
            retrieve=lambda query: self._selected(query, self.config.retrieval.k, where, for_answer),
            read=self.document,
            answerer=answerer,
            unread_count=catalog.counts()["unread"],
            widen_tokens=self.config.retrieval.widen_tokens,
            shown=self._shown(images, answerer) if images else QuestionImages(),
        )

    def _shown(self, images: Sequence[str | os.PathLike[str]], answerer: Answerer) -> QuestionImages:
        from ragkit.loaders.sandbox.loader import SandboxLoader

        def read(path: Path) -> bytes:
            try:
                return _picture_bytes(path)
            except LoadError as exc:
                raise InputError("Cannot read {path}: {why}", path=path, why=exc.message) from exc

        paths = [Path(image).expanduser().resolve() for image in images]
        with closing(SandboxLoader(self.config.loading)) as loader:
            return question_images.shown(
                paths, read=read, loader=loader, accepts_images=answerer.accepts_images, model=answerer.model
            )

    def stream_everything(
        self, question: str, where: Sequence[str] = ()
    ) -> Iterator[ExhaustiveAnswer | str | Withdrawn | Answer]:
        """The question put to every passage for which the conditions hold: what was found after each batch of
        them, and, from a language model, last an answer out of all findings, as `stream` gives it.

        A run that was cut off goes on where it stopped when the same question is asked again. Raises what
        `ask` raises.
        """
        if not question.strip():
            raise InputError("The question is empty.", hint='Ask something: ragkit ask --everything "Which fees?"')
        conditions = filters.parse(where)
        catalog = self._index.reader()
        active = catalog.active()
        answerer = self._answerer_of(active)
        with catalog.snapshot():
            chunks = catalog.matching(conditions) if active is not None else []
        key = hashlib.sha256("\0".join([question, *sorted(where)]).encode()).hexdigest()[:16]
        kept = RepliesFile(self.directory / REPLIES.format(key=key))
        found = None
        for found in ask_everything.collect(question, chunks, reader=answerer, read=self.document, kept=kept):
            yield found
        if found is not None and found.rows and found.mode == "generative":
            yield from answering_stream(
                question,
                (),
                retrieve=lambda _: ask_everything.as_selection(found, self.document),
                read=self.document,
                answerer=answerer,
                unread_count=catalog.counts()["unread"],
            )
        kept.remove()

    def prepare(self) -> None:
        """Load what answering needs, so that the first question waits no longer than the others. Raises what
        `search` and `ask` raise for an index or a model that cannot be used."""
        self.search("?", 1)
        self._answerer_of(self._index.reader().active())

    def remember(self, answer: Answer) -> None:
        """Keep in the index's folder where the sources of `answer` stand. Done where it can be written."""
        last_answer.save(self.directory, answer.sources)

    def last_sources(self) -> list[Citation]:
        """The sources of the answer that was remembered last, by any process, without their quotes."""
        return last_answer.load(self.directory)

    def bundle(self, answer: Answer, language: str = "en") -> str:
        """`answer` with everything that proves it, as one HTML page in `language` ("en" or "zh")."""
        catalog = self._index.reader()
        with catalog.snapshot():
            made = make(
                answer,
                files=catalog.files(),
                read=catalog.document,
                models=self._bundled_models(answer, catalog.active()),
                config=self.config,
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
                language=language,
            )
        return to_html(made)

    def check_bundle(self, page: str, look_in: Sequence[str | os.PathLike[str]] = ()) -> BundleCheck:
        """What became of the files and quotes of a bundle's HTML page. A file that is not where it was is
        looked for in the index, in its old folder and in `look_in`. Raises InputError: it is no bundle."""
        from ragkit.loaders.files.access import where_is
        from ragkit.loaders.sandbox.loader import SandboxLoader

        def elsewhere(source: BundledSource) -> Iterator[Path]:
            known = [Path(facts.source) for facts in self._known_files() if facts.content_hash == source.sha256]
            folders = [Path(source.path).parent, *(Path(folder).expanduser().absolute() for folder in look_in)]
            yield from where_is(source.sha256, source.size_bytes, known, folders)

        with closing(SandboxLoader(self.config.loading)) as loader:
            return check(page, loader=loader, elsewhere=elsewhere)

    def document(self, source: str) -> Document | None:
        """The document read from the file `source` (absolute path); None when there is none."""
        return self._index.reader().document(source)

    def status(self) -> IndexStatus:
        """What the index holds. Raises IndexMissing."""
        catalog = self._index.reader()
        counts = catalog.counts()
        unread = tuple(
            facts.outcome
            for facts in catalog.files().values()
            if facts.outcome.state in ("unreadable", "unsupported", "skipped") or facts.outcome.notes
        )
        return IndexStatus(
            directory=str(self.directory),
            generation=catalog.active(),
            documents=counts["documents"],
            chunks=counts["chunks"],
            chunks_unpublished=self._index.dense().unpublished_count(),
            chunks_without_vector=counts["without_vector"],
            search="chroma" if self._index.dense().has_graph() else "exact",
            disk_bytes=sum(path.stat().st_size for path in self.directory.rglob("*") if path.is_file()),
            unread=unread,
            labels=catalog.labels(),
        )

    def doctor(self) -> list[Check]:
        """What is installed, reachable and configured; each fault with its one fix. Never raises."""
        from ragkit.app.doctor import examine

        return examine(self.directory, self.config, self.status)

    @property
    def models(self) -> Ollama:
        """The configured Ollama server: generate, chat, embed, and its models. Connects when used."""
        return self._chosen.ollama

    def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """A vector of unit length for each text by the configured embedding model, with its prefix for
        questions or for documents. Raises ModelError when one of them cannot be embedded."""
        embedder = self._chosen.embedder(None, to_index=True)
        if query:
            return [embedder.embed_query(text) for text in texts]
        found = []
        for at, vector in enumerate(embedder.embed_documents(texts), 1):
            if isinstance(vector, EmbedFault):
                raise BadReply("Text {at} cannot be embedded: {why}.", at=at, why=vector.reason)
            found.append(vector)
        return found

    # -- looking after the index ---------------------------------------------------------------

    def files(self, pattern: str = "") -> list[FileOutcome]:
        """Every file that the index knows, read or not; with `pattern`, those whose path holds it."""
        known = self._index.reader().files()
        return [facts.outcome for source, facts in known.items() if pattern in source]

    def read(self, name: str) -> tuple[Document, list[Chunk]]:
        """A document with its text, and its passages in order. `name` is a path or the end of one.
        Raises InputError: there is none, or several."""
        catalog = self._index.reader()
        sources = maintenance.named([name], catalog.files())
        document = catalog.document(sources[0]) if len(sources) == 1 else None
        if document is None:
            raise InputError("{name} is not one document that was read.", hint="`ragkit list` tells why.", name=name)
        return document, catalog.chunks_of(sources[0])

    def remove(self, names: Sequence[str]) -> list[str]:
        """Take documents out of every answer at once; what was removed. A file that is still in an
        indexed folder comes back with the next `index`. Raises InputError for an unknown name."""
        catalog = self._index.writer()
        sources = maintenance.named(names, catalog.files())
        for source in sources:
            catalog.remove(source)
        self._index.publish(wait=True)
        return sources

    def forget(self, names: Sequence[str]) -> list[str]:
        """`remove`, and leave no byte of them in the index's files."""
        catalog = self._index.writer()
        sources = maintenance.named(names, catalog.files())
        maintenance.forget(catalog, sources)
        last_answer.forget(self.directory)
        (self.directory / _READINGS).unlink(missing_ok=True)
        reply_cache.remove_all(self.directory)
        self._index.rebuild(in_subprocess=True)
        return sources

    def verify(self, *, deep: bool = False) -> list[Message]:
        """What is wrong with the index, a line each; [] when it is sound. `deep` reads every byte and
        compares texts, passages and vectors with each other and with Chroma's copy."""
        catalog = self._index.writer()
        return [*maintenance.problems(catalog, deep=deep), *self._index.dense().problems(deep=deep)]

    def rebuild(self) -> int:
        """Make Chroma's copy again from the catalog, without one embedding; how many vectors it holds: 0 where
        the index is small enough to be searched without it."""
        catalog = self._index.writer()
        self._index.rebuild()
        return StoredVectors(catalog).count() if self._index.dense().has_graph() else 0

    def compact(self) -> tuple[int, int]:
        """Give back the space of what was removed; bytes of the catalog before and after."""
        sizes = maintenance.compact(self._index.writer())
        self.rebuild()
        return sizes

    def export(self, target: str | os.PathLike[str]) -> int:
        """Write the whole index into one file, which `import_from` reads; its bytes."""
        return maintenance.export(self._index.writer(), Path(target).expanduser().absolute())

    def import_from(self, file: str | os.PathLike[str]) -> IndexStatus:
        """Make this index the one that was exported to `file`. Raises InputError: this index is not
        empty, or the file is not an exported index."""
        path = Path(file).expanduser().absolute()
        if (self.directory / "catalog.db").exists():
            raise InputError(
                "There is an index in {directory} already.",
                hint="Choose another place with --index DIR.",
                directory=self.directory,
            )
        maintenance.import_file(path, self.directory)
        self._index.writer()
        self._index.publish(wait=True)
        return self.status()

    # -- wiring --------------------------------------------------------------------------------

    def _known_files(self) -> list[FileFacts]:
        """[] also when there is no index that can be read."""
        with contextlib.suppress(StoreError):
            return list(self._index.reader().files().values())
        return []

    def _bundled_models(self, answer: Answer, active: Generation | None) -> list[BundledModel]:
        found = [BundledModel("embedding", active.model, active.backend, active.digest)] if active else []
        backend = "embedded" if answer.mode == "extractive" else self.config.models.backend
        backend = "ollama" if backend == "auto" else backend  # with a language model, `auto` means Ollama
        return [*found, BundledModel("answer", answer.model, backend, self._answer_digest(backend))]

    def _answer_digest(self, backend: str) -> str:
        """Of the model that answers; "" when it cannot be told."""
        if backend == "embedded":
            from ragkit.models.embedded.e5 import WEIGHTS_SHA256

            return WEIGHTS_SHA256
        with contextlib.suppress(ModelError):
            entry = self.models.installed(self.config.ollama.chat_model) if backend == "ollama" else None
            return entry.digest if entry else ""
        return ""

    def _answerer_of(self, active: Generation | None) -> Answerer:
        if self._answerer is None:
            self._answerer = self._make_answerer(active)
        return self._answerer

    def _make_answerer(self, active: Generation | None) -> Answerer:
        chat = self._chosen.language_model()
        if chat is None:
            return self._quoting_answerer(active)
        return PromptedAnswerer(chat, ask_again=self.config.models.ask_again)

    def _quoting_answerer(self, active: Generation | None) -> ExtractiveAnswerer:
        """By the embedded model, whichever made the index; without it, by the index's own."""
        from ragkit.answering.extractive.answerer import ExtractiveAnswerer

        embedder = self._chosen.embedder(active, to_index=False) if active is not None else None
        if embedder is None or embedder.backend != "embedded":
            try:
                embedder = embedded_embedder()
            except ModelUnavailable:
                if embedder is None:
                    raise
        return ExtractiveAnswerer(
            embedder, f"extractive ({embedder.model})", partial(self._threshold, embedder), self._index.dense().ordinary
        )

    def _threshold(self, embedder: Embedder) -> EvidenceThreshold:
        """How much evidence this index shows that an answer needs; found once for each state of it."""
        from ragkit.answering.extractive.answerer import threshold_of

        catalog = self._index.reader()
        stored = StoredVectors(catalog)
        key = f"{embedder.model} {catalog.active_id()} {stored.count()}"
        threshold = evidence_cache.load(self.directory, key)
        if threshold is None:
            with catalog.snapshot():
                names, vectors = stored.sample(evidence.SAMPLE)
                chunks = catalog.chunks(names)
            threshold = threshold_of(embedder, [chunks[name].text for name in names], vectors)
            evidence_cache.save(self.directory, key, threshold)
        return threshold

    def _make_filler(self, active: Generation | None) -> Filler:
        chat = self._chosen.language_model()
        if chat is not None:
            return PromptedFiller(chat, ask_again=self.config.models.ask_again)
        from ragkit.answering.structured.extractive import ExtractiveFiller

        return ExtractiveFiller(self._quoting_answerer(active))

    def _retrieval_index(self, catalog: SqliteCatalog, embedder: Embedder) -> RetrievalContext:
        settings = self.config.retrieval
        assistant = None
        if settings.rerank == "auto":
            settings = replace(settings, rerank="sentences" if embedder.backend == "embedded" else "off")
        if settings.rerank == "chat" or settings.expand != "off":
            assistant = chat_assistant.ChatAssistant(self._chosen.chat())
        return RetrievalContext(catalog, self._index.dense(), embedder, settings, assistant)


def _known_names(name: str, files: Mapping[str, FileOutcome]) -> list[str]:
    """The one file that `name` means; []: none, or several."""
    try:
        return maintenance.named([name], files)
    except InputError:
        return []
