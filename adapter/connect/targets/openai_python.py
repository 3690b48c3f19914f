"""OpenAI's SDK for Python, which reads two variables, and Instructor, which is a layer over it."""

from __future__ import annotations

import json

from adapter.connect.parts import Connection, EnvFile, Secret, Snippet
from adapter.connect.profile import Profile
from adapter.connect.truth import Options, Truth, Where

# What the caller writes is all that is sent; 600 s between bytes, three tries (`protocols/clients.md` 3, 4). The size of a first question [est].
PROFILE = Profile(prompt_tokens=200, schema=True, embeddings=True, byte_s=600.0)

PROGRAM = """\
# pip install openai
from openai import OpenAI

client = OpenAI()  # reads OPENAI_BASE_URL and OPENAI_API_KEY
stream = client.chat.completions.create(
    model={model},
    messages=[{{"role": "user", "content": "Say hello."}}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
"""

# `max_length`: a grammar keeps to it, and a small model does not lose itself in a string.
INSTRUCTOR = """\
# pip install instructor
import instructor
from openai import OpenAI
from pydantic import BaseModel, Field


class Place(BaseModel):
    name: str = Field(max_length=40)
    by_the_sea: bool


client = instructor.from_openai(OpenAI(), mode=instructor.Mode.{mode})
place = client.chat.completions.create(
    model={model},
    messages=[{{"role": "user", "content": "Which place is called the gate to the world?"}}],
    response_model=Place,
)
print(place)
"""

NOTES = (
    "Python does not read the file by itself: `set -a; . ./.env; set +a`, or python-dotenv.",
    "The SDK gives up after 600 s without a byte; where a first word may take longer, use OpenAI(timeout=1800).",
)
BY_WORDS = "The model cannot be held to a schema, so Instructor only asks for JSON (MD_JSON) and asks again when it is not what it should be."


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    variables: tuple[tuple[str, str | Secret], ...] = (
        ("OPENAI_BASE_URL", truth.base_url),
        ("OPENAI_API_KEY", Secret(truth.key)),
    )
    model = json.dumps(truth.model.id)
    held = truth.model.does("response_format")
    parts = (
        EnvFile(options.file or where.here / ".env", variables),
        Snippet("hello.py", "python", PROGRAM.format(model=model)),
        Snippet("extract.py, with Instructor", "python", INSTRUCTOR.format(model=model, mode="JSON_SCHEMA" if held else "MD_JSON")),
    )
    return Connection(parts, NOTES if held else (BY_WORDS, *NOTES))
