"""One kept answer as it lies on the disk. Pure.

It links to the answer that it went on from and holds only what its own request added: a conversation of n turns takes the room of n turns, where
whole copies would take that of n * n / 2. The price is n small files to read for the next turn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.dialects.responses_past import item_id

Json = dict[str, Any]

VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """holder: who may use it, as `Door.key`. previous: id of the answer that it went on from. items: its own input. response: as it was sent."""

    id: str
    holder: str
    previous: str | None
    items: tuple[Mapping[str, Any], ...]
    response: Json

    def input(self) -> Iterator[Json]:
        """Its own input, each item with an id. One that the client chose stays."""
        for index, item in enumerate(self.items):
            own = item.get("id")
            kind = str(item.get("type") or "message")
            ident = own if isinstance(own, str) and own else item_id(self.id, kind, index, of_input=True)
            yield {"type": kind, **{key: value for key, value in item.items() if key != "type"}, "id": ident}

    def output(self) -> list[Json]:
        found: list[Json] = self.response["output"]
        return found

    def known(self) -> dict[str, Json]:
        """All its items by id, its own output first: no client's id can stand for it."""
        return {**{item["id"]: item for item in self.input()}, **{item["id"]: item for item in self.output()}}


def write_record(record: Record) -> bytes:
    """Raises `ValueError` for a number that is none in JSON: 1e999 was read as infinity."""
    value = {
        "version": VERSION,
        "id": record.id,
        "holder": record.holder,
        "previous": record.previous,
        "items": list(record.items),
        "response": record.response,
    }
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")  # half a character, which a client cut, becomes "?"


def read_record(data: bytes) -> Record:
    """Raises `ValueError` for what `write_record` has not written."""
    try:
        value = json.loads(data)
        match value:
            case {
                "version": 1,
                "id": str(ident),
                "holder": str(holder),
                "previous": str() | None as previous,
                "items": list(items),
                "response": {"output": list(output)} as response,
            } if all(isinstance(item, dict) for item in [*items, *output]) and all(map(_is_output, output)):
                return Record(ident, holder, previous, tuple(items), response)
    except RecursionError:
        pass
    raise ValueError("it is not what was written there")


def _is_output(item: Json) -> bool:
    return all(isinstance(item.get(name), str) for name in ("id", "type", "status"))
