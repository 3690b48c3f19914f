"""What a model's raw answer is made of, and how it is held to a form: the words that formats and engines share. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Text:
    """Text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """Text of the reasoning, without its tags."""

    text: str


@dataclass(frozen=True, slots=True)
class CallBegun:
    """A call of the tool `name` begins; the next `CallArguments` are its."""

    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """More of the JSON text of the arguments of the call that began last."""

    text: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call that began last is complete: its joined arguments are the JSON text of an object."""


Piece = Text | Thought | CallBegun | CallArguments | CallEnded


class AnswerParser(Protocol):
    """One raw answer, fed in pieces that may be cut anywhere; the joined result does not depend on the cuts."""

    @property
    def call_at(self) -> int | None:
        """Where, in characters of all that was fed, the first call's own text began (its marker included); `None` as
        long as none was recognised. From there on the plan's grammar holds, if it waits for a call."""

    @property
    def in_reasoning(self) -> bool:
        """Is a reasoning block open at the end of what was fed?"""

    def feed(self, text: str) -> list[Piece]:
        """What is decided by now, in order, no piece empty. Text that may still become a tag or a call is held back."""

    def flush(self, *, whole: bool) -> list[Piece]:
        """The answer is over; return what was held back as what it turned out to be. whole: the model ended it itself.

        A call that was begun and is incomplete gets no `CallEnded`.
        """


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """How one answer of a model is read and held to a form.

    new_parser: a fresh parser for each of `n` answers. grammar: GBNF with a rule `root` that the raw answer must match from its
    first character; or, if `waits_for_call`, from the parser's `call_at` on. shows: control tokens, by their text, that the parser needs to
    see (others have no text). closes_reasoning: what to write to end the reasoning block, when its budget is used up; "" where that
    is impossible. reasoning_tokens: that budget in tokens, `None` for no limit. check_text: the whole answer's text -> a sentence about what is wrong with it, `None` if nothing. check_call: the same
    for a call's name and arguments; both only where a grammar alone does not hold the answer to the form.
    """

    new_parser: Callable[[], AnswerParser]
    grammar: str | None = None
    waits_for_call: bool = False
    shows: tuple[str, ...] = ()
    closes_reasoning: str = ""
    reasoning_tokens: int | None = None
    check_text: Callable[[str], str | None] | None = None
    check_call: Callable[[str, str], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A request as the model gets it: the prompt up to where the answer begins, and how the answer is read."""

    prompt: str
    plan: OutputPlan


def joined_text(pieces: Sequence[Piece]) -> str:
    """The answer's own text, without reasoning and calls."""
    return "".join(piece.text for piece in pieces if isinstance(piece, Text))
