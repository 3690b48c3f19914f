"""Tools, limits and sessions on their way to LocalLLM: every row of `protocols/localllm.md` 7.3 to 7.5, through the adapter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.fakes.localllm import FakeLocalLLM, Reply
from tests.wire.hazards import both, rescuer
from tests.wire.localllm_cases import GEMMA, until
from tests.wire.localllm_hazards import Place, asked_both_ways, place
from tests.wire.localllm_requests import AICORE, CALL, LAP, calls_of, shown, user

# --- 7.3: tools -----------------------------------------------------------------------------------------------------------


@both
@asked_both_ways
async def test_7_3_a_call(stream: bool, upstream: str) -> None:
    """7.3 with 8.2, 8.3: whole, with an index in streams, and a `finish_reason` of its own."""
    async with place(FakeLocalLLM(reply=CALL, deltas="correct"), stream=upstream) as at:
        seen = await at.ask(stream=stream, tools=[LAP], tool_choice="auto")
    [call] = calls_of(seen)
    assert seen.finish_reason == "tool_calls" and call.get("index", 0) == 0 and call["type"] == "function"
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("get_corner", {"lap": 3})
    assert at.phone.prompts[0].tools == ("get_corner",)


@both
@pytest.mark.parametrize("function", [{"name": "f"}, {"name": "f", "parameters": None}, {"name": "f", "description": None}])
async def test_7_3_parameters_are_guaranteed(stream: bool, function: dict[str, Any]) -> None:
    """7.3: "both needed and non-null; otherwise 500". For a tool without arguments the empty schema is sent; `description` is optional."""
    async with place() as at:
        seen = await at.ask(stream=stream, tools=[{"type": "function", "function": function}])
    assert seen.whole
    assert at.chats[0]["tools"][0]["function"] == {"name": "f", "parameters": {"type": "object", "properties": {}}}


@both
@pytest.mark.parametrize("choice", ["none"])
async def test_7_3_tool_choice_none(stream: bool, choice: str) -> None:
    """7.3: "string none, any case: tools are withheld". Here too, and the client is told that its tools had no effect."""
    async with place(FakeLocalLLM(reply=Reply(("Three.",), CALL.calls))) as at:
        seen = await at.ask(stream=stream, tools=[LAP], tool_choice=choice)
    assert (seen.whole, seen.text, calls_of(seen)) == (True, "Three.", [])
    assert at.phone.prompts[0].tools == () and "tools" not in at.chats[0]


OBEDIENT_AT_LAST = [
    pytest.param("required", ("get_corner", "other"), id="required"),
    pytest.param({"type": "function", "function": {"name": "get_corner"}}, ("get_corner",), id="named"),
]


@both
@pytest.mark.parametrize(("choice", "offered"), OBEDIENT_AT_LAST)
async def test_7_3_tool_choice_is_enforced_by_asking_again(stream: bool, choice: Any, offered: Sequence[str]) -> None:
    """7.3: "required and a named function behave as auto". An answer without a call is asked for again, unseen but for a note."""
    answers = iter([Reply(("I would rather talk.",)), CALL])
    other = {"type": "function", "function": {**LAP["function"], "name": "other"}}  # type: ignore[dict-item]
    async with place(FakeLocalLLM(reply=lambda messages: next(answers))) as at:
        seen = await at.ask(stream=stream, tools=[LAP, other], tool_choice=choice)
    assert [call["function"]["name"] for call in calls_of(seen)] == ["get_corner"] and seen.text == ""
    assert seen.farmhand["emulated"]["tools"] == "asked again"
    assert [prompt.tools for prompt in at.phone.prompts] == [tuple(offered)] * 2
    assert at.unhurt


@both
async def test_7_3_a_model_that_never_calls_is_an_error(stream: bool) -> None:
    """7.3, likewise: asked twice, then an error that says so, and not a text where a call is due."""
    async with place(FakeLocalLLM(reply=Reply(("I would rather talk.",))), router={}) as at:
        seen = await at.ask(stream=stream, tools=[LAP], tool_choice="required")
    assert seen.refused == (500, "output_invalid") and "no call" in seen.message
    assert len(at.chats) == 2


@both
async def test_7_3_a_call_against_its_schema_is_asked_again(stream: bool) -> None:
    """7.3: "strict: ignored". Nothing holds a call to its schema but our check."""
    answers = iter([Reply((), (("get_corner", {"corner": "T4"}),)), CALL])
    async with place(FakeLocalLLM(reply=lambda messages: next(answers))) as at:
        seen = await at.ask(stream=stream, tools=[LAP])
    assert [json.loads(call["function"]["arguments"]) for call in calls_of(seen)] == [{"lap": 3}]
    assert len(at.chats) == 2


@both
async def test_7_3_aicore_has_tools_by_words(stream: bool) -> None:
    """7.3: "AICore: tools ignored entirely". They are put into the prompt, and the call is read out of the text."""
    reply = Reply(('<tool_call>{"name": "get_corner", ', '"arguments": {"lap": 3}}</tool_call>'))
    async with place(FakeLocalLLM(reply=reply)) as at:
        seen = await at.ask(stream=stream, model=AICORE, tools=[LAP])
    [call] = calls_of(seen)
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("get_corner", {"lap": 3})
    assert seen.farmhand["emulated"]["tools"] in ("prompt", "repaired") and "tools" not in at.chats[0]
    assert "get_corner" in at.phone.prompts[0].messages[0]["content"]


@both
async def test_7_3_adks_schema_dialect_is_repaired(stream: bool) -> None:
    """7.3: "How it treats anyOf, $ref, upper-case type names is not known"; `protocols/pitwall.md` 4.2, 8 row 10."""
    names = {"any_of": [{"type": "ARRAY", "items": {"type": "STRING"}}, {"type": "NULL"}], "nullable": True}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "OBJECT", "properties": {"names": names}}}}
    tool["function"]["parameters"]["type"] = "object"  # type: ignore[index]  # ADK's top level is in lower case
    async with place() as at:
        seen = await at.ask(stream=stream, tools=[tool])
    assert seen.whole
    assert at.chats[0]["tools"][0]["function"]["parameters"] == {
        "type": "object",
        "properties": {"names": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}},
    }


@both
@asked_both_ways
async def test_7_3_call_ids_are_unique_across_restarts(stream: bool, upstream: str) -> None:
    """7.3: "call_<requestNumber>_<index>; unique within one server process only"."""
    two = Reply((), (("get_corner", {"lap": 3}), ("get_corner", {"lap": 4})))
    async with place(FakeLocalLLM(reply=two, deltas="correct"), stream=upstream, router={}) as at:
        first = await at.ask(stream=stream, tools=[LAP])
        await at.phone.crash()
        await at.phone.came_back()
        second = await at.ask(stream=stream, tools=[LAP])
    ids = [call["id"] for seen in (first, second) for call in calls_of(seen)]
    assert len(ids) == len(set(ids)) == 4


@both
@asked_both_ways
async def test_7_3_integers_in_arguments_are_integers(stream: bool, upstream: str) -> None:
    """7.3: "a JSON string, produced by Gson ...: HTML escaping applies, and an integer may come out as 1.0"."""
    reply = Reply((), (("get_corner", {"lap": 3, "why": "a<b & c='d'"}),))
    tool = json.loads(json.dumps(LAP))
    tool["function"]["parameters"]["properties"]["why"] = {"type": "string"}
    async with place(FakeLocalLLM(reply=reply, whole_numbers="float", deltas="correct"), stream=upstream) as at:
        seen = await at.ask(stream=stream, tools=[tool])
    [call] = calls_of(seen)
    assert json.loads(call["function"]["arguments"]) == {"lap": 3, "why": "a<b & c='d'"}
    assert "3.0" not in call["function"]["arguments"]


@both
async def test_7_3_the_whole_round_of_a_call(stream: bool) -> None:
    """7.3 execution: "the server never runs tools; the client sends a tool message", as ADK does, without `content` beside the calls."""

    def says(messages: list[dict[str, Any]]) -> Reply:
        return Reply(("Brake at ", "the 100 board.")) if messages[-1]["role"] == "tool" else CALL

    async with place(FakeLocalLLM(reply=says)) as at:
        [call] = calls_of(await at.ask(stream=stream, tools=[LAP]))
        call.pop("index", None)
        replay = {"role": "assistant", "tool_calls": [call]}
        result = {"role": "tool", "tool_call_id": call["id"], "content": '{"brake": 100}'}
        seen = await at.ask([user("say hello"), replay, result], stream=stream, tools=[LAP])
    assert (seen.whole, seen.text) == (True, "Brake at the 100 board.")


# --- 7.4: max_tokens ------------------------------------------------------------------------------------------------------


@both
async def test_7_4_max_tokens_is_never_sent_and_loads_no_second_engine(stream: bool) -> None:
    """7.4 LiteRT: "the engine's total token budget", and "each distinct value loads another copy of the model"."""
    async with place(FakeLocalLLM(token_delay_s=0), warm=True) as at:
        await until(lambda: at.phone.engines == [f"{GEMMA}_model_LITERT_CPU"])
        for value in (256, 512, None, 1_024, 2):
            seen = await at.ask("word " * 300, stream=stream, max_tokens=value)
            assert seen.whole
    assert not any("max_tokens" in chat for chat in at.chats)
    assert at.phone.log.count(f"engine load {GEMMA}_model_LITERT_CPU") == 1, "the warm-up's own (11.2)"


@both
@asked_both_ways
async def test_7_4_max_tokens_is_enforced_here(stream: bool, upstream: str) -> None:
    """7.4, advice: "count and cut on its own side". The app has no `length` (16); we have."""
    async with place(FakeLocalLLM(deltas="correct"), stream=upstream) as at:
        seen = await at.ask("one two three four five six seven eight", stream=stream, max_tokens=4)
        after = await at.ask("next", stream=stream)
    assert (seen.whole, seen.finish_reason) == (True, "length")
    assert seen.text and "one two three four five".startswith(seen.text)
    assert (after.whole, after.text, at.unhurt) == (True, "next", True)


@both
async def test_7_4_a_limit_smaller_than_the_prompt_is_none_of_the_prompts_business(stream: bool) -> None:
    """7.4: "A value smaller than the prompt fails with 500"."""
    async with place() as at:
        seen = await at.ask("word " * 100, stream=stream, max_tokens=16)
    assert (seen.status, seen.finish_reason) == (200, "length")


@both
async def test_7_4_npu_bundles_have_1280_tokens(stream: bool) -> None:
    """7.4 with 10: a native crash near the end of the budget; bundles of NPU models have 1280 tokens, so more than that is not sent."""
    npu = "gemma3-1b-it-npu-sm8650"
    async with place(FakeLocalLLM(models=(npu,)), model=npu) as at:
        seen = await at.ask("word " * 1_800, stream=stream)
    assert seen.refused == (400, "context_length_exceeded") and "1280 tokens" in seen.message
    assert at.chats == []


@both
@pytest.mark.parametrize(("asked", "sent"), [(100, 100), (512, 256), (None, None)])
async def test_7_4_aicore_gets_1_to_256(stream: bool, asked: int | None, sent: int | None) -> None:
    """7.4 AICore: "maximum output tokens ... permitted range 1-256"; beyond it the app would fail with AICORE_RUNTIME_ERROR."""
    async with place() as at:
        seen = await at.ask(stream=stream, model=AICORE, max_tokens=asked)
    assert seen.whole and at.chats[0].get("max_tokens") == sent


# --- 7.5: session_id ------------------------------------------------------------------------------------------------------


def reuses(at: Place) -> int:
    return sum(line.startswith("session reuse") for line in at.phone.log)


async def turn(at: Place, messages: list[dict[str, Any]], text: str, *, stream: bool, **body: Any) -> list[dict[str, Any]]:
    """One more turn of a conversation; returns it with the answer."""
    asked = [*messages, user(text)]
    seen = await at.ask(asked, stream=stream, **body)
    assert seen.whole and seen.text == text, "the fake repeats the last user text"
    return [*asked, {"role": "assistant", "content": seen.text}]


@both
async def test_7_5_no_session_unless_asked_for(stream: bool) -> None:
    """7.5: "session_id pays only for a single client"; off by default, so every request is stateless and closes nobody's conversation."""
    async with place() as at:
        await turn(at, await turn(at, [], "one", stream=stream), "two", stream=stream)
    assert ["session_id" in chat for chat in at.chats] == [False, False]


