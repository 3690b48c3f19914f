"""Hostile, confused and broken clients: everything is bounded, and answered in OpenAI's form where there is still a client."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib

import pytest

from tests.wire.raw import CHAT, Connection, ask, chat, connected, frames, request, text_of
from tests.wire.safe_form import check_plain
from tests.wire.server import KEY, running_adapter

pytestmark = pytest.mark.usefixtures("never_blocking")

HI = json.dumps(chat()).encode()
SMALL = {"max_body_bytes": 4_096}


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


def chunked_request(body: bytes) -> bytes:
    return request(Content_Length="", Transfer_Encoding="chunked") + body


# --- bodies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["length", "chunked"])
async def test_an_oversized_body(form: str) -> None:
    """The limit itself still passes; the answer names the setting."""
    fits = json.dumps(chat("x" * (4_096 - len(json.dumps(chat(""))))))
    async with running_adapter(server=SMALL) as adapter:
        for body, status in ((fits.encode(), 200), (fits.encode() + b" ", 413)):
            raw = request(body=body) if form == "length" else chunked_request(chunked(body[:100], body[100:]))
            answer = await ask(adapter, raw)
            assert answer.status == status
            if status == 413:
                assert answer.error["code"] == "body_too_large"
                assert "4096 bytes (server.max_body_bytes)" in answer.error["message"]


async def test_a_huge_announcement_is_refused_without_reading_it() -> None:
    """The client has sent nothing yet: nobody waits for a terabyte, nor makes room for it."""
    async with running_adapter(server=SMALL) as adapter:
        answer = await ask(adapter, request(Content_Length=str(10**12)))
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")


async def test_a_gzip_bomb_is_bounded() -> None:
    """A thousand times its size once unpacked; the limit is for what is unpacked."""
    bomb = gzip.compress(b" " * 50_000_000)
    async with running_adapter() as adapter:
        answer = await ask(adapter, request(body=bomb, Content_Encoding="gzip"))
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_body_is_read(encoding: str, pack: object) -> None:
    assert callable(pack)
    async with running_adapter() as adapter:
        answer = await ask(adapter, request(body=pack(HI), Content_Encoding=encoding))
    check_plain(json.loads(answer.body))


@pytest.mark.parametrize(
    "raw",
    [
        request(body=HI, Content_Encoding="gzip"),
        request(body=gzip.compress(HI)[:30], Content_Encoding="gzip"),
        request(body=HI, Content_Encoding="deflate"),
        request(body=HI, Content_Encoding="zstd"),
        chunked_request(b"xyz\r\n"),
        chunked_request(chunked(HI[:9], end=b"5\r\nabc")),
        chunked_request(b"ffffffffffffffffffff\r\n"),
        request(body=HI, Content_Length="-1"),
        request(body=HI, Content_Length="1x"),
        request(body=HI, Transfer_Encoding="chunked"),  # both lengths: request smuggling
        request(body=b"\x00" * 100),
        request(body=HI.decode().encode("utf-16")[:-1]),
        request(body=HI, Content_Type="text/html; charset=klingon")[:-1] + b"\xff",
    ],
)  # fmt: skip
async def test_a_broken_body_is_a_400(raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A client's fault, so no 500, no traceback in the log, and no retries."""
    async with running_adapter(server={"body_s": 0.3}) as adapter:
        answer = await ask(adapter, raw)
        assert answer.status == 400 and answer.error
        async with adapter.session.post(CHAT, json=chat()) as response:
            assert response.status == 200, "the next client is served"
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


async def test_what_is_wrong_with_a_body_is_told() -> None:
    async with running_adapter() as adapter:
        answer = await ask(adapter, request(body=HI, Content_Encoding="gzip"))
    assert answer.error["message"] == "The request body cannot be read: Can not decode content-encoding: gzip"


async def test_a_slow_body_is_given_up() -> None:
    """400, not 408, which would shut the model off behind LiteLLM."""
    async with running_adapter(server={"body_s": 0.1}) as adapter:
        answer = await ask(adapter, request(Content_Length="100") + b"{")
    assert answer.status == 400
    assert "did not arrive within 0.1 s" in answer.error["message"]


async def test_a_client_that_leaves_within_its_body(caplog: pytest.LogCaptureFixture) -> None:
    async with running_adapter() as adapter:
        async with connected(adapter) as connection:
            await connection.send(request(Content_Length="100") + b"{")
            await connection.leave()
        async with adapter.session.post(CHAT, json=chat()) as response:
            assert response.status == 200
    assert "Traceback" not in caplog.text


async def test_a_body_byte_by_byte() -> None:
    async with running_adapter() as adapter, connected(adapter) as connection:
        for byte in request(body=HI):
            connection.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        check_plain(json.loads((await connection.answer()).body))


async def test_a_large_body_is_parsed_beside_the_loop() -> None:
    """Above 256 KiB in a thread: valid, too deep and broken ones alike."""
    big = chat("x" * 400_000)
    async with running_adapter(engine=[{"name": "e", "kind": "echo"}]) as adapter:
        check_plain(json.loads((await ask(adapter, request(body=json.dumps(big).encode()))).body))
        for body in (b'{"a":' + b"[" * 400_000, b"{" * 400_000):
            assert (await ask(adapter, request(body=body))).status == 400


