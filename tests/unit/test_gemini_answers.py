"""Answers, errors and models in Gemini's form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.access.scopes import gemini_method, needed
from adapter.chat import (
    ChoiceFinished,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from adapter.dialects.gemini_errors import is_gemini, render_gemini_error
from adapter.dialects.gemini_models import render_gemini_count, render_gemini_model, render_gemini_vectors
from adapter.dialects.gemini_render import SIGN_EVERY, GeminiForm
from adapter.dialects.openai_render import Delta, Envelope
from adapter.errors import (
    AdapterError,
    BadKey,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    MissingScope,
    ModelNotFound,
    QueueFull,
    UpstreamProtocol,
    UpstreamTimeout,
)
from adapter.meter_counts import path_label

ENVELOPE = Envelope("gen-1", 7, "m", "e", ignored=("labels",))
USAGE = Usage(10, 4, cached_tokens=6)
STOP, CALLED, CUT = (Finished(reason, USAGE) for reason in (FinishReason.STOP, FinishReason.TOOL_CALLS, FinishReason.LENGTH))
CALL: list[Delta] = [ToolCallDelta(0, "c1", "tide"), ToolCallDelta(0, arguments='{"a":'), ToolCallDelta(0, arguments='"ö"}')]
PART = {"functionCall": {"id": "c1", "name": "tide", "args": {"a": "ö"}}}


def whole(*events: Delta | ChoiceFinished, end: Finished = STOP, **options: Any) -> Any:
    form = GeminiForm(ENVELOPE, **options)
    for event in events:
        form.add(event)
    return form.body(end)


def chunks(*events: Delta | ChoiceFinished, end: Finished = STOP, **options: Any) -> list[Any]:
    form = GeminiForm(ENVELOPE, **options)
    said = [form.chunk(event) for event in events]
    return [*form.opening(), *(chunk for chunk in said if chunk is not None), *form.closing(end)]


def parts(answer: Any, index: int = 0) -> Any:
    return answer["candidates"][index]["content"]["parts"]


def test_a_whole_answer() -> None:
    assert whole(TextDelta("a"), TextDelta("b")) == {
        "candidates": [{"content": {"parts": [{"text": "ab"}], "role": "model"}, "index": 0, "finishReason": "STOP"}],
        "modelVersion": "m",
        "responseId": "gen-1",
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 4, "totalTokenCount": 14, "cachedContentTokenCount": 6},
        "farmhand": {"engine": "e", "usage": {"prompt_tokens": "exact", "completion_tokens": "exact"}, "ignored": ["labels"]},
    }


def test_a_streamed_answer() -> None:
    first, second, last = chunks(TextDelta("a"), TextDelta("b"))
    assert parts(first) == [{"text": "a"}] and parts(second) == [{"text": "b"}]
    assert "finishReason" not in first["candidates"][0] and "usageMetadata" not in first
    assert last["candidates"] == [{"content": {"parts": [{"text": ""}], "role": "model"}, "index": 0, "finishReason": "STOP"}]
    assert last["usageMetadata"]["totalTokenCount"] == 14 and last["farmhand"]["engine"] == "e"


@pytest.mark.parametrize(
    ("reason", "word"),
    [(FinishReason.STOP, "STOP"), (FinishReason.LENGTH, "MAX_TOKENS"), (FinishReason.CONTENT_FILTER, "SAFETY")],
)
def test_why_it_ended(reason: FinishReason, word: str) -> None:
    end = Finished(reason, USAGE)
    assert whole(TextDelta("a"), end=end)["candidates"][0]["finishReason"] == word
    assert chunks(TextDelta("a"), end=end)[-1]["candidates"][0]["finishReason"] == word


def test_calls_are_whole_also_in_a_stream() -> None:
    answer = whole(TextDelta("See."), *CALL, end=CALLED)
    assert parts(answer) == [{"text": "See."}, PART] and answer["candidates"][0]["finishReason"] == "STOP"
    assert parts(whole(*CALL, end=CALLED)) == [PART]
    text, last = chunks(TextDelta("See."), *CALL, end=CALLED)
    assert parts(last) == [PART] and parts(text) == [{"text": "See."}]


def test_a_call_that_was_cut_is_none() -> None:
    for answer in (whole(*CALL[:2], end=CUT), chunks(*CALL[:2], end=CUT)[-1]):
        assert parts(answer) == [{"text": ""}] and answer["candidates"][0]["finishReason"] == "MAX_TOKENS"
        assert answer["farmhand"]["incomplete_tool_calls"] == [{"choice": 0, "id": "c1", "name": "tide", "arguments": '{"a":'}]


def test_a_call_that_was_cut_before_its_arguments_is_none_either() -> None:
    """Without them a function of no parameters would be called, and any other one with nothing."""
    for answer in (whole(CALL[0], end=CUT), chunks(CALL[0], end=CUT)[-1], whole(CALL[0], ChoiceFinished(0, FinishReason.LENGTH))):
        assert parts(answer) == [{"text": ""}]
        assert answer["farmhand"]["incomplete_tool_calls"] == [{"choice": 0, "id": "c1", "name": "tide", "arguments": ""}]
    assert parts(whole(CALL[0], end=CALLED)) == [{"functionCall": {"id": "c1", "name": "tide", "args": {}}}]


def test_a_call_before_the_cut_one_is_one() -> None:
    answer = whole(*CALL, ToolCallDelta(1, "c2", "tide", "{"), end=CUT)
    assert parts(answer) == [PART] and len(answer["farmhand"]["incomplete_tool_calls"]) == 1


@pytest.mark.parametrize("arguments", ["nothing", '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', "[]", '{"a":' * 2_000])
def test_a_call_that_is_no_json_is_said_to_be_malformed(arguments: str) -> None:
    """Python's reader takes words for numbers that would make the whole answer unreadable for anybody else."""
    answer = whole(ToolCallDelta(0, "c", "f", arguments), end=CALLED)
    assert json.dumps(answer, allow_nan=False)
    assert answer["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"


def test_thoughts_are_shown_on_request() -> None:
    said = (ReasoningDelta("h"), ReasoningDelta("m"), TextDelta("yes"))
    assert parts(whole(*said)) == [{"text": "yes"}]
    assert parts(whole(*said, thoughts=True)) == [{"text": "hm", "thought": True}, {"text": "yes"}]
    assert [parts(chunk) for chunk in chunks(*said, thoughts=True)][:2] == [[{"text": "h", "thought": True}], [{"text": "m", "thought": True}]]


@pytest.mark.parametrize("event", [ReasoningDelta("x"), ToolCallDelta(0, arguments=" ")])
def test_what_is_not_shown_keeps_the_stream_alive(event: Delta) -> None:
    """Ten seconds of hidden reasoning must not look like a dead server; a chunk without parts spoils a session of `google-genai`."""
    found = chunks(*[event] * (2 * SIGN_EVERY))
    assert [parts(chunk) for chunk in found[:-1]] == [[{"text": ""}]] * 2


def test_several_candidates() -> None:
    events = (TextDelta("a", 0), TextDelta("b", 1), ChoiceFinished(1, FinishReason.LENGTH), ChoiceFinished(0, FinishReason.STOP))
    answer = whole(*events, n=2)
    assert [(c["index"], parts(answer, i), c["finishReason"]) for i, c in enumerate(answer["candidates"])] == [
        (0, [{"text": "a"}], "STOP"), (1, [{"text": "b"}], "MAX_TOKENS"),
    ]  # fmt: skip
    streamed = [chunk["candidates"][0] for chunk in chunks(*events, n=2)]
    assert [(c["index"], c.get("finishReason")) for c in streamed] == [(0, None), (1, None), (1, "MAX_TOKENS"), (0, "STOP")]


def test_probabilities() -> None:
    token = TokenLogprob("a", (97,), -0.5, (TokenLogprob("a", (97,), -0.5), TokenLogprob("b", (98,), float("-inf"))))
    for answer in (whole(TextDelta("a", logprobs=(token,)), logprobs=True), chunks(TextDelta("a", logprobs=(token,)), logprobs=True)[0]):
        (candidate,) = answer["candidates"]
        assert candidate["avgLogprobs"] == -0.5
        assert candidate["logprobsResult"]["chosenCandidates"] == [{"token": "a", "logProbability": -0.5}]
        assert candidate["logprobsResult"]["topCandidates"][0]["candidates"][1] == {"token": "b", "logProbability": -9999.0}


# --- frames -----------------------------------------------------------------------------------------------------


def framed(form: GeminiForm, *more: Any) -> bytes:
    return b"".join(form.frame(chunk) for chunk in (form.keepalive(), *more))


def test_events() -> None:
    form = GeminiForm(ENVELOPE)
    data = framed(form, *form.closing(STOP)) + form.done
    assert data.count(b"\n\n") == 2 and all(json.loads(line[6:]) for line in data.split(b"\n\n") if line)


def test_an_array() -> None:
    form = GeminiForm(ENVELOPE, array=True)
    assert len(json.loads(framed(form, *form.closing(STOP)) + form.done)) == 2


def test_an_array_that_broke_off_can_be_read() -> None:
    form = GeminiForm(ENVELOPE, array=True)
    found = json.loads(framed(form, *form.failed(EngineFailed("broken"))))
    assert found[-1]["error"]["message"] == "broken"


def test_a_broken_stream_is_one_that_the_sdk_raises_for() -> None:
    """It looks at how the chunk begins."""
    (chunk,) = GeminiForm(ENVELOPE).failed(UpstreamProtocol("broken"))
    assert json.dumps(chunk).startswith('{"error":') and isinstance(chunk["error"]["code"], int)


# --- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (BadRequest("x"), 400, "INVALID_ARGUMENT"),
        (BadKey("x"), 401, "UNAUTHENTICATED"),
        (MissingScope("x"), 403, "PERMISSION_DENIED"),
        (ModelNotFound("x"), 404, "NOT_FOUND"),
        (QueueFull("x"), 429, "RESOURCE_EXHAUSTED"),
        (EngineFailed("x"), 500, "INTERNAL"),
        (UpstreamProtocol("x"), 502, "UNAVAILABLE"),
        (EngineUnavailable("x"), 503, "UNAVAILABLE"),
        (UpstreamTimeout("x"), 504, "DEADLINE_EXCEEDED"),
    ],
)
def test_errors(error: AdapterError, code: int, status: str) -> None:
    said = render_gemini_error(error)["error"]
    assert (said["code"], said["status"], said["message"]) == (code, status, "x")
    assert said["details"][0]["reason"] == error.code.upper()
    waits = [detail["retryDelay"] for detail in said["details"] if detail["@type"].endswith("RetryInfo")]
    assert waits == ([f"{error.retry_after_s}s"] if error.retry_after_s else [])