@both
async def test_7_5_all_five_conditions_hold(stream: bool) -> None:
    """7.5 conditions 1 to 5: with `sessions = true` a conversation that grows by one turn is continued, whoever the client is."""
    async with place(sessions=True) as at:
        messages: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}]
        for text in ("one", "two", "three"):
            messages = await turn(at, messages, text, stream=stream, temperature=0.4)
    assert reuses(at) == 2 and len({chat["session_id"] for chat in at.chats}) == 1


def _edited(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*messages[:-1], {"role": "assistant", "content": "edited"}]


REBUILT: dict[str, Any] = {
    "condition-2-temperature": ({"temperature": 0.4}, {"temperature": 0.5}, None),
    "condition-2-top_k": ({"top_k": 5}, {"top_k": 6}, None),
    "condition-4-first-messages": ({}, {}, lambda messages: [{"role": "system", "content": "New."}, *messages]),
    "condition-5-two-new-messages": ({}, {}, lambda messages: [*messages, user("x"), {"role": "assistant", "content": "y"}]),
    "consequence-edited-answer": ({}, {}, _edited),
    "consequence-tools-changed": ({}, {"tools": [LAP]}, None),
}


@both
@pytest.mark.parametrize("case", REBUILT)
async def test_7_5_what_differs_begins_anew(stream: bool, case: str) -> None:
    """7.5 conditions 2, 4, 5 and "editing it has no effect", "changing the tool list has no effect": these two the app would overlook."""
    first, second, change = REBUILT[case]
    async with place(sessions=True) as at:
        messages = await turn(at, [], "one", stream=stream, **first)
        await turn(at, change(messages) if change else messages, "two", stream=stream, **second)
    assert reuses(at) == 0 and len({chat["session_id"] for chat in at.chats}) == 2
    assert shown(at)[-1] == ("user", "two")


