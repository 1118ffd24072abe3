"""Bring the catalogues of messages up to date with the code: `python tools/catalogues.py`; with `--check`, only tell
what is wrong with them and end with 1 if anything is.

Messages are found by the syntax tree: the sentences given to `Message`, `coded`, `tr`, to errors (with their hints),
and to `_` in the templates of pages. They are written out there; one that is made or read elsewhere is given as
`Message(text=...)`.
A new language is a new folder with an empty `ragkit.po`, which this fills with the sentences to translate.
"""

from __future__ import annotations

import argparse
import ast
import io
import string
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from gettext import GNUTranslations
from pathlib import Path
from typing import TypeAlias

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po, write_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

ROOT = Path(__file__).parents[1]
_TEXT, _PLURAL, _CODE = "text", "plural", "code"
_PARAMETERS = {  # by the name of the function, in their order
    "Message": (_TEXT, "values", _CODE, _PLURAL),
    "coded": (_CODE, _TEXT, _PLURAL),
    "tr": (_TEXT, _PLURAL),
}


_Place: TypeAlias = tuple[str, int, str]  # file, line, what is called


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    plural: str
    code: str
    file: str  # relative to the root
    line: int


class Catalogue(Catalog):
    """A catalogue whose head holds no dates and names, so that it changes only when its sentences do."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:  # type: ignore[override]
        return [
            ("Language", str(self.locale)),
            ("Plural-Forms", self.plural_forms),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]


# -- what the code says --------------------------------------------------------------------------


def sentences(root: Path) -> tuple[list[Sentence], list[str]]:
    """(all that is said under `root`, in the order of the files; what is wrong with how it is written)"""
    errors = _error_names(root)
    found: list[Sentence] = []
    wrong: list[str] = []
    for path in sorted((root / "ragkit").rglob("*")):
        file = path.relative_to(root).as_posix()
        try:
            if path.suffix == ".py":
                found += _said_by_code(path.read_text("utf-8"), file, errors)
            elif path.suffix == ".jinja":
                found += _said_by_page(path.read_text("utf-8"), file)
        except ValueError as exc:
            wrong.append(str(exc))
    return found, wrong


def _said_by_code(source: str, file: str, errors: Collection[str]) -> Iterator[Sentence]:
    """Raises ValueError: a sentence is not written out."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        name = getattr(call.func, "id", "")
        place = (file, call.lineno, name)
        if name in _PARAMETERS:
            yield from _of_maker(call, _PARAMETERS[name], place)
        elif name in errors:
            yield from _of_error(call, place)


def _said_by_page(source: str, file: str) -> Iterator[Sentence]:
    """As `_said_by_code`, for one of Jinja's templates."""
    for line, name, given in extract_from_ast(Environment().parse(source), ["_"]):
        text, *others = given if isinstance(given, tuple) else (given,)
        if text is None:
            raise _not_written_out((file, line, name))
        yield Sentence(text, next(filter(None, others), ""), "", file, line)


def _not_written_out(place: _Place) -> ValueError:
    file, line, name = place
    return ValueError(f"{file}:{line}: the sentence given to {name} is not written out here")


def _error_names(root: Path) -> set[str]:
    path = root / "ragkit/types/errors.py"
    tree = ast.parse(path.read_text("utf-8")) if path.exists() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def _of_maker(call: ast.Call, parameters: Sequence[str], place: _Place) -> Iterator[Sentence]:
    given = dict(zip(parameters, call.args, strict=False))
    if _TEXT not in given:
        return
    given |= {word.arg: word.value for word in call.keywords if word.arg in (_CODE, _PLURAL)}
    [plural] = _literals(given[_PLURAL], place) if _PLURAL in given else [""]
    [code] = _literals(given[_CODE], place) if _CODE in given else [""]
    for text in _literals(given[_TEXT], place):
        yield Sentence(text, plural, code, *place[:2])


def _of_error(call: ast.Call, place: _Place) -> Iterator[Sentence]:
    """The sentences that are written out; the others are messages, and found where they are made."""
    for value in [*call.args[:1], *(word.value for word in call.keywords if word.arg == "hint")]:
        for branch in _branches(value):
            if isinstance(branch, ast.Constant | ast.JoinedStr):
                yield from (Sentence(text, "", "", *place[:2]) for text in _literals(branch, place) if text)


def _literals(node: ast.expr, place: _Place) -> list[str]:
    found = [branch.value if isinstance(branch, ast.Constant) else None for branch in _branches(node)]
    texts = [text for text in found if isinstance(text, str)]
    if len(texts) < len(found):
        raise _not_written_out(place)
    return texts


def _branches(node: ast.expr) -> list[ast.expr]:
    return [*_branches(node.body), *_branches(node.orelse)] if isinstance(node, ast.IfExp) else [node]


# -- the catalogues ------------------------------------------------------------------------------


def catalogues(root: Path) -> list[Path]:
    return sorted((root / "ragkit/i18n/locale").glob("*/LC_MESSAGES/ragkit.po"))


