"""The verbs that measure: `eval` gives figures, `test` says pass or fail."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragkit import __version__
from ragkit.frontends.cli import exit_codes
from ragkit.frontends.cli.show import evaluation, terminal
from ragkit.frontends.cli.show.terminal import tr
from ragkit.frontends.cli.verbs.main import AS_JSON, EXAMPLES, CliOptions, opened
from ragkit.types.errors import InputError

if TYPE_CHECKING:
    from ragkit.app.kit import RagKit
    from ragkit.config.sections import Config
    from ragkit.evaluation.data.questions import Dataset
    from ragkit.evaluation.runs import Run

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_NEW_FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A data set or a file of questions, and how it is to be put to its index."""

    path: Path | None
    limit: int
    seed: int
    search_only: bool
    work: Path | None


def run_arguments(command: Callable[..., int]) -> Callable[..., int]:
    """Adds the arguments of a run to a verb, which gets them as one `RunRequest`."""

    @functools.wraps(command)
    def run(dataset: Path | None, limit: int, seed: int, search_only: bool, work: Path | None, **rest: object) -> int:
        return command(request=RunRequest(dataset, limit, seed, search_only, work), **rest)

    for option in (
        click.option("--search-only", is_flag=True, help=tr("Do not have the questions answered.")),
        click.option(
            "--work",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help=tr("Where the index of a data set is kept (default: beside your index)."),
        ),
        click.option("--seed", type=int, default=1, show_default=True, help=tr("Of that chance.")),
        click.option("--limit", type=click.IntRange(0), default=0, help=tr("So many questions, by chance (0: all).")),
        click.argument("dataset", required=False, type=click.Path(path_type=Path, exists=True)),
    ):
        run = option(run)
    return run


@click.command(
    "eval",
    epilog=EXAMPLES
    + tr("Example:")
    + "\n  ragkit eval questions.toml --html report.html"
    + "\n  ragkit --set retrieval.mode=dense eval questions.toml --json > dense.json"
    + "\n  ragkit eval --compare hybrid.json dense.json",
)
@run_arguments
@click.option(
    "--compare",
    nargs=2,
    type=_FILE,
    metavar="A B",
    help=tr("Two runs that --json wrote, or DATASET with two TOML files of settings, side by side."),
)
@click.option("--html", "page", type=_NEW_FILE, metavar="FILE", help=tr("Also write a page with plots."))
@AS_JSON
@click.pass_obj
def evaluate(
    options: CliOptions, request: RunRequest, compare: tuple[Path, Path] | None, page: Path | None, as_json: bool
) -> int:
    from ragkit.evaluation.data.run_files import read_run
    from ragkit.evaluation.scoring.compare import compare_runs

    if compare is None:
        evaluation.show_run(measured(options, request), page, as_json=as_json)
        return exit_codes.OK
    settings = [path.suffix == ".toml" for path in compare]
    if any(settings) != (request.path is not None) or any(settings) != all(settings):
        raise click.UsageError(tr("--compare takes two runs alone, or DATASET and two TOML files of settings."))
    first, second = (
        measured(replace(options, config=path), request) if path.suffix == ".toml" else read_run(path)
        for path in compare
    )
    comparison = compare_runs(first, second, (compare[0].stem, compare[1].stem))
    evaluation.show_comparison(comparison, page, as_json=as_json)
    return exit_codes.OK


