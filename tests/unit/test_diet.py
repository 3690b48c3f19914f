"""The prompt diet: its rules in their order, each only as far as needed, and what no rule may touch."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace

import pytest

from adapter.chat import Chat, Message, Role, Sampling, Tool, ToolCall, ToolChoice, ToolMode
from adapter.diet import DietReport, diet, estimate_chat_tokens, scaled_count
from adapter.errors import ContextTooLong

SYSTEM = Message(Role.SYSTEM, "You help.")
BIG = '{"const":"%s"}' % ("x" * 88)  # 100 characters that no rule makes less
ASK = Message(Role.USER, "Which of the lamps is out?")


def characters(chat: Chat) -> int:
    """A count that tests can reckon with: every character is a token."""
    messages = sum(
        len(m.content) + sum(len(c.name) + len(c.arguments) for c in m.tool_calls) for m in chat.messages
    )
    return messages + sum(len(t.name) + len(t.description) + len(t.parameters) for t in chat.tools)


def chat_of(*messages: Message, tools: tuple[Tool, ...] = (), **fields: object) -> Chat:
    return replace(Chat("m", messages or (SYSTEM, ASK), tools=tools), **fields)  # type: ignore[arg-type]  # by name


def tool(name: str, *, about: str = "Does it. And more besides, at length.") -> Tool:
    schema = {
        "type": "object",
        "title": "T",
        "properties": {"description": {"type": "string", "description": "Words, words, words, words, words."}},
        "required": ["description"],
    }
    return Tool(name, about, json.dumps(schema))


def call(name: str = "read", arguments: str = "{}", id_: str = "c") -> Message:
    return Message(Role.ASSISTANT, "", tool_calls=(ToolCall(id_, name, arguments),))


def result(text: str, id_: str = "c") -> Message:
    return Message(Role.TOOL, text, name="read", tool_call_id=id_)


def notes_of(report: DietReport) -> dict[str, object]:
    numbers = ("prompt_tokens_before", "prompt_tokens_after")
    return {key: value for key, value in report.to_json().items() if key not in numbers}


def slim(chat: Chat, room: int) -> tuple[Chat, dict[str, object]]:
    """The result, checked: it fits, and the report's numbers are right."""
    short, report = diet(chat, room_tokens=room, count=characters)
    assert characters(short) <= room
    assert (report.tokens_before, report.tokens_after) == (characters(chat), characters(short))
    assert json.loads(json.dumps(report.to_json())) == report.to_json()
    return short, notes_of(report)


def test_what_fits_is_not_touched() -> None:
    chat = chat_of(tools=(tool("a"),))
    assert diet(chat, room_tokens=characters(chat), count=characters) == (
        chat, DietReport(characters(chat), characters(chat)),
    )  # fmt: skip


# --- 1. tools ---------------------------------------------------------------------------------------------------


def test_schemas_lose_their_descriptions_first_but_no_property_of_that_name() -> None:
    chat = chat_of(tools=(tool("a"), Tool("b", "B.", '{"type": "object"}')))
    short, notes = slim(chat, characters(chat) - 1)
    assert json.loads(short.tools[0].parameters) == {
        "type": "object", "properties": {"description": {"type": "string"}}, "required": ["description"],
    }  # fmt: skip
    assert short.tools[0].description == chat.tools[0].description
    assert notes == {"schemas_without_descriptions": 2}


@pytest.mark.parametrize(
    ("schema", "bare"),
    [
        ({"enum": [{"description": "d"}]}, {"enum": [{"description": "d"}]}),
        ({"const": {"title": "t"}, "default": {"title": 1}}, {"const": {"title": "t"}, "default": {"title": 1}}),
        ({"anyOf": [{"title": "t", "type": "null"}]}, {"anyOf": [{"type": "null"}]}),
        ({"items": {"description": "d"}}, {"items": {}}),
        ({"items": [{"description": "d"}]}, {"items": [{}]}),
        ({"$defs": {"title": {"title": "t"}}}, {"$defs": {"title": {}}}),
        ({"additionalProperties": False, "examples": [1]}, {"additionalProperties": False}),
    ],
)
def test_only_words_that_constrain_nothing_go(schema: object, bare: object) -> None:
    from adapter.diet_rules import bare_schema

    assert json.loads(bare_schema(json.dumps(schema))) == bare


