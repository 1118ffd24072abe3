"""What ragkit says to people: English sentences with their values, put into the reader's language at the last moment.

A message travels with a code as well, so that a program can tell what is meant without reading the sentence. The
other languages stand in gettext catalogues under `locale/`; `make messages` brings them up to date with the code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ragkit.i18n.catalogues import SOURCE, translated


@dataclass(frozen=True, slots=True)
class Message:
    """An English sentence with `{fields}` and the values that fill them; `str()` gives the filled sentence.

    A sentence about a number of things names that number `count`: `text` is for one of them, `plural` for any other
    number. `code` names what is said and stays the same when the sentence is worded anew; only it may be compared.
    """

    text: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    code: str = ""
    plural: str = ""

    def __str__(self) -> str:
        return say(self, SOURCE)

    def __bool__(self) -> bool:
        return bool(self.text)

    def fill(self, **values: object) -> Message:
        """The same message with `values`, in place of those it had."""
        return replace(self, values=values)


def coded(code: str, text: str, plural: str = "", /, **values: object) -> Message:
    """A message that programs tell apart by its code: an outcome, a note, a refusal, a warning."""
    return Message(text=text, values=values, code=code, plural=plural)


def say(message: Message, language: str) -> str:
    """`message` in `language`; a sentence that its catalogue does not have stays English."""
    count = message.values.get("count")
    number = count if isinstance(count, int) else 2
    values = {
        name: say(value, language) if isinstance(value, Message) else value for name, value in message.values.items()
    }
    return translated(message.text, message.plural, number, language).format_map(values)


def runs(numbers: Sequence[int], most: int = 12) -> str:
    """ "3, 7-9": runs of rising numbers are joined; after `most` of them an ellipsis."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in found[:most]]
    return ", ".join([*shown, "…"] if len(found) > most else shown)
