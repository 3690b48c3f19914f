"""Vercel's AI SDK, by its provider for servers that speak OpenAI's language."""

from __future__ import annotations

import json

from adapter.connect.parts import Connection, EnvFile, Secret, Snippet
from adapter.connect.profile import Profile
from adapter.connect.truth import KEY_VARIABLE, URL_VARIABLE, Options, Truth, Where

# What the caller writes is all that is sent; Node's 300 s without a byte are its only patience (`protocols/clients.md` 3, 4).
PROFILE = Profile(prompt_tokens=200, schema=True, byte_s=300.0)

PROGRAM = """\
// npm install ai @ai-sdk/openai-compatible; node --env-file=.env hello.mjs
import {{ createOpenAICompatible }} from "@ai-sdk/openai-compatible";
import {{ {imports} }} from "ai";

const farm = createOpenAICompatible({{
  name: "farm",
  baseURL: process.env.{url},
  apiKey: process.env.{key},
  includeUsage: true,
  supportsStructuredOutputs: {structured},
}});
const {{ textStream }} = streamText({{ model: farm({model}), prompt: "Say hello." }});
for await (const text of textStream) process.stdout.write(text);
"""
EMBEDDING = """\
const {{ embedding }} = await embed({{ model: farm.embeddingModel({embedder}), value: "Hello." }});
console.log(`\\n${{embedding.length}} numbers`);
"""
STREAM = "Node's `fetch` gives up on a plain answer after 5 minutes: where it may take that long, use `streamText` instead of `generateText`."
NO_SCHEMA = (
    "The model cannot be held to a schema, so `supportsStructuredOutputs` is false; then the SDK asks for JSON and does not send the schema "
    "along: describe the form in your prompt."
)


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    variables: tuple[tuple[str, str | Secret], ...] = (
        (URL_VARIABLE, truth.base_url),
        (KEY_VARIABLE, Secret(truth.key)),
    )
    structured = truth.model.does("response_format")
    return Connection(
        (EnvFile(options.file or where.here / ".env", variables), Snippet("hello.mjs", "javascript", _program(truth, structured))),
        (STREAM,) if structured else (NO_SCHEMA, STREAM),
    )


def _program(truth: Truth, structured: bool) -> str:
    embedder = truth.embedder
    program = PROGRAM.format(
        imports="streamText" if embedder is None else "embed, streamText",
        url=URL_VARIABLE,
        key=KEY_VARIABLE,
        structured=json.dumps(structured),
        model=json.dumps(truth.model.id),
    )
    return program if embedder is None else program + EMBEDDING.format(embedder=json.dumps(embedder.id))
