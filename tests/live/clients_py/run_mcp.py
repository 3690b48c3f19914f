"""The MCP library's own client over real stdio: starts `farmhand mcp`, does the jobs it is given, prints one line of JSON for each.

argv: the command that starts the server, as JSON; the jobs, as JSON: {"list": true}, {"call": name, "arguments": {...}}, or the latter with
"cancel": true, which calls it off when a line comes on standard input.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from typing import Any

mcp: Any = importlib.import_module("mcp")
stdio: Any = importlib.import_module("mcp.client.stdio")


async def main(command: list[str], jobs: list[dict[str, Any]]) -> None:
    server = stdio.StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    async with stdio.stdio_client(server) as (incoming, outgoing), mcp.ClientSession(incoming, outgoing) as session:
        started = await session.initialize()
        say({"server": started.server_info.name, "tools": started.capabilities.tools is not None})
        for job in jobs:
            say(await done(session, job))


async def done(session: Any, job: dict[str, Any]) -> dict[str, Any]:
    if job.get("list"):
        tools = (await session.list_tools()).tools
        return {"tools": [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]}
    calling = asyncio.ensure_future(session.call_tool(job["call"], job["arguments"]))
    if job.get("cancel"):
        await asyncio.to_thread(sys.stdin.readline)
        calling.cancel()
        await asyncio.wait({calling})
        return {"cancelled": calling.cancelled()}
    result = await calling
    return {"failed": bool(result.is_error), "text": "".join(part.text for part in result.content)}


def say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


asyncio.run(main(json.loads(sys.argv[1]), json.loads(sys.argv[2])))
