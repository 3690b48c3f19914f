"""Google's SDK, `google-genai`, over a real adapter and every kind of engine, in Gemini's form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("gguf", reason="tiny models are written with gguf; install the extra `test`")

from tests.fakes.scripted_engine import Call, ScriptedEngine
from tests.live import client_checks as checks
from tests.live.client_cases import (
    APP,
    APP_CALL,
    ASK_TIDE,
    DEMO,
    ENDLESS,
    HELLO,
    NATIVE,
    PHONE,
    TIDE,
    Client,
    Farm,
    client,
    private_env,
)
from tests.live.kit import python_env
from tests.live.processes import REPO, running
from tests.wire.server import running_adapter

NAME = "google-genai"
GENAI = "google-genai==3.4.0"
HARBOUR = 'Sure: {"name": "Cuxhaven", "berths": 12, "open": true}'
Tried = Callable[[str, str], None]


@pytest.fixture(scope="module")
def sdk(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with client(python_env("google-genai", GENAI), "run_genai", served, tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.mark.parametrize("model", [DEMO, APP, PHONE, NATIVE])
def test_a_plain_answer(sdk: Client, model: str, tried: Tried) -> None:
    tried(NAME, "plain")
    checks.plain(sdk, model)


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_both_versions(sdk: Client, version: str, tried: Tried) -> None:
    """Its own default was `v1beta` in version 2 and is `v1` in version 3, beside OpenAI's `/v1/models/{id}`."""
    tried(NAME, "plain")
    assert sdk.do("plain", model=APP, text=HELLO, version=version)["text"] == HELLO


@pytest.mark.parametrize("model", [DEMO, APP, PHONE, NATIVE])
def test_a_stream(sdk: Client, model: str, tried: Tried) -> None:
    tried(NAME, "stream")
    checks.stream(sdk, model)


def test_a_stream_of_the_async_client(sdk: Client, tried: Tried) -> None:
    tried(NAME, "stream")
    answer = sdk.do("stream_async", model=NATIVE, text=HELLO)
    assert answer["text"].startswith("w0 w1") and answer["pieces"] > 1 and answer["finish"] == "STOP"


def test_a_session_remembers(served: Farm, sdk: Client, tried: Tried) -> None:
    """Each chunk comes back as a content of its own; the model sees one message."""
    tried(NAME, "stream")
    said = sdk.do("chat", model=NATIVE, texts=["one", "two"])
    assert said["answers"][0] == said["answers"][1]
    messages = served.upstream.generations[-1].json["messages"]
    assert [(message["role"], message["content"]) for message in messages] == [
        ("user", "one"), ("assistant", said["answers"][0]), ("user", "two"),
    ]  # fmt: skip
    assert [role for role, _ in said["history"]].count("user") == 2


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_by_grammar(sdk: Client, streamed: bool, tried: Tried) -> None:
    """Gemini's form cannot ask for one call at most."""
    tried(NAME, "tools")
    loop = sdk.do("tools", model=DEMO, text=ASK_TIDE, result=TIDE, forced=True, streamed=streamed)
    assert loop["calls"] and all(loop["ids"]) and all(call[0] == "tide" and call[1]["place"] in checks.PLACES for call in loop["calls"])


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", [APP, PHONE, NATIVE])
def test_a_tool_loop(served: Farm, sdk: Client, model: str, streamed: bool, tried: Tried) -> None:
    """The SDK itself calls the function, as whose result it shows a JSON object."""
    tried(NAME, "tools")
    if model == APP:
        served.app_says(APP_CALL, f"The tool said: {TIDE}")
    loop = sdk.do("tools", model=model, text=ASK_TIDE, result=TIDE, streamed=streamed)
    assert loop["calls"] == [["tide", {"place": "Cuxhaven"}]]
    result = TIDE if model == APP else json.dumps({"result": TIDE})
    assert loop["text"] == f"The tool said: {result}"


@pytest.mark.parametrize("model", [DEMO, APP, NATIVE])
@pytest.mark.parametrize("method", ["response_schema", "response_json_schema"])
def test_an_object_of_a_class(served: Farm, sdk: Client, model: str, method: str, tried: Tried) -> None:
    tried(NAME, "schema")
    if model == APP:
        served.app_says(HARBOUR)
    checks.harbour(sdk.do("schema", model=model, text="Describe the harbour.", method=method))


def test_one_of_several_words(sdk: Client, tried: Tried) -> None:
    tried(NAME, "schema")
    assert sdk.do("one_of", model=DEMO, text="High or low?", words=["high", "low"]) in ("high", "low")


