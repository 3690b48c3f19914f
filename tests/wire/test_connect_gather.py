"""What `farmhand connect` finds out, from the real server in this process and from other people's."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapter.access.grant import Grant
from adapter.access.store import Store
from adapter.connect.gather import Gathered, Wanted, gather, with_key_of_its_own
from adapter.connect.target import ConnectError
from adapter.engines.base import Can, ModelCard
from tests.fakes.scripted_engine import CapableEngine, ScriptedEngine
from tests.wire.server import KEY, running_adapter, settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of an installation whose own key is that of `running_adapter`."""
    (tmp_path / "key").write_text(KEY)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return tmp_path


def env(home: Path, **more: str) -> dict[str, str]:
    return {"FARMHAND_HOME": str(home), "XDG_CONFIG_HOME": str(home / "none"), **more}


async def gathered(home: Path, name: str = "env", stdin: str = "", environ: dict[str, str] | None = None, **wanted: Any) -> Gathered:
    """They block, as commands do. write: as `--write` does."""
    write = wanted.pop("write", False)
    asked = Wanted(name, **wanted)
    found = await asyncio.to_thread(gather, asked, environ or env(home), io.StringIO(stdin))
    return await asyncio.to_thread(with_key_of_its_own, found, asked) if write else found


async def refused(home: Path, **wanted: Any) -> str:
    with pytest.raises(ConnectError) as caught:
        await gathered(home, **wanted)
    return str(caught.value)


def engines() -> list[CapableEngine]:
    engine, other = CapableEngine("phone"), CapableEngine("box")
    other.cards = (ModelCard("large", context_tokens=32_768, max_output_tokens=2_048, can=frozenset({Can.CHAT, Can.TOOLS})),)
    return [engine, other]


async def test_the_models_and_what_they_can(home: Path) -> None:
    async with running_adapter(settings(home), engines=engines()) as adapter:
        truth = (await gathered(home, url=adapter.url)).truth
    assert (truth.base_url, truth.key, truth.root_url) == (f"{adapter.url}/v1", KEY, adapter.url)
    assert [(model.id, model.context_tokens, model.max_output_tokens) for model in truth.models] == [
        ("auto", 4_096, 1_024), ("m", 4_096, 1_024), ("vectors", 512, 512), ("large", 32_768, 2_048),
    ]  # fmt: skip
    assert truth.model.id == "auto" and truth.models[3].engine == "box"
    assert "response_format" in truth.models[1].can and truth.models[3].emulated == {"response_format", "n"}
    assert truth.embedder is not None and (truth.embedder.id, truth.embedder.embedding_size) == ("vectors", 3)
    assert KEY not in repr(truth)


async def test_the_choice_of_a_model(home: Path) -> None:
    async with running_adapter(settings(home), engines=engines()) as adapter:
        found = await gathered(home, url=adapter.url)
        assert found.notes == ("'auto' promises 4,096 tokens of context, the least of the models that may answer. With --model large it is 32,768.",)
        found = await gathered(home, url=adapter.url, model="large")
        assert (found.truth.model.id, found.notes) == ("large", ())
        assert (await gathered(home, url=adapter.url, model="box/large")).truth.model.id == "box/large"
        assert "near it is large" in await refused(home, url=adapter.url, model="larg")
        assert "it has auto, m, large" in await refused(home, url=adapter.url, model="zzz")
        assert "has no 'box/a b\\n?'" in await refused(home, url=adapter.url, model="box/a b\n?")
        assert "cannot chat" in await refused(home, url=adapter.url, model="vectors")


