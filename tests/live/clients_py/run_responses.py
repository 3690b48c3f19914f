"""`/v1/responses` as three clients use it: OpenAI's SDK, LangChain, Pydantic AI. Each has the same checks, under `who`."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from typing import Any, Literal

import dialog
import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

sdk = openai.OpenAI(max_retries=0, timeout=120)
loop = asyncio.new_event_loop()
left: list[Any] = []


class Harbour(BaseModel):
    """A harbour."""

    name: str = Field(max_length=20)
    berths: int = Field(ge=0, le=500)
    open: bool


@tool
def tide(place: Literal["Cuxhaven", "Emden"]) -> str:
    """When high water is."""
    return place


TIDE: Any = {
    "type": "function",
    "name": "tide",
    "description": "When high water is.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"place": {"type": "string", "enum": ["Cuxhaven", "Emden"]}},
        "required": ["place"],
        "additionalProperties": False,
    },
}


class Sdk:
    """OpenAI's own."""

    def plain(self, model: str, text: str) -> Any:
        answer = sdk.responses.create(model=model, input=text, instructions="Be brief.", max_output_tokens=200)
        return {"text": answer.output_text, "total": answer.usage.total_tokens, "status": answer.status}

    def stream(self, model: str, text: str) -> Any:
        """Its bare iterator, and its helper, which insists on the order of events."""
        bare = list(sdk.responses.create(model=model, input=text, instructions="Be brief.", max_output_tokens=200, stream=True))
        assert [event.sequence_number for event in bare] == list(range(len(bare)))
        pieces = [event.delta for event in bare if event.type == "response.output_text.delta"]
        last = bare[-1].response
        assert last.output_text == "".join(pieces)
        with sdk.responses.stream(model=model, input=text) as helper:
            final = helper.get_final_response()
        assert final.output_text and final.status == "completed"
        return {"text": last.output_text, "pieces": len(pieces), "total": last.usage.total_tokens}

    def tools(self, model: str, text: str, result: str, streamed: bool = False, forced: bool = False) -> Any:
        """Goes on with nothing but the result and the answer's id."""
        asked: dict[str, Any] = {"model": model, "tools": [TIDE], "max_output_tokens": 300}
        choice: Any = {"type": "function", "name": "tide"} if forced else "auto"
        if forced:
            asked["parallel_tool_calls"] = False
        if streamed:
            with sdk.responses.stream(input=text, tool_choice=choice, **asked) as stream:
                first = stream.get_final_response()
        else:
            first = sdk.responses.create(input=text, tool_choice=choice, **asked)
        calls = [item for item in first.output if item.type == "function_call"]
        results: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": result} for call in calls]
        last = sdk.responses.create(previous_response_id=first.id, input=results, **asked)
        return {"calls": [[call.name, json.loads(call.arguments)] for call in calls], "text": last.output_text}

    def schema(self, model: str, text: str) -> Any:
        answer = sdk.responses.parse(model=model, input=text, text_format=Harbour)
        assert answer.output_parsed is not None
        return answer.output_parsed.model_dump()

    def wrong_key(self) -> Any:
        return sdk.with_options(api_key="sk-wrong-0123456789").responses.create(model="demo", input="hi")

    def begin(self, model: str, text: str) -> Any:
        stream = sdk.responses.create(model=model, input=text, stream=True)
        left.append(stream)
        return next(event.delta for event in stream if event.type == "response.output_text.delta")

    def leave(self) -> Any:
        left.pop().close()


class LangChain:
    def chat(self, model: str, **more: Any) -> Any:
        return ChatOpenAI(model=model, use_responses_api=True, timeout=120, max_retries=0, max_tokens=200, **more)

    def plain(self, model: str, text: str) -> Any:
        answer = self.chat(model).invoke(text)
        return {"text": answer.text, "total": answer.usage_metadata["total_tokens"], "status": answer.response_metadata["status"]}

    def stream(self, model: str, text: str) -> Any:
        chunks = list(self.chat(model).stream(text))
        whole = _joined(chunks)
        pieces = [chunk.text for chunk in chunks if chunk.text]
        return {"text": whole.text, "pieces": len(pieces), "total": whole.usage_metadata["total_tokens"]}

    def tools(self, model: str, text: str, result: str, streamed: bool = False, forced: bool = False) -> Any:
        """Sends all of it again, the assistant's message with its call in it."""
        choice: Any = {"tool_choice": "tide", "parallel_tool_calls": False} if forced else {}
        bound = self.chat(model).bind_tools([tide], **choice)
        asked: list[Any] = [HumanMessage(text)]
        message = _joined(list(bound.stream(asked))) if streamed else bound.invoke(asked)
        asked += [message, *(ToolMessage(result, tool_call_id=call["id"]) for call in message.tool_calls)]
        answer = self.chat(model).bind_tools([tide]).invoke(asked)
        return {"calls": [[call["name"], call["args"]] for call in message.tool_calls], "text": answer.text}

    def linked(self, model: str, texts: list[str]) -> Any:
        """`use_previous_response_id`: only what is new is sent, behind the id of the last answer."""
        chat, messages = self.chat(model, use_previous_response_id=True, store=True), []
        for text in texts:
            messages.append(HumanMessage(text))
            messages.append(chat.invoke(messages))
        return messages[-1].text

    def schema(self, model: str, text: str) -> Any:
        return self.chat(model).with_structured_output(Harbour).invoke(text).model_dump()

    def wrong_key(self) -> Any:
        return self.chat("demo", api_key="sk-wrong-0123456789").invoke("hi")

    def begin(self, model: str, text: str) -> Any:
        stream = ChatOpenAI(model=model, use_responses_api=True).stream(text)
        left.append(stream)
        return next(chunk.text for chunk in stream if chunk.text)

    def leave(self) -> Any:
        left.pop().close()