def test_vectors(sdk: Client, tried: Tried) -> None:
    tried(NAME, "embeddings")
    one, other = sdk.do("embeddings", model="embed", texts=["low water", "high water"])
    assert len(one) == len(other) > 8 and one != other
    assert [len(vector) for vector in sdk.do("embeddings", model="embed", texts=["low water"], size=8)] == [8]


def test_tokens_are_counted(sdk: Client, tried: Tried) -> None:
    tried(NAME, "plain")
    few, many = sdk.do("count", model=DEMO, text="high"), sdk.do("count", model=DEMO, text="high water " * 50)
    assert 0 < few < many
    assert 0 < sdk.do("count", model=APP, text="high water") < 40


def test_the_models(sdk: Client, tried: Tried) -> None:
    tried(NAME, "plain")
    found = sdk.do("models")
    assert found["one"] == ["models/demo/demo", 2048]
    by_name = {name: (limit, actions) for name, limit, _, actions in found["all"]}
    assert "generateContent" in by_name["models/auto"][1] and "embedContent" in next(a for n, (_, a) in by_name.items() if "embed" in n)


def test_errors_reach_the_person(sdk: Client, tried: Tried) -> None:
    tried(NAME, "errors")
    checks.errors(sdk, "ClientError", "ClientError", "ClientError")
    assert sdk.fails("plain", model="dmo", text=HELLO)["code"] == 404
    assert "NOT_FOUND" in sdk.fails("plain", model="dmo", text=HELLO)["text"]


@pytest.mark.parametrize("check", ["stream", "stream_async"])
def test_a_broken_stream_is_no_answer(served: Farm, sdk: Client, check: str, tried: Tried) -> None:
    """An upstream's end in the middle is an exception, with the words of it; a comment or a clean end would not be."""
    tried(NAME, "errors")
    served.upstream.fail_after(3, "cut")
    failed = sdk.fails(check, model=NATIVE, text=HELLO)
    assert failed["raised"][0] == "ServerError" and failed["code"] == 502 and "native" in failed["text"], failed["traceback"]


@pytest.mark.parametrize("status", [503, 429])
def test_it_tries_again(served: Farm, sdk: Client, status: int, tried: Tried) -> None:
    """By its own clock: it knows no `Retry-After`."""
    tried(NAME, "retries")
    served.refuse(status, times=2)
    before = len(served.upstream.generations)
    assert sdk.do("retried", model=NATIVE, text=HELLO, attempts=3)["text"].startswith("w0 w1")
    assert len(served.upstream.generations) - before == 3


def test_it_gives_up_in_the_end(served: Farm, sdk: Client, tried: Tried) -> None:
    tried(NAME, "retries")
    served.refuse(503, times=2)
    failed = sdk.fails("retried", model=NATIVE, text=HELLO, attempts=2)
    assert failed["raised"][0] == "ServerError" and failed["code"] == 503 and "UNAVAILABLE" in failed["text"]


def test_leaving_frees_the_seat(served: Farm, sdk: Client, tried: Tried) -> None:
    """One slot, one place in the queue: an answer that went on would be in the way of the third."""
    tried(NAME, "abort")
    for _ in range(3):
        assert sdk.do("begin", model=ENDLESS, text=HELLO)
        served.until_running(1)
        sdk.do("leave")
        served.until_running(0)


async def test_signs_of_life_are_borne(tmp_path: Path, tried: Tried) -> None:
    """Chunks without words, until the first word: the answer stays in the session's memory, which a chunk without parts would wipe out."""
    tried(NAME, "stream")
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine], server={"keepalive_s": 0.05, "status_hold_s": 0.05}) as adapter:
        env = {**private_env(tmp_path), "OPENAI_BASE_URL": f"{adapter.url}/v1", "OPENAI_API_KEY": adapter.key}
        script = REPO / "tests" / "live" / "clients_py" / "run_genai.py"
        with running([str(await asyncio.to_thread(python_env, "google-genai", GENAI)), str(script)], env, stdin=True) as started:
            sdk = Client(started)
            waiting = asyncio.create_task(asyncio.to_thread(sdk.do, "wait", model="m", text=HELLO, signs=3))
            call = await _taken_up(engine)
            call.start()
            assert not any(await waiting)
            call.say("late ", "word")
            call.finish()
            ended = await asyncio.to_thread(sdk.do, "wait_on")
    assert ended["text"] == "late word" and ended["remembered"] == ended["all"] > 2


async def _taken_up(engine: ScriptedEngine) -> Call:
    """The client's program takes its time to start."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await engine.next_call()
            except TimeoutError:
                continue
