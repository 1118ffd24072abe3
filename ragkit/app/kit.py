"""`RagKit`: one index with everything around it, as a facade over the rest of this room.

Each part is made at its first use, so that who searches does not wait for what indexing needs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit.app.answerers import Answerers
from ragkit.app.models import ChosenModels
from ragkit.app.questions import Questions
from ragkit.app.user_files import default_index_directory
from ragkit.config.resolving import resolve
from ragkit.config.sections import Config
from ragkit.i18n.messages import Message
from ragkit.store.index_folder import IndexFolder
from ragkit.store.sidecars import last_answer
from ragkit.types.answers import Answer, Citation, ExhaustiveAnswer, Turn, Withdrawn
from ragkit.types.bundle import BundleCheck
from ragkit.types.documents import Chunk, Document, Vector
from ragkit.types.ports import ReportProgress
from ragkit.types.reports import Check, FileOutcome, IndexReport, IndexStatus
from ragkit.types.search import Passage, ScoredChunk, WhyNot
from ragkit.types.structured import StructuredAnswer

if TYPE_CHECKING:
    from ragkit.app.bundles import Bundles
    from ragkit.app.index_upkeep import IndexUpkeep
    from ragkit.models.ollama.client import Ollama


class RagKit:
    """An index of documents: bring it up to date, search it, ask it. Use `RagKit.open`.

    A `with` block, or `close()`, ends it. Reading needs no lock; what writes takes the index's one writer lock, which
    other processes wait for, and keeps it until `close()`.

    One `RagKit` may be used from several threads at once. Each search sees one state of the index, whatever is
    committed meanwhile; calls that write (`index`, `remove`, `forget`, `compact` ...) wait for each other. A generator
    that `stream`, `stream_everything` or `watch` returned belongs to one thread at a time, and `close` is called when
    no other call is under way.
    """

    def __init__(self, directory: Path, config: Config) -> None:
        self.directory = directory
        self.config = config
        self._index = IndexFolder(directory, config.store.exact_mb)
        self._chosen = ChosenModels(config)
        self._answerers = Answerers(self._index, self._chosen, config)
        self._questions = Questions(self._index, self._chosen, self._answerers, config)

    @cached_property
    def _upkeep(self) -> IndexUpkeep:
        from ragkit.app.index_upkeep import IndexUpkeep

        return IndexUpkeep(self._index, self._chosen, self.config)

    @cached_property
    def _bundles(self) -> Bundles:
        from ragkit.app.bundles import Bundles

        return Bundles(self._index, self._answerers, self.config)

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

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of files, locks and connections. Harmless when repeated."""
        self._index.close()
        self._chosen.close()
        self._answerers.forget()

    @property
    def model_notes(self) -> tuple[Message, ...]:
        """Which models `auto` chose so far, and why."""
        return self._chosen.notes

    # -- asking ------------------------------------------------------------------------------------

    def search(self, question: str, k: int = 8, where: Sequence[str] = ()) -> list[ScoredChunk]:
        """The `k` best chunks for `question`, best first; [] when nothing is indexed. `where` holds
        conditions such as "type=pdf" (see `filters.FIELDS`), which all have to hold.

        Raises InputError (empty question, no condition), IndexMissing, IndexMismatch, ModelError.
        """
        return self._questions.search(question, k, where)

    def passages(self, question: str, k: int = 8, where: Sequence[str] = ()) -> list[Passage]:
        """What an answer to `question` would be made from: up to `k` of the best chunks, each with the neighbours
        that belong to it, as far as they fit the answering model; [] when nothing is indexed. Unlike those of
        `search`, much weaker ones than the best are left out. Raises what `search` raises."""
        return self._questions.passages(question, k, where)

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
        return self._questions.stream(question, history, where, images)

    def stream_everything(
        self, question: str, where: Sequence[str] = ()
    ) -> Iterator[ExhaustiveAnswer | str | Withdrawn | Answer]:
        """The question put to every passage for which the conditions hold: what was found after each batch of
        them, and, from a language model, last an answer out of all findings, as `stream` gives it.

        A run that was cut off goes on where it stopped when the same question is asked again. Raises what
        `ask` raises.
        """
        return self._questions.stream_everything(question, where)

    def ask_structured(
        self, question: str, schema: Mapping[str, object], where: Sequence[str] = ()
    ) -> StructuredAnswer:
        """A JSON value by a JSON Schema, each field with the quote that proves it, or the reason why there is
        none. Raises what `ask` raises, and InputError for a schema that is none or cannot be filled in."""
        return self._questions.structured(question, schema, where)

    def why_not(self, question: str, expect: str, where: Sequence[str] = ()) -> WhyNot:
        """The stage in which the answer to `question` lost an expected passage. `expect` is a file, a file and
        page ("plan.pdf:3"), or words of the passage. Raises what `search` raises."""
        return self._questions.why_not(question, expect, where)

    def prepare(self) -> None:
        """Load what answering needs, so that the first question waits no longer than the others. Raises what
        `search` and `ask` raise for an index or a model that cannot be used."""
        self._questions.prepare()

    def remember(self, answer: Answer) -> None:
        """Keep in the index's folder where the sources of `answer` stand. Done where it can be written."""
        last_answer.save(self.directory, answer.sources)

    def last_sources(self) -> list[Citation]:
        """The sources of the answer that was remembered last, by any process, without their quotes."""
        return last_answer.load(self.directory)

    def bundle(self, answer: Answer, language: str = "en") -> str:
        """`answer` with everything that proves it, as one HTML page in `language` ("en" or "zh")."""
        return self._bundles.make(answer, language)

    def check_bundle(self, page: str, look_in: Sequence[str | os.PathLike[str]] = ()) -> BundleCheck:
        """What became of the files and quotes of a bundle's HTML page. A file that is not where it was is
        looked for in the index, in its old folder and in `look_in`. Raises InputError: it is no bundle."""
        return self._bundles.check(page, look_in)

    @property
    def models(self) -> Ollama:
        """The configured Ollama server: generate, chat, embed, and its models. Connects when used."""
        return self._chosen.ollama

    def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """A vector of unit length for each text by the configured embedding model, with its prefix for
        questions or for documents. Raises ModelError when one of them cannot be embedded."""
        return self._chosen.embed(texts, query=query)

    # -- keeping the index up to date --------------------------------------------------------------

    def index(
        self,
        paths: Sequence[str | os.PathLike[str]],
        progress: ReportProgress = lambda _: None,
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
        return self._upkeep.update(paths, progress, include, exclude, checksum, labels)

    def plan(
        self, paths: Sequence[str | os.PathLike[str]], *, include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> list[FileOutcome]:
        """What `index` would do with each file; nothing is read but files whose times do not tell, and
        nothing is written. A file to be added may still turn out to be unreadable."""
        return self._upkeep.plan(paths, include, exclude)

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
        return self._upkeep.watch(paths, include, exclude, stop)

    # -- looking into it and after it --------------------------------------------------------------

    def status(self) -> IndexStatus:
        """What the index holds. Raises IndexMissing."""
        return self._upkeep.status()

    def doctor(self) -> list[Check]:
        """What is installed, reachable and configured; each fault with its one fix. Never raises."""
        from ragkit.app.doctor import examine

        return examine(self.directory, self.config, self.status)

    def files(self, pattern: str = "") -> list[FileOutcome]:
        """Every file that the index knows, read or not; with `pattern`, those whose path holds it."""
        return self._upkeep.files(pattern)

    def document(self, source: str) -> Document | None:
        """The document read from the file `source` (absolute path); None when there is none."""
        return self._index.reader().document(source)

    def read(self, name: str) -> tuple[Document, list[Chunk]]:
        """A document with its text, and its passages in order. `name` is a path or the end of one.
        Raises InputError: there is none, or several."""
        return self._upkeep.read(name)

    def remove(self, names: Sequence[str]) -> list[str]:
        """Take documents out of every answer at once; what was removed. A file that is still in an
        indexed folder comes back with the next `index`. Raises InputError for an unknown name."""
        return self._upkeep.remove(names)

    def forget(self, names: Sequence[str]) -> list[str]:
        """`remove`, and leave no byte of them in the index's files."""
        return self._upkeep.forget(names)

    def verify(self, *, deep: bool = False) -> list[Message]:
        """What is wrong with the index, a line each; [] when it is sound. `deep` reads every byte and
        compares texts, passages and vectors with each other and with Chroma's copy."""
        return self._upkeep.verify(deep=deep)

    def rebuild(self) -> int:
        """Make Chroma's copy again from the catalog, without one embedding; how many vectors it holds: 0 where
        the index is small enough to be searched without it."""
        return self._upkeep.rebuild()

    def compact(self) -> tuple[int, int]:
        """Give back the space of what was removed; bytes of the catalog before and after."""
        return self._upkeep.compact()

    def export(self, target: str | os.PathLike[str]) -> int:
        """Write the whole index into one file, which `import_from` reads; its bytes."""
        return self._upkeep.export(target)

    def import_from(self, file: str | os.PathLike[str]) -> IndexStatus:
        """Make this index the one that was exported to `file`. Raises InputError: this index is not
        empty, or the file is not an exported index."""
        return self._upkeep.import_from(file)
