"""The frames between adapter and worker: one codec for both ends. Pure.

A frame is four bytes of length (big endian) and that many bytes of JSON, `{"frame": "delta", ...}`.
JSON, because both ends have it, it can be read in a log, and a token's frame is some sixty bytes; ASCII
only, so that any text survives. The adapter says `Hello`, the worker `Ready` or `Failed`; after that
frames of different requests interleave, those of one request keep their order.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from adapter.chat import Chat, Completion, Message, TokenLogprob
from adapter.engines.llama.text import Ended
from adapter.reasoning import Part

VERSION = 2
HEADER_BYTES = 4
# An 8 MiB request body (server.max_body_bytes) grows at most sixfold when it is written as ASCII.
MAX_FRAME_BYTES = 64 << 20


class LinkError(Exception):
    """The other end does not speak this protocol; nothing after it can be understood."""


# --- adapter -> worker ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """First. How to load the model; `threads` None lets the worker choose.

    kv_type: "f16" or "q8_0". kv_dir: where prefixes are kept on disk, "" for nowhere, at most `kv_store_bytes` of them,
    each of `kv_save_tokens` or more. pins: paths of prompts to bake. draft_tokens: most tokens to guess ahead, 0 is off.
    embeds: the model makes vectors (`embed_model.is_embedding_model`) and no text.
    """

    path: str
    slots: int
    queue: int
    ctx_tokens: int
    batch_tokens: int
    threads: int | None = None
    kv_type: str = "f16"
    kv_dir: str = ""
    kv_store_bytes: int = 0
    kv_save_tokens: int = 512
    pins: tuple[str, ...] = ()
    draft_tokens: int = 0
    embeds: bool = False
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Submit:
    """A chat. `chat.sampling.max_tokens` is set; the worker clips it to the room in the context."""

    id: int
    chat: Chat


@dataclass(frozen=True, slots=True)
class Complete:
    """Text to go on with. `completion.sampling.max_tokens` is set."""

    id: int
    completion: Completion


@dataclass(frozen=True, slots=True)
class Embed:
    """Texts to turn into vectors; answered by one `Embedded`."""

    id: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tokenize:
    """Text, or messages through the chat template (`text` None) -> `Tokenized`.

    specials: add BOS and EOS where the vocabulary wants them. parse_specials: names of control tokens in the text
    stand for the tokens.
    """

    id: int
    text: str | None
    messages: tuple[Message, ...] = ()
    specials: bool = False
    parse_specials: bool = True


@dataclass(frozen=True, slots=True)
class Detokenize:
    """Token ids -> `Detokenized`."""

    id: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody waits for this answer any more. No frame of it need be read after this."""

    id: int


@dataclass(frozen=True, slots=True)
class Pressure:
    """The phone is short of something. level: "serve", "slow" (fewer threads, one slot) or "pause" (nothing new begins)."""

    level: str


@dataclass(frozen=True, slots=True)
class Shutdown:
    """End now; running answers fail."""


# --- worker -> adapter ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded. ctx_tokens: of one slot. embedding_size: of a model for embeddings, else 0."""

    description: str
    ctx_tokens: int
    threads: int
    load_s: float
    embedding_size: int = 0
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Started:
    """The request has a slot; its prompt of so many tokens is being computed. Once, also for several choices."""

    id: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Delta:
    """`choice`: which of the request's answers, here and below."""

    id: int
    part: Part
    text: str
    choice: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """As `adapter.chat.ToolCallDelta`."""

    id: int
    index: int
    call_id: str | None = None
    name: str | None = None
    arguments: str = ""
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Working:
    """Something was computed that shows nothing yet (half a character, a part of a long prompt): the answer is alive."""

    id: int


@dataclass(frozen=True, slots=True)
class Finished:
    """One choice is complete. A request is over when all its choices are."""

    id: int
    ended: Ended
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Embedded:
    """vectors: each the base64 of little-endian 32-bit floats."""

    id: int
    vectors: tuple[str, ...]
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Tokenized:
    """pieces: each the base64 of the token's bytes."""

    id: int
    tokens: tuple[int, ...]
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Detokenized:
    id: int
    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """`id` None: the worker as a whole, which then exits. `code` is that of a class in `adapter.errors`.

    With an id: the whole request, all its choices."""

    id: int | None
    code: str
    message: str
    param: str | None = None


# What a client asks for; answered by frames with its id.
Request = Submit | Complete | Embed | Tokenize | Detokenize
Frame = (
    Hello | Submit | Complete | Embed | Tokenize | Detokenize | Cancel | Pressure | Shutdown
    | Ready | Started | Delta | Call | Working | Finished | Embedded | Tokenized | Detokenized | Failed
)  # fmt: skip

_KINDS: dict[str, type[Frame]] = {kind.__name__.lower(): kind for kind in get_args(Frame)}


def render_frame(frame: Frame) -> bytes:
    """The bytes of one frame. Raises `LinkError` if it is too long for the other end."""
    body = json.dumps({"frame": type(frame).__name__.lower(), **asdict(frame)}).encode("ascii")
    if len(body) > MAX_FRAME_BYTES:
        raise LinkError(f"a frame of {len(body)} bytes is over the bound of {MAX_FRAME_BYTES}")
    return len(body).to_bytes(HEADER_BYTES, "big") + body


class FrameReader:
    """Feed bytes in any pieces, get whole frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Raises `LinkError`; the reader must not be used after that."""
        self._held += data
        frames = []
        at = 0
        while len(self._held) - at >= HEADER_BYTES:
            size = int.from_bytes(self._held[at : at + HEADER_BYTES], "big")
            if size > MAX_FRAME_BYTES:
                raise LinkError(f"a frame announces {size} bytes; the bound is {MAX_FRAME_BYTES}")
            if len(self._held) - at - HEADER_BYTES < size:
                break
            at += HEADER_BYTES + size
            frames.append(parse_frame(bytes(self._held[at - size : at])))
        del self._held[:at]
        return frames


def parse_frame(body: bytes) -> Frame:
    """The frame in these bytes of JSON, its fields checked. Raises `LinkError`."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise LinkError(f"not JSON: {body[:40]!r}") from exc
    if not isinstance(data, dict):
        raise LinkError(f"not a frame: {body[:40]!r}")
    name = data.pop("frame", None)
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise LinkError(f"no such frame: {name!r}")
    frame: Frame = _build(kind, data, str(name))
    if isinstance(frame, Hello | Ready) and frame.version != VERSION:
        raise LinkError(f"the other end speaks version {frame.version}, this one {VERSION}")
    return frame


# --- JSON values -> dataclasses, by their annotations ------------------------------------------------------------


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _build(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise LinkError(f"{where}: expected an object")
    if unknown := data.keys() - {field.name for field in fields(kind)}:
        raise LinkError(f"{where}: unknown field {min(unknown)!r}")
    try:
        return kind(
            **{key: _value(_hints(kind)[key], value, f"{where}.{key}") for key, value in data.items()}
        )
    except TypeError as exc:
        raise LinkError(f"{where}: {exc}") from exc


def _value(hint: Any, value: Any, where: str) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        if value is None:
            return None
        (hint,) = (arg for arg in get_args(hint) if arg is not types.NoneType)
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise LinkError(f"{where}: expected a list")
        return tuple(_value(get_args(hint)[0], item, where) for item in value)
    if is_dataclass(hint):
        return _build(hint, value, where)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if value not in list(hint):
            raise LinkError(f"{where}: unknown value {value!r}")
        return hint(value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise LinkError(f"{where}: expected {hint.__name__}, got {type(value).__name__}")
    return value