class PydanticAi:
    def agent(self, model: str, **more: Any) -> Any:
        settings: Any = {"max_tokens": 200, **more.pop("settings", {})}
        return Agent(OpenAIResponsesModel(model, provider=OpenAIProvider()), model_settings=settings, **more)

    def plain(self, model: str, text: str) -> Any:
        run = self.agent(model, instructions="Be brief.").run_sync(text)
        return {"text": run.output, "total": run.usage.total_tokens, "status": "completed"}

    def stream(self, model: str, text: str) -> Any:
        return loop.run_until_complete(self._stream(model, text))

    async def _stream(self, model: str, text: str) -> Any:
        async with self.agent(model).run_stream(text) as run:
            pieces = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
            return {"text": "".join(pieces), "pieces": len(pieces), "total": run.usage.total_tokens}

    def tools(self, model: str, text: str, result: str, streamed: bool = False, linked: bool = False) -> Any:
        """Its own loop. linked: by the id of the last answer, as its setting has it."""
        made = self.agent(model, settings={"openai_previous_response_id": "auto"} if linked else {})

        @made.tool_plain
        def tide(place: Literal["Cuxhaven", "Emden"]) -> str:
            """When high water is."""
            return result

        if streamed:
            output, messages = loop.run_until_complete(self._streamed(made, text))
        else:
            run = made.run_sync(text)
            output, messages = run.output, run.all_messages()
        calls = [part for message in messages for part in message.parts if isinstance(part, ToolCallPart)]
        return {"calls": [[call.tool_name, call.args_as_dict()] for call in calls], "text": output}

    async def _streamed(self, made: Any, text: str) -> Any:
        async with made.run_stream(text) as run:
            return await run.get_output(), run.all_messages()

    def schema(self, model: str, text: str) -> Any:
        return self.agent(model, output_type=NativeOutput(Harbour)).run_sync(text).output.model_dump()

    def wrong_key(self) -> Any:
        provider = OpenAIProvider(api_key="sk-wrong-0123456789", base_url=os.environ["OPENAI_BASE_URL"])
        return Agent(OpenAIResponsesModel("demo", provider=provider)).run_sync("hi")

    def begin(self, model: str, text: str) -> Any:
        first: asyncio.Future[str] = loop.create_future()

        async def read() -> None:
            async with Agent(OpenAIResponsesModel(model, provider=OpenAIProvider())).run_stream(text) as run:
                async for piece in run.stream_text(delta=True, debounce_by=None):
                    if not first.done():
                        first.set_result(piece)

        left.append(loop.create_task(read()))
        return loop.run_until_complete(asyncio.wait_for(first, 120))

    def leave(self) -> Any:
        task = left.pop()
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))


def _joined(chunks: list[Any]) -> Any:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


# --- of OpenAI's SDK only -------------------------------------------------------------------------------------


def told(model: str, texts: list[str]) -> Any:
    """A conversation by ids: what the last answer says, and what each request counted."""
    previous, counted, answer = None, [], None
    for text in texts:
        answer = sdk.responses.create(model=model, input=text, previous_response_id=previous)
        previous = answer.id
        counted.append(answer.usage.input_tokens)
    assert answer is not None
    return {"text": answer.output_text, "counted": counted}


def kept(model: str, text: str) -> Any:
    """What becomes of an answer that is kept."""
    answer = sdk.responses.create(model=model, input=text)
    again = sdk.responses.retrieve(answer.id)
    items = [item.id for item in sdk.responses.input_items.list(answer.id)]
    sdk.responses.delete(answer.id)
    return {"same": again.output_text == answer.output_text, "items": len(items), "id": answer.id}


def goes_on(previous: str) -> Any:
    return sdk.responses.create(model="demo", input="And?", previous_response_id=previous)


def fetched(ident: str) -> Any:
    return sdk.responses.retrieve(ident)


def events(model: str, text: str) -> Any:
    """Types of a stream's events until it ends or raises, with how often each came."""
    seen: Counter[str] = Counter()
    raised = None
    try:
        for event in sdk.responses.create(model=model, input=text, stream=True):
            seen[event.type] += 1
    except openai.APIError as exc:
        raised = dialog.failure(exc)
    return {"seen": seen, "raised": raised}


WHO: Any = {"OpenAI Python": Sdk(), "LangChain": LangChain(), "Pydantic AI": PydanticAi()}


def _of(name: str) -> Any:
    def check(who: str, **arguments: Any) -> Any:
        return getattr(WHO[who], name)(**arguments)

    return check


dialog.serve(
    {
        **{name: _of(name) for name in ("plain", "stream", "tools", "linked", "schema", "wrong_key", "begin", "leave")},
        **{check.__name__: check for check in (told, kept, goes_on, fetched, events)},
    }
)
