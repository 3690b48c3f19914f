"""A model's chat template (jinja2, from the GGUF): messages -> the text that the model reads.

Templates come out of downloaded files, so they run in jinja2's immutable sandbox. They get what Hugging Face's
`apply_chat_template` gives them (`raise_exception`, `strftime_now`, `tojson`, loop controls), since that is what
they are written for.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from adapter.chat import Message, Role, ToolCall
from adapter.errors import BadRequest
from adapter.reasoning import OPEN_TAG

logger = logging.getLogger(__name__)

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Cannot occur in a template by accident; tells whether a system message reaches the model.
_PROBE = "farmhand-probe-5e1f"


class TemplateError(Exception):
    """The template itself is broken: no request can be rendered with it."""


class _Refused(Exception):
    """What the template said to these messages."""


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
        self._knows_developer = "developer" in source
        try:
            self._template = self._environment().from_string(source)
        except jinja2.TemplateError as exc:
            raise TemplateError(f"the model's chat template cannot be read: {exc}") from exc
        self._takes_system = self._reaches_the_model(Role.SYSTEM)

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt, up to where the answer begins. Raises `BadRequest` with what the template refused.

        A template without system messages (it raises, or leaves them out) finds them at the top of the first
        user message. One that wants the roles to alternate gets neighbours of the same role joined.
        """
        plain = list(messages) if self._takes_system else _fold_system(messages)
        try:
            return self._render(plain)
        except _Refused as refused:
            joined = _join_neighbours(_gather_system(plain))
            if joined != plain:
                with suppress(_Refused):  # the first complaint names the cause
                    return self._render(joined)
            raise BadRequest(
                f"The model's chat template refuses these messages: {refused}", param="messages"
            ) from refused

    def _render(self, messages: Sequence[Message]) -> str:
        try:
            return self._template.render(
                messages=[self._as_dict(message) for message in messages],
                tools=None,
                documents=None,
                add_generation_prompt=True,
                **self._tokens,
            )
        except jinja2.TemplateError as exc:
            raise _Refused(str(exc)) from exc
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as exc:
            # A template is a program: "content" + None, an index out of range, ...
            raise _Refused(f"{type(exc).__name__}: {exc}") from exc

    def _environment(self) -> ImmutableSandboxedEnvironment:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = lambda form: self._now().strftime(form)
        return environment

    def _reaches_the_model(self, role: Role) -> bool:
        with suppress(_Refused):
            return _PROBE in self._render([Message(role, _PROBE), Message(Role.USER, "hi")])
        return False

    def _as_dict(self, message: Message) -> dict[str, Any]:
        role = message.role
        if role is Role.DEVELOPER and not self._knows_developer:
            role = Role.SYSTEM
        data: dict[str, Any] = {"role": role.value, "content": message.content}
        if message.name is not None:
            data["name"] = message.name
        if message.tool_calls:
            data["tool_calls"] = [_call_as_dict(call) for call in message.tool_calls]
        if message.tool_call_id is not None:
            data["tool_call_id"] = message.tool_call_id
        return data


def opens_reasoning(prompt: str) -> bool:
    """Did the template open the reasoning block itself, so that the answer begins inside it?"""
    return prompt.rstrip().endswith(OPEN_TAG)


def _call_as_dict(call: ToolCall) -> dict[str, Any]:
    """As Hugging Face templates expect it: arguments as an object, where they are one."""
    try:
        arguments: Any = json.loads(call.arguments)
    except ValueError:
        arguments = call.arguments
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _to_json(value: Any, indent: int | None = None, **options: Any) -> str:
    """Hugging Face's filter: plain JSON, unlike jinja2's own, which escapes for HTML."""
    return json.dumps(value, ensure_ascii=options.get("ensure_ascii", False), indent=indent)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


# --- messages that a strict template takes ----------------------------------------------------------------------


def _is_system(message: Message) -> bool:
    return message.role in (Role.SYSTEM, Role.DEVELOPER)


def _gather_system(messages: Sequence[Message]) -> list[Message]:
    """All system messages as one, at the beginning."""
    system = [message.content for message in messages if _is_system(message)]
    rest = [message for message in messages if not _is_system(message)]
    return [Message(Role.SYSTEM, "\n\n".join(system)), *rest] if system else rest


def _fold_system(messages: Sequence[Message]) -> list[Message]:
    """No system message: their text goes to the top of the first user message."""
    system = [message.content for message in messages if _is_system(message)]
    rest = [message for message in messages if not _is_system(message)]
    if not system:
        return rest
    for at, message in enumerate(rest):
        if message.role is Role.USER:
            rest[at] = Message(Role.USER, "\n\n".join([*system, message.content]), name=message.name)
            return rest
    return [Message(Role.USER, "\n\n".join(system)), *rest]


def _join_neighbours(messages: Sequence[Message]) -> list[Message]:
    """Neighbouring user messages as one, neighbouring plain assistant messages as one."""
    joined: list[Message] = []
    for message in messages:
        before = joined[-1] if joined else None
        alike = before is not None and before.role is message.role and before.role is not Role.TOOL
        if before is not None and alike and not before.tool_calls and not message.tool_calls:
            joined[-1] = Message(before.role, f"{before.content}\n\n{message.content}", name=before.name)
        else:
            joined.append(message)
    return joined