def test_fields_are_named_in_geminis_words() -> None:
    details = render_gemini_error(ContextTooLong.of(context_tokens=8, prompt_tokens=9))["error"]["details"]
    assert details[1]["fieldViolations"][0]["field"] == "contents"


@pytest.mark.parametrize(
    ("path", "keyed", "expected"),
    [
        ("/v1beta/models", False, True),
        ("/v1beta/what", False, True),
        ("/v1/v1beta/models/m:generateContent", False, True),
        ("/v1/models/m:generateContent", False, True),
        ("/v1/models", False, False),
        ("/v1/models", True, True),
        ("/v1/models/llama3:8b", False, False),
        ("/v1/models/llama3:8b", True, True),
        ("/v1/chat/completions", True, False),
        ("/admin/state", True, False),
    ],
)
def test_which_paths_have_this_form(path: str, keyed: bool, expected: bool) -> None:
    assert is_gemini(path, keyed=keyed) is expected


@pytest.mark.parametrize(
    ("path", "method", "scope"),
    [
        ("/v1beta/models/a/b:generateContent", "generateContent", "chat"),
        ("/v1/models/llama3:8b:streamGenerateContent", "streamGenerateContent", "chat"),
        ("/v1/v1/models/m:countTokens", "countTokens", "chat"),
        ("/v1beta/models/m:batchEmbedContents", "batchEmbedContents", "embed"),
        ("/v1/v1beta/models/m:embedContent", "embedContent", "embed"),
        ("/v1/models/llama3:8b", "", None),
        ("/v1beta/models/llama3:8b", "", None),
        ("/v1beta/models/m:predict", "", None),
        ("/v2/models/m:generateContent", "", None),
    ],
)
def test_what_a_key_must_be_for(path: str, method: str, scope: str | None) -> None:
    assert (gemini_method(path), needed(path)) == (method, scope)
    assert path_label(path).partition(":")[2] == method


