"""Reads the pictures that go with a question: for a model that sees them, and for the words on them to be searched
for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ragkit.i18n.messages import Message, coded
from ragkit.text.pictures import is_picture
from ragkit.types.answers import QuestionImages
from ragkit.types.errors import InputError, ModelUnable
from ragkit.types.ports import Loader

_MAX_CHARACTERS = 1200  # characters of the words on all pictures that are searched for
_WORDS_CUT = coded("words_cut", "Only the first {most} characters of the words on the pictures were used.")
_WORDS_ONLY = coded("words_only", "{model} cannot look at pictures: only the words on them, by OCR, were used.")

ReadBytes = Callable[[Path], bytes]


def read_images(
    paths: Sequence[Path], *, read: ReadBytes, loader: Loader, accepts_images: bool, model: str
) -> QuestionImages:
    """Returns the words on the pictures, and the pictures themselves for a model that `accepts_images`. Raises
    InputError for a file that is no picture or cannot be read, and ModelUnable when neither the model nor OCR can make
    anything of one."""
    images = tuple(_picture(path, read(path)) for path in paths)
    words: list[str] = []
    notes: list[Message] = []
    for path, loaded in zip(paths, loader.load_all([(path, "") for path in paths]), strict=True):
        if loaded.document is not None:
            words.append(loaded.document.text.strip())
        elif not accepts_images:
            raise ModelUnable(
                "{model} cannot look at pictures, and the words on {path} are not known: {why}",
                hint="Use a chat model with the capability vision, or install the extra: ragkit-docqa[ocr].",
                model=model,
                path=path.name,
                why=loaded.failure.reason if loaded.failure else "",
            )
    text = "\n".join(words)
    if len(text) > _MAX_CHARACTERS:
        notes.append(_WORDS_CUT.fill(most=_MAX_CHARACTERS))
    if not accepts_images:
        notes.append(_WORDS_ONLY.fill(model=model))
    return QuestionImages(images if accepts_images else (), text[:_MAX_CHARACTERS], tuple(notes))


def _picture(path: Path, data: bytes) -> bytes:
    """Returns `data`, which is a picture; raises InputError where it is not."""
    if not is_picture(data):
        raise InputError("{path} is not a PNG, JPEG or WebP picture.", path=path)
    return data