@both
async def test_7_5_two_tool_results_in_one_step_are_rebuilt_from_the_history(stream: bool) -> None:
    """7.5: "two parallel tool results ... rule 5 fails -> rebuilt from the full history". Nothing is missing from it."""
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in (1, 2)]
    results = [{"role": "tool", "tool_call_id": f"c{n}", "content": str(n)} for n in (1, 2)]
    async with place(sessions=True) as at:
        await turn(at, [], "one", stream=stream)
        assert (await at.ask([user("one"), {"role": "assistant", "tool_calls": calls}, *results], stream=stream)).whole
    assert reuses(at) == 0 and shown(at)[-2:] == [("tool", "1"), ("tool", "2")]


@both
async def test_7_5_one_live_conversation_for_each_engine(stream: bool) -> None:
    """7.5: "creating any new conversation on an engine closes all sessions of that engine": two programs by turns get right answers, anew each time."""
    async with place(sessions=True) as at:
        ann = await turn(at, [], "I am Ann", stream=stream)
        bob = await turn(at, [], "I am Bob", stream=stream)
        await turn(at, ann, "who am I", stream=stream)
        assert [text for _, text in shown(at)] == ["I am Ann", "I am Ann", "who am I"]
        await turn(at, bob, "and who am I", stream=stream)
    assert reuses(at) == 0 and [text for _, text in shown(at)] == ["I am Bob", "I am Bob", "and who am I"]


