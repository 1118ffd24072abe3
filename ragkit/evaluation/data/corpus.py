"""Writing the documents of a data set as files, beside the index that is made from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ragkit.config.sections import Config
from ragkit.evaluation.data.questions import Dataset


@dataclass(frozen=True, slots=True)
class Corpus:
    folders: tuple[Path, ...]  # the folders to index
    names: Mapping[str, str]  # source in the index -> name of the document in the data set


def write_documents(dataset: Dataset, work: Path) -> Corpus:
    """Writes the texts into a folder of the set under `work`, one file each; a set of files stays where it is.

    Files that are there already are left alone, so that indexing them again costs nothing.
    """
    if not dataset.texts:
        folders = {path.resolve().parent for path in dataset.files.values()}
        return Corpus(tuple(sorted(folders)), {str(path.resolve()): name for name, path in dataset.files.items()})
    folder = work.resolve() / dataset.name / "texts"
    folder.mkdir(parents=True, exist_ok=True)
    names = {str(folder / f"{_file_name(name)}.txt"): name for name in dataset.texts}
    for path in folder.glob("*.txt"):
        if str(path) not in names:
            path.unlink()
    for source, name in names.items():
        data = dataset.texts[name].encode()
        path = Path(source)
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)
    return Corpus((folder,), names)


def _file_name(name: str) -> str:
    """Returns a name that is readable where it can be, and never longer than a file system allows."""
    plain = quote(name, safe="")
    return plain if len(plain) <= 200 else f"{plain[:160]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def index_folder(dataset: Dataset, work: Path, config: Config) -> Path:
    """Returns where the index of `dataset` is kept.

    There is one for each way to embed, so that two ways can be compared without embedding anything twice.
    """
    way = (config.models, config.ollama.embed_model, config.openai.embed_model, config.embedding, config.chunking)
    digest = hashlib.sha256(repr(way).encode()).hexdigest()[:8]
    return work.resolve() / dataset.name / f"index-{digest}"
