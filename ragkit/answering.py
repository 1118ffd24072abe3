"""From a question and retrieved chunks to an answer whose quotes were checked:

condense follow-up -> retrieve -> pack -> answer (streamed) -> check citations -> Answer
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from ragkit import citations, packing, prompts
from ragkit.errors import BadReply, ContextOverflow
from ragkit.messages import Message
from ragkit.packing import Room
from ragkit.ports import Answerer, Chat
from ragkit.selection import Selection
from ragkit.types import (
    Answer,
    Citation,
    Completion,
    Context,
    ContextLedger,
    Document,
    Passage,
    Turn,
)

_FRAME_TOKENS = 288  # of the question and of the chat template around the messages

_OF_WINDOW = 0.75  # for the prompt, when it is packed by the server's counts

Retrieve = Callable[[str], Selection]
Read = Callable[[str], Document | None]


class PromptedAnswerer:
    """The `Answerer` of a language model: asks it for claims with quotes."""

    mode = "generative"

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self.model = chat.model
        frame = prompts.answer_prompt("", Context((), ContextLedger(None, 0, 0, (), ())))
        self._frame_tokens = sum(chat.count_tokens(message.content) for message in frame) + _FRAME_TOKENS

    @property
    def window_tokens(self) -> int | None:
        return self._chat.window_tokens

    @property
    def passage_tokens(self) -> int:
        return max(self._chat.window_tokens - self._chat.answer_tokens - self._frame_tokens, 0)

    def count_tokens(self, text: str) -> int:
        return self._chat.count_tokens(text)

    def condense(self, question: str, history: Sequence[Turn]) -> str:
        """The model's own rewriting; the bare question when it gives nothing usable."""
        *_, completion = self._chat.stream(prompts.condense_prompt(question, history))
        assert isinstance(completion, Completion)
        rewritten = completion.text.strip().splitlines()[:1]
        return rewritten[0].strip() if rewritten and rewritten[0].strip() else question

    def answer(self, question: str, context: Context) -> Iterator[str | Completion]:
        """The model's reply, streamed. Raises ContextOverflow, ModelError."""
        for piece in self._chat.stream(prompts.answer_prompt(question, context)):
            if isinstance(piece, Completion):
                piece = replace(piece, refused=prompts.is_refusal(piece.text))
            yield piece

    def rows(self, question: str, passages: Sequence[Passage]) -> Completion:
        """Every finding in the passages, a line each. Raises ContextOverflow, ModelError."""
        *_, completion = self._chat.stream(prompts.rows_prompt(question, passages))
        assert isinstance(completion, Completion)
        return completion


def room(answerer: Answerer, read: Read, widen_tokens: int = 0) -> Room:
    """What the answerer has for passages."""
    return Room(answerer.count_tokens, answerer.passage_tokens, answerer.window_tokens, widen_tokens, read)


def stream(
    question: str,
    history: Sequence[Turn],
    *,
    retrieve: Retrieve,
    read: Read,
    answerer: Answerer,
    unread_count: int,
    widen_tokens: int = 0,
) -> Iterator[str | Answer]:
    """The answer's text as it comes, and last, once, the whole `Answer`.

    Raises what retrieval and the model raise. "The documents do not say" is an Answer with `refused`
    set and the nearest passages as receipts.
    """
    query = answerer.condense(question, history) if history else question
    found = retrieve(query)
    place = room(answerer, read, widen_tokens)
    context = packing.pack(found, place)
    try:
        completion = yield from _relay(answerer.answer(query, context))
    except ContextOverflow as overflow:
        context = _repacked(found, context, place, overflow)
        completion = yield from _relay(answerer.answer(query, context))
    if completion is None:
        raise BadReply("The model {model} ended without an answer.", hint="Ask again.", model=answerer.model)
    documents = {passage.source: read(passage.source) for passage in context.passages}
    cited = citations.check(
        completion.text, context.passages, {name: text for name, text in documents.items() if text is not None}
    )
    yield Answer(
        question=question,
        query=query,
        text=completion.text,
        citations=cited,
        refused=completion.refused,
        mode=answerer.mode,
        model=completion.model or answerer.model,
        done_reason=completion.done_reason,
        ledger=replace(context.ledger, prompt_eval_count=completion.prompt_eval_count),
        nearest=found.kept,
        unread_count=unread_count,
        notes=completion.notes + _notes(completion, context.passages, cited),
    )


def _relay(pieces: Iterator[str | Completion]) -> Generator[str, None, Completion | None]:
    """Yield the text; return what ended it."""
    completion = None
    for piece in pieces:
        if isinstance(piece, Completion):
            completion = piece
        else:
            yield piece
    return completion


def _repacked(found: Selection, sent: Context, room: Room, overflow: ContextOverflow) -> Context:
    """The context again, in the room that the server's own counts leave beside an answer."""
    prompt, window = overflow.prompt_tokens, overflow.window_tokens
    if not prompt or not window or prompt <= window:
        raise overflow
    passage_tokens = int(sent.ledger.planned_tokens * window / prompt * _OF_WINDOW)
    context = packing.pack(found, replace(room, passage_tokens=passage_tokens, window_tokens=window))
    note = Message(
        "The server counted {prompt} tokens for a window of {window}; the context was packed again.",
        {"prompt": prompt, "window": window},
    )
    return replace(context, ledger=replace(context.ledger, notes=(*context.ledger.notes, note)))


def _notes(completion: Completion, passages: Sequence[Passage], found: Sequence[Citation]) -> tuple[Message, ...]:
    notes = []
    unknown = citations.unknown_markers(completion.text, passages)
    if unknown:
        markers = ", ".join(f"[{marker}]" for marker in unknown)
        notes.append(Message("The answer cites {markers}, which is not among its passages.", {"markers": markers}))
    if not found and not completion.refused:
        notes.append(Message("The answer cites nothing: none of it is verified."))
    return tuple(notes)
