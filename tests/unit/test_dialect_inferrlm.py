"""`adapter.dialects.inferrlm*`: our words into the app's and back, against recorded bytes of all three builds."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapter.chat import Chat, Message, ReasoningDelta, Role, Sampling, TextDelta, ToolCall, UsageSource
from adapter.chat import FinishReason as Reason
from adapter.dialects.inferrlm import Ask, render_chat, window_tokens
from adapter.dialects.inferrlm_answer import Answer
from adapter.dialects.inferrlm_builds import (
    TRAITS,
    Build,
    Leaving,
    ModelFacts,
    Probe,
    StoredModel,
    decide_leaving,
    detect_build,
    nearest_names,
    parse_ps,
    parse_show,
    parse_tags,
    parse_version,
    resolve_model,
    short_name_to_probe,
)
from adapter.dialects.inferrlm_errors import Asked, render_error
from adapter.dialects.inferrlm_records import Done, Failed, Piece, parse_plain, parse_records, parse_refusal
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    ModelNotFound,
    UpstreamProtocol,
)
from adapter.wire.ndjson import NdjsonDecoder

DATA = Path(__file__).parent.parent / "data" / "wire" / "inferrlm"
FOLDERS = {Build.A: "2025", Build.B: "0.8.7", Build.C: "2026"}
GGUF = StoredModel("Llama-3.2-1B-Instruct-Q4_K_M.gguf")
LITERT = StoredModel("gemma-3n-E2B-it-int4.litertlm")


# --- recorded bytes --------------------------------------------------------------------------------------------


def recorded(build: Build, scenario: str, connection: str = "A") -> tuple[int, bytes]:
    """Status and body that the server sent over one connection, chunk framing removed."""
    raw = b""
    for line in (DATA / FOLDERS[build] / f"{scenario}.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event.get("dir") == "s2c" and event["c"] == connection and "b64" in event:
            raw += base64.b64decode(event["b64"])
    head, _, body = raw.partition(b"\r\n\r\n")
    if b"chunked" in head:
        body = dechunked(body)
    return int(head.split()[1]), body


def dechunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        body += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return body


def records(build: Build, scenario: str, connection: str = "A") -> list[Piece | Done | Failed]:
    decoder = NdjsonDecoder()
    body = recorded(build, scenario, connection)[1]
    return parse_records([*decoder.feed(body), *decoder.flush()])


def value(build: Build, scenario: str) -> object:
    parsed: object = json.loads(recorded(build, scenario)[1])
    return parsed


# --- requests --------------------------------------------------------------------------------------------------


def ask(
    *messages: Message, build: Build = Build.C, model: StoredModel = GGUF, window: int = 4096, **sampling: Any
) -> Ask:
    chat = Chat(model.name, messages or (Message(Role.USER, "hi"),), Sampling(**sampling))
    return render_chat(chat, model, TRAITS[build], window_tokens=window, default_max_tokens=1024)


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


# --- builds (3) and names (6) ------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", list(Build))
def test_builds_are_told_apart_by_their_recorded_answers(build: Build) -> None:
    models = parse_tags(value(build, "tags"))
    assert GGUF in models
    assert not any("mmproj" in model.name for model in models)
    probe = Probe(
        version=parse_version(value(build, "version")),
        openai=recorded(build, "v1-models")[0] == 200,
        short_name_found=recorded(build, "show-without-extension")[0] == 200,
        models=models,
    )
    assert detect_build(probe) is build


@pytest.mark.parametrize(
    ("version", "openai", "short", "models", "build"),
    [
        ("0.7.7", False, None, (), Build.A),
        ("", False, None, (), Build.A),
        ("0.8.1", False, None, (GGUF,), Build.B),
        ("0.8.5", True, False, (GGUF,), Build.B),
        ("0.8.7", True, None, (), Build.B),
        ("0.8.7", True, None, (LITERT,), Build.C),
        ("0.9.0", True, True, (GGUF,), Build.C),
        ("1.0.0", False, None, (), Build.B),
    ],
)
def test_builds_in_between(
    version: str, openai: bool, short: bool | None, models: tuple[StoredModel, ...], build: Build
) -> None:
    assert detect_build(Probe(version, openai=openai, short_name_found=short, models=models)) is build


def test_the_short_name_for_the_probe_is_not_itself_a_stored_name() -> None:
    assert short_name_to_probe([LITERT, GGUF]) == "Llama-3.2-1B-Instruct-Q4_K_M"
    assert short_name_to_probe([StoredModel("x"), StoredModel("X.gguf"), StoredModel("y.GGUF")]) == "y"
    assert short_name_to_probe([LITERT]) is None


@pytest.mark.parametrize("build", list(Build))
def test_ps_and_show(build: Build) -> None:
    assert parse_ps(value(build, "ps-loaded")) == GGUF.name
    assert parse_ps(value(build, "ps-empty")) is None
    assert parse_show(value(build, "show")) == ModelFacts(trained_tokens=131_072, opens_reasoning=False)


@pytest.mark.parametrize(
    "answer", [None, [], {"models": 3}, {"models": [1, {"name": 5}]}, {"info": {}}, {"info": 4}]
)
def test_strange_answers_to_probes_are_survived(answer: object) -> None:
    assert parse_tags(answer) == ()
    assert parse_ps(answer) is None
    assert parse_version(answer) == ""
    assert parse_show(answer) == ModelFacts()


@pytest.mark.parametrize(
    ("template", "opens"),
    [
        ("{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}", True),
        ("{% if add_generation_prompt %}<|assistant|>{% endif %}", False),
        ("{% if add_generation_prompt %}a{% if off %}<think>\n\n</think>{% endif %}{% endif %}", False),
        ("<think> is mentioned {% if add_generation_prompt %}<|assistant|>{% endif %}", False),
        ("no template", False),
    ],
)
def test_templates_that_open_the_reasoning_themselves(template: str, opens: bool) -> None:
    assert parse_show({"info": {"tokenizer.chat_template": template}}).opens_reasoning is opens


@pytest.mark.parametrize(
    "wanted",
    [GGUF.name, GGUF.name.lower(), f"{GGUF.name}:latest", "Llama-3.2-1B-Instruct-Q4_K_M", f"models/{GGUF.name}",
     "llama-3.2-1b-instruct-q4_k_m:latest", f" {GGUF.name} ", ""],
)  # fmt: skip
def test_names_are_found_and_become_the_stored_name(wanted: str) -> None:
    assert resolve_model(wanted, [LITERT, GGUF], GGUF.name) == GGUF


@pytest.mark.parametrize(
    "wanted", ["gemini", "chatgpt", "claude", "deepseek", "apple-foundation", "Llama", "x"]
)
def test_nothing_leads_to_the_cloud(wanted: str) -> None:
    assert resolve_model(wanted, [GGUF], None) is None
    assert resolve_model("", [], None) is None


def test_nearest_names() -> None:
    assert nearest_names("llama-3.2-1b", [LITERT, GGUF]) == [GGUF.name]


# --- leaving (12, 13.2) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "litert", "headers", "text", "unload", "how"),
    [
        (Build.A, False, False, False, True, Leaving.DRAIN),
        (Build.A, False, True, True, False, Leaving.DRAIN),
        (Build.A, False, True, True, True, Leaving.UNLOAD),
        (Build.B, False, True, False, False, Leaving.DRAIN),
        (Build.B, False, True, False, True, Leaving.UNLOAD),
        (Build.C, False, False, False, True, Leaving.DRAIN),
        (Build.C, False, True, False, False, Leaving.CLOSE),
        (Build.C, False, True, True, True, Leaving.CLOSE),
        (Build.C, True, True, False, False, Leaving.DRAIN),
        (Build.C, True, True, True, False, Leaving.CLOSE),
    ],
)
def test_how_to_leave(
    build: Build, litert: bool, headers: bool, text: bool, unload: bool, how: Leaving
) -> None:
    decided = decide_leaving(
        TRAITS[build], litert=litert, headers_came=headers, text_came=text, unload=unload
    )
    assert decided is how


# --- error words (10.1, 10.2) ------------------------------------------------------------------------------------

ASKED = Asked(GGUF.name, window_tokens=4096, prompt_tokens=100)


@pytest.mark.parametrize(
    ("word", "error", "says"),
    [
        ("MODEL_BUSY", EngineUnavailable, "busy"),
        ("model_busy", EngineUnavailable, "busy"),
        ("Context is busy", EngineUnavailable, "busy"),
        ("model_not_loaded", EngineUnavailable, "loading"),
        ("CONTEXT_LENGTH_EXCEEDED", ContextTooLong, "maximum context length is 4096 tokens"),
        ("Context is full", ContextTooLong, "resulted in 4097 tokens"),
        ("model_not_found", ModelNotFound, "deleted or renamed"),
        ("remote_models_disabled", BadRequest, "cloud"),
        ("api_key_missing", BadRequest, "cloud"),
        ("apple_foundation_not_available", BadRequest, "cloud"),
        ("generation_failed", EngineFailed, "without saying why"),
        ("server_error", EngineFailed, "memory"),
        ("not_found", UpstreamProtocol, "url"),
        ("invalid_json", UpstreamProtocol, "refused"),
        ("Failed to evaluate", EngineFailed, "Failed to evaluate"),
        ("HTTP 418", EngineFailed, "HTTP 418"),
    ],
)
def test_every_word_has_its_error_and_a_remedy(word: str, error: type[AdapterError], says: str) -> None:
    rendered = render_error(word, ASKED)
    assert type(rendered) is error
    assert says in rendered.message
    assert rendered.status not in (401, 402, 408)
    assert (rendered.status == 404) == (word == "model_not_found")
    assert (rendered.retry_after_s is not None) == (rendered.status == 503)


def test_a_window_that_fills_up_in_mid_answer_is_the_engines_failure() -> None:
    rendered = render_error("CONTEXT_LENGTH_EXCEEDED", ASKED, after_text=True)
    assert type(rendered) is EngineFailed
    assert "started it again" in rendered.message


@pytest.mark.parametrize(
    ("scenario", "status", "word"),
    [
        ("chat-unknown-model", 404, "model_not_found"),
        ("chat-none-loaded", 503, "model_not_loaded"),
        ("chat-load-fails", 500, "server_error"),
        ("chat-fail-plain", 500, "generation_failed"),
        ("chat-remote-disabled", 409, "remote_models_disabled"),
        ("chat-no-messages", 400, "messages_required"),
    ],
)
@pytest.mark.parametrize("build", list(Build))
def test_recorded_refusals(build: Build, scenario: str, status: int, word: str) -> None:
    assert recorded(build, scenario)[0] == status
    assert parse_refusal(value(build, scenario), status) == Failed(word)


def test_refusals_without_a_word() -> None:
    assert parse_refusal([], 500) == Failed("HTTP 500")
    assert parse_refusal({"error": {"message": "x"}}, 500) == Failed("{'message': 'x'}")


# --- recorded streams (7.4, 10.2) --------------------------------------------------------------------------------


@pytest.mark.parametrize("build", list(Build))
def test_recorded_streams_become_pieces(build: Build) -> None:
    assert records(build, "chat-stream") == [
        *map(Piece, ["Say", " hello", " to", " the", " harbo", "ur."]),
        Done("Say hello to the harbour."),
    ]
    assert records(build, "chat-stream-empty") == [Done("")]
    assert records(build, "chat-fail-first") == [Failed("Failed to evaluate")]
    assert records(build, "chat-fail-middle") == [
        *map(Piece, ["one", " two", " three"]),
        Failed("Failed to evaluate"),
    ]
    assert records(build, "chat-tail-lost") == [*map(Piece, ["one", " two", " three"])]
    assert records(build, "chat-stream-unicode")[1] == Piece(" 👋")


def test_recorded_litert_streams_have_one_more_empty_piece() -> None:
    end = [Piece(""), Done("Say hello.")]
    assert records(Build.C, "litert-chat-stream") == [Piece("Say"), Piece(" hello."), *end]


@pytest.mark.parametrize("build", list(Build))
def test_recorded_plain_answers(build: Build) -> None:
    assert parse_plain(value(build, "chat-plain")) == "Say hello to the harbour."


@pytest.mark.parametrize("record", [5, None, {}, {"response": 4}, {"response": None, "done": False}])
def test_records_of_no_known_kind(record: object) -> None:
    with pytest.raises(UpstreamProtocol):
        parse_records([record])
    with pytest.raises(UpstreamProtocol):
        parse_plain(record)


def test_halves_of_characters_never_reach_a_client() -> None:
    assert parse_records(json.loads(r'[{"response": "a\ud83d", "done": false}]')) == [Piece("a\ufffd")]


# --- whole answers (9 and 13 in section 16) ----------------------------------------------------------------------


def answer(*stop: str, multiline: bool = True, opens_reasoning: bool = False, **how: Any) -> Answer:
    return Answer(ask(**how), stop, multiline=multiline, opens_reasoning=opens_reasoning)


def fed(to: Answer, pieces: list[str], output: str | None = None) -> tuple[str, str]:
    """(reasoning, text) after the pieces, and after the last record if the answer was not complete by then."""
    deltas = [delta for piece in pieces for delta in to.piece(Piece(piece))]
    if not to.complete:
        deltas += to.done(Done("".join(pieces).strip() if output is None else output))
    assert all(delta.text for delta in deltas)
    reasoning = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    return reasoning, "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def test_a_plain_text_answer() -> None:
    one = answer(max_tokens=10)
    assert fed(one, [" Say", " hello", ".\n"]) == ("", " Say hello.\n")
    finished = one.finish()
    assert finished.reason is Reason.STOP
    assert finished.usage.completion_tokens == 3
    assert finished.usage.completion_source is UsageSource.COUNTED
    assert finished.usage.prompt_source is UsageSource.ESTIMATED
    assert finished.usage.prompt_tokens > 0


@pytest.mark.parametrize("build", list(Build))
def test_rule_13_recorded_reasoning_is_split(build: Build) -> None:
    pieces = [record.text for record in records(build, "chat-stream-think") if isinstance(record, Piece)]
    expected = ("The user said something. I will echo it.", "think please")
    assert fed(answer(), pieces) == expected
    assert fed(answer(), ["".join(pieces)]) == expected


def test_rule_13_the_opening_tag_may_be_missing() -> None:
    pieces = ["I", " think", "</think>", "\n\n", "Yes"]
    assert fed(answer(opens_reasoning=True), pieces) == ("I think", "Yes")
    whole = answer()
    assert whole.plain("I think</think>\n\nYes") == [ReasoningDelta("I think"), TextDelta("Yes")]


def test_rule_9_output_with_more_than_the_pieces_is_trusted() -> None:
    assert fed(answer(), ["one", " two"], "one two three") == ("", "one two three")
    assert fed(answer(), [], "everything") == ("", "everything")
    assert fed(answer(), ["\n one", " two "], "one two") == ("", "\n one two ")


@pytest.mark.parametrize("output", ["one two", "something else", "one two three"])
def test_rule_9_output_with_another_text_means_that_the_answer_was_restarted(output: str) -> None:
    with pytest.raises(EngineFailed, match="started it again"):
        fed(answer(), ["one", " two", "one", " two", " three"], output)


def test_rule_9_a_restart_as_recorded() -> None:
    """C ends such a stream with an error if the third attempt fills the window as well; with `output` if it fits."""
    pieces = [record for record in records(Build.C, "chat-context-full-stream") if isinstance(record, Piece)]
    assert len(pieces) == 12
    one = answer()
    for piece in pieces:
        one.piece(piece)
    with pytest.raises(EngineFailed):
        one.done(Done("one two three four"))


def test_stop_strings_end_the_answer_and_are_no_part_of_it() -> None:
    one = answer(" three", "zzz")
    assert fed(one, ["one", " two", " th", "ree", " four"]) == ("", "one two")
    assert one.complete
    assert one.finish().reason is Reason.STOP
    assert one.done(Done("whatever")) == []


def test_a_stop_string_at_the_very_beginning_explains_an_empty_answer() -> None:
    one = answer("one")
    assert fed(one, ["one", " two"]) == ("", "")
    assert one.finish().usage.completion_tokens == 1


def test_stop_strings_do_not_look_into_reasoning() -> None:
    assert fed(answer("x"), ["<think>", "x y", "</think>", "a", " x"]) == ("x y", "a ")


def test_text_held_back_for_a_stop_string_comes_at_the_end() -> None:
    assert fed(answer("###"), ["one", " ##"]) == ("", "one ##")
    assert answer("###").plain("one ##") == [TextDelta("one "), TextDelta("##")]


def test_reaching_max_tokens_is_told_from_ending() -> None:
    """Nothing on the wire says so (10.4)."""
    one = answer(max_tokens=3)
    pieces = [record for record in records(Build.C, "chat-stream-max-tokens") if isinstance(record, Piece)]
    fed(one, [piece.text for piece in pieces])
    assert one.finish().reason is Reason.LENGTH


def test_litert_is_cut_at_max_tokens_by_us() -> None:
    one = answer(model=LITERT, max_tokens=2)
    assert fed(one, ["a", "b", "c"]) == ("", "ab")
    assert one.complete
    assert one.finish() == replace(one.finish(), reason=Reason.LENGTH)
    assert one.finish().usage.completion_source is UsageSource.ESTIMATED


def test_an_unstreamed_answer_has_estimated_tokens() -> None:
    one = answer()
    assert one.plain("Say hello to the harbour.") == [TextDelta("Say hello to the harbour.")]
    finished = one.finish()
    assert finished.reason is Reason.STOP
    assert (finished.usage.completion_tokens, finished.usage.completion_source) == (6, UsageSource.ESTIMATED)


def test_an_unstreamed_answer_is_cut_at_max_tokens() -> None:
    one = answer(model=LITERT, max_tokens=3)
    (delta,) = one.plain("Say hello to the harbour.")
    assert "Say hello to the harbour.".startswith(delta.text)
    assert 5 < len(delta.text) < 20
    assert one.finish().reason is Reason.LENGTH


def test_far_more_pieces_than_max_tokens_are_a_restarted_answer() -> None:
    """Noticed at once, and not only when `output` comes."""
    one = answer(max_tokens=4)
    with pytest.raises(EngineFailed, match="started it again"):
        fed(one, ["x"] * 20)


@pytest.mark.parametrize(
    ("pieces", "multiline", "says"),
    [
        ([], True, "without a word"),
        ([], False, "line break"),
        (["<think>"], False, "line break"),
        ([""], True, "word"),
    ],
)
def test_an_answer_without_a_word_is_an_error(pieces: list[str], multiline: bool, says: str) -> None:
    one = answer(multiline=multiline)
    fed(one, pieces)
    with pytest.raises(UpstreamProtocol, match=says):
        one.finish()


def test_an_empty_answer_explained_by_max_tokens_is_none() -> None:
    one = answer(max_tokens=1)
    assert fed(one, ["<think>"]) == ("", "")
    assert one.finish().reason is Reason.LENGTH
