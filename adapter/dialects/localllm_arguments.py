"""Arguments of calls as LocalLLM sends them -> JSON text that fits the schema's integers. Pure.

Its JSON library may write an integer as `1.0` (`protocols/localllm.md` 7.3), which strict clients refuse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapter.errors import UpstreamProtocol

MAX_DEPTH = 64


def mended_arguments(text: str, schema: Mapping[str, Any]) -> str:
    """`text`, the JSON text of an object, written again, with whole numbers where `schema` wants integers.

    Raises `UpstreamProtocol` for what is no object; the app makes it from a map, so it always is.
    """
    try:
        value = json.loads(text)
        mended = _mended(value, schema, 0)
        if isinstance(mended, dict):
            return json.dumps(mended, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        pass
    raise UpstreamProtocol(
        f"LocalLLM sent a tool call whose arguments are no JSON object: {text[:80]!r}. Ask again; if it stays so, "
        "use another model."
    )


def _mended(value: Any, schema: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and _wants_integer(schema) else value
    if isinstance(value, dict):
        properties, others = schema.get("properties"), schema.get("additionalProperties")
        known = properties if isinstance(properties, dict) else {}
        return {key: _mended(part, known.get(key, others), depth + 1) for key, part in value.items()} or value
    if isinstance(value, list):
        return [_mended(part, schema.get("items"), depth + 1) for part in value]
    return value


def _wants_integer(schema: Mapping[str, Any]) -> bool:
    """Integers are welcome, and no fractions are; through one level of alternatives."""
    kinds = set(_kinds(schema))
    for several in ("anyOf", "oneOf"):
        options = schema.get(several)
        if isinstance(options, list):
            kinds |= {kind for option in options if isinstance(option, dict) for kind in _kinds(option)}
    return "integer" in kinds and "number" not in kinds


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type")
    return [kind] if isinstance(kind, str) else [k for k in kind if isinstance(k, str)] if isinstance(kind, list) else []
