"""Google's Agent Development Kit, on both of its paths: OpenAI's form through LiteLLM's SDK, and Gemini's form through its own."""

from __future__ import annotations

import json

from adapter.connect.parts import Connection, EnvFile, Secret, Snippet
from adapter.connect.profile import Profile
from adapter.connect.truth import KEY_VARIABLE, URL_VARIABLE, Options, Truth, Where

# An agent with one tool is 0.5 to 0.8 kB, blocking unless StreamingMode.SSE is asked for; 600 s to wait, three tries (`protocols/clients.md` 10).
PROFILE = Profile(prompt_tokens=300, stream=False, byte_s=600.0, whole_s=600.0)

AGENT = '''\
# pip install google-adk 'litellm<1.106.3' 'mcp>=2.2'
import asyncio
import os

{imports}


{before}def tide(place: str) -> dict:
    """When high water is.

    Args:
        place: The harbour.
    """
    return {{"high_water": "14:05"}}


agent = LlmAgent(
    name="harbour",
    model={model},
    instruction="Answer in one sentence.",
    tools=[tide],
)
asyncio.run(InMemoryRunner(agent=agent).run_debug("When is high water in Cuxhaven? Use tide.", verbose=True))
'''

OPENAI_IMPORTS = """\
import litellm
from google.adk.agents import LlmAgent
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner"""
# `protocols/clients.md` does not know of it: each streamed answer of a model whose name has `llama-3` in it took 47 s more without the internet.
NO_DOWNLOAD = """\
# For models with "llama-3" in their name LiteLLM asks Hugging Face for a tokenizer, and waits most of a minute where there is no internet.
litellm.disable_hf_tokenizer_download = True


"""
OPENAI_MODEL = """\
LiteLlm(
        model={model},
        api_base=os.environ["{url}"],
        api_key=os.environ["{key}"],
    )"""

GEMINI_IMPORTS = """\
from google.adk.agents import LlmAgent
from google.adk.models import Gemini
from google.adk.runners import InMemoryRunner"""
GEMINI_MODEL = """\
Gemini(
        model={model},
        base_url=os.environ["{url}"],
        client_kwargs={{"api_key": os.environ["{key}"]}},
    )"""

NOTES = (
    "Install mcp 2.2 or newer beside it: with none, or mcp 1.x, every turn with tools fails with an import error that looks like a lost connection.",
    "Pin litellm<1.106.3 beside ADK 2.13, as in the first line.",
    "`Gemini` tries again only with retry_options=types.HttpRetryOptions(attempts=3); `LiteLlm` tries three times by itself.",
    "Python does not read the file by itself: `set -a; . ./.env; set +a`, or python-dotenv.",
)
NO_TOOLS = "The model cannot call tools: agents with tools fail with an error that says so."
PROXIED = "Through a LiteLLM proxy only the path of LiteLlm was tried, so only that is shown."


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    """The variables, and an agent with a tool for each path."""
    variables: tuple[tuple[str, str | Secret], ...] = ((URL_VARIABLE, truth.base_url), (KEY_VARIABLE, Secret(truth.key)))
    parts: list[EnvFile | Snippet] = [EnvFile(options.file or where.here / ".env", variables)]
    names = {"url": URL_VARIABLE, "key": KEY_VARIABLE}
    # "openai/" is LiteLLM's word for any server of that form; it takes it off again.
    model = OPENAI_MODEL.format(model=json.dumps(f"openai/{truth.model.id}"), **names)
    parts.append(Snippet("agent.py, through LiteLLM", "python", AGENT.format(imports=OPENAI_IMPORTS, before=NO_DOWNLOAD, model=model)))
    if not options.proxied:
        model = GEMINI_MODEL.format(model=json.dumps(truth.model.id), **names)
        parts.append(Snippet("agent.py, in Gemini's form", "python", AGENT.format(imports=GEMINI_IMPORTS, before="", model=model)))
    notes = [*((NO_TOOLS,) * (not truth.model.does("tools"))), *NOTES, *((PROXIED,) * options.proxied)]
    return Connection(tuple(parts), tuple(notes))
