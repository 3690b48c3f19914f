"""The app's words into ours: its errors, its recorded streams of all three builds, and whole answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from adapter.chat import FinishReason as Reason
from adapter.chat import ReasoningDelta, TextDelta, UsageSource
from adapter.dialects.inferrlm_answer import Answer
from adapter.dialects.inferrlm_builds import Build
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
from tests.unit.inferrlm_cases import GGUF, LITERT, ask, recorded, records, value

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
