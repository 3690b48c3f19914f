"""What clients break on in chunks and plain answers (`protocols/clients.md` 5), and how it is mended on the way. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapter.dialects.upstream_openai_choice import reason_of, text_in


def is_tidy(chunk: Mapping[str, Any]) -> bool:
    """Does a chunk have all that some client needs? Its choices' calls are looked at, too."""
    return (
        _is_text(chunk.get("id"))
        and chunk.get("object") == "chat.completion.chunk"
        and type(chunk.get("created")) is int
        and _is_text(chunk.get("model"))
        and isinstance(chunk.get("choices"), list)
        and all(_is_tidy_choice(choice) for choice in chunk["choices"])
    )


def is_tidy_plain(body: Mapping[str, Any]) -> bool:
    """The same for a plain answer of text. One with calls is looked at more closely, by mending it."""
    return (
        _is_text(body.get("id"))
        and body.get("object") == "chat.completion"
        and type(body.get("created")) is int
        and _is_text(body.get("model"))
        and all(_is_tidy_answer(choice) for choice in body["choices"])
    )


def _is_tidy_answer(choice: object) -> bool:
    if not isinstance(choice, dict) or type(choice.get("index")) is not int or choice.get("finish_reason") not in ("stop", "length"):
        return False
    message = choice.get("message")
    return (
        isinstance(message, dict)
        and _is_text(message.get("role"))
        and isinstance(message.get("content"), str)
        and not message.get("tool_calls")
    )


def _is_tidy_choice(choice: object) -> bool:
    if not isinstance(choice, dict) or type(choice.get("index")) is not int or not isinstance(choice.get("delta"), dict):
        return False
    delta = choice["delta"]
    calls = delta.get("tool_calls") or []
    return (
        isinstance(delta.get("content", ""), str | None)
        and isinstance(calls, list)
        and all(_is_tidy_call(call) for call in calls)
    )


def _is_tidy_call(call: object) -> bool:
    if not isinstance(call, dict) or type(call.get("index")) is not int or not isinstance(call.get("function"), dict):
        return False
    function = call["function"]
    whole = not function.get("name") or (_is_text(call.get("id")) and call.get("type") == "function")
    return whole and isinstance(function.get("arguments", ""), str)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


class Mender:
    """Gives one answer what it lacks. made_up: its id, and begins those of its calls. created: whole seconds since 1970."""

    def __init__(self, made_up: str, created: int, model: str) -> None:
        self._made_up = made_up
        self._created = created
        self._model = model
        self._calls: dict[int, int] = {}  # choice: calls so far
        self._id = ""
        self._roles: set[int] = set()

    def mend(self, chunk: dict[str, Any]) -> bool:
        """Changes a chunk. Returns True: it is written anew."""
        self._envelope(chunk, "chat.completion.chunk")
        for position, choice in enumerate(_dicts(chunk.get("choices"))):
            _default(choice, "index", position, int)
            _default(choice, "delta", {}, dict)
            delta = choice["delta"]
            if isinstance(delta.get("content"), list):
                delta["content"] = text_in(delta["content"])
            for call in _dicts(delta.get("tool_calls")):
                self._call(call, choice["index"])
        return True

    def add_role(self, chunk: dict[str, Any]) -> bool:
        """The first delta of a choice names the role: the JS helper breaks without. Returns whether it was missing."""
        changed = False
        for choice in _dicts(chunk.get("choices")):
            index, delta = choice.get("index", 0), choice.get("delta")
            if isinstance(delta, dict) and index not in self._roles:
                self._roles.add(index)
                if not delta.get("role"):
                    choice["delta"] = {"role": "assistant", **{key: value for key, value in delta.items() if key != "role"}}
                    changed = True
        return changed

    def mend_plain(self, body: dict[str, Any]) -> bool:
        """Changes a plain answer. Returns whether there was something to change."""
        before = json.dumps(_skeleton(body), default=str)
        self._envelope(body, "chat.completion")
        for position, choice in enumerate(_dicts(body.get("choices"))):
            _default(choice, "index", position, int)
            _default(choice, "message", {}, dict)
            choice["finish_reason"] = reason_of(str(choice.get("finish_reason"))).value
            message = choice["message"]
            _default(message, "role", "assistant", str)
            calls = _dicts(message.get("tool_calls"))
            if not isinstance(message.get("content"), str) and not (message.get("content") is None and calls):
                message["content"] = text_in(message.get("content"))
            for call in calls:
                self._call(call, choice["index"], plain=True)
        return json.dumps(_skeleton(body), default=str) != before

    def _envelope(self, value: dict[str, Any], kind: str) -> None:
        """One id and one time for all chunks: the first ones seen."""
        _default(value, "id", self._id or f"chatcmpl-{self._made_up}", str)
        self._id = value["id"]
        if type(value.get("created")) is not int:
            number = value.get("created")
            value["created"] = int(number) if isinstance(number, float) and 0 < number < 2**53 else self._created
        _default(value, "model", self._model, str)
        value["object"] = kind

    def _call(self, call: dict[str, Any], choice: int, *, plain: bool = False) -> None:
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        call["function"] = function
        begins = _is_text(function.get("name"))
        number = self._calls.get(choice, 0)
        if begins and (plain or not isinstance(call.get("index"), int) or call["index"] >= number):
            self._calls[choice] = number + 1
        else:
            number = max(0, number - 1)
        if not plain:
            _default(call, "index", number, int)
        if begins:
            _default(call, "id", f"call_{self._made_up}{choice}_{number}", str)
            call["type"] = "function"
        arguments = function.get("arguments")
        if arguments is None or (plain and arguments == ""):
            function["arguments"] = "{}" if plain else ""
        elif not isinstance(arguments, str):
            function["arguments"] = json.dumps(arguments, ensure_ascii=False)


def _default(value: dict[str, Any], key: str, default: Any, kind: type) -> None:
    given = value.get(key)
    if not isinstance(given, kind) or isinstance(given, bool) or (kind is str and not given):
        value[key] = default


def _dicts(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _skeleton(body: Mapping[str, Any]) -> object:
    """What mending can change, without the texts, which may be long."""
    head = [body.get(key) for key in ("id", "object", "created", "model")]
    return [head, [_choice_skeleton(choice) for choice in _dicts(body.get("choices"))]]


def _choice_skeleton(choice: Mapping[str, Any]) -> object:
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    content = message.get("content")
    calls = [
        [call.get("id"), call.get("type"), call.get("function")] for call in _dicts(message.get("tool_calls"))
    ]
    shown = "text" if isinstance(content, str) else type(content).__name__
    return [choice.get("index"), choice.get("finish_reason"), "message" in choice, message.get("role"), shown, calls]
