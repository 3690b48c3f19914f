"""gpt-oss: an answer of several messages, each with a channel and perhaps a recipient. Pure.

`<|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>final<|message|>...`; calls are messages
`to=functions.now` on the channel commentary, and end the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapter.calls.arguments import ArgumentRules, literal
from adapter.calls.json_calls import written_arguments
from adapter.calls.json_text import stream_object
from adapter.calls.named_calls import MAX_NAME_CHARS, is_name
from adapter.calls.output import CallBegun, CallEnded, Text, Thought
from adapter.calls.reader import Cursor, Script, Steps, run_of, space, stream
from adapter.calls.reader import literal as read_literal
from adapter.calls.reasoning import Tags
from adapter.calls.tools import ToolBox
from adapter.chat import ToolCall

START, CHANNEL, MESSAGE, END = "<|start|>", "<|channel|>", "<|message|>", "<|end|>"
CONSTRAIN, CALL, RETURN = "<|constrain|>", "<|call|>", "<|return|>"
_ENDS = (END, START, CALL, RETURN)
_CHANNELS, _KINDS = ("analysis", "commentary", "final"), ("json", "code")
_FUNCTIONS = "functions."
FINAL = f"{CHANNEL}final{MESSAGE}"
# What may stand between a header and `MESSAGE`.
KIND = f'(" json" | " "? {literal(CONSTRAIN)} "json")?'
TAGS = Tags(f"{CHANNEL}analysis{MESSAGE}", END, closes=f"{END}{START}assistant", after=f"{START}assistant")


@dataclass(slots=True)
class _Header:
    channel: str = ""
    to: str = ""


class HarmonyCalls:
    """The grammar and the text of its calls; they are read by `harmony_script`, as parts of the whole answer."""

    markers = ()
    starts = ()
    shows = (START, CHANNEL, MESSAGE, END, CONSTRAIN)

    def read(self, cursor: Cursor, tools: ToolBox) -> Steps[bool]:
        yield from ()
        return False

    def rule(self, rules: ArgumentRules, tools: ToolBox, *, many: bool) -> str:
        """One call only: its end is the answer's."""
        channel = f'{literal(CHANNEL)} ("commentary" | "analysis")'
        to = literal(f" to={_FUNCTIONS}")
        ends = {spec.name: f"{KIND} {literal(MESSAGE)} {rules.object(spec)}" for spec in tools}
        in_role = rules.by_name([(name, f"{channel} {end}") for name, end in ends.items()])
        in_channel = rules.by_name(list(ends.items()))
        return rules.one_of("call", [f"{to} {in_role}", f"{channel} {to} {in_channel}"])

    def write(self, calls: Sequence[ToolCall]) -> str:
        return f"{END}{START}assistant".join(
            f" to={_FUNCTIONS}{call.name}{CHANNEL}commentary json{MESSAGE}{written_arguments(call)}" for call in calls
        )


def harmony_script(tools: ToolBox, *, inside: str) -> Script:
    """inside: the channel of the message that the prompt has begun, "" where a header comes first."""

    def read(cursor: Cursor) -> Steps[None]:
        header: _Header | None = _Header(inside) if inside else None
        told = False
        while header is not None or not cursor.ended or cursor.at < len(cursor.text):
            if header is None:
                header = yield from _header(cursor, tools)
            told = yield from _message(cursor, header, tools, told=told)
            header = None

    return read


def _header(cursor: Cursor, tools: ToolBox) -> Steps[_Header | None]:
    """Read what stands before a message. `None`, with nothing read, where there is no header."""
    yield from _skip_ends(cursor)
    begin, known = cursor.position, cursor.call_at
    header = _Header()
    while True:
        yield from space(cursor)
        if (yield from read_literal(cursor, MESSAGE)):
            header.to = header.to.removeprefix("assistant")
            if header.to and header.to not in tools:
                break
            return header
        if (yield from read_literal(cursor, CHANNEL)):
            header.channel = yield from run_of(cursor, str.isalpha, MAX_NAME_CHARS)
            if header.channel not in _CHANNELS and not cursor.ended:
                break
        elif (yield from read_literal(cursor, "to=")):
            if (yield from read_literal(cursor, _FUNCTIONS)) and len(tools) and cursor.call_at is None:
                cursor.call_at = begin
            header.to = yield from run_of(cursor, is_name, MAX_NAME_CHARS)
        elif not (header.channel or header.to) or not (yield from _constraint(cursor)):
            break
    cursor.call_at = known
    if not (header.channel and cursor.ended and cursor.at == len(cursor.text)):  # else it is a header that was cut
        cursor.back_to(begin)
    return None


def _constraint(cursor: Cursor) -> Steps[bool]:
    """Read the kind of a message's content."""
    marked = yield from read_literal(cursor, CONSTRAIN)
    word = yield from run_of(cursor, str.isalpha, MAX_NAME_CHARS)
    return word in _KINDS or (marked and bool(word))


def _skip_ends(cursor: Cursor) -> Steps[None]:
    """Read what stands between two messages."""
    for _ in range(len(_ENDS)):
        for mark in (END, CALL, RETURN):
            yield from read_literal(cursor, mark)
        if (yield from read_literal(cursor, START)):
            yield from read_literal(cursor, "assistant")


def _message(cursor: Cursor, header: _Header | None, tools: ToolBox, *, told: bool) -> Steps[bool]:
    """Pass one message on. told: has any text been passed on before? Returned for the next one."""
    if header is not None and header.to:
        yield CallBegun(header.to)
        yield from space(cursor)
        if (yield from stream_object(cursor)):
            yield CallEnded()
        return told
    reasons = header is not None and header.channel == "analysis"
    cursor.in_reasoning = reasons
    begin = cursor.position
    piece: type[Text | Thought] = Thought if reasons else Text
    if header is not None and told and not reasons:
        yield Text("\n\n")  # a message of its own; nothing else would keep it from the one before
    stopped = yield from stream(cursor, _ENDS, piece)
    if stopped.space:
        yield piece(stopped.space)
    cursor.in_reasoning = reasons and not stopped.stop
    return told or (not reasons and cursor.position > begin)
