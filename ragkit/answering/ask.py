"""From a question and retrieved chunks to an answer whose quotes were checked:

condense follow-up -> retrieve -> pack -> answer (streamed) -> check citations -> (ask once more) -> Answer
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from ragkit.answering import citations, packing, prompts
from ragkit.answering.packing import ContextBudget
from ragkit.i18n.messages import Message, coded
from ragkit.retrieval.selection import Selection
from ragkit.text import terms
from ragkit.types.answers import (
    Answer,
    ChatMessage,
    Citation,
    Completion,
    Context,
    ContextLedger,
    QuestionImages,
    Turn,
    Withdrawn,
)
from ragkit.types.errors import BadReply, ContextOverflow, ModelError
from ragkit.types.ports import Answerer, Chat, ReadDocument, complete
from ragkit.types.search import Passage

_log = logging.getLogger(__name__)

_PROMPT_SHARE = 0.75  # the share of the window that a prompt may fill when it is packed by the server's counts
_IMAGE_TOKENS = 768  # what a picture takes, as Ollama counts it
_NO_IMAGES = QuestionImages()
_MIN_WORDS = 6  # words (in Chinese: characters) that an answer needs beside its quotes for its language to be told
_ASKED_AGAIN = coded("asked_again", "Not all of this was proved. Asked once more, the model says:")

Retrieve = Callable[[str], Selection]


class PromptedAnswerer:
    """The `Answerer` that asks a language model for claims with quotes."""

    mode = "generative"

    def __init__(self, chat: Chat, *, ask_again: bool = True) -> None:
        self._chat = chat
        self._ask_again = ask_again
        self.model = chat.model
        self.accepts_images = chat.accepts_images
        frame = prompts.answer_prompt("", Context((), ContextLedger(None, 0, 0, (), ())), QuestionImages())
        self._frame_tokens = sum(chat.count_tokens(message.content) for message in frame) + prompts.FRAME_TOKENS

    @property
    def window_tokens(self) -> int | None:
        return self._chat.window_tokens

    @property
    def passage_tokens(self) -> int:
        return max(self._chat.window_tokens - self._chat.answer_tokens - self._frame_tokens, 0)

    def count_tokens(self, text: str) -> int:
        return self._chat.count_tokens(text)

    def condense(self, question: str, history: Sequence[Turn]) -> str:
        """Returns the model's rewriting, or the question as it is when the model gives nothing usable."""
        completion = complete(self._chat, prompts.condense_prompt(question, history))
        rewritten = completion.text.strip().splitlines()[:1]
        return rewritten[0].strip() if rewritten and rewritten[0].strip() else question

    def answer(self, question: str, context: Context, shown: QuestionImages) -> Iterator[str | Completion]:
        """Yields the model's reply as it comes. Raises ContextOverflow, ModelError."""
        for piece in self._chat.stream(prompts.answer_prompt(question, context, shown)):
            if isinstance(piece, Completion):
                piece = replace(piece, refused=prompts.is_refusal(piece.text))
            yield piece

    def retry(
        self, question: str, context: Context, shown: QuestionImages, reply: Completion, complaints: Sequence[str]
    ) -> Completion | None:
        """Returns a second reply, after the first was found wanting; None where there is no second one to be had."""
        if not self._ask_again or reply.done_reason == "length":
            return None
        messages = [
            *prompts.answer_prompt(question, context, shown),
            ChatMessage("assistant", reply.text),
            prompts.retry_prompt(question, complaints),
        ]
        try:
            completion = complete(self._chat, messages)
        except ModelError as exc:  # the first reply is there, and is worth more than an error
            _log.info("No second reply from %s: %s", self.model, exc)
            return None
        return replace(completion, refused=prompts.is_refusal(completion.text))

    def rows(self, question: str, passages: Sequence[Passage]) -> Completion:
        """Returns every finding in the passages, a line each. Raises ContextOverflow, ModelError."""
        return complete(self._chat, prompts.rows_prompt(question, passages))


