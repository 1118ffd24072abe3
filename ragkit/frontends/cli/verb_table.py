"""The verbs: where each is, and what it does; and the options before a verb.

It imports next to nothing: `ragkit --help` needs it at once.
"""

from __future__ import annotations

from ragkit.i18n.catalogues import environment_language, translated

_LANGUAGE = environment_language()


def tr(text: str) -> str:
    """`text` in the user's language."""
    return translated(text, "", 0, _LANGUAGE)


ABOUT = tr("Index a folder of documents and answer questions about it with checked citations.")
EXAMPLES = ["ragkit index ./handbook", 'ragkit ask "How many days of leave do I get?"']
OPTIONS = {  # those before the verb
    "--index DIR": tr("The index to use (RAGKIT_INDEX; default: a folder of your user data)."),
    "--config FILE": tr("A TOML file of settings (RAGKIT_CONFIG)."),
    "--set KEY=VALUE": tr("One setting, above file and environment; `ragkit config` lists them. May be repeated."),
    "--debug": tr("Show the whole trace of an error."),
    "--version": "Show the version and exit.",
    "-h, --help": "Show this message and exit.",
}
VERBS = {  # its function in `verbs`, and what it does
    "ask": ("main.ask", tr("Answer QUESTION from the indexed documents, with checked citations.")),
    "audit": (
        "upkeep.audit",
        tr("List the files and pages that could not be read, or hardly, and why; the worst first."),
    ),
    "chat": ("chat.chat", tr("Ask questions in a conversation; a question may lean on those before it.")),
    "check-bundle": (
        "bundle.check_bundle",
        tr(
            "Tell for each source of a bundle whether it changed, moved or is gone, and whether its quotes still stand."
        ),
    ),
    "compact": ("upkeep.compact", tr("Give back the disk space of what was removed or changed.")),
    "completion": ("main.completion", tr("Print the shell's completion script.")),
    "config": ("main.config", tr("Show every setting, its value and where it came from.")),
    "doctor": ("main.doctor", tr("Check what is installed, reachable and configured, and say how to mend each fault.")),
    "embed": (
        "models.embed",
        tr("Show the vector of each TEXT by the embedding model in use (- reads one from standard input)."),
    ),
    "eval": (
        "evaluation.evaluate",
        tr(
            "Measure search and answers on DATASET: a folder with documents and questions, "
            "or a file of questions (TOML, JSON Lines, CSV) about the index."
        ),
    ),
    "export": ("upkeep.export", tr("Write the whole index into one FILE, to move it to another machine.")),
    "forget": ("upkeep.forget", tr("Remove documents and leave no byte of them in the index's files.")),
    "generate": ("models.generate", tr("Let the Ollama chat model complete PROMPT (- reads it from standard input).")),
    "import": ("upkeep.import_file", tr("Make a new index from an exported FILE.")),
    "index": ("main.index", tr("Index files and folders, or bring the index up to date with them.")),
    "list": (
        "upkeep.list_files",
        tr("List the files that the index knows, read or not; with PART, those whose path holds it."),
    ),
    "models": ("models.models", tr("The models of the Ollama server.")),
    "open": (
        "open.open_source",
        tr("Open source NUMBER of the last answer where it stands: a PDF at its page, a text at its line."),
    ),
    "rebuild": (
        "upkeep.rebuild",
        tr("Make Chroma's copy of the vectors again from the catalog, without embedding anything."),
    ),
    "remove": (
        "upkeep.remove",
        tr(
            "Take documents out of every answer. "
            "A file that is still in an indexed folder comes back with the next index."
        ),
    ),
    "search": ("main.search", tr("Show the passages that an answer to QUESTION would be built from.")),
    "serve-models": (
        "serve_models.serve_models",
        tr("Serve the embedded models over the Ollama and OpenAI APIs, so that any of their clients can use them."),
    ),
    "show": ("upkeep.show", tr("Show what was read from SOURCE: its text, and where its pages and passages begin.")),
    "status": ("main.status", tr("Show what the index holds and what it could not read.")),
    "test": (
        "evaluation.test",
        tr("Ask the questions of FILE (TOML, JSON Lines, CSV) and check every answer; what fails is told in a line."),
    ),
    "verify": ("upkeep.verify", tr("Check the index and say what is wrong with it.")),
    "watch": (
        "main.watch",
        tr("Index files and folders, and again whenever something in them changes, until interrupted."),
    ),
    "why-not": (
        "main.why_not",
        tr("Tell why an expected passage is not in the answer to QUESTION, and what would have kept it."),
    ),
}