@pytest.mark.parametrize("text", ["", "[1]", "{broken", "[" * 100_000])
def test_what_is_no_schema_stays(text: str) -> None:
    from adapter.diet_rules import bare_schema

    assert bare_schema(text) == text


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Reads it. Then more.", "Reads it."),
        ("Reads v1.2 of it! More.", "Reads v1.2 of it!"),
        ("  One line\nand another", "One line"),
        ("読む。次。", "読む。"),
        ("no end", "no end"),
        ("", ""),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_the_first_sentence(text: str, first: str) -> None:
    from adapter.diet_rules import first_sentence

    assert first_sentence(text) == first


def test_descriptions_are_cut_before_tools_are_dropped() -> None:
    chat = chat_of(tools=(tool("a"), tool("b")))
    short, notes = slim(chat, 250)
    assert [t.description for t in short.tools] == ["Does it.", "Does it."]
    assert list(notes) == ["schemas_without_descriptions", "tool_descriptions_shortened"]


def test_tools_go_from_the_end_and_only_as_many_as_needed() -> None:
    tools = tuple(Tool(f"t{n}", "", BIG) for n in range(9))
    short, notes = slim(chat_of(tools=tools), 500)
    assert [t.name for t in short.tools] == ["t0", "t1", "t2", "t3"]
    assert notes == {"tools_dropped": ["t4", "t5", "t6", "t7", "t8"]}


def test_tools_that_are_called_chosen_or_mentioned_stay() -> None:
    tools = tuple(Tool(name, "", BIG) for name in ("x", "Wind_Speed", "y", "read", "forced", "z"))
    chat = chat_of(
        Message(Role.USER, "go"), call("read"), result("1"), Message(Role.USER, "and the wind speed?"),
        tools=tools, tool_choice=ToolChoice(ToolMode.REQUIRED, "forced"),
    )  # fmt: skip
    short, _ = slim(chat, 400)
    assert [t.name for t in short.tools] == ["Wind_Speed", "read", "forced"]


def test_the_last_tool_stays() -> None:
    chat = chat_of(tools=(Tool("aa", "", " " * 400), Tool("bb", "", " " * 400)))
    short, _ = slim(chat, 600)
    assert [t.name for t in short.tools] == ["aa"]
    with pytest.raises(ContextTooLong):
        diet(chat, room_tokens=300, count=characters)


# --- 2, 3, 5, 6. texts ------------------------------------------------------------------------------------------


def test_old_results_are_cut_and_the_newest_is_not() -> None:
    old, new = "a" * 5_000 + "b" * 5_000, "c" * 3_000
    chat = chat_of(SYSTEM, ASK, call(), result(old), call(), result(new))
    short, notes = slim(chat, 8_000)
    cut = re.fullmatch(r"(a+b*)\n\[… (\d+) characters left out …\]\n(b+)", short.messages[3].content)
    assert cut
    assert len(cut[1]) + int(cut[2]) + len(cut[3]) == len(old)
    assert len(cut[1]) == pytest.approx(2 * len(cut[3]), abs=2)
    assert characters(short) > 7_000  # no more than needed
    assert replace(short.messages[3], content=old) == chat.messages[3]
    assert short.messages[5].content == new
    left_out = characters(chat) - characters(short)
    assert notes == {"old_tool_results_shortened": {"messages": 1, "characters_left_out": left_out}}


def test_old_messages_and_the_arguments_of_old_calls_are_cut() -> None:
    long = json.dumps({"path": "a.py", "lines": ["x" * 3_000, 5]})
    chat = chat_of(
        Message(Role.USER, "u" * 3_000), Message(Role.ASSISTANT, "a" * 3_000), ASK, call("write", long), result("ok"),
        call(), result("1"),
    )  # fmt: skip
    short, notes = slim(chat, 2_000)
    assert list(notes) == ["old_messages_shortened"]
    assert re.fullmatch(r"u+\n\[… 2\d{3} characters left out …\]\nu+", short.messages[0].content)
    arguments = json.loads(short.messages[3].tool_calls[0].arguments)
    assert (arguments["path"], arguments["lines"][1]) == ("a.py", 5)
    assert len(arguments["lines"][0]) < 700
    assert short.messages[2] == ASK


