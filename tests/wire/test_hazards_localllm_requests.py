"""What becomes of a client's request on its way to LocalLLM: every row of `protocols/localllm.md` 7.1 and 7.2, through the adapter.

The app honours nine fields, keeps one system text, takes `max_tokens` for its context and forgets conversations. What the client wanted is
done here, refused by name, or told under `farmhand.ignored`.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from aiohttp import web

from tests.fakes.localllm import AICORE_ID, FakeLocalLLM, Reply
from tests.wire.hazards import both
from tests.wire.localllm_cases import GEMMA
from tests.wire.localllm_hazards import asked_both_ways, place
from tests.wire.localllm_requests import AICORE, HONOURED, LAP, PNG, calls_of, shown, user

# --- 7.1: fields --------------------------------------------------------------------------------------------------------


IGNORED: dict[str, Any] = {
    "top_p": 0.5,
    "seed": 7,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "user": "driver-1",
    "reasoning_effort": "low",
    "metadata": {"lap": "3"},
    "store": True,
    "service_tier": "auto",
}


@both
@pytest.mark.parametrize("field", IGNORED)
async def test_7_1_a_field_without_effect_is_told(stream: bool, field: str) -> None:
    """7.1: "Everything else is silently ignored". Not silently here: the field stands in `farmhand.ignored`, and the app never sees it."""
    async with place() as at:
        seen = await at.ask(stream=stream, **{field: IGNORED[field]})
    assert seen.whole and seen.farmhand["ignored"] == [field]
    assert set(at.chats[0]) <= HONOURED


@both
@pytest.mark.parametrize(("field", "value"), [("logprobs", True), ("logit_bias", {"5": 1})])
async def test_7_1_a_field_that_would_change_the_answer_is_refused(stream: bool, field: str, value: Any) -> None:
    """7.1 `logprobs`, `top_logprobs`, `logit_bias`: an answer without them would look as if they were honoured."""
    async with place() as at:
        seen = await at.ask(stream=stream, **{field: value})
    assert seen.refused == (400, "not_capable") and seen.error["param"] == field
    assert at.chats == []


@both
async def test_7_1_n_is_made_here(stream: bool) -> None:
    """7.1 `n`: ignored by the app. Asked so many times, one after the other."""
    async with place() as at:
        seen = await at.ask(stream=stream, n=2)
    choices = [choice for frame in seen.frames for choice in frame["choices"]]
    parts = [(choice["index"], choice.get("delta") or choice.get("message") or {}) for choice in choices]
    texts = ["".join(part.get("content") or "" for index, part in parts if index == one) for one in (0, 1)]
    assert texts == ["say hello"] * 2 and seen.finish_reason == "stop"
    assert len(at.chats) == 2 and all(set(chat) <= HONOURED for chat in at.chats) and at.unhurt


@both
@asked_both_ways
async def test_7_1_stop_is_kept_here(stream: bool, upstream: str) -> None:
    """7.1 `stop`: ignored by the app."""
    async with place(FakeLocalLLM(deltas="correct"), stream=upstream) as at:
        seen = await at.ask("red green blue yellow", stream=stream, stop=["een b", "low"])
    assert (seen.whole, seen.text, seen.finish_reason) == (True, "red gr", "stop")
    assert set(at.chats[0]) <= HONOURED


@both
async def test_7_1_response_format_is_kept_here(stream: bool) -> None:
    """7.1 `response_format`: ignored by the app. In words, checked, and asked again if need be."""
    answers = iter([Reply(("Sure! ",)), Reply(('Here: {"lap": 3}',))])
    form = {"name": "lap", "schema": {"type": "object", "properties": {"lap": {"type": "integer"}}, "required": ["lap"]}}
    async with place(FakeLocalLLM(reply=lambda messages: next(answers))) as at:
        seen = await at.ask(stream=stream, response_format={"type": "json_schema", "json_schema": form})
    assert seen.whole and json.loads(seen.text) == {"lap": 3}
    assert len(at.chats) == 2 and all(set(chat) <= HONOURED for chat in at.chats)
    assert at.unhurt


async def test_7_1_stream_options_is_kept_here() -> None:
    """7.1 `stream_options`: ignored by the app, which never counts; the chunk with the usage is ours, marked as an estimate."""
    async with place() as at:
        seen = await at.ask(stream=True, stream_options={"include_usage": True})
    assert seen.usage["completion_tokens"] > 0 and seen.farmhand["usage"]["completion_tokens"] == "estimated"
    assert set(at.chats[0]) <= HONOURED


@both
async def test_7_1_max_completion_tokens_is_kept_here(stream: bool) -> None:
    """7.1 `max_completion_tokens`: ignored by the app."""
    async with place() as at:
        seen = await at.ask("one two three four five six seven", stream=stream, max_completion_tokens=3)
    assert seen.finish_reason == "length" and "one two three four".startswith(seen.text) and seen.text
    assert set(at.chats[0]) <= HONOURED


@both
async def test_7_1_parallel_tool_calls_is_kept_here(stream: bool) -> None:
    """7.1 `parallel_tool_calls`: ignored by the app. Calls behind the first are left out, and that is said; it is not ignored then."""
    two = Reply((), (("get_corner", {"lap": 3}), ("get_corner", {"lap": 4})))
    async with place(FakeLocalLLM(reply=two)) as at:
        seen = await at.ask(stream=stream, tools=[LAP], parallel_tool_calls=False)
    assert [json.loads(call["function"]["arguments"]) for call in calls_of(seen)] == [{"lap": 3}]
    assert "left out" in str(seen.farmhand["emulated"]["notes"])
    assert "parallel_tool_calls" not in seen.farmhand.get("ignored", [])


@both
async def test_7_1_null_equals_absence(stream: bool) -> None:
    """7.1: "JSON null for any optional field equals absence, stream: null included"."""
    nulls = dict.fromkeys(["temperature", "top_k", "max_tokens", "tools", "tool_choice", "session_id", "stop", "seed", "n"])
    async with place() as at:
        seen = await at.ask(stream=stream, **nulls)
        async with at.adapter.session.post(
            "/v1/chat/completions", json={"messages": [user("say hello")], "stream": None}
        ) as response:
            assert response.content_type == "application/json"
    assert seen.whole and "ignored" not in seen.farmhand
    assert [set(chat) for chat in at.chats] == [{"model", "messages", "stream"}] * 2


@both
@pytest.mark.parametrize("value", [-0.1, 2.1])
async def test_7_1_temperature_is_bounded_here(stream: bool, value: float) -> None:
    """7.1 `temperature`: "the request value is not clamped" by the app, and goes to the runtime as it is."""
    async with place() as at:
        seen = await at.ask(stream=stream, temperature=value)
    assert (seen.status, seen.error["param"]) == (400, "temperature")
    assert at.chats == []


@both
async def test_7_1_temperature_and_top_k_are_passed_on(stream: bool) -> None:
    """7.1 `temperature`, `top_k`: honoured, so they are not among the ignored ones."""
    async with place() as at:
        seen = await at.ask(stream=stream, temperature=0.4, top_k=7)
    assert seen.whole and "ignored" not in seen.farmhand
    assert (at.phone.prompts[0].temperature, at.phone.prompts[0].top_k) == (0.4, 7)


@both
async def test_7_1_names_of_a_model_that_the_app_does_not_know(stream: bool) -> None:
    """7.1 `model`, 10: "gemma3n-e2b (Pitwall's default), gemma-4-E2B-it, openai/... -> 503". The app gets its own id each time."""
    async with place() as at:
        for name in ("gemma3n-e2b", "gemma-4-E2B-it", "openai/gemma-4-e2b", "openai/gemma3n-e2b", f"{GEMMA}.litertlm"):
            assert (await at.ask(stream=stream, model=name)).whole, name
    assert {chat["model"] for chat in at.chats} == {GEMMA}


# --- 7.2: messages --------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    "system",
    [
        [{"role": "system", "content": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]}],
        [{"role": "system", "content": "Be brief."}, {"role": "system", "content": "Be kind."}],
        [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Be kind."}],
        [{"role": "developer", "content": "Be brief."}, {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]}],
    ],
    ids=["array", "second-system", "developer-too", "developer-only"],
)
async def test_7_2_no_system_text_is_dropped(stream: bool, system: list[dict[str, Any]]) -> None:
    """7.2 `system`: "first one only, and only if content is a plain string"; `developer`: "treated as user"."""
    async with place() as at:
        seen = await at.ask([*system, user("hi")], stream=stream)
    assert seen.whole and [role for role, _ in shown(at)] == ["system", "user"]
    assert shown(at)[0][1].split() == ["Be", "brief.", "Be", "kind."]


@both
async def test_7_2_a_system_text_in_the_middle_is_kept(stream: bool) -> None:
    """7.2 `system`: "later system messages are dropped". It goes to the front."""
    async with place() as at:
        messages = [user("one"), {"role": "assistant", "content": "1"}, {"role": "system", "content": "Now loud."}, user("two")]
        seen = await at.ask(messages, stream=stream)
    assert seen.whole
    assert shown(at) == [("system", "Now loud."), ("user", "one"), ("assistant", "1"), ("user", "two")]


@both
async def test_7_2_a_role_that_nobody_knows_is_refused(stream: bool) -> None:
    """7.2: "any other role | treated as user in the history; refused as the last message". `function` is the tool role's old name."""
    async with place() as at:
        seen = await at.ask([{"role": "narrator", "content": "x"}, user("hi")], stream=stream)
        assert (seen.status, seen.error["param"]) == (400, "messages[0].role")
        assert (await at.ask([user("hi"), {"role": "function", "name": "f", "content": "42"}], stream=stream)).whole
    assert shown(at)[-1] == ("tool", "42") and len(at.chats) == 1


