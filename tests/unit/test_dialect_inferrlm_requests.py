"""`adapter.dialects.inferrlm`: our words into the app's, whether they fit its window, and LiteRT's own rules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.chat import Chat, Message, Role, ToolCall
from adapter.dialects.inferrlm import Ask, render_chat, window_tokens
from adapter.dialects.inferrlm_builds import TRAITS, Build, StoredModel
from adapter.errors import BadRequest, ContextTooLong
from tests.unit.inferrlm_cases import GGUF, LITERT, ask

# --- requests --------------------------------------------------------------------------------------------------


def body(request: Ask) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(request.body(stream=True))
    return parsed


def said(request: Ask) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in body(request)["messages"]]


def test_rule_5_sampling_goes_into_options_with_max_tokens_always() -> None:
    assert body(ask()) == {
        "model": GGUF.name,
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "options": {"max_tokens": 1024},
    }
    assert body(ask(build=Build.A))["options"] == {"max_tokens": 1024, "mirostat": 0}


def test_options_have_the_apps_names_and_json_numbers() -> None:
    options = body(
        ask(
            temperature=0.0, top_p=0.9, top_k=40, min_p=0.05, frequency_penalty=0.5, presence_penalty=-0.5,
            repeat_penalty=1.1, max_tokens=7, seed=42, stop=("x",),
        )
    )["options"]  # fmt: skip
    assert options == {
        "temperature": 0.0, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "frequency_penalty": 0.5,
        "presence_penalty": -0.5, "penalty_repeat": 1.1, "max_tokens": 7, "seed": 42,
    }  # fmt: skip
    assert "stop" not in options  # 7.3: it would replace the app's list and swallow text


@pytest.mark.parametrize("seed", [0, -1, 2**63 - 1, -(2**63), 2**31])
def test_a_seed_stays_exact_in_javascript_and_is_never_the_random_one(seed: int) -> None:
    assert 0 <= body(ask(seed=seed))["options"]["seed"] < 2**31


def test_bodies_are_ascii_whatever_the_text() -> None:
    request = ask(Message(Role.USER, 'naïve 日本 👋 \u2028 lone \ud83d pair \ud83d\ude00 "quoted"\n'))
    raw = request.body(stream=False)
    assert raw.isascii()
    assert json.loads(raw)["stream"] is False
    assert said(request) == [("user", 'naïve 日本 👋 \u2028 lone \ufffd pair 😀 "quoted"\n')]


def test_roles_that_templates_do_not_know_are_mapped_and_neighbours_joined() -> None:
    call = ToolCall("c1", "weather", '{"city":"Kiel"}')
    request = ask(
        Message(Role.SYSTEM, "Be brief."),
        Message(Role.DEVELOPER, "Be kind."),
        Message(Role.USER, "Weather?"),
        Message(Role.ASSISTANT, "", tool_calls=(call,)),
        Message(Role.TOOL, "sunny", name="weather", tool_call_id="c1"),
        Message(Role.TOOL, "5 degrees", tool_call_id="c2"),
        Message(Role.USER, "And now?"),
    )
    assert said(request) == [
        ("system", "Be brief.\n\nBe kind."),
        ("user", "Weather?"),
        ("assistant", '(called weather with {"city":"Kiel"})'),
        ("user", "Result of weather:\nsunny\n\nResult of c2:\n5 degrees\n\nAnd now?"),
    ]


def test_no_messages_are_refused() -> None:
    chat = Chat(GGUF.name, ())
    with pytest.raises(BadRequest):
        render_chat(chat, GGUF, TRAITS[Build.B], window_tokens=4096, default_max_tokens=9)


@pytest.mark.parametrize("kind", ["multimodal", "file_upload", "photo_upload", "audio_upload", "ocr_result"])
@pytest.mark.parametrize(
    "text",
    [
        '{"type":"KIND"}',
        ' \n\u00a0\ufeff{"a": 1, "type": "KIND", "n": NUMBER}\t',
        '{"\\u0074ype": "KIND"}',
    ],
)
def test_text_that_the_app_takes_for_its_own_message_form_gets_a_character_in_front(
    text: str, kind: str
) -> None:
    text = text.replace("KIND", kind).replace("NUMBER", "9" * 5000)
    assert said(ask(Message(Role.USER, text))) == [("user", "\u200b" + text)]


@pytest.mark.parametrize(
    "text", ['{"type":"object"}', '["multimodal"]', '"multimodal"', '{"type":"multimodal"', "{}", '{"type":["multimodal"]}']
)  # fmt: skip
def test_other_json_is_left_alone(text: str) -> None:
    assert said(ask(Message(Role.USER, text))) == [("user", text)]


# --- the window (10.3) -------------------------------------------------------------------------------------------


def test_max_tokens_are_clipped_to_the_room() -> None:
    request = ask(Message(Role.USER, "word " * 3000), max_tokens=4000)
    assert 3000 <= request.window.prompt_tokens <= 3050
    assert 700 < request.max_tokens < 4096 - 3000
    assert body(request)["options"]["max_tokens"] == request.max_tokens


def test_a_prompt_over_the_window_is_refused_before_the_app_thins_it() -> None:
    with pytest.raises(
        ContextTooLong, match=r"maximum context length is 4096 tokens.*resulted in \d+ tokens"
    ):
        ask(Message(Role.USER, "word " * 4200))
    assert ask(Message(Role.USER, "word " * 4200), window=6144).max_tokens == 1024


def test_a_tight_window_still_leaves_an_answer() -> None:
    assert ask(Message(Role.USER, "word " * 4070)).max_tokens == 16


@pytest.mark.parametrize(
    ("model", "build", "configured", "trained", "tokens"),
    [
        (GGUF, Build.A, None, None, 6144),
        (GGUF, Build.B, None, 131_072, 4096),
        (GGUF, Build.C, None, 2048, 2048),
        (GGUF, Build.C, 8192, 2048, 8192),
        (LITERT, Build.C, None, None, 4096),
        (LITERT, Build.C, 2048, None, 2048),
    ],
)
def test_window(
    model: StoredModel, build: Build, configured: int | None, trained: int | None, tokens: int
) -> None:
    assert window_tokens(model, TRAITS[build], configured=configured, trained=trained) == tokens


# --- LiteRT (13.2) -----------------------------------------------------------------------------------------------


def test_litert_options_stay_constant_whatever_the_answer_length() -> None:
    """Any change reloads the model, and its max_tokens is the size of the context."""
    short, long = (
        ask(model=LITERT, max_tokens=5),
        ask(Message(Role.USER, "x " * 500), model=LITERT, max_tokens=900),
    )
    assert short.options == long.options == {"max_tokens": 4096}
    assert (short.max_tokens, long.max_tokens) == (5, 900)


def test_litert_a_single_question_starts_a_conversation_of_its_own() -> None:
    assert said(ask(Message(Role.USER, "hi"), model=LITERT)) == [("user", ""), ("user", "hi")]
    history = (Message(Role.USER, "a"), Message(Role.ASSISTANT, "b"), Message(Role.USER, "c"))
    assert said(ask(*history, model=LITERT)) == [("user", "a"), ("assistant", "b"), ("user", "c")]


def test_litert_system_texts_go_first_where_alone_they_count() -> None:
    request = ask(
        Message(Role.USER, "a"), Message(Role.SYSTEM, "s1"), Message(Role.USER, "b"), Message(Role.DEVELOPER, "s2"),
        model=LITERT,
    )  # fmt: skip
    assert said(request)[0] == ("system", "s1\n\ns2")


def test_litert_refuses_what_the_app_would_cut_or_answer_with_nothing() -> None:
    history = (Message(Role.USER, "a" * 5000), Message(Role.ASSISTANT, "b" * 3000), Message(Role.USER, "c"))
    with pytest.raises(ContextTooLong):
        ask(*history, model=LITERT)
    assert ask(*history)  # only LiteRT cuts at 8000 characters
    assert ask(Message(Role.USER, "a b " * 2500), model=LITERT, window=9000)  # one question is never cut
    with pytest.raises(BadRequest, match="message of the user"):
        ask(Message(Role.SYSTEM, "s"), Message(Role.ASSISTANT, "b"), model=LITERT)
