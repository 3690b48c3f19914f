"""A model's chat template (jinja2, from the GGUF): a chat -> the text that the model reads, and how its answer is read.

Templates come out of downloaded files, so they run in jinja2's immutable sandbox. They get what Hugging Face's
`apply_chat_template` gives them (`raise_exception`, `strftime_now`, `tojson`, loop controls), since that is what
they are written for. What a template can do is tried out with a few messages when it is loaded.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from adapter.calls import history
from adapter.calls.budget import closed, reasoning_variables
from adapter.calls.families import detect
from adapter.calls.json_text import NotJson, parse_object
from adapter.calls.output import Rendered
from adapter.calls.plan import plan_output
from adapter.calls.reasoning import opens
from adapter.calls.tools import Spec, ToolBox, tools_of
from adapter.chat import Chat, Message, Role, ToolCall
from adapter.errors import BadRequest

logger = logging.getLogger(__name__)

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Cannot occur in a template by accident; tell whether something reaches the model.
_PROBE, _SECOND = "farmhand-probe-5e1f", "farmhand-probe-8a2c"
_HI = Message(Role.USER, "hi")
_PROBE_TOOL = Spec(_PROBE, "probe", {"type": "object", "properties": {}}, "tools")
_TOOL_ROLE = re.compile(r"""['"](tool|tool_results?|ipython|tool_response)['"]""")
_ASKS_FOR_NONE = re.compile(r"""content(['"]\])? is (not )?none""")


class TemplateError(Exception):
    """The template itself is broken: no request can be rendered with it."""


class _Refused(Exception):
    """What the template said to these messages."""


@dataclass(slots=True)
class _Traits:
    """What a template can do; found by trying.

    tools: how it gets tools, "variable", "message" (a field of the system message) or "" (not at all). calls: it shows
    earlier calls; many: several in one message. results: it knows messages of tools. as_objects: it wants a call's arguments
    as an object. empty: the content of a message that has only calls. none: what it gets for no tools.
    """

    system: bool = True
    tools: str = ""
    calls: bool = True
    many: bool = True
    results: bool = True
    as_objects: bool = True
    empty: str | None = ""
    none: tuple[()] | None = None


