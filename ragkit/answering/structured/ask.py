"""Goes from a question and a JSON Schema to a value whose every field has its proof:

schema -> form -> passages -> filled in (asked for once more where a field is not proved) -> fields checked -> value
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ragkit.answering import citations, packing
from ragkit.answering.ask import tokens_after
from ragkit.answering.packing import ContextBudget
from ragkit.answering.prompts import FRAME_TOKENS
from ragkit.answering.structured import prompts
from ragkit.answering.structured.schema import Gap, Leaf, read_reply, why_invalid
from ragkit.i18n.messages import Message, coded
from ragkit.retrieval.selection import Selection
from ragkit.text import numbers_and_dates, quotes
from ragkit.types.answers import ChatMessage, Completion, Context
from ragkit.types.documents import Document
from ragkit.types.errors import BadReply, ContextOverflow, FormatMismatch, InputError, ModelError
from ragkit.types.ports import Chat, Filler, ReadDocument, complete
from ragkit.types.search import Passage
from ragkit.types.structured import Field, FieldState, Filling, FindPassages, Form, StructuredAnswer, path_text

_MIN_PASSAGE_TOKENS = 200  # a form that leaves less for passages cannot be filled in

_NOT_SAID = coded("not_said", "the documents do not say")


def ask(
    question: str,
    form: Form,
    *,
    retrieve: Callable[[str], Selection],
    read: ReadDocument,
    filler: Filler,
    unread_count: int,
) -> StructuredAnswer:
    """Fills in the form from the documents. Raises what retrieval and the model raise, and BadReply when the
    model twice gives something that does not fit the form."""
    searched: dict[str, Selection] = {}

    def find(query: str, passage_tokens: int) -> Context:
        if query not in searched:
            searched[query] = retrieve(query)
        budget = ContextBudget(filler.count_tokens, passage_tokens, filler.window_tokens, read)
        return packing.pack(searched[query], budget)

    nearest = searched[question] = retrieve(question)
    filling = filler.fill(question, form, find)
    value = read_reply(filling.filled, form).value
    documents = {passage.source: read(passage.source) for passage in filling.context.passages}
    misfit = why_invalid(value, form.schema)
    completion = filling.completion
    misfits = (coded("value_misfit", "The value does not fit the schema: {why}.", why=misfit),) if misfit else ()
    return StructuredAnswer(
        question=question,
        text=json.dumps(value, ensure_ascii=False),
        fields=tuple(_field(proof, filling, documents) for proof in proofs(filling.filled, form, filling.context)),
        complete=not misfit,
        mode=filler.mode,
        model=completion.model or filler.model,
        asked=filling.asked,
        ledger=replace(filling.context.ledger, prompt_eval_count=completion.prompt_eval_count),
        nearest=nearest.kept,
        unread_count=unread_count,
        notes=(*completion.notes, *misfits),
    )


# -- proof -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proof:
    """A part of a value and the passage that its quote stands in, None where it stands in none."""

    part: Leaf | Gap
    state: FieldState
    passage: Passage | None = None
    span: tuple[int, int] | None = None  # where the quote stands, in characters of the passage's text
    reason: Message = field(default_factory=Message)


def proofs(filled: object, form: Form, context: Context) -> list[Proof]:
    """Returns the proof of each part of a reply. A quote that stands in another passage than the one named counts:
    where it stands is what is cited."""
    return [_proof(part, context.passages) for part in read_reply(filled, form).parts]


def _proof(part: Leaf | Gap, passages: Sequence[Passage]) -> Proof:
    if isinstance(part, Gap):
        return Proof(part, "missing", reason=_NOT_SAID)
    if part.value is None:
        return Proof(part, "null", reason=_NOT_SAID)
    if not part.quote.strip():
        return Proof(part, "unverified", reason=coded("no_quote", "no quote was given"))
    named = [passage for passage in passages if passage.marker == part.marker]
    for passage in (*named, *(one for one in passages if one.marker != part.marker)):
        span = quotes.find_quote(part.quote, passage.text)
        if span is not None:
            stands = numbers_and_dates.support_of(part.value, part.quote, closed=part.closed)
            if stands == "absent":
                return Proof(
                    part, "unverified", passage, span, coded("value_not_in_quote", "its quote does not say this value")
                )
            return Proof(part, stands, passage, span)
    reason = coded("quote_not_found", "the quote is in none of the passages")
    return Proof(part, "unverified", named[0] if named else None, None, reason)


def _field(proof: Proof, filling: Filling, documents: dict[str, Document | None]) -> Field:
    part = proof.part
    reason = filling.reasons.get(part.path, proof.reason)
    if isinstance(part, Gap):
        return Field(part.path, None, "missing", part.required, reason=reason)
    citation = None
    if proof.passage is not None:
        document = documents.get(proof.passage.source)
        citation = citations.cite(proof.passage, part.quote, proof.span, document)
    return Field(part.path, part.value, proof.state, part.required, citation, reason)


# -- by a language model -----------------------------------------------------------------------


class PromptedFiller:
    """The `Filler` that asks a language model for values, each with a quote."""

    mode = "generative"

    def __init__(self, chat: Chat, *, ask_again: bool = True) -> None:
        self._chat = chat
        self._ask_again = ask_again
        self.model = chat.model

    @property
    def window_tokens(self) -> int | None:
        return self._chat.window_tokens

    def count_tokens(self, text: str) -> int:
        return self._chat.count_tokens(text)

    def fill(self, question: str, form: Form, find: FindPassages) -> Filling:
        """Returns the better of at most two replies, whole. Without `ask_again` a second one is asked for only when
        the first does not fit the form at all. Raises BadReply, ModelError."""
        context, first = self._first(question, form, find)
        if not first.complaints or (first.fits and not self._ask_again):
            return _filling(first, context, 1)
        second = self._second(question, form, context, first)
        best = max((one for one in (second, first) if one is not None), key=lambda reply: reply.worth)
        if not best.fits:
            raise BadReply(
                "The model {model} was asked twice, and its answer does not fit the schema: {why}.",
                hint="Raise options.num_predict, simplify the schema, or use a larger model.",
                model=self.model,
                why=best.complaints[0].rstrip("."),
            )
        return _filling(best, context, 1 if second is None else 2)

    def _first(self, question: str, form: Form, find: FindPassages) -> tuple[Context, _Reply]:
        """Returns the passages and the first reply to them; fewer passages where the server finds them too long."""
        frame = prompts.form_prompt(question, form.schema, ())
        used = sum(self._chat.count_tokens(message.content) for message in frame) + FRAME_TOKENS
        passage_tokens = self._chat.window_tokens - self._chat.answer_tokens - used
        if passage_tokens < _MIN_PASSAGE_TOKENS:
            raise InputError(
                "The form leaves no room for passages in a window of {window} tokens.",
                hint="Raise options.num_ctx, or make the schema smaller.",
                window=self._chat.window_tokens,
            )
        context = find(question, passage_tokens)
        try:
            return context, self._reply(prompts.form_prompt(question, form.schema, context.passages), form, context)
        except ContextOverflow as overflow:
            context = find(question, tokens_after(context.ledger, overflow, used))
            return context, self._reply(prompts.form_prompt(question, form.schema, context.passages), form, context)

    def _second(self, question: str, form: Form, context: Context, first: _Reply) -> _Reply | None:
        """Returns a reply to what was wrong with the first one; None where the server gives none, or its window does
        not hold all of that."""
        messages = [
            *prompts.form_prompt(question, form.schema, context.passages),
            ChatMessage("assistant", first.completion.text),
            prompts.form_retry_prompt(question, first.complaints),
        ]
        try:
            return self._reply(messages, form, context)
        except ModelError:  # the first reply is there, and is worth more than an error
            return None

    def _reply(self, messages: Sequence[ChatMessage], form: Form, context: Context) -> _Reply:
        try:
            completion = complete(self._chat, messages, form.asked)
        except FormatMismatch as exc:
            why = str(exc.message.values.get("why", exc))
            return _Reply(Completion(exc.partial_text, self.model), None, (why,), False)
        return _read(completion, form, context)


@dataclass(frozen=True, slots=True)
class _Reply:
    """What a model replied, and what is wrong with it."""

    completion: Completion
    filled: object
    complaints: tuple[str, ...]  # what the model is told, in English: names of fields and quotes
    fits: bool  # the reply is JSON that fits the form
    proved: int = 0  # fields whose quote was found

    @property
    def worth(self) -> tuple[bool, int, int]:
        """The higher, the better a reply is proved; one that does not fit the form is worth the least."""
        return self.fits, self.proved - len(self.complaints), -len(self.complaints)


def _read(completion: Completion, form: Form, context: Context) -> _Reply:
    """Reads a reply as JSON, and looks for what is wrong with it."""
    try:
        filled = json.loads(_without_fence(completion.text))
        why = why_invalid(filled, form.asked)
    except (ValueError, RecursionError) as exc:
        filled, why = None, f"it is not JSON ({exc})"
    if why:
        return _Reply(completion, None, (why,), False)
    found = proofs(filled, form, context)
    complaints = [_complaint(proof) for proof in found if proof.state == "unverified"]
    proved = sum(proof.state in ("stated", "read") for proof in found)
    return _Reply(completion, filled, tuple(complaints), True, proved)


def _complaint(proof: Proof) -> str:
    assert isinstance(proof.part, Leaf)
    return f"{path_text(proof.part.path)}: {proof.reason} (“{proof.part.quote}”)"


def _without_fence(text: str) -> str:
    """Takes JSON out of the fence that models like to put around it."""
    text = text.strip()
    return text.split("\n", 1)[-1].removesuffix("```") if text.startswith("```") else text


def _filling(reply: _Reply, context: Context, asked: int) -> Filling:
    return Filling(reply.filled, context, reply.completion, asked)
