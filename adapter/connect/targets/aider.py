"""aider, pair programming in the terminal: its configuration, the sizes of the models, and a file for address and key.

Read in aider 0.86.2: `.aider.conf.yml` and `.aider.model.metadata.json` are looked for at home, then in the repository, then here; `env-file` of the
former is read last, after the `.env` of home, repository and folder, and wins. (`~/.aider/.env` is not read.) So the key stands in a private file of
its own, and the configuration can be kept with one's dotfiles.
"""

from __future__ import annotations

from typing import Any

from adapter.connect.parts import Connection, Document, EnvFile, Part, Put, Secret
from adapter.connect.profile import Profile
from adapter.connect.truth import Model, Options, Truth, Where

# Edit mode is 3 kB plus the files that were added (`protocols/clients.md` 3): seen with 0.86.2 and a file of one line, 655 tokens by its own count;
# the map of the repository and a file of 60 lines make it 1,500 [est]. An answer holds a whole file [est].
PROFILE = Profile(prompt_tokens=1_500, small_prompt_tokens=700, answer_tokens=800, byte_s=600.0)

CONF, METADATA, ENV = ".aider.conf.yml", ".aider.model.metadata.json", "farmhand.env"
# Below this the map of the repository (1,024 tokens and more) takes the room that the files need.
SMALL_TOKENS = 8_192
TIMEOUT_S = 900

NOTES = (
    "Files that you add to the chat are sent with every message; /tokens says how much room they take, /drop takes them out.",
    "The key in the file that `env-file` names goes before any other OPENAI_API_KEY, also that of a project's .env.",
)
ONE_LINE = "This model's answers end at the first line break, so it cannot write files: use another one (--model)."
UNKNOWN = "How much the model can read is not known, so aider cannot warn you of too long a chat."


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    conf = options.file or where.user / CONF
    env = where.user / ".aider" / ENV
    variables: tuple[tuple[str, str | Secret], ...] = (("OPENAI_API_BASE", truth.base_url), ("OPENAI_API_KEY", Secret(truth.key)))
    # Beside a configuration in another place nobody looks for it.
    elsewhere = (Put(("model-metadata-file",), str(conf.with_name(METADATA))),) if options.file else ()
    sized = tuple(model for model in truth.chats if model.context_tokens)
    parts: list[Part] = [
        Document(conf, "yaml", (*_conf(truth, str(env), options.small), *elsewhere), head="aider: https://aider.chat/docs/config/aider_conf.html"),
        EnvFile(env, variables),
    ]
    if sized:
        sizes = tuple(Put((f"openai/{model.id}",), _sizes(model)) for model in sized)
        parts.append(Document(conf.with_name(METADATA), "json", sizes))
    return Connection(tuple(parts), _notes(truth))


def _conf(truth: Truth, env: str, small: bool) -> tuple[Put, ...]:
    """whole: small models do not get the other form, search and replace, right."""
    name = f"openai/{truth.model.id}"
    tight = small or 0 < truth.model.context_tokens <= SMALL_TOKENS
    return (
        Put(("model",), name),
        Put(("weak-model",), name),
        Put(("editor-model",), name),
        Put(("env-file",), env),
        Put(("edit-format",), "whole", absent_only=True),
        Put(("timeout",), TIMEOUT_S, absent_only=True),
        *((Put(("map-tokens",), 0),) if tight else ()),
    )


def _sizes(model: Model) -> dict[str, Any]:
    return {
        "max_input_tokens": model.context_tokens,
        **({"max_tokens": model.max_output_tokens, "max_output_tokens": model.max_output_tokens} if model.max_output_tokens else {}),
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
        "litellm_provider": "openai",
        "mode": "chat",
    }


def _notes(truth: Truth) -> tuple[str, ...]:
    model = truth.model
    return (*((ONE_LINE,) * (not model.multiline)), *((UNKNOWN,) * (not model.context_tokens)), *NOTES)
