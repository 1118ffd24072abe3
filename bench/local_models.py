"""Answers of a small language model on this machine, beside the quoting default over the same index.

Needs `python -m pip install xllamacpp==2026.10.11549` and the GGUF file of an instruct model.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import shared
from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.evaluation.data.corpus import index_folder, write_documents
from ragkit.evaluation.data.questions import Dataset
from ragkit.evaluation.runs import Row, figures, latencies_ms, run_questions
from ragkit.types.answers import Answer, ContextLedger
from ragkit.types.documents import Chunk, Document
from ragkit.types.errors import BadReply
from ragkit.types.search import ScoredChunk

SETS = {"xquad_en": 16, "xquad_zh": 8}  # how many questions are asked of each set
WINDOW_TOKENS = 4096
SETTINGS = {  # settings for the language model
    "models.backend": "openai",
    "models.embed_backend": "embedded",
    "openai.api_key_env": "RAGKIT_BENCH_KEY",
    "options.num_ctx": str(WINDOW_TOKENS),
    "options.num_predict": "96",
    "retrieval.k": "2",
}
BEGIN, END = "<!-- local models: begin -->", "<!-- local models: end -->"


_NO_LEDGER = ContextLedger(None, 0, 0, (), ())
FORM = {"type": "object", "properties": {"answer": {"type": ["string", "null"]}}}


@dataclass
class Asked:
    """An index, and every answer that it gave."""

    kit: RagKit
    by_schema: bool = False  # the answer is the one field of a form, which the server's grammar enforces
    answers: list[Answer] = field(default_factory=list)
    misfits: int = 0  # questions whose replies did not fit the form, twice

    def search(self, question: str, k: int = 8) -> list[ScoredChunk]:
        return self.kit.search(question, k)

    def ask(self, question: str) -> Answer:
        self.answers.append(self._filled_in(question) if self.by_schema else self.kit.ask(question))
        shared.say(f"  {len(self.answers)}: {question} -> {self.answers[-1].text[:90]!r}")
        return self.answers[-1]

    def _filled_in(self, question: str) -> Answer:
        """Asks for a structured answer, and gives it the shape of the others."""
        try:
            found = self.kit.ask_structured(question, FORM)
        except BadReply:
            self.misfits += 1
            return Answer(question, question, "", (), False, "generative", "", "", _NO_LEDGER, (), 0, asked=2)
        [one] = found.fields
        cited = () if one.citation is None else (replace(one.citation, verified=one.verified),)
        text = str(one.value or "")
        return Answer(
            question, question, text, cited, not found.found, found.mode, found.model, "", found.ledger, (), 0,
            asked=found.asked,
        )  # fmt: skip

    def document(self, source: str) -> Document | None:
        return self.kit.document(source)

    def read(self, name: str) -> tuple[Document, list[Chunk]]:
        return self.kit.read(name)


def served(gguf: Path) -> tuple[Any, str]:
    """Starts a server with one thread (more of them wait for each other where a core is taken), and its address."""
    import xllamacpp

    key = os.environ["RAGKIT_BENCH_KEY"] = secrets.token_hex(16)
    asked = xllamacpp.CommonParams()
    asked.model.path = str(gguf)
    asked.n_ctx = WINDOW_TOKENS
    asked.cpuparams.n_threads = asked.cpuparams_batch.n_threads = 1
    asked.ui, asked.cache_ram_mib, asked.n_parallel, asked.verbosity = False, 0, 1, -1
    asked.api_keys = [key]
    server = xllamacpp.Server(asked)
    return server, f"{server.listening_address}/v1"


def ran(dataset: Dataset, work: Path, settings: dict[str, str], by_schema: bool) -> tuple[Sequence[Row], Asked]:
    """Asks every question of the one index of the set, however the answers are made."""
    corpus = write_documents(dataset, work)
    folder = index_folder(dataset, work, resolve(environ={}, flags={"models.backend": "embedded"})[0])
    with RagKit.open(folder, resolve(environ={}, flags=settings)[0]) as kit:
        kit.index(corpus.folders)
        asked = Asked(kit, by_schema)
        rows = run_questions(asked, dataset, corpus.names, depth=50, ask=True)
    return rows, asked


def column(rows: Sequence[Row], asked: Asked) -> list[str]:
    found, answers = figures(rows), asked.answers
    given = [answer for answer in answers if not answer.refused]
    cited = [answer for answer in given if any(citation.verified for citation in answer.citations)]
    quotes = [citation for answer in given for citation in answer.citations if citation.quote]
    times = latencies_ms(rows)["ask"]
    return [
        f"{found['answer_right']:.2f}",
        f"{sum(answer.refused for answer in answers) / len(answers):.2f}",
        f"{len(cited) / len(given):.2f}" if given else "–",
        f"{sum(one.verified for one in quotes)} of {len(quotes)}",
        f"{asked.misfits / len(answers):.2f}" if asked.by_schema else "–",
        f"{sum(answer.asked > 1 for answer in answers) / len(answers):.2f}",
        " / ".join(f"{time_ms / 1000:.1f}" for time_ms in times),
    ]


FIGURES = [
    "answer holds the expected one",
    "refused",
    "answers with a verified quote",
    "quotes verified",
    "no valid reply to the schema",
    "asked twice",
    "seconds an answer, p50 / p95",
]


def main() -> None:
    parser = shared.parser(__doc__, "answers.md")
    parser.add_argument("gguf", type=Path, metavar="GGUF")
    parser.set_defaults(limit=0)
    arguments = parser.parse_args()
    server, url = served(arguments.gguf)
    given = dict(item.split("=", 1) for item in arguments.settings)
    settings = {**SETTINGS, "openai.base_url": url, "openai.chat_model": str(arguments.gguf), **given}
    heads, columns = [""], []
    for name, dataset in shared.read_sets(arguments.data, list(SETS)).items():
        sample = dataset.sample(arguments.limit or SETS[name], arguments.seed)
        for shown, flags, by_schema in (
            ("quoting", {"models.backend": "embedded"}, False),
            (arguments.gguf.stem, settings, False),
            (f"{arguments.gguf.stem}, --schema", settings, True),
        ):
            rows, asked = ran(sample, arguments.work, flags, by_schema)
            heads.append(f"{name}, n={len(rows)}: {shown}")
            columns.append(column(rows, asked))
            shared.say(f"{heads[-1]}: {columns[-1]}")
    del server
    lines = [[name, *cells] for name, *cells in zip(FIGURES, *columns, strict=True)]
    table = shared.table(heads, lines)
    print(table)
    facts = shared.facts("local_models.py", arguments).replace("DATA_DIR", "DATA_DIR GGUF", 1)
    shared.put(arguments.out, BEGIN, END, f"{table}\n\n{facts}, xllamacpp {version('xllamacpp')}")


if __name__ == "__main__":
    main()
