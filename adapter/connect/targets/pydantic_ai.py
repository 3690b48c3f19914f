"""Pydantic AI: its model class for servers that speak OpenAI's language."""

from __future__ import annotations

import json

from adapter.connect.parts import Connection, EnvFile, Secret, Snippet
from adapter.connect.profile import Profile
from adapter.connect.truth import KEY_VARIABLE, URL_VARIABLE, Options, Truth, Where

# Objects are had by a call of a tool that is required, by default (`protocols/clients.md` 3). The size of a first question [est].
PROFILE = Profile(prompt_tokens=200, schema=True, byte_s=600.0)

PROGRAM = """\
# pip install 'pydantic-ai-slim[openai]'
import os

from pydantic import BaseModel, Field
from pydantic_ai import Agent{native}
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url=os.environ["{url}"], api_key=os.environ["{key}"])
model = OpenAIChatModel({model}, provider=provider)
print(Agent(model).run_sync("Say hello.").output)
"""

OBJECT = """

class Place(BaseModel):
    name: str = Field(max_length=40)
    by_the_sea: bool


print(Agent(model, output_type=NativeOutput(Place)).run_sync("Which place is called the gate to the world?").output)
"""

NOTES = ("Python does not read the file by itself: `set -a; . ./.env; set +a`, or python-dotenv.",)
NO_SCHEMA = "The model cannot be held to a schema: an `output_type` fails unless it obeys by itself; PromptedOutput asks for it in words."
NO_TOOLS = "The model cannot call tools: agents with tools fail with an error that says so."


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    variables: tuple[tuple[str, str | Secret], ...] = ((URL_VARIABLE, truth.base_url), (KEY_VARIABLE, Secret(truth.key)))
    held, calls = truth.model.does("response_format"), truth.model.does("tools")
    program = PROGRAM.format(url=URL_VARIABLE, key=KEY_VARIABLE, model=json.dumps(truth.model.id), native=", NativeOutput" if held else "")
    program = program + OBJECT if held else program.replace("from pydantic import BaseModel, Field\n", "")
    notes = (*((NO_TOOLS,) * (not calls)), *((NO_SCHEMA,) * (not held)), *NOTES)
    return Connection((EnvFile(options.file or where.here / ".env", variables), Snippet("hello.py", "python", program)), notes)
