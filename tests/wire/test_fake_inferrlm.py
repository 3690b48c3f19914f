"""What the protocol document says and the recordings do not show, tried on the fake: the wire, the builds, loading.

Section numbers in the docstrings are the protocol document's.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.fakes.inferrlm import (
    CANNED,
    GEMMA_LITERT,
    LLAMA,
    QWEN,
    Build,
    FakeInferrLM,
    FakeModelRuntime,
    ManualClock,
    Script,
    recorded_models,
)
from tests.fakes.inferrlm.models import find_model
from tests.fakes.inferrlm.raw_client import RawClient, ask, ask_stream, chat, render_request, text_of

BUILDS: tuple[Build, ...] = ("A", "B", "C")


ROOT = Path(__file__).parent.parent.parent

# Transport (4)


@pytest.mark.parametrize("build", BUILDS)
async def test_plain_answers_leave_the_connection_open(build: Build) -> None:
    """4.3: it says `Connection: close` and does not; idle connections pile up in `clientCount`."""
    async with FakeInferrLM(build) as phone, RawClient(phone.port) as first:
        await first.ask("GET", "/api/version")
        assert "Connection: close" in (await first.answer()).head
        assert await first.is_silent()
        status = await ask(phone.port, "GET", "/api/status")
        assert status.json["server"]["clientCount"] == 2


@pytest.mark.parametrize(("build", "answered"), [("A", False), ("B", False), ("C", True)])
async def test_raw_utf8_is_counted_in_utf16_units(build: Build, answered: bool) -> None:
    """4.2: four bytes of an emoji count two in A and B, so two bytes are missing for ever."""
    body = '{"prompt": "👋"}'.encode()
    head = f"POST /api/generate HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with FakeInferrLM(build) as phone, RawClient(phone.port) as client:
        await client.send(head + body)
        if not answered:
            assert await client.is_silent()
            await client.send(b"  ")
        assert (await client.answer()).json["response"] == "👋"


@pytest.mark.parametrize(("build", "heard"), [("B", "\ufffd\ufffd"), ("C", "é")])
async def test_a_character_in_two_segments_is_damaged(build: Build, heard: str) -> None:
    """4.2: A and B decode each segment by itself."""
    body = '{"prompt": "é"}'.encode()
    head = f"POST /api/generate HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    cut = len(head) + body.index(b"\xc3") + 1
    async with FakeInferrLM(build) as phone, RawClient(phone.port) as client:
        await client.send((head + body)[:cut])
        assert await client.is_silent()  # so that the two halves are two segments
        await client.send((head + body)[cut:])
        assert (await client.answer()).json["response"] == heard


@pytest.mark.parametrize("target", ["/api/version/", "http://phone/api/version", "/API/version"])
async def test_paths_must_be_exact(target: str) -> None:
    """4.2: no trailing slash, no absolute form."""
    async with FakeInferrLM("C") as phone:
        assert (await ask(phone.port, "GET", target)).status == 404
        assert (await ask(phone.port, "GET", "/api/version?x=1")).status == 200
        assert (await ask(phone.port, "GET", "/api/status/below")).status == 200


async def test_a_length_that_is_no_number_wedges_the_app() -> None:
    """4.2: the parser takes the same request for ever; nobody is served any more."""
    async with FakeInferrLM("C") as phone, RawClient(phone.port) as other:
        async with RawClient(phone.port) as client:
            await client.send(b"GET /api/version HTTP/1.1\r\nContent-Length: many\r\n\r\n")
            assert await client.is_silent()
        await other.ask("GET", "/api/version")
        assert await other.is_silent()


@pytest.mark.parametrize("dialect", ["/api/chat", "/v1/chat/completions"])
async def test_a_lost_tail(dialect: str) -> None:
    """4.3: the stream ends in order on the TCP level, without its last record."""
    async with FakeInferrLM("B", engine=FakeModelRuntime(script=Script(lose_tail_after=1))) as phone:
        async with RawClient(phone.port) as client:
            await client.ask("POST", dialect, chat("one two three", stream=True))
            assert len(await client.to_end()) == 2  # head, one delta
        assert phone.connections[0].closed_by == "server"
        assert phone.log.of("completion_end")[0].fields["n"] == 3


@pytest.mark.parametrize("stream", [True, False])
async def test_a_phone_that_goes_away_resets_the_connection(stream: bool) -> None:
    """10.2, last row, in its rougher form."""
    runtime = FakeModelRuntime(script=Script(reset_after=2))
    async with FakeInferrLM("C", engine=runtime) as phone, RawClient(phone.port) as client:
        await client.ask("POST", "/api/chat", chat("one two three four", stream=stream))
        with pytest.raises(ConnectionResetError):
            await client.to_end()


# Telling the builds apart, names, loading (3, 6)


@pytest.mark.parametrize("build", BUILDS)
async def test_the_probes_of_section_3(build: Build) -> None:
    """3: each column of the table."""
    async with FakeInferrLM(build) as phone:
        preflight = await ask(phone.port, "OPTIONS", "/anything")
        remote = await ask(phone.port, "GET", "/api/models/remote")
        stem = await ask(phone.port, "POST", "/api/show", {"name": LLAMA.removesuffix(".gguf")})
        models = await ask(phone.port, "GET", "/v1/models")
        path = (await ask(phone.port, "GET", "/api/status")).json["model"]["path"]
    assert ("Authorization" in preflight.head) == (build != "A")
    assert ("deepseek" in str(remote.json)) == (build == "A")
    assert stem.status == (200 if build == "C" else 404)
    assert models.status == (404 if build == "A" else 200)
    assert path.startswith("file://") == (build != "A")


@pytest.mark.parametrize(
    ("identifier", "in_a_and_b", "in_c"),
    [
        (LLAMA, LLAMA, LLAMA),
        (LLAMA.upper(), LLAMA, LLAMA),
        (f" {LLAMA}:latest", LLAMA, LLAMA),
        (f"some/where/{LLAMA}", LLAMA, LLAMA),
        (recorded_models("C")[1].path, QWEN, QWEN),
        (QWEN.removesuffix(".gguf"), None, QWEN),
        (f"{QWEN.removesuffix('.gguf')}:latest", None, None),
        (GEMMA_LITERT.removesuffix(".litertlm"), None, GEMMA_LITERT),
        ("", None, None),
    ],
)
def test_model_names(identifier: str, in_a_and_b: str | None, in_c: str | None) -> None:
    """6: the look-up, step by step."""
    models = recorded_models("C")
    for extension_optional, expected in ((False, in_a_and_b), (True, in_c)):
        found = find_model(identifier, models, extension_optional=extension_optional)
        assert (found.name if found else None) == expected


@pytest.mark.parametrize(
    ("build", "model", "status", "code"),
    [
        ("A", "deepseek", 409, "remote_models_disabled"),
        ("C", "deepseek", 404, "model_not_found"),
        ("C", "GEMINI", 404, "model_not_found"),
        ("B", "apple-foundation", 503, "apple_foundation_not_available"),
    ],
)
async def test_names_that_mean_something_else(build: Build, model: str, status: int, code: str) -> None:
    """6: cloud providers, exactly so, and the other platform's model."""
    async with FakeInferrLM(build) as phone:
        answer = await ask(phone.port, "POST", "/api/chat", chat("hi", model=model))
    assert (answer.status, answer.json) == (status, {"error": code})