async def test_a_key_of_its_own_only_with_write(home: Path) -> None:
    async with running_adapter(settings(home), engines=engines()) as adapter:
        assert "--write makes one for env" in (await gathered(home, url=adapter.url)).key_is
        assert Store(home).entries() == ()
        first = await gathered(home, url=adapter.url, write=True, deadline_s=22)
        again = await gathered(home, url=adapter.url, write=True)
        shown = await gathered(home, url=adapter.url)
        assert first.truth.key == again.truth.key == shown.truth.key != KEY
        assert "made now; to take it back: farmhand token revoke env" in first.key_is and "made before" in again.key_is
        (entry,) = Store(home).entries()
        assert (entry.grant.name, entry.grant.scopes, entry.grant.deadline_s) == ("env", ("chat", "embed"), 22)
        async with adapter.session.get("/v1/models", headers={"Authorization": f"Bearer {first.truth.key}"}) as response:
            assert response.status == 200
        Store(home).revoke("env", 0)
        assert (await gathered(home, url=adapter.url, write=True)).truth.key != first.truth.key


async def test_keys_that_are_given(home: Path) -> None:
    _, token = Store(home).make(Grant(id="", name="other"), 1_800_000_000)
    async with running_adapter(settings(home), engines=engines()) as adapter:
        url = adapter.url
        for found in (
            await gathered(home, url=url, key=token, write=True),
            await gathered(home, url=url, key="-", stdin=f"{token}\n"),
            await gathered(home, url=url, environ=env(home, FARMHAND_KEY=token)),
        ):
            assert (found.truth.key, found.key_is) == (token, "the key that was given")
        assert "does not accept this key" in await refused(home, url=url, key="sk-wrong-0123456789")
        assert "no spaces" in await refused(home, url=url, key="a b")
        assert "standard input" in await refused(home, url=url, key="-")
        said = await refused(home, name="litellm", url=url, phones=("http://127.0.0.1:9",), environ=env(home, NEURAL_FARM_API_KEY_2="sk-secret\n"))
        assert "NEURAL_FARM_API_KEY_2: a key has no" in said and "sk-secret" not in said


async def test_a_configured_key_of_that_name(home: Path) -> None:
    config = home / "c.toml"
    config.write_text('[[key]]\nname = "pitwall"\nkey = "sk-pitwall-0123456789"\n')
    async with running_adapter(settings(home), engines=engines()) as adapter:
        found = await gathered(home, "pitwall", url=adapter.url, write=True, environ=env(home, FARMHAND_CONFIG=str(config)))
    assert (found.truth.key, found.key_is) == ("sk-pitwall-0123456789", "[[key]] pitwall of the configuration")
    assert Store(home).entries() == ()


async def test_nobody_there_and_addresses_that_are_none(home: Path, tmp_path: Path) -> None:
    async with running_adapter(settings(home)) as adapter:
        gone = adapter.url
    assert "Nobody answers at" in (said := await refused(home, url=gone)) and "farmhand serve" in said
    for url in (
        "ftp://x", "http://", "http://a b/v1", "http://u:p@h/v1", "http://:p@h/v1", "http://h:99999/v1", "http://h:0", "http://h?", "http://[::1",
        "phone:8888",
    ):  # fmt: skip
        assert "must look like http://127.0.0.1:8888/v1" in await refused(home, url=url)
        assert "--phone: " in await refused(home, name="litellm", url=gone, phones=(url,))
    assert "--phone: env uses one server" in await refused(home, url=gone, phones=(gone,))


