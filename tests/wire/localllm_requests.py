"""What the tests of LocalLLM's requests share: a tool, a call, a picture, and how to look at what came and went."""

from __future__ import annotations

import base64
from typing import Any

from tests.fakes.localllm import AICORE_ID, Reply
from tests.wire.hazards import Seen
from tests.wire.localllm_hazards import Place

HONOURED = {"model", "messages", "stream", "session_id", "temperature", "top_k", "max_tokens", "tools", "tool_choice"}
AICORE = f"phone/{AICORE_ID}"
LAP = {
    "type": "function",
    "function": {
        "name": "get_corner",
        "description": "Corner data",
        "parameters": {"type": "object", "properties": {"lap": {"type": "integer"}}, "required": ["lap"]},
    },
}
CALL = Reply((), (("get_corner", {"lap": 3}),))
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def shown(at: Place) -> list[tuple[str, str]]:
    """Role and text of each message that the model saw last."""
    return [(message["role"], message["content"]) for message in at.phone.prompts[-1].messages]


def calls_of(seen: Seen) -> list[dict[str, Any]]:
    choices = [choice for frame in seen.frames for choice in frame["choices"]]
    parts = [choice.get("delta") or choice.get("message") or {} for choice in choices]
    return [call for part in parts for call in part.get("tool_calls") or ()]
