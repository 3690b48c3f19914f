"""Real servers as upstreams of a real adapter: `python -m llama_cpp.server`, llama-server, a second Farmhand, mlx-lm's server.

All compute greedily, so what the adapter's client gets can be compared with what the upstream itself says.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai", reason="the OpenAI SDK has no Android wheel; run this on a PC")
pytest.importorskip("gguf", reason="tiny models are written with gguf; install the extra `test`")

import openai

from adapter.engines.registry import LISTING_S
from tests.fakes.pooled_gguf import add_pooling
from tests.fakes.tiny_gguf import write_parrot
from tests.live.llama_cases import TEXT
from tests.live.processes import Adapter, adapter, running
from tests.live.upstream_servers import (
    DEMO,
    KEY,
    Server,
    Start,
    farmhand,
    free_port,
    llama_cpp_server,
    llama_server,
    mlx_server,
)

STARTS: dict[str, Start] = {"llama_cpp.server": llama_cpp_server, "llama-server": llama_server, "farmhand": farmhand, "mlx": mlx_server}
MODEL = "up/demo"
MEAN = 1
QUESTIONS = ("hello", "What is Farmhand?", "How do I load a model? 🙂")
CITY = {"type": "object", "properties": {"far": {"type": "boolean"}}, "required": ["far"], "additionalProperties": False}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY}}
TOOL = {"type": "function", "function": {"name": "look", "description": "Look around.", "parameters": CITY}}
# What may be said instead of an answer in the asked-for form by a model that is too small to obey and a server without grammars.
NOT_DONE = {"output_invalid", "not_capable"}


@dataclass(frozen=True)
class Pair:
    """An adapter and the server behind it, each with its client."""

    server: Server
    adapter: Adapter
    client: openai.OpenAI
    direct: openai.OpenAI


def section(server: Server, name: str = "up", **more: str) -> str:
    fields = {"name": name, "kind": "openai", "url": server.url, "key": "os.environ/UPSTREAM_KEY", **more}
    lines = [f'{field} = "{value}"' for field, value in fields.items()]
    return "\n".join(["[[engine]]", *lines, "capacity = 2", f'models = {{ demo = "{server.model}" }}', ""])


def sdk(base_url: str, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=60)


@contextmanager
def pair(start: Start, folder: Path) -> Iterator[Pair]:
    home = folder / "home"
    home.mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(start(folder))
        # The upstream's key is nowhere in the file: `os.environ/` is the only way in.
        served = stack.enter_context(adapter(home, section(server), UPSTREAM_KEY=server.key))
        assert server.key not in (home / "config.toml").read_text()
        client = stack.enter_context(sdk(served.base_url, served.key))
        yield Pair(server, served, client, stack.enter_context(sdk(server.url, server.key)))


@pytest.fixture(scope="module", params=list(STARTS))
def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(STARTS[request.param], tmp_path_factory.mktemp("up")) as running:
        yield running


def messages(text: str) -> Any:
    return [{"role": "user", "content": text}]


def ask(client: openai.OpenAI, text: str, model: str = MODEL, **more: Any) -> Any:
    return client.chat.completions.create(**{"model": model, "messages": messages(text), "temperature": 0, "max_tokens": 60, **more})


def text_of(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@pytest.mark.parametrize("question", QUESTIONS)
def test_answers_are_the_upstreams_own(up: Pair, question: str) -> None:
    theirs = ask(up.direct, question, up.server.model)
    plain = ask(up.client, question)
    chunks = list(ask(up.client, question, stream=True, stream_options={"include_usage": True}))
    assert theirs.choices[0].message.content
    assert plain.choices[0].message.content == text_of(chunks) == theirs.choices[0].message.content
    assert plain.choices[0].finish_reason == theirs.choices[0].finish_reason
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == theirs.choices[0].finish_reason


def test_usage_is_there_also_where_the_upstream_sends_none(up: Pair) -> None:
    """`python -m llama_cpp.server` streams no usage at all."""
    plain = ask(up.client, "hello")
    last = list(ask(up.client, "hello", stream=True, stream_options={"include_usage": True}))[-1]
    theirs = ask(up.direct, "hello", up.server.model)
    assert plain.usage.prompt_tokens == theirs.usage.prompt_tokens
    assert last.choices == []
    assert last.usage.prompt_tokens > 0
    assert last.usage.completion_tokens > 0


def test_nothing_unasked_is_sent(up: Pair) -> None:
    assert all(chunk.choices for chunk in ask(up.client, "hello", stream=True))


def test_limits_and_stops_are_kept(up: Pair) -> None:
    whole = ask(up.client, "hello").choices[0].message.content
    short = ask(up.client, "hello", max_tokens=3).choices[0]
    word = whole[10:14]
    stopped = ask(up.client, "hello", stop=[word]).choices[0]
    assert short.finish_reason == "length"
    assert whole.startswith(short.message.content)
    assert len(short.message.content) < len(whole)
    assert stopped.finish_reason == "stop"
    assert stopped.message.content.rstrip() == whole.partition(word)[0].rstrip()


@pytest.mark.parametrize("stream", [True, False])
def test_a_schema_is_kept_or_the_client_is_told(up: Pair, stream: bool) -> None:
    """llama_cpp.server has a grammar for another word, mlx ignores it; llama-server and Farmhand have grammars."""
    try:
        answer = ask(up.client, "Is it far?", response_format=SCHEMA, stream=stream)
        text = text_of(answer) if stream else answer.choices[0].message.content
    except openai.APIError as error:
        assert error.code in NOT_DONE
        assert up.server.name == "mlx"
        return
    assert json.loads(text) in ({"far": True}, {"far": False})


@pytest.mark.parametrize("stream", [True, False])
def test_a_forced_tool_is_called_or_the_client_is_told(up: Pair, stream: bool) -> None:
    """With a template that knows no tools, llama-server, llama_cpp.server and mlx answer in prose, whatever was forced."""
    try:
        answer = ask(up.client, "Look!", tools=[TOOL], tool_choice="required", stream=stream)
        if stream:
            deltas = [chunk.choices[0].delta for chunk in answer if chunk.choices]
            calls = [call for delta in deltas for call in delta.tool_calls or ()]
        else:
            calls = answer.choices[0].message.tool_calls
    except openai.APIError as error:
        assert error.code in NOT_DONE
        assert up.server.name != "farmhand"
        return
    assert calls[0].function.name == "look"
    arguments = "".join(call.function.arguments or "" for call in calls)
    assert json.loads(arguments) in ({"far": True}, {"far": False})


@pytest.mark.parametrize("stream", [True, False])
def test_too_long_is_said_in_openais_words(up: Pair, stream: bool) -> None:
    if up.server.name == "mlx":
        pytest.skip("it takes prompts of any length")
    with pytest.raises(openai.APIStatusError) as caught:
        ask(up.client, "hello there " * 2_000, stream=stream)
    assert caught.value.status_code == 400
    assert caught.value.code == "context_length_exceeded"
    assert "maximum context length" in str(caught.value)


def test_a_model_that_nobody_has(up: Pair) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        ask(up.client, "hello", model="up/nonesuch")
    assert caught.value.code == "model_not_found"


def test_its_models_are_listed(up: Pair) -> None:
    listed = {model.id: model for model in up.client.models.list()}
    assert MODEL in listed or "demo" in listed
    assert "auto" in listed


def test_more_at_once_than_it_has_seats(up: Pair) -> None:
    wanted = ask(up.client, "hello").choices[0].message.content
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: text_of(ask(up.client, "hello", stream=True)), range(8)))
    assert answers == [wanted] * 8


def test_a_client_that_leaves_costs_nobody_anything(up: Pair) -> None:
    for _ in range(4):
        with ask(up.client, "hello", stream=True, max_tokens=200) as stream:
            next(iter(stream))
    assert ask(up.client, "hello").choices[0].finish_reason == "stop"


# Each on its own


def test_a_wrong_key_is_our_fault_not_the_clients(tmp_path: Path) -> None:
    """502, since a 401 would make clients doubt their own key, and LiteLLM shut the model off."""
    home = tmp_path / "home"
    home.mkdir()
    with llama_cpp_server(tmp_path) as server, adapter(home, section(server), UPSTREAM_KEY="sk-wrong-0123456789") as served:
        with sdk(served.base_url, served.key) as client, pytest.raises(openai.APIStatusError) as caught:
            ask(client, "hello")
        assert caught.value.status_code in (502, 503)
        assert "sk-wrong" not in str(caught.value)
        assert "sk-wrong" not in served.running.output


def test_vectors_come_through(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    add_pooling(DEMO, tmp_path / "pooled.gguf", MEAN)
    with ExitStack() as stack:
        # That it makes vectors can be seen by its name only: its list of models does not say.
        flags = ("--model", str(tmp_path / "pooled.gguf"), "--embedding", "true")
        server = stack.enter_context(llama_cpp_server(tmp_path, *flags, alias="demo-embed"))
        served = stack.enter_context(adapter(home, section(server), UPSTREAM_KEY=KEY))
        client = stack.enter_context(sdk(served.base_url, served.key))
        direct = stack.enter_context(sdk(server.url, KEY))
        ours = client.embeddings.create(model=MODEL, input=["rain", "sheep"]).data
        theirs = direct.embeddings.create(model="demo-embed", input=["rain", "sheep"], encoding_format="float").data
    assert len(ours) == 2
    for mine, other in zip(ours, theirs, strict=True):
        length = sum(value * value for value in other.embedding) ** 0.5
        assert mine.embedding == pytest.approx([value / length for value in other.embedding], abs=1e-4)


@pytest.fixture(scope="module")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says TEXT over and over, whatever came before its last character: a gap or a repeat is visible."""
    path = tmp_path_factory.mktemp("parrot") / "parrot.gguf"
    write_parrot(path, TEXT)
    return path


