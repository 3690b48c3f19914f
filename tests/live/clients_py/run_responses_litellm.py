"""`litellm.responses` with the `openai/` prefix, which asks for `/v1/responses`."""

from __future__ import annotations

import json
import os
from typing import Any

import dialog
import litellm

WHERE = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"], "timeout": 120, "max_retries": 0}
TIDE = {
    "type": "function",
    "name": "tide",
    "description": "When high water is.",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}
left: list[Any] = []


def ask(model: str, asked: Any, **more: Any) -> Any:
    return litellm.responses(model=f"openai/{model}", input=asked, **{**WHERE, "max_output_tokens": 200, **more})


def plain(model: str, text: str) -> Any:
    answer = ask(model, text, instructions="Be brief.")
    return {"text": answer.output_text, "total": answer.usage.total_tokens, "status": answer.status}


def stream(model: str, text: str) -> Any:
    events = list(ask(model, text, stream=True))
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    last = events[-1].response
    assert last.output_text == "".join(pieces)
    return {"text": last.output_text, "pieces": len(pieces), "total": last.usage.total_tokens}


def tools(model: str, text: str, result: str, streamed: bool = False) -> Any:
    if streamed:
        first = list(ask(model, text, tools=[TIDE], stream=True))[-1].response
    else:
        first = ask(model, text, tools=[TIDE])
    calls = [item for item in first.output if item.type == "function_call"]
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": result} for call in calls]
    last = ask(model, results, tools=[TIDE], previous_response_id=first.id)
    return {"calls": [[call.name, json.loads(call.arguments)] for call in calls], "text": last.output_text}


def wrong_key() -> Any:
    return ask("demo", "hi", api_key="sk-wrong-0123456789")


def begin(model: str, text: str) -> Any:
    found = ask(model, text, stream=True, max_output_tokens=20_000)
    left.append(found)
    return next(event.delta for event in found if event.type == "response.output_text.delta")


def leave() -> Any:
    left.pop().response.close()


dialog.serve({check.__name__: check for check in (plain, stream, tools, wrong_key, begin, leave)})