def test_the_newest_results_are_cut_where_nothing_else_helps() -> None:
    chat = chat_of(SYSTEM, ASK, call(), result("r" * 90_000))
    short, notes = slim(chat, 10_000)
    assert list(notes) == ["newest_tool_results_shortened"]
    assert re.search(r"r\n\[… 8[0-3]\d{3} characters left out …\]\nr", short.messages[3].content)


def test_the_system_message_is_cut_last_and_in_its_middle() -> None:
    system = Message(Role.SYSTEM, "Begin. " + "s" * 50_000 + " End.")
    chat = chat_of(system, Message(Role.USER, "old"), Message(Role.ASSISTANT, "old"), ASK)
    short, notes = slim(chat, 3_000)
    assert list(notes) == ["rounds_dropped", "system_messages_shortened"]
    assert short.messages[0].content.startswith("Begin. ")
    assert short.messages[0].content.endswith(" End.")
    assert short.messages[1:] == (ASK,)
    assert characters(short) > 2_300


# --- 4. rounds --------------------------------------------------------------------------------------------------


def test_the_oldest_rounds_go_whole_and_only_as_many_as_needed() -> None:
    rounds = [
        message
        for n in range(10)
        for message in (Message(Role.USER, f"u{n}" + "-" * 98), call(id_=str(n)), result("r" * 100, str(n)))
    ]
    short, notes = slim(chat_of(SYSTEM, *rounds, ASK), 700)
    assert short.messages == (SYSTEM, *rounds[-9:], ASK)
    assert notes == {"rounds_dropped": {"rounds": 7, "messages": 21}}


def test_a_greeting_before_the_first_question_is_a_round() -> None:
    chat = chat_of(Message(Role.ASSISTANT, "Hello! " * 20), Message(Role.USER, "a" * 50), ASK)
    assert slim(chat, 100)[0].messages == chat.messages[1:]


def test_what_follows_the_last_question_is_never_dropped() -> None:
    loop = [message for n in range(20) for message in (call(id_=str(n)), result("r" * 100, str(n)))]
    chat = chat_of(SYSTEM, Message(Role.USER, "old"), Message(Role.ASSISTANT, "old"), ASK, *loop)
    with pytest.raises(ContextTooLong):
        diet(chat, room_tokens=300, count=characters)
    short, _ = slim(chat, characters(chat) - 1)
    assert short.messages == (SYSTEM, ASK, *loop)


# --- refusals and bounds ----------------------------------------------------------------------------------------


def test_the_refusal_has_the_numbers_of_the_whole_request() -> None:
    chat = chat_of(Message(Role.USER, "u" * 1_000))
    with pytest.raises(ContextTooLong, match=r"maximum context length is 600 tokens.*resulted in 1000 tokens"):
        diet(chat, room_tokens=600, count=characters)
    limited = replace(chat, sampling=Sampling(max_tokens=100))
    with pytest.raises(ContextTooLong, match=r"is 700 tokens.*requested 1100 tokens \(1000 in the messages, 100"):
        diet(limited, room_tokens=600, count=characters)
    with pytest.raises(ContextTooLong):
        diet(chat, room_tokens=-5, count=characters)


def random_chat(rng: random.Random) -> Chat:
    messages = [Message(Role.SYSTEM, "s" * rng.randint(1, 5_000))] if rng.random() < 0.8 else []
    for round_ in range(rng.randint(1, 12)):
        messages.append(Message(Role.USER, f"question {round_} " + "u" * rng.randint(0, 3_000)))
        for step in range(rng.randint(0, 3)):
            arguments = json.dumps({"n": step, "text": "v" * rng.randint(0, 2_000)})
            messages.append(call(rng.choice("ab"), arguments, f"{round_}.{step}"))
            messages.append(result("r" * rng.randint(0, 9_000), f"{round_}.{step}"))
        if rng.random() < 0.8:
            messages.append(Message(Role.ASSISTANT, "a" * rng.randint(1, 3_000)))
    tools = tuple(tool(name) for name in "abcdefgh"[: rng.randint(0, 8)])
    return Chat("m", tuple(messages), tools=tools)


