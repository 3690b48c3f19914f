"""What a client's configuration is made from: one model of the truth for all of them. Pure.

`gather.py` finds it out; a target (`target.py`) puts it into its client's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapter.connect.upstreams import Upstream

# The names by which configurations refer to the server, so that neither address nor key stands in them (`design.md`, names on the outside).
URL_VARIABLE = "NEURAL_FARM_BASE_URL"
KEY_VARIABLE = "NEURAL_FARM_API_KEY"


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of `GET /v1/models`.

    id: what clients ask for. context_tokens: prompt and answer together; 0: not known. max_output_tokens: of an answer; 0: not known.
    can: what the model does by itself, emulated: what is done around it, in the words of `adapter.engines.base.Can` ("chat", "tools", "response_format",
    "vision", "embeddings" ...).
    """

    id: str
    engine: str
    context_tokens: int
    max_output_tokens: int
    can: frozenset[str] = frozenset()
    emulated: frozenset[str] = frozenset()
    embedding_size: int = 0
    multiline: bool = True

    def does(self, ability: str) -> bool:
        return ability in self.can or ability in self.emulated


@dataclass(frozen=True, slots=True)
class Truth:
    """base_url: with `/v1`, as the client reaches it. models: every chat and embedding model there is, best first; `auto` is among them.
    model: the one that the client is to use by default; it can chat. key: never shown unless asked for; "" where none is needed.
    """

    base_url: str
    model: Model
    models: tuple[Model, ...]
    key: str = field(repr=False)

    @property
    def root_url(self) -> str:
        """The base URL without `/v1`."""
        return self.base_url.removesuffix("/v1")

    @property
    def chats(self) -> tuple[Model, ...]:
        return tuple(model for model in self.models if model.does("chat"))

    @property
    def embedder(self) -> Model | None:
        return next((model for model in self.models if model.does("embeddings")), None)


@dataclass(frozen=True, slots=True)
class Where:
    """The machine that the client runs on. user: the home folder. here: the current folder. state: FARMHAND_HOME. env: its environment.
    platform: as `sys.platform`; "android" in Termux.
    """

    user: Path
    here: Path
    state: Path
    env: Mapping[str, str]
    platform: str = "linux"


@dataclass(frozen=True, slots=True)
class Options:
    """What the person asked for besides the name. file: the client's file, where it is not in its usual place. phones: base URLs of further adapters
    (`--phone`), for who can use several; farm: what is true of each, in the same order. small: made for a small context, at the cost of abilities
    (`--small`). proxied: the base URL is that of a LiteLLM proxy. upstreams: `[[proxy.upstream]]` of the configuration; port: of `[proxy]`.
    """

    file: Path | None = None
    phones: tuple[str, ...] = ()
    small: bool = False
    proxied: bool = False
    farm: tuple[Truth, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    port: int = 4000