@both
@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        ([{"type": "text", "text": "For context:"}, {"type": "text", "text": "[A] said: slow"}], "For context:\n[A] said: slow"),
        ([{"type": "refusal", "refusal": "No."}], "No."),
    ],
    ids=["string", "parts", "refusal-part"],
)
async def test_7_2_user_content_in_each_form(stream: bool, content: Any, text: str) -> None:
    """7.2 `user`: "string, or parts"; "all others skipped" by the app, so parts are made one string here."""
    async with place() as at:
        seen = await at.ask([user(content)], stream=stream)
    assert seen.whole and shown(at) == [("user", text)]
    assert isinstance(at.chats[0]["messages"][0]["content"], str)


@both
@pytest.mark.parametrize("kind", ["input_audio", "file", "video_url"])
async def test_7_2_parts_that_the_app_would_skip_are_refused(stream: bool, kind: str) -> None:
    """7.2: "text and image_url are read and all others skipped": answering without them would be a wrong answer."""
    async with place() as at:
        seen = await at.ask([user([{"type": "text", "text": "hear"}, {"type": kind, kind: {}}])], stream=stream)
    assert seen.status == 400 and seen.error["param"].startswith("messages[0].content[1]")
    assert at.chats == []


@both
async def test_7_2_neighbouring_user_messages_are_one(stream: bool) -> None:
    """7.2, `protocols/pitwall.md` 4.2: several user turns in a row are normal there; what a template makes of them is unknown."""
    async with place() as at:
        seen = await at.ask([user("Debrief"), user([{"type": "text", "text": "For context:"}, {"type": "text", "text": "x"}])], stream=stream)
    assert seen.whole and shown(at) == [("user", "Debrief\n\nFor context:\nx")]