LONG = 3_000


@contextmanager
def killable(folder: Path, parrot: Path, more: str = "") -> Iterator[tuple[Server, openai.OpenAI]]:
    home = folder / "home"
    home.mkdir()
    with ExitStack() as stack:
        flags = ("--model", str(parrot), "--n_ctx", "8192")
        server = stack.enter_context(llama_cpp_server(folder, *flags))
        served = stack.enter_context(adapter(home, section(server) + more, UPSTREAM_KEY=KEY))
        yield server, stack.enter_context(sdk(served.base_url, served.key))


def is_a_parrots(text: str) -> bool:
    return bool(text) and (TEXT * (len(text) // len(TEXT) + 1)).startswith(text)


def test_killed_in_mid_stream_and_nobody_to_go_on(tmp_path: Path, parrot: Path) -> None:
    """An error frame: a clean end without `finish_reason` would read as a full answer."""
    with killable(tmp_path, parrot) as (server, client):
        stream = iter(ask(client, "hi", stream=True, max_tokens=LONG))
        said = "".join(next(stream).choices[0].delta.content or "" for _ in range(6))
        server.kill()
        with pytest.raises(openai.APIError):
            said += text_of(stream)
        assert is_a_parrots(said)
        with pytest.raises(openai.APIStatusError) as caught:
            ask(client, "hi")
        assert caught.value.status_code == 503


def test_killed_in_mid_stream_and_another_engine_goes_on(tmp_path: Path, parrot: Path) -> None:
    """From the very character, within the same `max_tokens`; the seam is in the extension, not in the text."""
    embedded = f'[[engine]]\nname = "own"\nkind = "llama"\nmodel = "{parrot}"\nthreads = 1\nctx_tokens = 8192\nkv_store_mib = 0\n'
    route = '[[model]]\nname = "both"\nroute = ["up/demo", "own/parrot"]\n'
    with killable(tmp_path, parrot, embedded + route) as (server, client):
        stream = iter(ask(client, "hi", model="both", stream=True, max_tokens=LONG))
        said = "".join(next(stream).choices[0].delta.content or "" for _ in range(6))
        server.kill()
        rest = list(stream)
        said += text_of(rest)
    assert is_a_parrots(said)
    assert [chunk.choices[0].finish_reason for chunk in rest if chunk.choices][-1] == "length"
    assert any("seam" in chunk.model_dump_json() for chunk in rest)


@contextmanager
def two_of_each_other(tmp_path: Path, models: bool) -> Iterator[tuple[openai.OpenAI, openai.OpenAI]]:
    """Two Farmhands, each the other's upstream, the first one just started. models: each has a name for one of the other's; else lists all."""
    first_home, second_home = tmp_path / "first", tmp_path / "second"
    first_home.mkdir()
    second_home.mkdir()
    port = free_port()
    to_first = f'[[engine]]\nname = "first"\nkind = "openai"\nurl = "http://127.0.0.1:{port}/v1"\nkey = "sk-loop-0123456789ab"\n'
    named = ('models = { m = "second/m" }\n', 'models = { m = "first/m" }\n') if models else ("", "")
    auth = '[auth]\nkeys = ["sk-loop-0123456789ab"]\n'
    own = '[[engine]]\nname = "own{}"\nkind = "echo"\n'
    with adapter(second_home, auth + to_first + named[0] + own.format(2)) as second:
        to_second = f'[[engine]]\nname = "second"\nkind = "openai"\nurl = "{second.base_url}"\nkey = "{second.key}"\n'
        config = auth + to_second + named[1] + own.format(1)
        with (
            serving(first_home, config, port) as url,
            sdk(url, "sk-loop-0123456789ab") as one,
            sdk(second.base_url, "sk-loop-0123456789ab") as other,
        ):
            yield one, other


def test_two_that_point_at_each_other(tmp_path: Path) -> None:
    """Refused at once instead of going round until the sockets run out."""
    with two_of_each_other(tmp_path, models=True) as (one, _), pytest.raises(openai.BadRequestError) as caught:
        ask(one, "hi", model="second/m")
    assert caught.value.code == "loop_detected"


def test_neither_of_two_waits_for_the_others_list(tmp_path: Path) -> None:
    """Nor lists its own models as the other's; each answers from the other's all the same."""
    with two_of_each_other(tmp_path, models=False) as (one, other):
        for client in (one, other, one):
            began_s = time.monotonic()
            client.models.list()
            assert time.monotonic() - began_s < 1.0
        time.sleep(LISTING_S + 0.1)  # what they knew of each other then is believed no longer
        for client, engine in ((one, "second"), (other, "first")):
            listed: dict[str, Any] = {model.id: model for model in client.models.list()}
            theirs = [model for model in listed.values() if model.owned_by == engine]
            assert theirs
            assert all(len(model.farmhand["via"]) <= 2 for model in listed.values())
            assert not any(model.id.count("/") > 1 for model in listed.values())
            assert ask(client, "hi", model=theirs[0].id).choices[0].message.content


@contextmanager
def serving(home: Path, config: str, port: int) -> Iterator[str]:
    """`processes.adapter`, on a port that was named before it was started."""
    file = home / "config.toml"
    file.write_text(config)
    command = [sys.executable, "-m", "adapter", "serve", "--config", str(file), "--port", str(port)]
    with running(command, {"FARMHAND_HOME": str(home)}) as started:
        yield started.wait_for(r"answers at (http://\S+)")[1]
