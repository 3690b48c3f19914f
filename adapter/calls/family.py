"""What is particular to a family of models: how it reasons and how it calls tools. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from adapter.calls.arguments import ArgumentRules
from adapter.calls.reader import Cursor, Steps
from adapter.calls.reasoning import THINK, Tags
from adapter.calls.tools import ToolBox
from adapter.chat import ToolCall


class CallForm(Protocol):
    """One way of writing calls of tools."""

    @property
    def markers(self) -> tuple[str, ...]:
        """Texts with which calls begin, wherever they stand; none begins with white space."""

    @property
    def starts(self) -> tuple[str, ...]:
        """Texts with which calls begin only where the answer begins, or behind a call."""

    @property
    def shows(self) -> tuple[str, ...]:
        """The texts in it that may be control tokens of the model."""

    def read(self, cursor: Cursor, tools: ToolBox) -> Steps[bool]:
        """Read the calls that begin at the cursor with a marker or a start. False: they are none; then nothing was
        passed on, and the caller goes back."""

    def rule(self, rules: ArgumentRules, tools: ToolBox, *, many: bool) -> str:
        """The body of a GBNF rule for a call of one of `tools`, or for one and more (`many`)."""

    def write(self, calls: Sequence[ToolCall]) -> str:
        """Calls as text, for templates that cannot show them."""


@dataclass(frozen=True, slots=True)
class Family:
    """name: for logs and tests. forms: how calls are written, its own way first. tags: of its reasoning; `None` where it
    has none. effort: its template takes OpenAI's words for effort, so that they need no budget in tokens.
    short_ids: ids of calls have nine letters and digits. native: its template's own description of tools asks for the first form.
    any_role: the model was trained on tools' messages, though its template names no such role.
    thinks: a block of reasoning may come before an answer that is held to a form, though the prompt does not open one.
    next_turn: where a prompt ends like the first text, the template forgot to begin the model's turn with the second.
    """

    name: str
    forms: tuple[CallForm, ...]
    tags: Tags | None = THINK
    effort: bool = False
    short_ids: bool = False
    native: bool = True
    any_role: bool = False
    thinks: bool = True
    next_turn: tuple[str, str] = ("", "")
