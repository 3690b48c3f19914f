"""The server as a whole over the echo engine: answers, models, keys, hosts, browsers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from adapter.engines.base import Health
from adapter.keys import load_or_create_key
from tests.fakes.scripted_engine import ScriptedEngine
from tests.wire.raw import CHAT, ask, chat, connected, frames, request, text_of
from tests.wire.safe_form import check_error, check_plain, check_stream
from tests.wire.server import ECHO, KEY, RunningAdapter, running_adapter

pytestmark = pytest.mark.usefixtures("never_blocking")


async def get(adapter: RunningAdapter, path: str, status: int = 200, **headers: str) -> dict[str, Any]:
    async with adapter.session.get(path, headers=headers) as response:
        assert response.status == status
        assert response.headers["Content-Type"] == "application/json"
        return dict(await response.json())


async def test_the_loop_is_watched(tmp_path: Path) -> None:
    """`never_blocking`, which these tests use, would notice a file that is read within the loop."""
    blockbuster = pytest.importorskip("blockbuster", reason="needs blockbuster, of the extra `test`")
    with pytest.raises(blockbuster.BlockingError):
        load_or_create_key(tmp_path / "home")


# --- answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_plain(prefix: str) -> None:
    async with (
        running_adapter() as adapter,
        adapter.session.post(f"{prefix}/chat/completions", json=chat("hello there")) as response,
    ):
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        body = await response.json()
    check_plain(body)
    assert body["choices"][0]["message"]["content"] == "You said: hello there"


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize("usage", [True, False])
async def test_streamed(prefix: str, usage: bool) -> None:
    """The usage chunk comes only when it was asked for."""
    body = chat("hello there", stream=True, stream_options={"include_usage": usage})
    async with (
        running_adapter() as adapter,
        adapter.session.post(f"{prefix}/chat/completions", json=body) as response,
    ):
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-cache"
        chunks = [chunk async for chunk in frames(response)]
    check_stream(chunks, usage=usage)
    assert text_of(chunks) == "You said: hello there"


async def test_content_that_is_not_ascii() -> None:
    text = "\N{SAILBOAT} Grüße\u2028港"
    async with running_adapter() as adapter:
        async with adapter.session.post(CHAT, json=chat(text)) as response:
            assert (await response.json())["choices"][0]["message"]["content"] == f"You said: {text}"
        async with adapter.session.post(CHAT, json=chat(text, stream=True)) as response:
            assert text_of([chunk async for chunk in frames(response)]) == f"You said: {text}"


async def test_max_tokens_and_stop_are_honoured() -> None:
    async with running_adapter() as adapter:
        for fields, text, reason in (
            ({"max_tokens": 3}, "You said: a", "length"),
            ({"stop": "b"}, "You said: a ", "stop"),
        ):
            async with adapter.session.post(CHAT, json=chat("a b c", **fields)) as response:
                choice = (await response.json())["choices"][0]
            assert (choice["message"]["content"], choice["finish_reason"]) == (text, reason)


# --- models ---------------------------------------------------------------------------------------------------

ROUTED: dict[str, Any] = {
    "engine": [dict(ECHO), {"name": "big", "kind": "echo", "ctx_tokens": 8_192}],
    "model": [{"name": "gpt/4o mini", "route": ["big/echo", "echo/echo"]}],
}


async def test_auto_names_its_first_choice_and_promises_the_smallest_context() -> None:
    """The sizes must hold whoever answers; who answers now is told beside them."""
    engines = [{"name": "big", "kind": "echo", "ctx_tokens": 8_192}, dict(ECHO)]
    async with running_adapter(engine=engines) as adapter:
        auto = await get(adapter, "/v1/models/auto")
    assert auto["context_length"] == 4_096
    assert auto["farmhand"]["engine"] == "big"


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_models(prefix: str) -> None:
    async with running_adapter(**ROUTED) as adapter:
        body = await get(adapter, f"{prefix}/models")
    sizes = {model["id"]: model["context_length"] for model in body["data"]}
    assert sizes == {"gpt/4o mini": 8_192, "echo": 4_096, "big/echo": 8_192, "auto": 4_096}
    for model in body["data"]:
        keys = ("created", "context_length", "max_model_len", "max_input_tokens", "max_output_tokens")
        assert all(type(model[key]) is int for key in keys)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("echo", "echo"),
        ("auto", "auto"),
        ("big/echo", "big/echo"),
        ("big%2Fecho", "big/echo"),
        ("gpt/4o%20mini", "gpt/4o mini"),
        ("echo/echo", "echo/echo"),  # not listed, since the short name means the same
        ("big/auto", "big/auto"),
    ],
)
async def test_a_model_by_its_name(path: str, name: str) -> None:
    async with running_adapter(**ROUTED) as adapter:
        assert (await get(adapter, f"/v1/models/{path}"))["id"] == name


@pytest.mark.parametrize("path", ["/v1/models/ecko", "/models/ecko"])
async def test_an_unknown_model_is_a_404_with_the_nearest_names(path: str) -> None:
    async with running_adapter() as adapter:
        error = (await get(adapter, path, 404))["error"]
        async with adapter.session.post(CHAT, json=chat(model="ecko")) as response:
            assert (response.status, (await response.json())["error"]) == (404, error)
    assert error["code"] == "model_not_found"
    assert error["message"] == "The model 'ecko' does not exist here. Did you mean echo?"


async def test_a_model_of_a_closed_app_is_a_503() -> None:
    """Asking for its description must not shut the model off, either."""
    engine = ScriptedEngine()
    engine.cards, engine.health_now = (), Health(ready=False, detail="It is closed; open it.")
    async with running_adapter(engines=[engine]) as adapter:
        for path in ("/v1/models/scripted/m", "/v1/models/auto", "/v1/models/x.gguf"):
            assert (await get(adapter, path, 503))["error"]["code"] == "engine_unavailable"
        assert (await get(adapter, "/v1/models"))["data"] == []


async def test_a_broken_engine_does_not_take_the_others_models_away(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ScriptedEngine):
        async def models(self) -> list[Any]:
            raise RuntimeError("a bug")

    async with running_adapter(engines=[Broken("broken"), ScriptedEngine("fine")]) as adapter:
        names = [model["id"] for model in (await get(adapter, "/v1/models"))["data"]]
    assert names == ["m", "auto"]
    assert "could not be asked for its models engine=broken" in caplog.text


async def test_an_engine_that_does_not_say_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody's request waits for the listings."""
    monkeypatch.setattr("adapter.engines.registry.ASK_S", 0.05)

    class Silent(ScriptedEngine):
        async def models(self) -> list[Any]:
            await asyncio.Event().wait()
            return []

    async with running_adapter(engines=[Silent("silent"), ScriptedEngine("fine")]) as adapter:
        names = [model["id"] for model in (await get(adapter, "/v1/models"))["data"]]
        error = (await get(adapter, "/v1/models/x.gguf", 503))["error"]
    assert names == ["m", "auto"]
    assert "silent: It did not say within 0.05 s which models it has." in error["message"]


