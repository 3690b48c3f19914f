"""A chat in words alone, for engines that know neither tools nor forms. Pure.

What stays the same from turn to turn (the tools) stands in the leading system message, where a prefix cache keeps it. What this one
answer must be stands at the end of the last user message: small models follow what they read last, and behind a long
conversation they have lost what the system message said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapter.calls.history import calls_as_text, name_results, results_as_text
from adapter.calls.json_calls import JsonCalls
from adapter.calls.tools import ToolBox
from adapter.chat import Chat, Message, OutputFormat, OutputKind, Role, ToolChoice, ToolMode
from adapter.emulate.forms import Form
from adapter.emulate.signature import one_line, signature

HERMES = JsonCalls("<tool_call>", closes=("</tool_call>",))
NO_CALL = "Answer in words now, without calling a function."
_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)


def tools_in_words(chat: Chat, tools: ToolBox) -> Chat:
    """The chat without tools, with their description and how to call them in its messages, and earlier calls and results as
    text. tools: those of the chat, none for `tool_choice` "none"."""
    choice = chat.tool_choice
    earlier = any(message.tool_calls or message.role is Role.TOOL for message in chat.messages)
    messages = results_as_text(calls_as_text(name_results(chat.messages), HERMES))
    if len(tools):
        shown = tools.only(choice.name)
        messages = _in_system(messages, describe(shown, parallel=choice.parallel))
        if told := call_demand(choice, in_words=True):
            messages = at_the_end(messages, told)
    elif earlier and chat.tools:
        messages = at_the_end(messages, NO_CALL)
    return replace(chat, messages=tuple(messages), tools=(), tool_choice=ToolChoice())


def describe(tools: ToolBox, *, parallel: bool) -> str:
    """The tools and how to call them."""
    lines = [
        f"- {spec.name} {signature(spec.schema)}" + (f": {one_line(spec.description)}" if spec.description else "")
        for spec in tools
    ]
    several = "Call several at once by writing several such lines." if parallel else "Call only one at a time."
    return (
        "You can call these functions. Each line has a name, the form of its arguments (? marks what may be left out), and what it "
        "does:\n" + "\n".join(lines) + "\n\nTo call one, write exactly this, with its name and its arguments as JSON:\n"
        '<tool_call>{"name": "function_name", "arguments": {"key": "value"}}</tool_call>\n'
        f"{several} The result comes in the next message, between <tool_response> and </tool_response>; never write one yourself. "
        "When no function is needed, answer as usual."
    )


def call_demand(choice: ToolChoice, *, in_words: bool) -> str:
    """What `tool_choice` demands of this answer, "" for nothing. in_words: the model was told in words how to call."""
    if choice.mode is not ToolMode.REQUIRED:
        return ""
    which = "one of the functions" if choice.name is None else f"the function {choice.name}"
    form = ", in the form <tool_call>{...}</tool_call>" if in_words else ""
    return f"Answer only with a call of {which}{form}."


def form_in_words(chat: Chat, *, or_call: bool) -> Chat:
    """The chat without `output`, with what it demands in its messages. or_call: a call may take the answer's place."""
    assert chat.output is not None
    told = ("Unless you call a function: " if or_call else "") + form_demand(chat.output)
    return replace(chat, messages=tuple(at_the_end(chat.messages, told)), output=None)


def form_demand(output: OutputFormat) -> str:
    """What an answer must be, in words."""
    form = Form(output)
    only = "with nothing before or after it"
    match output.kind:
        case OutputKind.JSON:
            return f"Answer only with one JSON object, {only}."
        case OutputKind.SCHEMA:
            return f"Answer only with JSON of this form, {only}:\n{signature(form.schema)}"
        case OutputKind.REGEX:
            return f"Answer only with a text that matches all of this regular expression, {only}:\n{output.text}"
        case _:
            options = "\n".join(form.options)
            return f"Answer only with one of these, exactly as it is written here, {only}:\n{options}"


def at_the_end(messages: Sequence[Message], text: str) -> list[Message]:
    """Add to the last message of the user if it is the last but for a partial answer, else to the system message."""
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if message.role is Role.USER:
            added = replace(message, content=f"{message.content}\n\n{text}" if message.content else text)
            return [*messages[:at], added, *messages[at + 1 :]]
    return _in_system(messages, text)


def _in_system(messages: Sequence[Message], text: str) -> list[Message]:
    first = messages[0] if messages else None
    if first is not None and first.role in _SYSTEM:
        return [replace(first, content=f"{first.content}\n\n{text}" if first.content else text), *messages[1:]]
    return [Message(Role.SYSTEM, text), *messages]
