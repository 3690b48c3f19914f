"""What every kind of request has: the model's name, how the answer is sent, what had no effect. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from adapter.dialects.openai_values import boolean, whole_text, wrong_type
from adapter.engines.base import Can
from adapter.errors import BadRequest

MAX_MODEL_CHARS = 512
# Every last chunk repeats them; a body of junk must not come back as an answer of junk.
MAX_IGNORED = 32
MAX_ANSWERS = 128


@dataclass(frozen=True, slots=True)
class Asked:
    """What the server needs to know about a request besides the request itself.

    model: as the client named it. needs: what a model must be able to do, each with the field that asks for it. wishes:
    what it should be able to do, if any can. ignored: hints and unknown fields that the answer does not depend on, in the
    order sent, the first 32. hints: fields that have an effect only where the model can do this.
    """

    model: str
    needs: Mapping[Can, str]
    wishes: frozenset[Can] = frozenset()
    stream: bool = False
    include_usage: bool = False
    ignored: tuple[str, ...] = ()
    hints: tuple[tuple[Can, str], ...] = ()

    def without_effect(self, can: frozenset[Can]) -> tuple[str, ...]:
        """Fields that have no effect with a model of these capabilities."""
        if not self.hints:
            return self.ignored
        missed = (name for need, name in self.hints if need not in can)
        return (*self.ignored, *missed)[:MAX_IGNORED]


def given_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Null asks for nothing: many clients spell out every field."""
    return {key: value for key, value in body.items() if value is not None}


def parse_model(given: Mapping[str, Any]) -> str:
    value = given.get("model", "auto")
    if not isinstance(value, str):
        raise wrong_type("model", "a string", value)
    if len(value) > MAX_MODEL_CHARS:
        raise BadRequest(
            f"'model' has {len(value)} characters; at most {MAX_MODEL_CHARS} are possible.", param="model"
        )
    return whole_text(value).strip() or "auto"


def parse_stream(given: Mapping[str, Any]) -> tuple[bool, bool]:
    """(is the answer streamed, is a chunk with the usage wanted)."""
    stream = boolean(given, "stream", default=False)
    options = given.get("stream_options", {})
    if not isinstance(options, dict):
        raise wrong_type("stream_options", "an object", options)
    value = options.get("include_usage") or False
    if not isinstance(value, bool):
        raise wrong_type("stream_options.include_usage", "true or false", value)
    return stream, value


def bounded_names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(whole_text(name)[:64] for name in islice(names, MAX_IGNORED))