async def test_somebody_elses_farmhand_on_a_forwarded_port(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A laptop with an installation of its own, and a phone at the end of a cable."""
    laptop = tmp_path_factory.mktemp("laptop")
    async with running_adapter(settings(home)) as adapter:
        said = await refused(laptop, url=adapter.url, write=True)
    assert "is not this installation's server" in said and "farmhand token new" in said and "--key" in said
    assert Store(laptop).entries() == ()


async def test_further_phones(home: Path) -> None:
    async with running_adapter(settings(home), engines=engines()) as one, running_adapter(settings(home), engines=[CapableEngine("far")]) as two:
        found = await gathered(home, "litellm", url=one.url, phones=(two.url,), environ=env(home, NEURAL_FARM_API_KEY_2=KEY))
        assert found.options.phones == (f"{two.url}/v1",)
        (far,) = found.options.farm
        assert (far.base_url, far.key, far.model.id) == (f"{two.url}/v1", KEY, "auto")
        assert "NEURAL_FARM_API_KEY_2" in await refused(home, name="litellm", url=one.url, phones=(two.url,))


async def test_a_server_without_a_model_that_chats(home: Path) -> None:
    engine = ScriptedEngine()
    engine.cards = ()
    async with running_adapter(settings(home), engines=[engine]) as adapter:
        assert "no model that can chat" in await refused(home, url=adapter.url)


# --- other people's servers ---------------------------------------------------------------------------------

Handler = Callable[[web.Request], web.Response]


@asynccontextmanager
async def server(**routes: Handler) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.StreamResponse:
        name = request.path.strip("/").replace("/", "_").replace(".", "_")
        return routes[name](request) if name in routes else web.json_response({"detail": "Not Found"}, status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def says(value: object, status: int = 200, **headers: str) -> Handler:
    return lambda request: web.Response(text=json.dumps(value), status=status, content_type="application/json", headers=headers)


LITELLM = {"data": [{"id": name, "object": "model", "created": 1, "owned_by": "openai"} for name in ("m", "vectors")]}
INFO = {"data": [
    {"model_name": "m", "model_info": {"max_input_tokens": 16_384, "max_output_tokens": 1_024, "mode": "chat"}},
    {"model_name": "m", "model_info": {"max_input_tokens": 8_192, "max_output_tokens": None}},
    {"model_name": "vectors", "model_info": {"mode": "embedding", "max_tokens": 512}},
    "junk",
]}  # fmt: skip


async def test_a_litellm_proxy(home: Path) -> None:
    """Its list says nothing of sizes (seen with 1.106.2); `/v1/model/info` does, the smallest of several deployments counts."""
    async with server(v1_models=says(LITELLM), v1_model_info=says(INFO), health_liveliness=says("I'm alive!")) as url:
        found = await gathered(home, url=url, key="sk-master-0123456789")
        assert found.options.proxied and not found.farmhand
        assert [(model.id, model.context_tokens, model.max_output_tokens, sorted(model.can)) for model in found.truth.models] == [
            ("m", 8_192, 1_024, ["chat", "tools"]), ("vectors", 512, 0, ["embeddings"]),
        ]  # fmt: skip
        assert found.notes == ("The server does not say what its models can; they are taken to chat and to call tools.",)
    async with server(v1_models=says(LITELLM), v1_model_info=says({"error": "no"}, 403), health_liveliness=says("I'm alive!")) as url:
        found = await gathered(home, url=url, key="sk-master-0123456789")
        assert found.options.proxied and "how large the context of m is" in found.notes[-1]
    async with server(v1_models=says({"error": {"message": "no such key"}}, 400), health_liveliness=says("I'm alive!")) as url:
        assert "is a LiteLLM proxy" in (said := await refused(home, url=url)) and "LITELLM_MASTER_KEY" in said


async def test_any_other_server(home: Path) -> None:
    async with server(v1_models=says({"data": [{"id": "qwen3", "max_model_len": 32_768}]})) as url:
        found = await gathered(home, url=url, write=True)
        assert (found.truth.key, found.key_is, found.truth.model.context_tokens) == ("none", "no key: the server asks for none", 32_768)
        assert not found.options.proxied and Store(home).entries() == ()


@pytest.mark.parametrize(
    ("value", "status", "says_what"),
    [
        ({"x": 1}, 200, "no list of models"),
        ([1, 2], 200, "no model that can chat"),
        ("hm", 200, "no list of models"),
        ({"error": {"message": "warming up"}}, 503, "warming up"),
        ({"error": {"message": "no\x1b[2J room\n here"}}, 503, "no [2J room here"),
        ({}, 500, "status 500"),
        ({}, 401, "does not accept its key"),
    ],
)
async def test_what_is_no_list(value: object, status: int, says_what: str, home: Path) -> None:
    async with server(v1_models=says(value, status)) as url:
        assert says_what in await refused(home, url=url)