# --- headers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        request("GET", "/v1/models", X_Big="x" * 9_000),
        request("GET", "/v1/models", Authorization=f"Bearer {'x' * 100_000}"),
        request("GET", "/v1/models?" + "x" * 9_000),
        b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 200 + b"\r\n",
        b"GET /v1/models HTTP/1.1\r\nX: " + b"x" * 200_000,  # without an end
        b"GET /" + b"x" * 200_000,
    ],
    ids=["header", "key", "path", "200 headers", "endless header", "endless path"],
)
async def test_oversized_headers(raw: bytes) -> None:
    async with running_adapter() as adapter:
        answer = await ask(adapter, raw)
    assert (answer.status, answer.error["code"]) == (431, "headers_too_large")
    assert "8190 bytes each, 128 headers" in answer.error["message"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        + bytes(range(200))
        + b"\r\n\r\n",  # https to an http port
        b"\x00\x00\x00\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\n : x\r\n\r\n",
        b"G" * 200_000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_http(raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A 400 in our form, then the connection ends, without a traceback."""
    async with running_adapter() as adapter, connected(adapter) as connection:
        await connection.send(raw)
        answer = await connection.answer()
        assert (answer.status, answer.error["code"]) == (400, "bad_request")
        assert "not a valid HTTP request" in answer.error["message"]
        assert await connection.rest() == b""
    assert "Traceback" not in caplog.text


async def test_a_header_that_forges_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with running_adapter() as adapter:
        await ask(adapter, request("GET", "/x%0aE%20adapter%20forged"))
    (line,) = [record.getMessage() for record in caplog.records if record.name == "adapter.request"]
    assert "\n" not in line and r"'/x\nE adapter forged'" in line


@pytest.mark.parametrize("path", [CHAT, "/nowhere"])
async def test_expect_continue(path: str) -> None:
    """curl sends it with bodies above a megabyte and waits for the word."""
    async with running_adapter() as adapter, connected(adapter) as connection:
        await connection.send(request(path=path, Content_Length=str(len(HI)), Expect="100-continue"))
        assert (await connection.head())[0] == 100
        await connection.send(HI)
        assert (await connection.answer()).status == (200 if path == CHAT else 404)


# --- connections ----------------------------------------------------------------------------------------------


async def stream_over(connection: Connection) -> bytes:
    await connection.send(request(body=json.dumps(chat(stream=True)).encode()))
    status, _ = await connection.head()
    assert status == 200
    async with asyncio.timeout(10):
        return await connection.reader.readuntil(b"0\r\n\r\n")


async def test_one_connection_serves_many_requests() -> None:
    """After a stream, after errors, after a refusal without a key: the async Python client and Node rely on it."""
    async with running_adapter() as adapter, connected(adapter) as connection:
        for _ in range(3):
            assert b"data: [DONE]" in await stream_over(connection)
            for raw, status in (
                (request(body=b"{"), 400),
                (request("GET", "/nowhere"), 404),
                (request(body=HI, Authorization=""), 401),
                (request(body=HI, Host="evil.example"), 403),
                (request("PUT", body=HI), 405),
                (request(body=HI), 200),
            ):
                await connection.send(raw)
                assert (await connection.answer()).status == status


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with running_adapter() as adapter, connected(adapter) as connection:
        await connection.send(b"".join(request(body=json.dumps(chat(f"n{n}")).encode()) for n in range(5)))
        for n in range(5):
            assert f"You said: n{n}".encode() in (await connection.answer()).body


async def test_http_1_0_gets_its_stream_until_the_end_of_the_connection() -> None:
    body = json.dumps(chat(stream=True)).encode()
    head = f"POST {CHAT} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    async with running_adapter() as adapter, connected(adapter) as connection:
        await connection.send(head.encode() + body)
        status, headers = await connection.head()
        rest = await connection.rest()
    assert status == 200 and "transfer-encoding" not in headers
    assert rest.endswith(b"data: [DONE]\n\n")


async def test_junk_fields_do_not_swell_the_answer() -> None:
    body = chat(stream=True) | {f"{n:05d}" * 20: 0 for n in range(3_000)}
    async with running_adapter() as adapter, adapter.session.post(CHAT, json=body) as response:
        chunks = [chunk async for chunk in frames(response)]
    assert text_of(chunks) == "You said: hi"
    assert len(json.dumps(chunks)) < 10_000


async def test_the_loop_goes_on_while_large_bodies_come_in() -> None:
    """Somebody else's tokens keep flowing: no step of the loop takes long."""
    body = request(body=json.dumps(chat("y" * 4_000_000)).encode())
    loop = asyncio.get_running_loop()
    gaps: list[float] = []

    async def watch() -> None:
        last = loop.time()
        while True:
            await asyncio.sleep(0.005)
            gaps.append(loop.time() - last)
            last = loop.time()

    async with running_adapter() as adapter:
        watcher = asyncio.create_task(watch())
        answers = await asyncio.gather(*(ask(adapter, body) for _ in range(4)))
        watcher.cancel()
    assert [answer.status for answer in answers] == [200] * 4
    assert max(gaps) < 0.5