@both
async def test_7_5_a_session_that_the_app_has_evicted(stream: bool) -> None:
    """7.5 eviction: "after 5 min without requests, on memory pressure": silently rebuilt from the history, which is always sent whole."""
    async with place(sessions=True) as at:
        messages = await turn(at, [], "one", stream=stream)
        at.phone.evict()
        await turn(at, messages, "two", stream=stream)
    assert reuses(at) == 0 and [text for _, text in shown(at)] == ["one", "one", "two"]


@both
async def test_7_5_a_failed_first_turn_leaves_a_stuck_engine(stream: bool) -> None:
    """7.5: "the next request on that engine may meet a stuck engine and get 500, after which a retry works": unseen by whoever is next."""
    async with place(sessions=True) as at:
        at.phone.fail_after(1)
        assert (await at.ask(stream=stream)).refused == (500, "engine_failed")
        assert (await at.ask(stream=stream)).whole
    assert any("stuck" in line for line in at.phone.log) and len(at.chats) == 3


@both
async def test_7_5_an_answer_that_was_cut_here_is_not_gone_on_with(stream: bool) -> None:
    """7.5: "the echoed assistant answer is not compared": the app remembers more than the client has, so a cut answer begins anew."""
    async with place(sessions=True) as at:
        seen = await at.ask([user("one two three")], stream=stream, stop=["three"])
        await turn(at, [user("one two three"), {"role": "assistant", "content": seen.text}], "go on", stream=stream)
    assert seen.text == "one two " and reuses(at) == 0


@both
@pytest.mark.parametrize("sessions", [False, True])
async def test_7_5_a_clients_own_session_is_passed_on(stream: bool, sessions: bool) -> None:
    """7.5, `protocols/pitwall.md` 6 and 8 row 21: profile C sends its own; AICore knows none."""
    async with place(sessions=sessions) as at:
        assert (await at.ask(stream=stream, session_id="pitwall-analyze-7")).whole
        assert (await at.ask(stream=stream, model=AICORE, session_id="pitwall-analyze-7")).whole
    assert [chat.get("session_id") for chat in at.chats] == ["pitwall-analyze-7", None]


@both
async def test_7_5_a_continued_answer_of_somebody_else_is_no_session(stream: bool) -> None:
    """7.5: an answer that another engine gave is in the client's history, and not in the app's memory: begun anew."""
    async with place(second=rescuer(), sessions=True, router={"disable_cooldowns": True}) as at:
        at.phone.fail_next(message="native")
        first = await at.ask([user("one")], stream=stream)
        assert first.engine == "second"
        messages = [user("one"), {"role": "assistant", "content": first.text}]
        await turn(at, messages, "two", stream=stream)
    assert reuses(at) == 0 and [text for _, text in shown(at)] == ["one", first.text, "two"]