# --- alive and ready ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_health_and_ready_are_open_but_tell_details_only_by_key(prefix: str) -> None:
    async with running_adapter() as adapter:
        for path, open_body in (("/health", {"status": "ok"}), ("/ready", {"status": "ready"})):
            answer = await ask(adapter, request("GET", prefix + path, Authorization=""))
            assert (answer.status, json.loads(answer.body)) == (200, open_body)
        wrong = await ask(adapter, request("GET", "/ready", Authorization="Bearer wrong"))
        assert (wrong.status, json.loads(wrong.body)) == (200, {"status": "ready"})
        engines = (await get(adapter, f"{prefix}/ready"))["engines"]
    assert engines == {"echo": {"ready": True, "detail": "The echo engine is always ready."}}


async def test_not_ready_is_a_503_with_retry_after() -> None:
    engine = ScriptedEngine()
    engine.health_now = Health(ready=False, detail="It is closed; open it.")
    async with running_adapter(engines=[engine]) as adapter:
        answer = await ask(adapter, request("GET", "/ready"))
        assert (await get(adapter, "/health")) == {"status": "ok"}
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert json.loads(answer.body)["engines"]["scripted"]["detail"] == "It is closed; open it."


async def test_head_of_open_paths() -> None:
    """What simple probes send."""
    async with running_adapter() as adapter, connected(adapter) as connection:
        for path in ("/health", "/ready"):
            await connection.send(request("HEAD", path, Authorization=""))
            answer = await connection.answer(head_only=True)
            assert (answer.status, answer.body) == (200, b"")