@both
async def test_7_2_assistant_calls_in_the_history(stream: bool) -> None:
    """7.2 `assistant` in history: "arguments that is not a JSON object becomes {}; nulls inside become \"\"". No error, whatever was replayed."""
    calls = [
        {"id": f"c{number}", "type": "function", "function": {"name": "f", "arguments": text}}
        for number, text in enumerate(['{"lap": 3}', "[1]", "not json", '{"a": null}', ""])
    ]
    results = [{"role": "tool", "tool_call_id": f"c{number}", "content": "ok"} for number in range(5)]
    async with place() as at:
        seen = await at.ask([user("go"), {"role": "assistant", "tool_calls": calls}, *results], stream=stream)
    assert seen.whole
    replayed = at.phone.prompts[-1].messages[1]["tool_calls"]
    assert [call["arguments"] for call in replayed] == [{"lap": 3}, {}, {}, {"a": ""}, {}]


@both
async def test_7_2_several_tool_results_in_a_row(stream: bool) -> None:
    """7.2 `tool`: "named by tool_call_id (or tool if missing)", "several in a row: the last is the prompt"; all are there."""
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in (1, 2)]
    results = [
        {"role": "tool", "tool_call_id": "c1", "content": '{"ok": true}'},
        {"role": "tool", "content": [{"type": "text", "text": "two"}]},
    ]
    async with place() as at:
        seen = await at.ask([user("go"), {"role": "assistant", "content": None, "tool_calls": calls}, *results], stream=stream)
    assert seen.whole and shown(at)[2:] == [("tool", '{"ok": true}'), ("tool", "two")]
    assert [message["name"] for message in at.phone.prompts[-1].messages[2:]] == ["c1", "tool"]