def read(path: Path) -> Catalog:
    """Raises PoFileError: it breaks the rules of such files, with a plural form too many for instance."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parents[1].name, abort_invalid=True)


def update(path: Path, said: Iterable[Sentence]) -> None:
    """Write the catalogue and its compiled form with these sentences and the translations that it had."""
    before = read(path)
    after = Catalogue(locale=before.locale, charset="utf-8", fuzzy=False, header_comment="# Messages of ragkit.")
    for one in said:
        old = before.get(one.text)
        after.add(
            (one.text, one.plural) if one.plural else one.text,
            _kept(old, before.num_plurals if one.plural else 0),
            locations=[(one.file, None)],
            auto_comments=[f"code: {one.code}"] if one.code else [],
            user_comments=old.user_comments if old else [],
        )
    with path.open("wb") as file:
        write_po(file, after, width=0)
    path.with_suffix(".mo").write_bytes(_compiled(after))


def _kept(old: Message | None, forms: int) -> str | tuple[str, ...]:
    """The translation that there was, in so many plural forms; 0: the sentence has none."""
    known = old.string if old else ""
    known = (known,) if isinstance(known, str) else known
    return (*known, *[""] * forms)[:forms] if forms else known[0]


def _compiled(catalogue: Catalog) -> bytes:
    made = io.BytesIO()
    write_mo(made, catalogue)
    return made.getvalue()


# -- what may be wrong ---------------------------------------------------------------------------


def problems(root: Path) -> list[str]:
    said, found = sentences(root)
    found += _clashes(said)
    known = {one.text: one for one in said}
    for path in catalogues(root):
        language = path.parents[1].name
        try:
            catalogue = read(path)
        except PoFileError as exc:
            found.append(f"{language}: ragkit.po cannot be read: {exc}")
            continue
        if catalogue.plural_forms != Catalog(locale=language).plural_forms:
            found.append(f"{language}: the language has other plural forms than {catalogue.plural_forms}")
        entries = {_singular(entry): entry for entry in catalogue if entry.id}
        found += [f"{language}: no translation: {text}" for text in known if not _is_whole(entries.get(text))]
        found += [f"{language}: not said any more: {text}" for text in entries if text not in known]
        for text in known.keys() & entries.keys():
            found += [f"{language}: {what}: {text}" for what in _faults(known[text], entries[text])]
        if _messages(path) != _messages_of(_compiled(catalogue)):
            found.append(f"{language}: ragkit.mo is not made from ragkit.po: run make messages")
    return sorted(found)


def _clashes(said: Iterable[Sentence]) -> Iterator[str]:
    """Codes of two sentences, sentences with two codes or plurals, and plurals with other values."""
    texts: dict[str, str] = {}  # by code
    codes: dict[str, str] = {}  # by text
    plurals: dict[str, str] = {}  # by text
    for one in said:
        place = f"{one.file}:{one.line}"
        if one.code and texts.setdefault(one.code, one.text) != one.text:
            yield f"{place}: the code {one.code} has another sentence too: {texts[one.code]}"
        if one.code and codes.setdefault(one.text, one.code) != one.code:
            yield f"{place}: it has another code too, {codes[one.text]}: {one.text}"
        if plurals.setdefault(one.text, one.plural) != one.plural:
            yield f"{place}: it has another plural elsewhere: {one.text}"
        if one.plural and _fields(one.text) | {"count"} != _fields(one.plural):
            yield f"{place}: its plural has other values: {one.text}"


def _faults(one: Sentence, entry: Message) -> Iterator[str]:
    if bool(one.plural) != entry.pluralizable or (one.plural and entry.id[1] != one.plural):
        yield "another plural"
    forms = [entry.string] if isinstance(entry.string, str) else entry.string
    asked = _fields(one.plural or one.text)
    spare = {"count"} if len(forms) > 1 else set()  # "one file" need not name the number
    if any(form and _fields(form) | spare != asked | spare for form in forms):
        yield "other values"


def _is_whole(entry: Message | None) -> bool:
    return entry is not None and not entry.fuzzy and bool(entry.string) and all(entry.string)


def _singular(entry: Message) -> str:
    return entry.id if isinstance(entry.id, str) else entry.id[0]


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _messages(path: Path) -> dict[object, str]:
    compiled = path.with_suffix(".mo")
    return _messages_of(compiled.read_bytes()) if compiled.exists() else {}


def _messages_of(compiled: bytes) -> dict[object, str]:
    """The translations, without what the catalogue says of itself: that depends on who compiled it."""
    found = dict(GNUTranslations(io.BytesIO(compiled))._catalog)  # type: ignore[attr-defined]
    found.pop("", None)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell what is wrong")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout")
    options = parser.parse_args()
    if not options.check:
        said, _ = sentences(options.root)
        for path in catalogues(options.root):
            with suppress(PoFileError):  # is told below
                update(path, said)
    found = problems(options.root)
    print("\n".join(found) or "The catalogues are whole.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
