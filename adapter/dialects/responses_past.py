"""What a request for `POST /v1/responses` refers to: an earlier answer, and single items of earlier answers. Pure.

The ids of items are those of their answer with another beginning and the item's place behind it, so that an item is found without an index:

    resp_<48 hex>    msg_<48 hex>a00000  rs_...  fc_...  output    msg_<48 hex>b00000  input
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.dialects.openai_values import whole_text, wrong_type
from adapter.errors import BadRequest, PreviousResponseNotFound

Item = Mapping[str, Any]

_RESPONSE = re.compile(r"resp_[0-9a-f]{48}")
_ITEM = re.compile(r"[a-z]{2,4}_([0-9a-f]{48})[ab][0-9a-f]{5}")
_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}
# Answers that single items may be taken from, a small file each. The AI SDK names all those of its conversation by itself, each step of an agent's
# loop among them, and cannot send the items instead.
MAX_REFERRED = 1_024


@dataclass(frozen=True, slots=True)
class Past:
    """What was found of it. items: the conversation that `previous_response_id` stands for, oldest first. known: further items by id."""

    items: tuple[Item, ...] = ()
    known: Mapping[str, Item] = field(default_factory=dict)


NOTHING = Past()


@dataclass(frozen=True, slots=True)
class Referred:
    """previous: id of the answer to go on from. answers: ids of the answers that single items are taken from."""

    previous: str | None = None
    answers: tuple[str, ...] = ()


def is_response_id(word: str) -> bool:
    """Could it be one of ours? Nothing else may become a file's name."""
    return _RESPONSE.fullmatch(word) is not None


def item_id(response_id: str, kind: str, index: int, *, of_input: bool = False) -> str:
    """kind: `type` of the item."""
    place = f"{'b' if of_input else 'a'}{index:05x}"
    return f"{_PREFIXES.get(kind, 'item')}_{response_id.removeprefix('resp_')}{place}"


def referred(body: Mapping[str, Any]) -> Referred:
    """What has to be looked up for this request. Raises `BadRequest` for an id that is no string, `PreviousResponseNotFound` for one that is not ours."""
    previous = body.get("previous_response_id")
    if previous is not None and not isinstance(previous, str):
        raise wrong_type("previous_response_id", "a string", previous)
    if previous and not is_response_id(previous):
        raise no_previous(previous)
    items = body.get("input")
    found = [_answer_of(item) for item in items if _is_reference(item)] if isinstance(items, list) else []
    answers = tuple(dict.fromkeys(one for one in found if one))
    if len(answers) > MAX_REFERRED:
        raise BadRequest(
            f"'input' refers to items of {len(answers)} answers; at most {MAX_REFERRED} are possible. Send the items themselves.", param="input"
        )
    return Referred(previous or None, answers)


def resolved(items: Sequence[object], past: Past) -> list[object]:
    """The items of `input` with every reference replaced by what it refers to. Raises `BadRequest` naming the one that is not kept."""
    if not any(map(_is_reference, items)):
        return list(items)
    known = {str(item["id"]): item for item in past.items if "id" in item} | dict(past.known)
    return [_looked_up(item, known, f"input[{index}].id") if _is_reference(item) else item for index, item in enumerate(items)]


def no_previous(previous: str, why: str = "") -> PreviousResponseNotFound:
    """400, as OpenAI does: behind LiteLLM a single 404 would shut the model off for everybody (`protocols/clients.md` 9.3)."""
    return PreviousResponseNotFound(
        f"Previous response with id '{whole_text(previous[:80])}' not found: {why or 'no such answer of this key is kept'}. "
        "Send the whole conversation in 'input'.",
        param="previous_response_id",
    )


def _is_reference(item: object) -> bool:
    """Without a type it is one, too, if it has an id and nothing else. OpenAI's own type of it may be null."""
    if not isinstance(item, dict):
        return False
    kind = item.get("type")
    return kind == "item_reference" or (kind is None and item.keys() - {"type"} == {"id"})


def _answer_of(item: Any) -> str | None:
    word = item.get("id")
    found = _ITEM.fullmatch(word) if isinstance(word, str) else None
    return f"resp_{found[1]}" if found else None


def _looked_up(item: Any, known: Mapping[str, Item], where: str) -> Item:
    word = item.get("id")
    if not isinstance(word, str):
        raise wrong_type(where, "a string", word)
    found = known.get(word)
    if found is None:
        raise BadRequest(
            f"'{where}' is '{whole_text(word[:80])}', which is not an item of an answer that is kept here for this key; send the item itself.",
            param=where,
        )
    return found
