"""The OpenAI Python SDK against a real adapter process, over the fake InferrLM app in its three builds.

The SDK stands for every client that retries, parses and raises the way `protocols/clients.md` describes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("openai", reason="the OpenAI SDK has no Android wheel; run this on a PC")

import openai
from openai.types.chat import ChatCompletionChunk

from tests.live.processes import Adapter, adapter, fake_inferrlm

BUILDS = ("A", "B", "C")
QUESTION = "Say hello to the harbour."


@contextmanager
def over_fake(tmp_path: Path, build: str, script: str = "echo", **engine: object) -> Iterator[openai.OpenAI]:
    """An SDK client of an adapter whose only engine is the fake app. `engine`: further keys of its section."""
    with fake_inferrlm(build, script) as url:
        lines = ["[[engine]]", 'name = "inferrlm"', 'kind = "inferrlm"', f'url = "{url}"']
        lines += [f"{key} = {value}" for key, value in engine.items()]
        with adapter(tmp_path, "\n".join(lines)) as running, client_of(running) as client:
            yield client


@contextmanager
def client_of(running: Adapter) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=running.base_url, api_key=running.key, max_retries=0, timeout=30) as client:
        yield client


def plain(client: openai.OpenAI, text: str = QUESTION, model: str = "auto") -> str:
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None and answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0
    return answer.choices[0].message.content or ""


def streamed(client: openai.OpenAI, text: str = QUESTION, model: str = "auto") -> list[ChatCompletionChunk]:
    with client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        return list(stream)


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@pytest.mark.parametrize("build", BUILDS)
def test_plain_and_streamed_say_the_same(tmp_path: Path, build: str) -> None:
    with over_fake(tmp_path, build) as client:
        assert plain(client) == QUESTION
        chunks = streamed(client)
    assert text_of(chunks) == QUESTION
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage is not None and chunks[-1].usage.total_tokens > 0


@pytest.mark.parametrize("build", BUILDS)
def test_text_beyond_ascii_arrives_whole(tmp_path: Path, build: str) -> None:
    """Raw UTF-8 in a request body hangs builds A and B for ever (`protocols/inferrlm.md` 4.2)."""
    with over_fake(tmp_path, build) as client:
        assert plain(client, "Grüße an den Hafen \N{SAILBOAT} 港") == "Grüße an den Hafen \N{SAILBOAT} 港"


@pytest.mark.parametrize("build", BUILDS)
def test_models_carry_context_sizes(tmp_path: Path, build: str) -> None:
    with over_fake(tmp_path, build) as client:
        models = {model.id: model.model_dump() for model in client.models.list()}
    assert "auto" in models and len(models) > 1
    assert all(isinstance(m["context_length"], int) and m["max_output_tokens"] > 0 for m in models.values())


@pytest.mark.parametrize("build", BUILDS)
def test_a_slow_first_token_is_waited_for(tmp_path: Path, build: str) -> None:
    """2.2 s of silence: the stream's status goes out before them, its text after."""
    with over_fake(tmp_path, build, "two-seconds") as client:
        assert text_of(streamed(client)) == QUESTION


@pytest.mark.parametrize("build", BUILDS)
def test_a_failure_in_mid_stream_is_raised(tmp_path: Path, build: str) -> None:
    with over_fake(tmp_path, build, "fail-mid") as client:
        got: list[ChatCompletionChunk] = []
        with (
            pytest.raises(openai.APIError) as caught,
            client.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": QUESTION}], stream=True
            ) as stream,
        ):
            got.extend(stream)
    assert text_of(got), "the text before the failure arrives"
    assert caught.value.code == "engine_failed"
    assert "InferrLM" in caught.value.message


@pytest.mark.parametrize("build", BUILDS)
def test_a_failure_before_the_first_token_keeps_its_status(tmp_path: Path, build: str) -> None:
    with over_fake(tmp_path, build, "fail-first") as client, pytest.raises(openai.APIStatusError) as caught:
        streamed(client)
    assert caught.value.status_code in (500, 502, 503)
    assert "InferrLM" in caught.value.message


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("form", ["plain", "streamed"])
def test_an_empty_answer_is_an_error(tmp_path: Path, build: str, form: str) -> None:
    with over_fake(tmp_path, build, "empty") as client, pytest.raises(openai.APIStatusError) as caught:
        plain(client) if form == "plain" else streamed(client)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_protocol")
    assert "without a word" in caught.value.message


@pytest.mark.parametrize("build", BUILDS)
def test_a_hang_ends_at_the_first_token_limit(tmp_path: Path, build: str) -> None:
    with over_fake(tmp_path, build, "hang", first_token_s=1.0) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            streamed(client)
        assert caught.value.status_code == 504
        assert "first_token_s" in caught.value.message


@pytest.mark.parametrize("build", BUILDS)
def test_a_stall_between_tokens_is_raised(tmp_path: Path, build: str) -> None:
    with over_fake(tmp_path, build, "hang-mid", between_tokens_s=1.0) as client, pytest.raises(openai.APIError) as caught:
        streamed(client)
    assert caught.value.code == "upstream_timeout"
    assert "between_tokens_s" in caught.value.message


def test_a_closed_app_is_a_503_that_says_how_to_start_it(tmp_path: Path) -> None:
    config = '[[engine]]\nname = "inferrlm"\nkind = "inferrlm"\nurl = "http://127.0.0.1:9"'
    with adapter(tmp_path, config) as running, client_of(running) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            plain(client)
        assert caught.value.status_code == 503
        assert caught.value.response.headers["retry-after"]
        assert "InferrLM" in caught.value.message and "http://127.0.0.1:9" in caught.value.message


def test_a_wrong_key_is_an_authentication_error(tmp_path: Path) -> None:
    with adapter(tmp_path, '[[engine]]\nname = "echo"\nkind = "echo"') as running:
        wrong = openai.OpenAI(base_url=running.base_url, api_key="sk-wrong", max_retries=0)
        with wrong, pytest.raises(openai.AuthenticationError):
            wrong.models.list()


def test_an_unknown_model_is_not_found_with_the_nearest_name(tmp_path: Path) -> None:
    with adapter(tmp_path, '[[engine]]\nname = "echo"\nkind = "echo"') as running, client_of(running) as client:
        with pytest.raises(openai.NotFoundError) as caught:
            plain(client, model="ehco")
        assert "echo" in caught.value.message