# --- keys -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization", ["", "Bearer wrong", f"Basic {KEY}", KEY, "Bearer", f"Bearer {KEY}x", "Bearer \udcff"]
)
@pytest.mark.parametrize(("method", "path"), [("POST", CHAT), ("GET", "/v1/models"), ("GET", "/nowhere")])
async def test_without_the_key_nobody_enters(authorization: str, method: str, path: str) -> None:
    """Not even to learn which paths there are."""
    async with running_adapter() as adapter:
        answer = await ask(adapter, request(method, path, Authorization=authorization))
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert (answer.error["code"], answer.error["type"]) == ("invalid_api_key", "authentication_error")


async def test_a_configured_key_and_the_generated_one_enter() -> None:
    async with running_adapter(auth={"keys": ["of-my-own-1"]}) as adapter:
        for key in ("of-my-own-1", KEY):
            assert (
                await ask(adapter, request("GET", "/v1/models", Authorization=f"bearer {key}"))
            ).status == 200


async def test_without_required_keys_everybody_enters() -> None:
    async with running_adapter(auth={"required": False}) as adapter:
        assert (await ask(adapter, request("GET", "/v1/models", Authorization=""))).status == 200


async def test_without_keys_the_origin_keeps_web_pages_out() -> None:
    """A page may POST text/plain without a preflight, and keep the phone busy with answers that it cannot read."""
    async with running_adapter(auth={"required": False}, server={"cors_origins": [ORIGIN]}) as adapter:
        page = await ask(adapter, request("GET", "/v1/models", Authorization="", Origin="http://evil.example"))
        ours = await ask(adapter, request("GET", "/v1/models", Authorization="", Origin=ORIGIN))
    assert (page.status, page.error["code"]) == (403, "forbidden_host")
    assert ours.status == 200


# --- hosts and browsers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/v1/models"])
async def test_a_rebound_name_is_refused(path: str) -> None:
    """Everywhere, since a page could otherwise read whether Farmhand runs."""
    async with running_adapter(server={"allowed_hosts": ["phone.local"]}) as adapter:
        answer = await ask(adapter, request("GET", path, Host="evil.example:8888"))
        assert (answer.status, answer.error["code"]) == (403, "forbidden_host")
        for host in ("phone.local:1", f"localhost:{adapter.port}", "[::1]"):
            assert (await ask(adapter, request("GET", path, Host=host))).status == 200


async def test_no_host_header() -> None:
    async with running_adapter() as adapter:
        assert (await ask(adapter, b"GET /health HTTP/1.0\r\n\r\n")).error["code"] == "bad_request"


ORIGIN = "http://localhost:3000"


def cors_of(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("access-control-")}


async def test_browsers_get_no_cors_by_default() -> None:
    async with running_adapter() as adapter:
        for method, path in (("GET", "/health"), ("GET", "/v1/models"), ("OPTIONS", CHAT)):
            answer = await ask(adapter, request(method, path, Origin=ORIGIN))
            assert cors_of(answer.headers) == {}
        preflight = await ask(adapter, request("OPTIONS", CHAT, Origin=ORIGIN, Authorization=""))
    assert preflight.status == 401