def test_any_chat_in_any_room_fits_whole_or_is_refused() -> None:
    """What must hold of every result: see each assertion."""
    rng = random.Random(5)
    refused = 0
    for _ in range(400):
        chat = random_chat(rng)
        room = rng.randint(200, characters(chat))
        counts: list[int] = []

        def count(form: Chat, seen: list[int] = counts) -> int:
            seen.append(characters(form))
            return seen[-1]

        try:
            short, report = diet(chat, room_tokens=room, count=count)
        except ContextTooLong:
            refused += 1
            continue
        finally:
            assert len(counts) <= 18
        assert characters(short) == report.tokens_after <= room
        assert diet(chat, room_tokens=room, count=characters)[0] == short
        question = max(at for at, m in enumerate(chat.messages) if m.role is Role.USER)
        assert chat.messages[question] in short.messages
        kept_behind = [m.role for m in chat.messages[question:]]
        assert [m.role for m in short.messages][-len(kept_behind) :] == kept_behind
        assert [m.role for m in short.messages].count(Role.SYSTEM) == [m.role for m in chat.messages].count(Role.SYSTEM)
        assert bool(short.tools) == bool(chat.tools)
        assert {"a", "b"} & {t.name for t in chat.tools} & {
            c.name for m in short.messages for c in m.tool_calls
        } <= {t.name for t in short.tools}
        called = {c.id for m in short.messages for c in m.tool_calls}
        assert {m.tool_call_id for m in short.messages if m.role is Role.TOOL} == called
        for message in short.messages:
            for made in message.tool_calls:
                assert isinstance(json.loads(made.arguments), dict)
    assert 5 < refused < 300


def test_a_huge_history_takes_few_counts() -> None:
    messages = [Message(Role.USER if n % 2 == 0 else Role.ASSISTANT, f"{n} " + "x" * 50) for n in range(4_096)]
    counted = 0

    def count(chat: Chat) -> int:
        nonlocal counted
        counted += 1
        return characters(chat)

    short, _ = diet(chat_of(*messages, ASK), room_tokens=10_000, count=count)
    assert counted <= 20
    assert characters(short) > 9_800


# --- counting ---------------------------------------------------------------------------------------------------


def test_the_estimate_sees_all_that_the_model_sees() -> None:
    chat = chat_of()
    base = estimate_chat_tokens(chat)
    with_tools = replace(chat, tools=(tool("a"),))
    assert estimate_chat_tokens(with_tools) > base + 30
    assert estimate_chat_tokens(replace(with_tools, tool_choice=ToolChoice(ToolMode.NONE))) == base
    called = chat_of(SYSTEM, ASK, call("read", '{"path": "a b c d"}'))
    assert estimate_chat_tokens(called) > estimate_chat_tokens(chat_of(SYSTEM, ASK, Message(Role.ASSISTANT, "")))
    pictured = chat_of(SYSTEM, replace(ASK, images=("data:image/png;base64,AAAA",)))
    assert estimate_chat_tokens(pictured) > base + 100


@pytest.mark.parametrize(
    ("share_of_estimate", "scale"), [(None, 1.1), (1.0, 1.0), (1.4, 1.4), (0.8, 0.8), (50.0, 3.0), (0.01, 0.5)]
)
def test_the_engine_s_own_number_scales_the_estimate(share_of_estimate: float | None, scale: float) -> None:
    chat = chat_of(Message(Role.USER, "the lamps of the harbour " * 200))
    estimate = estimate_chat_tokens(chat)
    reported = None if share_of_estimate is None else round(estimate * share_of_estimate)
    half = chat_of(Message(Role.USER, "the lamps of the harbour " * 100))
    count = scaled_count(reported, chat)
    assert count(chat) == pytest.approx(estimate * scale, abs=2)
    assert count(half) == pytest.approx(estimate_chat_tokens(half) * scale, abs=2)