@both
async def test_7_2_name_and_detail_are_harmless(stream: bool) -> None:
    """7.2: "name on messages is ignored", "detail is ignored"."""
    part = {"type": "image_url", "image_url": {"url": PNG, "detail": "high"}}
    async with place() as at:
        seen = await at.ask([{"role": "user", "name": "ann", "content": [part, {"type": "text", "text": "see"}]}], stream=stream)
    assert seen.whole and at.phone.prompts[-1].messages[-1]["images"] == 1


@both
async def test_7_2_aicore_gets_lines(stream: bool) -> None:
    """7.2, AICore: "role: text, blank line, ..., and finally assistant:". One system line in front; calls in words, which it would lose."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"lap": 3}'}}
    messages = [
        user("go"), {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "ok"},
        {"role": "developer", "content": "Be kind."},
    ]  # fmt: skip
    async with place() as at:
        seen = await at.ask(messages, stream=stream, model=AICORE)
    assert seen.whole
    assert shown(at) == [
        ("user", 'system: Be kind.\n\nuser: go\n\nassistant: (called f with {"lap": 3})\n\ntool: ok\n\nassistant: ')
    ]


# --- 7.2: images --------------------------------------------------------------------------------------------------------


@both
async def test_7_2_images_come_inline_or_over_loopback(stream: bool) -> None:
    """7.2 images, sources: "data: with base64; http:// to localhost, 127.0.0.1 or [::1]"; LiteRT "any number the model takes" (8.6)."""

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=base64.b64decode(PNG.partition(",")[2]), content_type="image/png")

    app = web.Application()
    app.router.add_get("/a.png", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        parts = [
            {"type": "image_url", "image_url": f"http://127.0.0.1:{runner.addresses[0][1]}/a.png"},
            {"type": "image_url", "image_url": {"url": PNG}},
        ]
        async with place() as at:
            seen = await at.ask([user([{"type": "text", "text": "see"}, *parts])], stream=stream)
    finally:
        await runner.cleanup()
    assert seen.whole and at.phone.prompts[-1].messages[-1]["images"] == 2


@both
@pytest.mark.parametrize("model", [AICORE_ID, "gemma3-1b-it-npu-sm8650"])
async def test_7_2_a_model_without_eyes_is_told_before(stream: bool, model: str) -> None:
    """7.2 images, AICore: "the request goes on without it, silently"; text-only models: "not checked up front"."""
    async with place(FakeLocalLLM(models=("gemma3-1b-it-npu-sm8650",)), model=model) as at:
        seen = await at.ask([user([{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": PNG}}])], stream=stream)
    assert seen.refused == (400, "not_capable") and "sees no images" in seen.message
    assert at.chats == []