@pytest.mark.parametrize(("build", "reason"), [("A", "422 OK"), ("B", "422 Unprocessable Entity")])
async def test_a_missing_key(build: Build, reason: str) -> None:
    """10.1: A does not know the reason phrase."""
    async with FakeInferrLM(build, remote_models_enabled=True) as phone:
        answer = await ask(phone.port, "POST", "/api/chat", chat("hi", model="claude"))
    assert reason in answer.head
    assert answer.json == {"error": "api_key_missing"}


async def test_two_first_requests_load_two_copies() -> None:
    """6: both find nothing in memory."""
    async with (
        FakeInferrLM("B", loaded=None, clock=ManualClock()) as phone,
        RawClient(phone.port) as one,
        RawClient(phone.port) as other,
    ):
        for client in (one, other):
            await client.ask("POST", "/api/chat", chat("hi", model=QWEN))
        await phone.log.wait_for("init_llama", 2)
        assert phone.log.of("release") == []
        assert phone.overlaps == 1


async def test_leaving_during_a_load_is_not_noticed() -> None:
    """6, 12: the whole generation runs for nobody, in C too."""
    clock = ManualClock()
    async with FakeInferrLM("C", loaded=None, clock=clock) as phone:
        async with RawClient(phone.port) as client:
            await client.ask("POST", "/api/chat", chat("one two three", model=QWEN, stream=True))
            await phone.log.wait_for("init_llama")
        await ask(phone.port, "GET", "/api/version")
        assert phone.connections[0].closed_by == "client"
        async with clock.flying():
            end = await phone.log.wait_for("completion_end")
        assert end.fields["n"] == 3
        assert phone.log.of("stop_completion") == []


async def test_the_list_is_empty_while_a_model_loads() -> None:
    """5: `/api/ps`, and 6: no model without a name meanwhile."""
    async with FakeInferrLM("C", load_delay_s=10.0) as phone, RawClient(phone.port) as client:
        await client.ask("POST", "/api/models", {"action": "load", "model": QWEN})
        await phone.log.wait_for("init_llama")
        assert (await ask(phone.port, "GET", "/api/ps")).json == {"models": []}
        refused = await ask(phone.port, "POST", "/api/chat", chat("hi"))
        assert (refused.status, refused.json) == (503, {"error": "model_not_loaded"})


# The fake itself


async def test_nothing_is_left_running() -> None:
    """Leaving the block ends a hanging generation, its waiters and their connections."""
    async with FakeInferrLM("C") as phone:
        clients = [RawClient(phone.port) for _ in range(3)]
        for client in clients:
            await client.__aenter__()
            await client.ask("POST", "/api/chat", chat("hang", stream=True))
            await client.units(1)
        await phone.log.wait_for("completion_start")
    assert phone.open_connections == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    for client in clients:
        await client.close()


async def test_requests_are_kept_with_their_bytes() -> None:
    """Tests of clients look at what was sent, parsed and raw."""
    async with FakeInferrLM("A") as phone:
        sent = render_request("POST", "/api/chat?x=1", chat("three lines"))
        async with RawClient(phone.port) as client:
            await client.send(sent)
            assert (await client.answer()).json["response"] == "".join(CANNED["three lines"])
        assert bytes(phone.connections[0].received) == sent
        (request,) = phone.requests
    assert (request.method, request.path, request.query) == ("POST", "/api/chat", "x=1")
    assert request.json == chat("three lines")
    assert request.headers["host"] == "phone"


async def test_as_a_process() -> None:
    """`python -m tests.fakes.inferrlm` says where it listens, and ends on SIGTERM."""
    command = [
        "-m",
        "tests.fakes.inferrlm",
        "--build",
        "B",
        "--script",
        "fail-mid",
        "--token-delay-s",
        "0.001",
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20.0):
            line = (await process.stdout.readline()).decode().strip()
        assert line.startswith("listening http://127.0.0.1:")
        records = await ask_stream(int(line.rsplit(":", 1)[1]), "/api/chat", chat("one two three four"))
        assert text_of(records) == "one two three"
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20.0):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