# --- models, vectors, counts ----------------------------------------------------------------------------------------


def test_models() -> None:
    card = {"id": "e/m", "max_input_tokens": 4096, "max_output_tokens": 0, "farmhand": {"engine": "e", "model": "m", "can": ["chat", "tools"]}}
    found = render_gemini_model(card)
    assert (found["name"], found["inputTokenLimit"]) == ("models/e/m", 4096) and "outputTokenLimit" not in found
    assert found["supportedGenerationMethods"] == ["generateContent", "streamGenerateContent", "countTokens"]
    card["farmhand"] = {"engine": "e", "model": "m", "can": ["embeddings"]}
    assert render_gemini_model(card)["supportedGenerationMethods"] == ["embedContent", "batchEmbedContents", "countTokens"]


def test_vectors_and_counts() -> None:
    vectors, head = [(0.5, 1.0), (0.25, 0.0)], {"farmhand": {"engine": "e"}}
    assert json.loads(b"".join(render_gemini_vectors(vectors, head, batch=True))) == {
        "embeddings": [{"values": [0.5, 1.0]}, {"values": [0.25, 0.0]}], "farmhand": {"engine": "e"},
    }  # fmt: skip
    assert json.loads(b"".join(render_gemini_vectors(vectors[:1], head, batch=False)))["embedding"] == {"values": [0.5, 1.0]}
    assert render_gemini_count(3, {"engine": "e"}) == {"totalTokens": 3, "farmhand": {"engine": "e"}}
