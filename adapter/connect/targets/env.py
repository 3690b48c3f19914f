"""Anything that reads OpenAI's two variables."""

from __future__ import annotations

from adapter.connect.parts import Connection, EnvFile, Generate, Secret
from adapter.connect.profile import Profile
from adapter.connect.truth import Options, Truth, Where

# One sentence asked and one answered: nothing is known of who it is.
PROFILE = Profile(prompt_tokens=200)


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    variables: tuple[tuple[str, str | Secret | Generate], ...] = (
        ("OPENAI_BASE_URL", truth.base_url),
        ("OPENAI_API_KEY", Secret(truth.key)),
    )
    return Connection((EnvFile(options.file or where.here / ".env", variables),))
