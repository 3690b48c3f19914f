"""LangChain for Python, with the two settings that it needs before a server that is not OpenAI's."""

from __future__ import annotations

import json

from adapter.connect.parts import Connection, EnvFile, Secret, Snippet
from adapter.connect.profile import Profile
from adapter.connect.truth import KEY_VARIABLE, URL_VARIABLE, Options, Truth, Where

# As the Python SDK beneath it (`protocols/clients.md` 3, 4). The size of a first question [est].
PROFILE = Profile(prompt_tokens=200, schema=True, embeddings=True, byte_s=600.0)

# With a base URL of one's own it asks for no usage in streams; `stream_usage` brings it back (`protocols/clients.md` 3).
PROGRAM = """\
# pip install langchain-openai
import os

from langchain_openai import ChatOpenAI{embeddings}

chat = ChatOpenAI(
    base_url=os.environ["{url}"],
    api_key=os.environ["{key}"],
    model={model},
    stream_usage=True,
    timeout=900,
)
for chunk in chat.stream("Say hello."):
    print(chunk.content, end="", flush=True)
"""

# Without the last setting it sends token ids of OpenAI's vocabulary, which mean nothing to any other model.
EMBEDDINGS = """
vectors = OpenAIEmbeddings(
    base_url=os.environ["{url}"],
    api_key=os.environ["{key}"],
    model={embedder},
    check_embedding_ctx_length=False,
)
print(len(vectors.embed_query("Hello.")), "numbers")
"""

NOTES = (
    "Python does not read the file by itself: `set -a; . ./.env; set +a`, or python-dotenv.",
    "Embeddings need check_embedding_ctx_length=False; without it the server refuses what LangChain sends, and says so.",
)
NO_SCHEMA = 'The model cannot be held to a schema: with_structured_output() fails; use method="json_mode" and describe the form in the prompt.'


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    variables: tuple[tuple[str, str | Secret], ...] = ((URL_VARIABLE, truth.base_url), (KEY_VARIABLE, Secret(truth.key)))
    names = {"url": URL_VARIABLE, "key": KEY_VARIABLE}
    embedder = truth.embedder
    program = PROGRAM.format(**names, model=json.dumps(truth.model.id), embeddings="" if embedder is None else ", OpenAIEmbeddings")
    if embedder is not None:
        program += EMBEDDINGS.format(**names, embedder=json.dumps(embedder.id))
    parts = (EnvFile(options.file or where.here / ".env", variables), Snippet("hello.py", "python", program))
    return Connection(parts, NOTES if truth.model.does("response_format") else (NO_SCHEMA, *NOTES))
