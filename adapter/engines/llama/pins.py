"""Pinned prompts: files of requests -> the tokens that every such request begins with. Runs in the worker before it is ready."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from adapter.chat import Chat, Message, Role
from adapter.dialects.openai_parse import parse_chat
from adapter.engines.llama.inbox import Bake
from adapter.engines.llama.model import Model
from adapter.engines.llama.template import ChatTemplate
from adapter.errors import AdapterError, BadRequest

logger = logging.getLogger(__name__)

# Two questions that have nothing in common: what both prompts begin with does not depend on the question.
_QUESTIONS = ("0", "x")


def bakes(paths: Sequence[str], template: ChatTemplate, model: Model) -> Iterator[Bake]:
    """One for each file that can be used; others are named in the log and left out."""
    for path in paths:
        try:
            tokens = pinned_tokens(_read(Path(path), date.today()), template, model)
        except (OSError, ValueError, AdapterError) as exc:
            logger.warning("pinned prompt cannot be used file=%s: %s", path, exc)
            continue
        except Exception:  # the model is of use without it
            logger.exception("pinned prompt cannot be used because of us file=%s", path)
            continue
        room = model.facts.ctx_tokens - 1
        if not 0 < len(tokens) <= room:
            logger.warning(
                "pinned prompt left out file=%s: %s tokens; from 1 to %s are possible", path, len(tokens), room
            )
            continue
        yield Bake(tokens, Path(path).name)


def _read(path: Path, today: date) -> Chat:
    """Raises `OSError`, `ValueError`, `AdapterError`. `date`: the day on which the prompt was recorded, as it stands in it; today's takes its place."""
    try:
        return _chat(json.loads(path.read_text(encoding="utf-8")), today)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None


def _chat(body: object, today: date) -> Chat:
    if not isinstance(body, dict):
        raise BadRequest("it must hold a JSON object with 'messages', as a request has it")
    recorded = body.pop("date", None)
    if recorded is not None:
        try:
            date.fromisoformat(recorded)
        except (TypeError, ValueError):
            raise BadRequest("'date' must be a day, like 2026-11-20") from None
        body["messages"] = _dated(body.get("messages"), recorded, today.isoformat())
    return parse_chat(body).chat


def _dated(value: object, recorded: str, today: str) -> object:
    """The same messages, as they would be written today."""
    match value:
        case str():
            return value.replace(recorded, today)
        case list():
            return [_dated(entry, recorded, today) for entry in value]
        case dict():
            return {key: _dated(entry, recorded, today) for key, entry in value.items()}
        case _:
            return value


def pinned_tokens(chat: Chat, template: ChatTemplate, model: Model) -> tuple[int, ...]:
    """The tokens that all requests share which have these tools and begin with these messages."""
    prompts = [
        model.tokenize(template.render(_asking(chat, question)).prompt) for question in _QUESTIONS
    ]
    first, second = prompts
    same = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        same += 1
    return tuple(first[:same])


def _asking(chat: Chat, question: str) -> Chat:
    return replace(chat, messages=(*chat.messages, Message(Role.USER, question)))
