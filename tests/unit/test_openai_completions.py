"""`/v1/completions`: the body -> our words, and answers -> `text_completion`."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from adapter.chat import (
    ChoiceFinished,
    Completion,
    Finished,
    FinishReason,
    OutputFormat,
    OutputKind,
    Sampling,
    TextDelta,
    TokenLogprob,
    Usage,
)
from adapter.dialects import openai_render as render
from adapter.dialects.openai_completions import CompletionRequest, parse_completions
from adapter.dialects.openai_render_text import TextForm
from adapter.engines.base import Can
from adapter.errors import BadRequest


def parsed(**fields: Any) -> CompletionRequest:
    return parse_completions({"prompt": "Once", **fields})


def refused(**fields: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parsed(**fields)
    return caught.value


# --- requests -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a", [("a", None)]),
        ("", [("", None)]),
        ("cut \ud83d", [("cut \ufffd", None)]),
        (["a", "b"], [("a", None), ("b", None)]),
        ([1, 2], [(None, (1, 2))]),
        ([[1, 2], [3]], [(None, (1, 2)), (None, (3,))]),
        (["a", [3]], [("a", None), (None, (3,))]),
    ],
)
def test_prompts_in_every_form(prompt: object, found: list[tuple[str | None, tuple[int, ...] | None]]) -> None:
    assert [(c.text, c.tokens) for c in parsed(prompt=prompt).completions] == found


def test_everything_else_is_alike_for_all_prompts() -> None:
    told = parsed(
        prompt=["a", "b"], model="m", suffix="z", echo=True, n=2, best_of=2, max_tokens=8, stop="s", grammar="root"
    )
    assert told.completions[1] == Completion(
        "m", "b", suffix="z", echo=True, n=2, sampling=Sampling(max_tokens=8, stop=("s",)),
        output=OutputFormat(OutputKind.GRAMMAR, "root", "grammar"),
    )  # fmt: skip
    assert told.asked.needs == {
        Can.COMPLETIONS: "model", Can.OUTPUT: "grammar", Can.GRAMMAR: "grammar", Can.MANY: "n"
    }  # fmt: skip
    assert told.asked.ignored == ()


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [({"user": "u", "zzz": 1}, ("user", "zzz")), ({"tools": [], "suffix": "", "logprobs": None}, ())],
)
def test_hints_are_listed(fields: dict[str, Any], ignored: tuple[str, ...]) -> None:
    assert parsed(**fields).asked.ignored == ignored


@pytest.mark.parametrize(("sent", "logprobs"), [(None, None), (False, None), (0, 0), (5, 5)])
def test_logprobs_are_a_number_here(sent: object, logprobs: int | None) -> None:
    told = parsed(logprobs=sent)
    assert told.completions[0].logprobs == logprobs
    assert (Can.LOGPROBS in told.asked.needs) is (logprobs is not None)


def test_streams_as_chats_do() -> None:
    asked = parsed(stream=True, stream_options={"include_usage": True}).asked
    assert (asked.stream, asked.include_usage) == (True, True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": {}}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": True}, "prompt"),
        ({"prompt": ["x"] * 129}, "prompt"),
        ({"prompt": ["x"] * 65, "n": 2}, "prompt"),
        ({"prompt": ["x", None]}, "prompt[1]"),
        ({"prompt": [[]]}, "prompt[0]"),
        ({"prompt": [1, "x"]}, "prompt[1]"),
        ({"prompt": [True]}, "prompt[0]"),
        ({"prompt": [-1]}, "prompt[0]"),
        ({"prompt": [2**31]}, "prompt[0]"),
        ({"prompt": [[1.0]]}, "prompt[0][0]"),
        ({"suffix": 5}, "suffix"),
        ({"echo": "yes"}, "echo"),
        ({"n": 0}, "n"),
        ({"best_of": 2}, "best_of"),
        ({"n": 2, "best_of": 1}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": 0, "echo": True}, "logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"tools": [{}]}, "tools"),
        ({"prompt_embeds": "x"}, "prompt_embeds"),
        ({"use_beam_search": True}, "use_beam_search"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert error.param == param
    assert f"'{param}'" in error.message


# --- answers --------------------------------------------------------------------------------------------------

END = Finished(FinishReason.STOP, Usage(7, 3))


def form(**options: Any) -> TextForm:
    return TextForm(render.Envelope("cmpl-1", 17, "m", "e"), **options)


def as_sent(value: render.Json) -> dict[str, Any]:
    return dict(json.loads(render.dump(value)))


def head() -> dict[str, Any]:
    return {"id": "cmpl-1", "object": "text_completion", "created": 17, "model": "m"}


def shown(text: str, reason: str | None = None, index: int = 0, logprobs: Any = None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}


TWO = (TextDelta("b", choice=1), TextDelta("a"), ChoiceFinished(0, FinishReason.LENGTH), TextDelta("c", choice=1))


def test_a_plain_answer() -> None:
    answer = form(n=2)
    for event in TWO:
        answer.add(event)
    body = as_sent(answer.body(END))
    assert body == {
        **head(),
        "choices": [shown("a", "length"), shown("bc", "stop", 1)],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
        "farmhand": {"engine": "e", "usage": {"prompt_tokens": "exact", "completion_tokens": "exact"}},
    }


def test_a_stream() -> None:
    answer = form(n=2, include_usage=True)
    assert answer.opening() == []
    chunks = [as_sent(chunk) for event in TWO if (chunk := answer.chunk(event))]
    assert chunks == [
        {**head(), "choices": [choice]}
        for choice in (shown("b", index=1), shown("a"), shown("", "length"), shown("c", index=1))
    ]
    assert as_sent(answer.keepalive()) == {**head(), "choices": [shown("", index=1)]}
    last, usage = [as_sent(chunk) for chunk in answer.closing(END)]
    assert last.pop("farmhand")["engine"] == "e"
    assert last == {**head(), "choices": [shown("", "stop", 1)]}
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 10)


TOKENS = (
    TokenLogprob("é", (195, 169), -0.5, (TokenLogprob("é", (195, 169), -0.5), TokenLogprob("e", (101,), -1.5))),
    TokenLogprob("x", (120,), -math.inf),
)


def test_logprobs_are_four_lists() -> None:
    answer = form(logprobs=True)
    for event in (TextDelta("é", logprobs=TOKENS[:1]), TextDelta("x", logprobs=TOKENS[1:])):
        answer.add(event)
    assert as_sent(answer.body(END))["choices"][0]["logprobs"] == {
        "tokens": ["é", "x"],
        "token_logprobs": [-0.5, -9999.0],
        "top_logprobs": [{"é": -0.5, "e": -1.5}, {}],
        "text_offset": [0, 1],
    }


def test_offsets_go_on_from_chunk_to_chunk() -> None:
    answer = form(logprobs=True)
    chunks = [answer.chunk(TextDelta("é", logprobs=TOKENS[:1])), answer.chunk(TextDelta("x", logprobs=TOKENS[1:]))]
    offsets = [chunk["choices"][0]["logprobs"]["text_offset"] for chunk in chunks if chunk]
    assert offsets == [[0], [1]]
