"""Google's ADK on both of its paths, as its pages use it: `LiteLlm` (OpenAI's form) and `Gemini` (its own). `path` says which."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

import dialog
from google.adk.agents import LlmAgent, ParallelAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.models import Gemini
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.genai import types
from pydantic import BaseModel, Field

BASE, KEY = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
loop = asyncio.new_event_loop()
left: list[Any] = []


class Harbour(BaseModel):
    """A harbour."""

    name: str = Field(max_length=20)
    berths: int = Field(ge=0, le=500)
    open: bool


def llm(path: str, model: str, key: str = KEY, **more: Any) -> Any:
    """With its own version behind the base URL, ADK asks under `/v1/v1beta` where that ends with `/v1`."""
    if path == "LiteLlm":
        return LiteLlm(model=f"openai/{model}", api_base=BASE, api_key=key)
    base = BASE if path == "Gemini /v1" else BASE.removesuffix("/v1")
    return Gemini(model=model, base_url=base, client_kwargs={"api_key": key}, **more)


def agent(model: Any, name: str = "harbour", limit: int = 200, **more: Any) -> LlmAgent:
    config = types.GenerateContentConfig(max_output_tokens=limit, **more.pop("config", {}))
    return LlmAgent(name=name, model=model, instruction="You know the harbour.", generate_content_config=config, **more)


async def turn(root: Any, text: str, streamed: bool = False) -> dict[str, Any]:
    """One turn of a person, to its end."""
    runner = InMemoryRunner(agent=root, app_name="test")
    session = await runner.session_service.create_session(app_name="test", user_id="me")
    config = RunConfig(streaming_mode=StreamingMode.SSE if streamed else StreamingMode.NONE, max_llm_calls=30)
    said: dict[str, Any] = {"calls": [], "pieces": 0, "texts": {}, "total": 0}
    message = types.Content(role="user", parts=[types.Part(text=text)])
    async for event in runner.run_async(user_id="me", session_id=session.id, new_message=message, run_config=config):
        if event.error_code and event.error_code != "MAX_TOKENS":  # how the noise of the demo model ends
            raise RuntimeError(f"{event.error_code}: {event.error_message}")
        texts = [part.text for part in (event.content.parts if event.content else None) or [] if part.text]
        if event.partial:
            said["pieces"] += len(texts)
            continue
        said["calls"] += [[call.name, call.args] for call in event.get_function_calls()]
        if event.usage_metadata:
            said["total"] += event.usage_metadata.total_token_count or 0
        if event.is_final_response():
            said["texts"][event.author] = "".join(texts)
    await runner.close()
    return {**said, "text": next(iter(said["texts"].values()), "")}


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return loop.run_until_complete(work)


def plain(path: str, model: str, text: str) -> Any:
    return run(turn(agent(llm(path, model)), text))


def stream(path: str, model: str, text: str) -> Any:
    return run(turn(agent(llm(path, model)), text, streamed=True))


def tools(path: str, model: str, text: str, result: str, streamed: bool = False) -> Any:
    def tide(place: str) -> str:
        """When high water is.

        Args:
            place: The harbour.
        """
        return result

    return run(turn(agent(llm(path, model), tools=[tide]), text, streamed))


def forced(path: str, model: str, text: str, streamed: bool = False) -> Any:
    """A call that the model must make, of the one tool there is; it ends the turn. Only `Gemini` passes `tool_config` on."""
    from google.adk.tools import ToolContext
    from google.adk.tools.base_tool import BaseTool

    class Tide(BaseTool):
        def _get_declaration(self) -> Any:
            place = types.Schema(type=types.Type.STRING, enum=["Cuxhaven", "Emden"])
            parameters = types.Schema(type=types.Type.OBJECT, properties={"place": place}, required=["place"])
            return types.FunctionDeclaration(name="tide", description="When high water is.", parameters=parameters)

        async def run_async(self, *, args: dict[str, Any], tool_context: ToolContext) -> Any:
            tool_context.actions.skip_summarization = True
            return {"at": "14:05"}

    must = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY))
    root = agent(llm(path, model), tools=[Tide(name="tide", description="When high water is.")], config={"tool_config": must})
    return run(turn(root, text, streamed))


def schema(path: str, model: str, text: str, streamed: bool = False) -> Any:
    answer = run(turn(agent(llm(path, model), output_schema=Harbour), text, streamed))
    return Harbour.model_validate_json(answer["text"]).model_dump()


def wrong_key(path: str) -> Any:
    return run(turn(agent(llm(path, "demo", key="sk-wrong-0123456789")), "hi"))


def retried(path: str, model: str, text: str) -> Any:
    """LiteLLM's SDK tries again by itself; `Gemini` only where it is told to."""
    options = {} if path == "LiteLlm" else {"retry_options": types.HttpRetryOptions(attempts=3, initial_delay=0.2, max_delay=1.0)}
    return run(turn(agent(llm(path, model, **options)), text))


def nine(path: str, model: str) -> Any:
    """Pitwall's debrief: nine agents at once (`protocols/pitwall.md` 5), each with a tool."""

    def tide(place: str) -> str:
        """When high water is."""
        return f"high water of {place}"

    agents = [agent(llm(path, model), name=f"agent{number}", tools=[tide]) for number in range(9)]
    return run(turn(ParallelAgent(name="all", sub_agents=agents), "When is high water? Use tide for Cuxhaven."))


def begin(path: str, model: str, text: str) -> Any:
    """Returns when the first words are there; the turn goes on."""

    async def first() -> str:
        runner = InMemoryRunner(agent=agent(llm(path, model), limit=20_000), app_name="test")
        session = await runner.session_service.create_session(app_name="test", user_id="me")
        message = types.Content(role="user", parts=[types.Part(text=text)])
        config = RunConfig(streaming_mode=StreamingMode.SSE)
        events = runner.run_async(user_id="me", session_id=session.id, new_message=message, run_config=config)
        left.append(events)
        async for event in events:
            if event.content and event.content.parts and event.content.parts[0].text:
                return event.content.parts[0].text
        return ""

    return run(first())


def leave() -> Any:
    run(left.pop().aclose())


dialog.serve({check.__name__: check for check in (plain, stream, tools, forced, schema, wrong_key, retried, nine, begin, leave)})
