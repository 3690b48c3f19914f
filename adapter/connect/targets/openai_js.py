"""OpenAI's SDK for JavaScript: its two variables, which Node reads from a file, and a program to begin with."""

from __future__ import annotations

import json

from adapter.connect.parts import Connection, EnvFile, Secret, Snippet
from adapter.connect.profile import Profile
from adapter.connect.truth import Options, Truth, Where

# What the caller writes is all that is sent (`protocols/clients.md` 3). Its own limit covers a whole plain answer; Node's `fetch`
# gives up after 300 s without a byte, whatever the SDK was told (4, 6).
PROFILE = Profile(prompt_tokens=200, schema=True, byte_s=300.0, whole_s=600.0)

PROGRAM = """\
// npm install openai; node --env-file=.env hello.mjs
import OpenAI from "openai";

const client = new OpenAI(); // reads OPENAI_BASE_URL and OPENAI_API_KEY
const stream = await client.chat.completions.create({{
  model: {model},
  messages: [{{ role: "user", content: "Say hello." }}],
  stream: true,
}});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
"""


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    variables: tuple[tuple[str, str | Secret], ...] = (
        ("OPENAI_BASE_URL", truth.base_url),
        ("OPENAI_API_KEY", Secret(truth.key)),
    )
    program = PROGRAM.format(model=json.dumps(truth.model.id))
    return Connection(
        (EnvFile(options.file or where.here / ".env", variables), Snippet("hello.mjs", "javascript", program)),
        (
            "Node reads the file with `node --env-file=.env`; anything else has to set the two variables by itself.",
            "Node's `fetch` gives up on a plain answer after 5 minutes, whatever `timeout` says: ask with `stream: true`.",
        ),
    )
