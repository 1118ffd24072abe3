"""Fills in a form without a language model: for each field it finds the sentence that answers best, and reads the one
value that this gives without doubt. Nothing is concluded, and nothing is made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ragkit.answering.extractive.answerer import ExtractiveAnswerer
from ragkit.answering.extractive.sentences import ScoredSentence
from ragkit.answering.structured.schema import ABSENT, alternatives, is_scalar, search_words, why_invalid
from ragkit.i18n.messages import Message, coded
from ragkit.text import numbers_and_dates
from ragkit.types.answers import Completion, Context, ContextLedger, LedgerEntry
from ragkit.types.search import Passage
from ragkit.types.structured import FieldPath, Filling, FindPassages, Form

_MAX_SENTENCES = 3  # sentences that are looked at for a value, the best first
_MAX_DROP = 1.0  # how much worse than the best one they may be, in the units of `rank_sentences`


class ExtractiveFiller:
    """The `Filler` that quotes. It fills in texts, numbers, dates and choices, one by one, also in objects
    within objects; lists and truth values need a language model, and it says so."""

    mode = "extractive"
    window_tokens: int | None = None

    def __init__(self, answerer: ExtractiveAnswerer) -> None:
        self._answerer = answerer
        self.model = answerer.model

    def count_tokens(self, text: str) -> int:
        return self._answerer.count_tokens(text)

    def fill(self, question: str, form: Form, find: FindPassages) -> Filling:
        work = _Filling(question, find, self._answerer)
        filled = work.filled(form.schema, (), "")
        return Filling(filled, work.context(), Completion("", self.model), reasons=work.reasons)


class _Filling:
    """A form while it is filled in: what was quoted, and why the rest has no value."""

    def __init__(self, question: str, find: FindPassages, answerer: ExtractiveAnswerer) -> None:
        self._question = question
        self._find = find
        self._answerer = answerer
        self._passages: list[Passage] = []
        self._entries: list[LedgerEntry] = []
        self.reasons: dict[FieldPath, Message] = {}

    def context(self) -> Context:
        """Returns every passage that a value was read out of."""
        planned = sum(entry.tokens for entry in self._entries)
        return Context(tuple(self._passages), ContextLedger(None, 0, planned, tuple(self._entries), ()))

    def filled(self, node: Mapping[str, Any], path: FieldPath, about: str) -> object:
        """Fills in one node of the schema; `about` says in words what it and the nodes above it are about."""
        if "properties" in node:
            return {
                name: self.filled(below, (*path, name), f"{about} {search_words(name, below)}".strip())
                for name, below in node["properties"].items()
            }
        if not is_scalar(node):
            self.reasons[path] = coded("list_needs_model", "a list, or a choice between forms, needs a language model")
            return ABSENT
        return self._scalar(node, path, about)

    def _scalar(self, node: Mapping[str, Any], path: FieldPath, about: str) -> object:
        choices = [one for one in alternatives(node) if one.get("type") != "null"]
        if len(choices) != 1:
            self.reasons[path] = coded("type_needs_model", "a choice between types needs a language model")
            return ABSENT
        if choices[0].get("type") == "boolean":
            self.reasons[path] = coded(
                "truth_needs_model", "whether something is true has to be concluded, which needs a language model"
            )
            return ABSENT
        context = self._find(f"{about} {self._question}", self._answerer.passage_tokens)
        ranked = self._answerer.best_sentences(about or self._question, context)
        for one in ranked[:_MAX_SENTENCES]:
            if ranked[0].score - one.score > _MAX_DROP:
                break
            value = numbers_and_dates.read_value(choices[0], one.sentence.text, about)
            if not isinstance(value, numbers_and_dates.NoValue) and not why_invalid(value, node):
                return self._proved(value, one, context)
            why = (
                value.why
                if isinstance(value, numbers_and_dates.NoValue)
                else coded("found_misfit", "what was found does not fit the schema")
            )
            self.reasons.setdefault(path, why)
        return ABSENT

    def _proved(self, value: object, found: ScoredSentence, context: Context) -> dict[str, object]:
        """Returns a value with its sentence and passage, which gets the next number of this form if it is new."""
        [passage] = [one for one in context.passages if one.marker == found.sentence.marker]
        [entry] = [one for one in context.ledger.sent if one.marker == passage.marker]
        known = [one for one in self._passages if (one.source, one.start) == (passage.source, passage.start)]
        if not known:
            known = [replace(passage, marker=len(self._passages) + 1)]
            self._passages += known
            self._entries.append(replace(entry, marker=known[0].marker))
        return {"quote": " ".join(found.sentence.text.split()), "passage": known[0].marker, "value": value}
