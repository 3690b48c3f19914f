"""The tools over MCP: standard input and output, by the `mcp` library (2.2 or newer). The only file that imports it.

Names are listed with underscores (`web_fetch`): MCP allows the dots of `web.fetch`, but OpenAI's rule for functions does not, and clients hand names on
as they are, so that every request with such a tool would be refused. Calls are taken by either name.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from adapter.web.tools import FETCH, PLAIN_NAMES, SEARCH, Tool, Toolset

_PLAIN = {dotted: plain for plain, dotted in PLAIN_NAMES.items()}


async def serve(toolset: Toolset, *, dotted: bool, version: str) -> None:
    """Answer until standard input ends; standard output carries nothing but the protocol. Closes the tool set."""
    stdio = importlib.import_module("mcp.server.stdio")
    server = build(toolset, dotted=dotted, version=version)
    try:
        async with stdio.stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    finally:
        await toolset.close()


def build(toolset: Toolset, *, dotted: bool, version: str) -> Any:
    """An `mcp.server.lowlevel.Server`. By name, since type checks run where it is not installed."""
    lowlevel: Any = importlib.import_module("mcp.server.lowlevel")
    types: Any = importlib.import_module("mcp.types")
    listed = [_listed(tool, types, dotted=dotted) for tool in _TOOLS]

    async def list_tools(context: Any, params: Any) -> Any:
        return types.ListToolsResult(tools=listed)

    async def call_tool(context: Any, params: Any) -> Any:
        said = await toolset.call(params.name, params.arguments or {})
        return types.CallToolResult(content=[types.TextContent(type="text", text=said.text)], is_error=said.failed)

    return lowlevel.Server("farmhand", version=version, on_list_tools=list_tools, on_call_tool=call_tool)


_TOOLS: Sequence[Tool] = (FETCH, SEARCH)


def _listed(tool: Tool, types: Any, *, dotted: bool) -> Any:
    return types.Tool(
        name=tool.name if dotted else _PLAIN[tool.name],
        title=tool.title,
        description=tool.description,
        input_schema=tool.schema,
        annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=True),
    )