class ChatTemplate:
    """One model's template."""

    def __init__(
        self,
        source: str | None,
        *,
        bos: str = "",
        eos: str = "",
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """`source` None: the GGUF brings no template, ChatML is used. Raises `TemplateError`."""
        if source is None:
            logger.warning("the model brings no chat template; using ChatML")
            source = CHATML
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._now = now
        self.family = detect(source)
        self._knows_developer = "developer" in source
        try:
            environment = self._environment()
            self._template = environment.from_string(source)
            self._variables = frozenset(meta.find_undeclared_variables(environment.parse(source)))
        except (jinja2.TemplateError, RecursionError) as exc:
            raise TemplateError(f"the model's chat template cannot be read: {exc}") from exc
        self._traits = _Traits()
        self._try_out(source)

    def render(self, chat: Chat) -> Rendered:
        """The prompt, up to where the answer begins, and how that is read.

        Raises `BadRequest` with what the template refused, and for tools, formats and `template_options` that cannot be.
        A template without system messages (it raises, or leaves them out) finds them at the top of the first
        user message. One that wants the roles to alternate gets neighbours of the same role joined. One that
        does not know tools finds them described in the system message, and calls and results as text. A partial answer at the end is
        the end of the prompt, to the letter.
        """
        tools = tools_of(chat.tools, chat.tool_choice)
        variables = {**reasoning_variables(chat.reasoning, self._variables), **_options(chat.template_options)}
        messages = self._adapted(chat.messages)
        shown = tools if self.family.native and self._traits.tools else ToolBox([])
        if len(tools) and not len(shown):
            messages = history.describe_tools(messages, tools, self.family.forms[0])
        if chat.continues and chat.messages[-1].content:
            prompt = self._continued(messages, shown, variables)
        else:
            end = -1 if chat.continues else None
            prompt = self._prompt(messages[:end], shown, variables)
            prompt = closed(self.family, chat.reasoning, prompt, reasons=self.family.thinks)
        return Rendered(prompt, plan_output(self.family, chat, prompt))

    def _continued(self, messages: list[Message], tools: ToolBox, variables: Mapping[str, Any]) -> str:
        """The prompt that ends with the partial answer itself, whatever the template puts behind it or strips from it."""
        partial, tags = messages[-1].content, self.family.tags
        if tags is not None and partial.lstrip().startswith(tags.open):
            begun = self._prompt(messages[:-1], tools, variables)
            return (begun.rstrip().removesuffix(tags.open) if opens(tags, begun) else begun) + partial
        marked = [*messages[:-1], replace(messages[-1], content=_PROBE)]
        before, found, _ = self._prompt(marked, tools, variables, generation=False).rpartition(_PROBE)
        return (before if found else self._prompt(messages[:-1], tools, variables)) + partial

    def _prompt(
        self, messages: list[Message], tools: ToolBox, variables: Mapping[str, Any], *, generation: bool = True
    ) -> str:
        if not self._traits.system:
            messages = history.fold_system(messages)
        try:
            prompt = self._render(messages, tools, variables, generation=generation)
        except _Refused as refused:
            joined = history.join_neighbours(history.gather_system(messages))
            prompt = ""
            if joined != messages:
                with suppress(_Refused):  # the first complaint names the cause
                    prompt = self._render(joined, tools, variables, generation=generation)
            if not prompt:
                raise BadRequest(
                    f"The model's chat template refuses these messages: {refused}", param="messages"
                ) from refused
        turn_ends, turn = self.family.next_turn
        return prompt + turn if generation and turn and prompt.endswith(turn_ends) else prompt

    def _adapted(self, messages: Sequence[Message]) -> list[Message]:
        """The messages with what tools left in them in the form that the template knows."""
        traits, form = self._traits, self.family.forms[0]
        adapted = history.name_results(messages)
        if self.family.short_ids:
            adapted = history.shorten_ids(adapted)
        if not traits.calls:
            adapted = history.calls_as_text(adapted, form)
        elif not traits.many:
            adapted = history.split_calls(adapted)
        return adapted if traits.results else history.results_as_text(adapted)

    def _render(
        self,
        messages: Sequence[Message],
        tools: ToolBox,
        variables: Mapping[str, Any] | None = None,
        *,
        generation: bool = True,
    ) -> str:
        given = {
            **(variables or {}),
            "messages": [self._as_dict(message) for message in messages],
            "tools": [_tool_as_dict(spec) for spec in tools] or self._traits.none,
            "documents": (variables or {}).get("documents"),
            "add_generation_prompt": generation,
            **self._tokens,
        }
        if len(tools) and self._traits.tools == "message":
            _put_into_system(given["messages"], json.dumps([tool["function"] for tool in given["tools"]]))
        try:
            # Halves of characters, which a client's JSON can contain, cannot be told to a model.
            return self._template.render(given).encode("utf-8", "replace").decode()
        except jinja2.TemplateError as exc:
            raise _Refused(str(exc)) from exc
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as exc:
            # A template is a program: "content" + None, an index out of range, ...
            raise _Refused(f"{type(exc).__name__}: {exc}") from exc

    def _environment(self) -> ImmutableSandboxedEnvironment:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = lambda form: self._now().strftime(form)
        return environment

    def _as_dict(self, message: Message) -> dict[str, Any]:
        role = message.role
        if role is Role.DEVELOPER and not self._knows_developer:
            role = Role.SYSTEM
        data: dict[str, Any] = {"role": role.value, "content": message.content}
        if message.name is not None:
            data["name"] = message.name
        if message.tool_calls:
            data["tool_calls"] = [_call_as_dict(call, self._traits.as_objects) for call in message.tool_calls]
            data["content"] = message.content or self._traits.empty
        if message.tool_call_id is not None:
            data["tool_call_id"] = message.tool_call_id
        return data

    # --- trying the template out ---------------------------------------------------------------------------------

    def _try_out(self, source: str) -> None:
        traits = self._traits
        if not self._tried([_HI]):
            traits.none = ()  # Hermes walks over the tools without a look whether there are any
            traits.none = () if self._tried([_HI]) else None
        traits.system = _PROBE in self._tried([Message(Role.SYSTEM, _PROBE), _HI])
        for way in ("variable", "message"):
            traits.tools = way
            if _PROBE in self._tried([_HI], ToolBox([_PROBE_TOOL])):
                break
        else:
            traits.tools = ""
        self._try_calls(asks_for_none=_ASKS_FOR_NONE.search(source) is not None)
        knows_role = self.family.any_role or _TOOL_ROLE.search(source) is not None
        traits.results = knows_role and _SECOND in self._tried(_past_calls(1))

    def _try_calls(self, *, asks_for_none: bool) -> None:
        """Objects are what Hugging Face's templates expect; some join strings, others print an object as Python does."""
        traits = self._traits
        for empty in (None, "") if asks_for_none else ("",):
            for as_objects in (True, False):
                traits.empty, traits.as_objects = empty, as_objects
                shown = self._tried(_past_calls(1)) or self._tried([*_past_calls(1, results=False), _HI])
                if _PROBE in shown and "None" not in shown and "{'" not in shown:
                    traits.many = f"{_PROBE}2" in self._tried(_past_calls(2))
                    return
        traits.calls, traits.empty = False, ""

    def _tried(self, messages: Sequence[Message], tools: ToolBox | None = None) -> str:
        """What the template makes of these, "" if it refuses."""
        with suppress(_Refused):
            return self._render(messages, tools if tools is not None else ToolBox([]))
        return ""


class _Generation(Extension):
    """`{% generation %}`, with which templates mark what is trained on: its content."""

    tags = {"generation"}  # noqa: RUF012 -- as the base class declares it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _past_calls(count: int, *, results: bool = True) -> list[Message]:
    """A conversation with calls in it. Their ids are what the strictest templates want."""
    ids = [f"abcdefg1{index}" for index in range(1, count + 1)]
    names = [_PROBE, f"{_PROBE}2"]
    calls = tuple(ToolCall(ident, name, '{"key": "value"}') for ident, name in zip(ids, names, strict=False))
    answers = [
        Message(Role.TOOL, _SECOND, name=name, tool_call_id=ident) for ident, name in zip(ids, names, strict=False)
    ]
    return [_HI, Message(Role.ASSISTANT, "", tool_calls=calls), *(answers if results else [])]


def _put_into_system(messages: list[dict[str, Any]], tools: str) -> None:
    if not messages or messages[0]["role"] != Role.SYSTEM.value:
        messages.insert(0, {"role": Role.SYSTEM.value, "content": ""})
    messages[0]["tools"] = tools


def _tool_as_dict(spec: Spec) -> dict[str, Any]:
    """OpenAI's form. `properties` is there even if it is empty: templates walk over it."""
    parameters = {**spec.schema, "properties": spec.properties}
    function = {"name": spec.name, "description": spec.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _call_as_dict(call: ToolCall, as_object: bool) -> dict[str, Any]:
    """As Hugging Face's templates expect it: arguments as an object, where they are one and the template wants it."""
    arguments: Any = call.arguments
    if as_object:
        with suppress(NotJson):
            arguments = parse_object(call.arguments)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _options(text: str) -> dict[str, Any]:
    try:
        return parse_object(text)
    except NotJson as exc:
        raise BadRequest("Options for the chat template must be a JSON object.", param="chat_template_kwargs") from exc


def _to_json(value: Any, indent: int | None = None, **options: Any) -> str:
    """Hugging Face's filter: plain JSON, unlike jinja2's own, which escapes for HTML."""
    return json.dumps(value, ensure_ascii=options.get("ensure_ascii", False), indent=indent, default=_as_list)


def _as_list(value: Any) -> list[Any]:
    """What jinja's filters (`map`, `select`) return."""
    if isinstance(value, Iterator):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)