async def test_a_configured_origin_gets_cors() -> None:
    """On answers, on errors, and a preflight, which carries no key."""
    async with running_adapter(server={"cors_origins": [ORIGIN]}) as adapter:
        preflight = await ask(adapter, request("OPTIONS", CHAT, Origin=ORIGIN, Authorization=""))
        models = await ask(adapter, request("GET", "/v1/models", Origin=ORIGIN))
        error = await ask(adapter, request("GET", "/v1/models", Origin=ORIGIN, Authorization=""))
        other = await ask(adapter, request("GET", "/v1/models", Origin="http://evil.example"))
    assert preflight.status == 204
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert [a.headers["access-control-allow-origin"] for a in (preflight, models, error)] == [ORIGIN] * 3
    assert {a.headers["vary"] for a in (preflight, models, error)} == {"Origin"}
    assert (other.status, cors_of(other.headers)) == (200, {})


# --- paths, methods, ids --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/models/", 404, "not_found"),
        ("POST", "/v2/chat/completions", 404, "not_found"),
        ("GET", "/v1/%ff%00%0a", 404, "not_found"),
        ("GET", "/../../etc/passwd", 404, "not_found"),
        ("GET", CHAT, 405, "method_not_allowed"),
        ("DELETE", "/v1/models/echo", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/models", 405, "method_not_allowed"),
    ],
)
async def test_wrong_paths_and_methods(method: str, path: str, status: int, code: str) -> None:
    async with running_adapter() as adapter:
        answer = await ask(adapter, request(method, path))
    assert (answer.status, answer.error["code"]) == (status, code)


async def test_a_405_names_the_method_that_works() -> None:
    async with running_adapter() as adapter:
        answer = await ask(adapter, request("GET", CHAT))
    assert answer.headers["allow"] == "POST"
    assert answer.error["message"] == f"{CHAT} does not take GET; use POST."


@pytest.mark.parametrize(
    ("sent", "taken"), [("abc-1.2_3", True), ("", False), ("a b", False), ("x" * 65, False), ("ä", False)]
)
async def test_request_ids(sent: str, taken: bool) -> None:
    """A harmless one of the client's comes back, and is in the answer's id; every answer has one."""
    async with running_adapter() as adapter:
        raw = request(body=json.dumps(chat()).encode(), X_Request_Id=sent)
        answer = await ask(adapter, raw)
        refused = await ask(adapter, request("GET", "/v1/models", Authorization="", X_Request_Id=sent))
    own = answer.headers["x-request-id"]
    assert (own == sent) is taken
    assert json.loads(answer.body)["id"] == f"chatcmpl-{own}"
    assert (refused.headers["x-request-id"] == sent) is taken
    assert len(refused.headers["x-request-id"]) >= 8


async def test_errors_are_json_in_openais_form() -> None:
    async with running_adapter() as adapter, adapter.session.post(CHAT, data=b"{") as response:
        assert (response.status, response.headers["Content-Type"]) == (400, "application/json")
        check_error(await response.json())
        assert response.headers["Server"] == "farmhand"


async def test_a_text_of_halves_of_emoji_in_every_place_is_no_server_error() -> None:
    """Each of them is quoted in an error, which must still be UTF-8."""
    half = rb"\ud83d"
    async with running_adapter() as adapter:
        for fields in (
            b'"model":"%b"' % half,
            b'"messages":[{"role":"%b"}]' % half,
            b'"response_format":{"type":"%b"}' % half,
            b'"stop":5,"%b":1' % half,
        ):
            answer = await ask(
                adapter, request(body=b'{"messages":[{"role":"user","content":"x"}],%b}' % fields)
            )
            assert answer.status in (400, 404) and answer.error


async def test_bugs_of_ours_are_a_500_without_details(caplog: pytest.LogCaptureFixture) -> None:
    engine = ScriptedEngine(script=[RuntimeError("secret detail")])
    async with running_adapter(engines=[engine]) as adapter:
        for stream in (False, True):
            answer = await ask(adapter, request(body=json.dumps(chat(stream=stream)).encode()))
            assert (answer.status, answer.error["code"]) == (500, "internal_error")
            assert b"secret" not in answer.body
    assert "RuntimeError: secret detail" in caplog.text
