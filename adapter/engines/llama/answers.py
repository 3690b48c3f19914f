"""The requests and answers that the decode loop works on: what is known of each, and its frames. No model, no I/O."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from adapter.calls.output import CallArguments, CallBegun, CallEnded, OutputPlan, Text, Thought
from adapter.chat import Sampling
from adapter.engines.llama import link
from adapter.engines.llama.lookup import Lookup
from adapter.engines.llama.model import Sampler
from adapter.engines.llama.text import AnswerText, Shown
from adapter.reasoning import Part

# OpenAI's ids look like this; 24 characters, so that nobody's history holds one twice.
CALL_ID = "call_"


@dataclass(frozen=True, slots=True)
class Job:
    """A request as the loop gets it. `sampling.max_tokens` is set and fits into the context.

    n: how many answers. logprobs: `None`, or how many alternatives. echo: text that each answer begins with.
    param: the request's field that a bad grammar came from.
    """

    id: int
    prompt: tuple[int, ...]
    sampling: Sampling
    plan: OutputPlan
    n: int = 1
    logprobs: int | None = None
    echo: str = ""
    param: str = "response_format"


@dataclass(slots=True)
class Request:
    """A job under way. open: the tasks of its answers that are not complete."""

    job: Job
    open: set[int] = field(default_factory=set)
    started: bool = False


@dataclass(slots=True)
class Answer:
    """One of a request's answers. tokens: what was chosen so far. constrained: has its grammar come into force?"""

    request: Request
    choice: int
    text: AnswerText
    sampler: Sampler
    constrained: bool
    lookup: Lookup | None = None
    tokens: list[int] = field(default_factory=list)
    closed_reasoning: bool = False
    said: list[str] = field(default_factory=list)
    calls: list[tuple[str, list[str]]] = field(default_factory=list)
    in_call: bool = False

    @property
    def plan(self) -> OutputPlan:
        return self.request.job.plan

    def frames(self, shown: list[Shown]) -> Iterator[link.Frame]:
        """What the client gets to see, as frames. Keeps what is to be checked in the end."""
        id_ = self.request.job.id
        for one in shown:
            match one.piece:
                case Text(text):
                    if self.plan.check_text is not None:
                        self.said.append(text)
                    yield link.Delta(id_, Part.TEXT, text, self.choice, one.logprobs)
                case Thought(text):
                    yield link.Delta(id_, Part.REASONING, text, self.choice)
                case CallBegun(name):
                    self.calls.append((name, []))
                    self.in_call = True
                    call_id = CALL_ID + secrets.token_hex(12)
                    yield link.Call(id_, len(self.calls) - 1, call_id, name, "", self.choice)
                case CallArguments(text):
                    self.calls[-1][1].append(text)
                    yield link.Call(id_, len(self.calls) - 1, arguments=text, choice=self.choice)
                case CallEnded():
                    self.in_call = False

    def fault(self) -> str | None:
        """What is wrong with the whole answer, where a grammar alone could not hold it to its form."""
        if self.in_call:
            return f"the call of {self.calls[-1][0]} has no end"
        if self.plan.check_text is not None and not self.calls and (fault := self.plan.check_text("".join(self.said))):
            return fault
        if self.plan.check_call is not None:
            for name, arguments in self.calls:
                if fault := self.plan.check_call(name, "".join(arguments)):
                    return f"The call of {name}: {fault}"
        return None


def constrained_from(grammar: str, before: str) -> str:
    """The grammar, preceded by the text `before`: the part of a token that stands before a call's first character."""
    if not before:
        return grammar
    lines = grammar.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("root ::="))
    escaped = before.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    lines[at] = f'root ::= "{escaped}" ( {lines[at].removeprefix("root ::=").strip()} )'
    return "\n".join(lines)