@click.command(
    "test",
    epilog=EXAMPLES + tr("Example:") + "\n  ragkit test questions.toml --junit out.xml",
)
@click.argument("file", type=_FILE)
@click.option("--junit", "report", type=_NEW_FILE, metavar="FILE", help=tr("Also write the verdicts as JUnit XML."))
@AS_JSON
@click.pass_obj
def test(options: CliOptions, file: Path, report: Path | None, as_json: bool) -> int:
    from ragkit.evaluation.checking import check
    from ragkit.evaluation.data.binding import bind
    from ragkit.evaluation.data.question_files import read_questions
    from ragkit.evaluation.report.junit import junit

    dataset = read_questions(file)
    with opened(options) as kit:
        files = {outcome.source: outcome for outcome in kit.files()}
        questions = bind(dataset, files).questions
        depth = max(kit.config.retrieval.k, kit.config.retrieval.candidates)
        with evaluation.progress(len(questions)) as progress:
            verdicts = []
            for written, question in zip(dataset.questions, questions, strict=True):
                verdicts.append(check(kit, written, question, files, depth))
                progress(len(verdicts))
    if report is not None:
        report.write_bytes(junit(dataset.name, verdicts))
    evaluation.show_verdicts(verdicts, as_json=as_json)
    return exit_codes.BROKEN_ANSWER if any(verdict.loss for verdict in verdicts) else exit_codes.OK


def measured(options: CliOptions, request: RunRequest) -> Run:
    """Puts the questions to the index that they are about, which is made first where it is a data set's own."""
    from ragkit.config.resolving import resolve
    from ragkit.evaluation.runs import Run, run_questions

    if request.path is None:
        raise click.UsageError(tr("Missing argument DATASET."))
    config, settings = resolve(options.config, flags=options.settings)
    sample = _dataset(request.path).sample(request.limit, request.seed)
    with _index_of(options, request, sample, config) as (kit, dataset, names):
        ask = not request.search_only and _has_answers(dataset)
        with evaluation.progress(len(dataset.questions)) as progress:
            rows = run_questions(kit, dataset, names, depth=config.retrieval.candidates, ask=ask, progress=progress)
        status = kit.status()
    made = status.generation
    return Run(
        dataset=dataset.name,
        settings={setting.key: setting.value for setting in settings if setting.origin != "default"},
        made_with={"ragkit": __version__, "embedding": f"{made.model} ({made.backend})" if made else ""},
        documents=status.documents,
        limit=request.limit,
        seed=request.seed,
        rows=rows,
    )


def _dataset(path: Path) -> Dataset:
    from ragkit.evaluation.data.datasets import read_folder
    from ragkit.evaluation.data.question_files import read_questions

    return read_folder(path.resolve()) if path.is_dir() else read_questions(path)


def _has_answers(dataset: Dataset) -> bool:
    """Returns whether answers are to be judged: always where a user wrote the questions, else if answers are given."""
    own = not (dataset.texts or dataset.files)
    return own or any(question.answers or question.unanswerable for question in dataset.questions)


@contextmanager
def _index_of(
    options: CliOptions, request: RunRequest, dataset: Dataset, config: Config
) -> Iterator[tuple[RagKit, Dataset, Mapping[str, str]]]:
    """Opens the index and yields it, the questions, and the name of each source that has another name in them."""
    from ragkit.app.kit import RagKit
    from ragkit.app.user_files import default_index_directory
    from ragkit.evaluation.data.binding import bind, unbound
    from ragkit.evaluation.data.corpus import index_folder, write_documents

    if not (dataset.texts or dataset.files):
        with RagKit.open(options.index, config) as kit:
            files = {outcome.source: outcome for outcome in kit.files()}
            bound = bind(dataset, files)
            for question in bound.questions:
                for name in unbound(question, files):
                    raise InputError(
                        "Question {id}: no file of the index has this name: {name}",
                        hint="`ragkit list` shows the files.",
                        id=question.id,
                        name=name,
                    )
            yield kit, bound, {}
        return
    work = request.work or (options.index or default_index_directory()).parent / "evaluation"
    corpus = write_documents(dataset, work)
    with RagKit.open(index_folder(dataset, work, config), config) as kit:
        with terminal.progress() as progress:
            report = kit.index(corpus.folders, progress)
        for outcome in report.outcomes:
            if outcome.state in ("unreadable", "unsupported") and outcome.source in corpus.names:
                terminal.say_aside(f"{terminal.shown_path(outcome.source)}: {terminal.text_of(outcome.reason)}")
        yield kit, dataset, corpus.names
