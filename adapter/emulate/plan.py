"""What is emulated for one chat: what the engine is asked, and what its answer must be. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from adapter.calls.tools import ToolBox, tools_of
from adapter.chat import Chat, Message, Role, ToolChoice, ToolMode
from adapter.emulate.forms import Form
from adapter.emulate.prompt import NO_CALL, call_demand, form_demand, form_in_words, tools_in_words
from adapter.engines.base import Can
from adapter.errors import BadRequest

# Of an answer that is shown to its model again. What went wrong stands at its beginning or is said.
_MAX_SHOWN_CHARS = 4_000
_PARTIAL = "A partial answer to go on with cannot be held to a form; leave one of the two out."
_NO_ANSWER = "(no answer)"


@dataclass(frozen=True, slots=True)
class Plan:
    """asked: for the engine. tools: those that a call may be of; none where calls are not our business.
    form: what an answer in text must be; `None` if anything. ways: for the remark, how `tools` and `response_format` are done.
    forbids_calls: the engine knows the tools, and none may be called. param: the field at fault when the answer cannot be used."""

    asked: Chat
    tools: ToolBox
    choice: ToolChoice
    form: Form | None
    ways: dict[str, str]
    forbids_calls: bool
    param: str

    @property
    def needs_call(self) -> bool:
        return len(self.tools) > 0 and self.choice.mode is ToolMode.REQUIRED

    @property
    def may_flow(self) -> bool:
        """May text be shown before the answer is complete?"""
        return self.form is None and not self.needs_call


def plan(chat: Chat, prompted: Collection[Can], checked: Collection[Can]) -> Plan:
    """Raises `BadRequest` for tools and forms that cannot be, `NotCapable` for a grammar of the client's own."""
    ways: dict[str, str] = {}
    box, tools, asked = tools_of(chat.tools, chat.tool_choice), ToolBox([]), chat
    if Can.TOOLS in prompted:
        asked = tools_in_words(asked, box)
    if Can.TOOLS in prompted or Can.TOOLS in checked:
        tools = box
        if len(box):
            ways["tools"] = "prompt" if Can.TOOLS in prompted else "checked"
    form = None
    if chat.output is not None:
        # An engine that holds all of its answer to a form could not call in words.
        in_words = Can.OUTPUT in prompted or (Can.TOOLS in prompted and len(tools) > 0)
        if in_words or Can.OUTPUT in checked:
            form = Form(chat.output)
            ways["response_format"] = "prompt" if in_words else "checked"
            if chat.continues:
                raise BadRequest(_PARTIAL, param=chat.output.param)
        if chat.tools and chat.tool_choice.mode is ToolMode.REQUIRED:
            form = None  # a call is the answer
            ways.pop("response_format", None)
            asked = replace(asked, output=None) if in_words else asked
        elif in_words:
            asked = form_in_words(asked, or_call=len(box) > 0)
    param = "tools" if form is None or chat.output is None else chat.output.param
    forbids = Can.TOOLS in checked and len(chat.tools) > 0 and chat.tool_choice.mode is ToolMode.NONE
    if forbids:
        ways["tools"] = "checked"
    return Plan(asked, tools, chat.tool_choice, form, ways, forbids, param)


def again(made: Plan, raw: str, wrong: str) -> Chat:
    """The same once more: the answer as it was, what is wrong with it, and what is wanted."""
    chat = made.asked
    messages = list(chat.messages)
    shown = raw if len(raw) <= _MAX_SHOWN_CHARS else raw[:_MAX_SHOWN_CHARS] + " ..."
    if chat.continues:
        shown = messages.pop().content + shown
    wanted = [call_demand(made.choice, in_words=made.ways.get("tools") == "prompt")] if made.needs_call else []
    if made.forbids_calls:
        wanted.append(NO_CALL)
    if made.form is not None:
        wanted.append(("Unless you call a function: " if len(made.tools) else "") + form_demand(made.form.output))
    elif not made.needs_call and not made.forbids_calls:
        wanted.append("If a function is needed, write the call again and put it right; else answer as usual.")
    told = f"That cannot be used: {wrong}.\n{' '.join(wanted)}"
    messages += [Message(Role.ASSISTANT, shown if shown.strip() else _NO_ANSWER), Message(Role.USER, told)]
    return replace(chat, messages=tuple(messages))