def context_budget(answerer: Answerer, read: ReadDocument, shown: QuestionImages = _NO_IMAGES) -> ContextBudget:
    """Returns what the answerer has for passages, beside the pictures and the words on them."""
    used = len(shown.images) * _IMAGE_TOKENS + answerer.count_tokens(shown.words)
    passage_tokens = max(answerer.passage_tokens - used, 0)
    return ContextBudget(answerer.count_tokens, passage_tokens, answerer.window_tokens, read)


def stream(
    question: str,
    history: Sequence[Turn],
    *,
    retrieve: Retrieve,
    read: ReadDocument,
    answerer: Answerer,
    unread_count: int,
    shown: QuestionImages = _NO_IMAGES,
) -> Iterator[str | Withdrawn | Answer]:
    """Yields the answer's text as it comes, and last, once, the whole `Answer`.

    Where something in the reply is unproved, the model is asked once more. If its second reply is proved better,
    `Withdrawn` comes and then that reply, whole. "The documents do not say" is an Answer with `refused` set and the
    nearest passages as receipts. Raises what retrieval and the model raise.
    """
    query = answerer.condense(question, history) if history else question
    found = retrieve("\n".join(filter(None, (query, shown.words))))
    context, completion = yield from _first_reply(query, found, answerer, read, shown)
    first = _checked(question, completion, context, read)
    retry = answerer.retry(query, context, shown, completion, first.complaints) if first.complaints else None
    replies = [first] if retry is None else [first, _checked(question, retry, context, read)]
    reply = max(replies, key=lambda one: one.worth)  # the first one, if both are worth the same
    if reply is not first:
        yield Withdrawn(_ASKED_AGAIN)
        yield reply.completion.text
    yield Answer(
        question=question,
        query=query,
        text=reply.completion.text,
        citations=reply.citations,
        refused=reply.completion.refused,
        mode=answerer.mode,
        model=reply.completion.model or answerer.model,
        done_reason=reply.completion.done_reason,
        ledger=replace(context.ledger, prompt_eval_count=reply.completion.prompt_eval_count),
        nearest=found.kept,
        unread_count=unread_count,
        notes=(*shown.notes, *reply.completion.notes, *reply.notes, *_asked_notes(first, retry, reply)),
        asked=1 if retry is None else 2,
    )


def _first_reply(
    query: str, found: Selection, answerer: Answerer, read: ReadDocument, shown: QuestionImages
) -> Generator[str, None, tuple[Context, Completion]]:
    """Yields the first reply's text; returns what was put before the model and what it replied. A context that the
    server finds too long is packed again, once."""
    budget = context_budget(answerer, read, shown)
    context = packing.pack(found, budget)
    try:
        completion = yield from _relay(answerer.answer(query, context, shown))
    except ContextOverflow as overflow:
        context = _repacked(found, context, budget, overflow)
        completion = yield from _relay(answerer.answer(query, context, shown))
    if completion is None:
        raise BadReply("The model {model} ended without an answer.", hint="Ask again.", model=answerer.model)
    return context, completion


@dataclass(frozen=True, slots=True)
class _Checked:
    """A reply whose quotes were checked."""

    completion: Completion
    citations: tuple[Citation, ...]
    notes: tuple[Message, ...]
    complaints: tuple[str, ...]  # what a model is told when it is asked again, in English; quotes as they are

    @property
    def worth(self) -> tuple[int, int]:
        """The higher, the better a reply is proved. A refusal claims nothing and proves nothing: it is worth more
        than what is mostly unproved, and less than a half-proved answer."""
        proved = sum(citation.verified for citation in self.citations)
        return 2 * proved - len(self.complaints), -len(self.complaints)


