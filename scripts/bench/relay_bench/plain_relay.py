"""The smallest honest relay with the adapter's own library: `python plain_relay.py PORT UPSTREAM`."""

import sys
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

SESSION = web.AppKey("session", aiohttp.ClientSession)


async def relay(request: web.Request) -> web.StreamResponse:
    headers = {"Content-Type": "application/json", "Authorization": request.headers.get("Authorization", "")}
    body = await request.read()
    async with request.app[SESSION].post(sys.argv[2] + request.path, data=body, headers=headers) as upstream:
        if upstream.content_type != "text/event-stream":
            return web.Response(status=upstream.status, body=await upstream.read(), content_type=upstream.content_type)
        response = web.StreamResponse(status=upstream.status, headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async for data in upstream.content.iter_any():
            await response.write(data)
        await response.write_eof()
        return response


async def health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def with_session(app: web.Application) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        app[SESSION] = session
        yield


app = web.Application()
app.cleanup_ctx.append(with_session)
app.router.add_get("/health", health)
app.router.add_post("/{path:.*}", relay)
if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
