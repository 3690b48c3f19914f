"""Hugging Face's tiny-agents: the file of one agent.

It reads no variables in `endpointUrl`, and an `apiKey` by reference (`inputs`) it asks for at every start, so both stand in the file.
Without `apiKey` it would send the token for Hugging Face that it finds in HF_TOKEN.
"""

from __future__ import annotations

from adapter.connect.parts import Connection, Document, Put, Secret
from adapter.connect.profile import Profile
from adapter.connect.truth import Options, Truth, Where

# Seen on the wire of 0.3.4: 141 tokens of messages and two tools of its own, 111; each tool of an MCP server comes on top.
PROFILE = Profile(prompt_tokens=252, tools=2, byte_s=300.0, needs_tools=True)

# What an agent of one person needs, and no more (see the notes).
RATE = "60/min"

NOTES = (
    "Start it with `npx @huggingface/tiny-agents run ./agent.json`; a folder with agent.json and AGENTS.md has a prompt of its own.",
    'Its tools are those of the MCP servers in `servers`, for example {"type": "stdio", "command": "farmhand", "args": ["mcp"]}.',
    # Seen with 0.3.4: 350 requests a second.
    "While the phone says 503 (its app is closed, or it is busy) the JavaScript program asks again without a pause until you end it. "
    + f"The token that --write makes has a rate of {RATE}, which ends that by itself; for another key: rate = \"{RATE}\" in its [[key]].",
    "After an answer that used a tool it asks once more and reads only the beginning; the phone works on that as well.",
)
NO_TOOLS = "The model cannot call tools, without which an agent only talks."


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    edits = (
        Put(("model",), truth.model.id),
        Put(("endpointUrl",), truth.base_url),
        Put(("apiKey",), Secret(truth.key)),
        Put(("servers",), [], absent_only=True),
    )
    document = Document(options.file or where.here / "agent.json", "json", edits, private=True)
    return Connection((document,), NOTES if truth.model.does("tools") else (NO_TOOLS, *NOTES))