def _checked(question: str, completion: Completion, context: Context, read: ReadDocument) -> _Checked:
    """Checks a reply: its quotes, its markers, and whether it is in the language of the question."""
    documents = {passage.source: read(passage.source) for passage in context.passages}
    texts = {name: text for name, text in documents.items() if text is not None}
    cited = citations.check(completion.text, context.passages, texts)
    unknown = citations.unknown_markers(completion.text, context.passages)
    notes = _notes(completion, unknown, cited)
    unproved = [
        f"[{one.marker}] “{one.quote}”: not in passage {one.marker}" if one.quote else f"[{one.marker}]: has no quote"
        for one in cited
        if not one.verified
    ]
    unproved += [f"[{marker}]: there is no passage {marker}" for marker in unknown]
    if not completion.refused and not cited and not unknown:
        unproved = ["no claim has a quote and a passage's number"]
    if not completion.refused and _in_another_language(question, completion.text):
        unproved.append("the answer is not in the language of the question")
        notes = (*notes, coded("other_language", "The answer is not in the language of the question."))
    return _Checked(completion, cited, notes, tuple(unproved))


def _in_another_language(question: str, text: str) -> bool:
    """Says whether the answer's own words, without its quotes, are in another language than the question. A few words
    tell nothing: they are often a name."""
    own = citations.own_words(text)
    return len(own.split()) + len(terms.cjk_characters(own)) >= _MIN_WORDS and terms.language(own) != terms.language(
        question
    )


def _asked_notes(first: _Checked, retry: Completion | None, used: _Checked) -> tuple[Message, ...]:
    """Returns what is said where the model was asked twice: which of its replies this is."""
    if retry is None:
        return ()
    if used is first:
        return (coded("first_reply_kept", "The model was asked twice; its second reply is not proved better."),)
    return (
        coded("second_reply_taken", "The model was asked twice; this is its second reply, which is proved better."),
    )


def _relay(pieces: Iterator[str | Completion]) -> Generator[str, None, Completion | None]:
    """Yields the text of a stream; returns the completion that ended it, or None where none did."""
    completion = None
    for piece in pieces:
        if isinstance(piece, Completion):
            completion = piece
        else:
            yield piece
    return completion


def _repacked(found: Selection, sent: Context, budget: ContextBudget, overflow: ContextOverflow) -> Context:
    """Packs the context again, into what the server's own counts leave beside an answer."""
    passage_tokens = tokens_after(sent.ledger, overflow)
    prompt, window = overflow.prompt_tokens, overflow.window_tokens
    context = packing.pack(found, replace(budget, passage_tokens=passage_tokens, window_tokens=window))
    note = coded(
        "packed_again",
        "The server counted {prompt} tokens for a window of {window}; the context was packed again.",
        prompt=prompt,
        window=window,
    )
    return replace(context, ledger=replace(context.ledger, notes=(*context.ledger.notes, note)))


def tokens_after(sent: ContextLedger, overflow: ContextOverflow, frame_tokens: int = 0) -> int:
    """Returns how many tokens of passages the server's window has room for, by its own counts; `frame_tokens` of the
    prompt stay as they are. Raises `overflow` again when the server gave no usable counts."""
    prompt, window = overflow.prompt_tokens, overflow.window_tokens
    if not prompt or not window or prompt <= window:
        raise overflow
    whole = (sent.planned_tokens + frame_tokens) * window / prompt * _PROMPT_SHARE
    return max(int(whole) - frame_tokens, 0)


def _notes(completion: Completion, unknown: Sequence[int], found: Sequence[Citation]) -> tuple[Message, ...]:
    """Returns what a reader is told of markers without a passage, and of an answer that cites nothing."""
    notes = []
    if unknown:
        markers = ", ".join(f"[{marker}]" for marker in unknown)
        notes.append(
            coded("unknown_markers", "The answer cites {markers}, which is not among its passages.", markers=markers)
        )
    if not found and not completion.refused:
        notes.append(coded("nothing_cited", "The answer cites nothing: none of it is verified."))
    return tuple(notes)
