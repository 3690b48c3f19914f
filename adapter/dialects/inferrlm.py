"""InferrLM's native chat dialect, outward: `Chat` -> body of `POST /api/chat`. Pure.

Sections are those of `protocols/inferrlm.md`. The way back is in `inferrlm_records.py` (one record) and
`inferrlm_answer.py` (an answer as a whole), what is told apart by build in `inferrlm_builds.py`, the words of
failures in `inferrlm_errors.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from adapter.chat import Chat, Message, Role, Sampling
from adapter.dialects.inferrlm_builds import LITERT_WINDOW_TOKENS, StoredModel, Traits
from adapter.dialects.inferrlm_records import whole_characters
from adapter.errors import BadRequest, ContextTooLong
from adapter.tokens import estimate_prompt_tokens

# An answer always gets this much, even if our estimate of the prompt leaves less: the estimate may be too high.
MIN_ANSWER_TOKENS = 16
# Estimates are off by up to a fifth (`adapter/tokens.py`); half of that is kept free, since overflowing makes
# the app begin the answer again with a thinned history (10.3) and keeping more free wastes a small window.
ESTIMATE_MARGIN_PCT = 10

# LiteRT models see only the last 8000 characters of a conversation, in this frame (13.2).
LITERT_HISTORY_CHARS = 8_000
_LITERT_FRAME = "Here is the conversation so far:\n\n\nAnswer this follow-up question: "
_LITERT_LABEL = "Assistant: \n"

# 7.2, and the LiteRT half of the app knows `ocr_result` as well.
_INTERNAL_TYPES = frozenset({"multimodal", "file_upload", "photo_upload", "audio_upload", "ocr_result"})
# ZERO WIDTH SPACE: invisible, and not white space to JavaScript, so neither `trim()` nor `JSON.parse` skips it.
_GUARD = "\u200b"


@dataclass(frozen=True, slots=True)
class Window:
    """The size of a context and what is spoken for in it, in tokens. `prompt_tokens` is an estimate."""

    tokens: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as the app will get it. `max_tokens`: what the answer may have, the room considered."""

    model: StoredModel
    window: Window
    max_tokens: int
    messages: tuple[dict[str, str], ...]
    options: dict[str, float | int]

    def body(self, *, stream: bool) -> bytes:
        """ASCII-only JSON: builds A and B never answer a body with other bytes (4.2)."""
        value = {
            "model": self.model.name,
            "messages": list(self.messages),
            "stream": stream,
            "options": self.options,
        }
        return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def render_chat(
    chat: Chat, model: StoredModel, traits: Traits, *, window_tokens: int, default_max_tokens: int
) -> Ask:
    """Say `chat` in InferrLM's words, for a model that is stored there.

    Raises `BadRequest` for what the model cannot take and `ContextTooLong` when the prompt's estimate
    is over the window: builds B and C would thin the history without telling anybody (10.3).
    """
    turns = _turns(chat.messages)
    if model.litert:
        turns = _litert_turns(turns, window_tokens)
    prompt_tokens = estimate_prompt_tokens(content for _, content in turns)
    if prompt_tokens > window_tokens:
        raise ContextTooLong.of(context_tokens=window_tokens, prompt_tokens=prompt_tokens)
    asked = chat.sampling.max_tokens or default_max_tokens
    max_tokens = min(asked, _room(window_tokens, prompt_tokens))
    return Ask(
        model=model,
        window=Window(window_tokens, prompt_tokens),
        max_tokens=max_tokens,
        messages=tuple({"role": role, "content": _guarded(content)} for role, content in turns),
        options=_options(
            chat.sampling, window_tokens if model.litert else max_tokens, mirostat=traits.mirostat
        ),
    )


def window_tokens(model: StoredModel, traits: Traits, *, configured: int | None, trained: int | None) -> int:
    """Prompt and answer together: what the owner configured, else what the app gives this kind of model.

    trained: the context the model was trained for; the app does not look at it.
    """
    if configured is not None:
        return configured
    by_kind = LITERT_WINDOW_TOKENS if model.litert else traits.window_tokens
    return by_kind if trained is None else min(by_kind, trained)


def _room(window: int, prompt_tokens: int) -> int:
    margin = prompt_tokens * ESTIMATE_MARGIN_PCT // 100
    return max(MIN_ANSWER_TOKENS, window - prompt_tokens - margin)


# --- messages ------------------------------------------------------------------------------------------------

_ROLES = {
    Role.SYSTEM: "system",
    Role.DEVELOPER: "system",  # templates know no developer and fail (7.2)
    Role.USER: "user",
    Role.ASSISTANT: "assistant",
    Role.TOOL: "user",  # nor `tool`, most of them; what a tool said is news from outside, like a user's
}

Turn = tuple[str, str]


def _turns(messages: Sequence[Message]) -> list[Turn]:
    """(role, text) in the app's roles; neighbours of one role joined, since many templates insist on turns."""
    turns: list[Turn] = []
    for message in messages:
        role, text = _ROLES[message.role], whole_characters(_text(message))
        if turns and turns[-1][0] == role:
            joined = "\n\n".join(part for part in (turns[-1][1], text) if part)
            turns[-1] = (role, joined)
        else:
            turns.append((role, text))
    if not turns:
        raise BadRequest("There are no messages; send at least one.", param="messages")
    return turns


def _text(message: Message) -> str:
    """The message's text, with what the app would drop (tool calls and what they answer to) put into words."""
    if message.role is Role.TOOL:
        return f"Result of {message.name or message.tool_call_id or 'the tool'}:\n{message.content}"
    calls = [f"(called {call.name} with {call.arguments})" for call in message.tool_calls]
    return "\n".join(part for part in (message.content, *calls) if part)


def _litert_turns(turns: list[Turn], window: int) -> list[Turn]:
    """The same conversation in the one form that LiteRT models take without losing some of it (13.2).

    All system texts go first, where they count. A single user message would be added to whatever
    the runtime talked about before, with anybody; an empty user message in front makes the app start afresh, and
    adds nothing to the prompt [read in the app's source at build C].
    """
    system = "\n\n".join(text for role, text in turns if role == "system")
    rest = [turn for turn in turns if turn[0] != "system"]
    users = [text for role, text in rest if role == "user"]
    if not any(text.strip() for text in users):
        raise BadRequest(
            "This model (LiteRT, in InferrLM) answers only to a message of the user; add one with some text.",
            param="messages",
        )
    if len(rest) > 1:
        _check_litert_history(rest, window)
    if len(users) == 1:
        rest = [("user", ""), *rest]
    return [("system", system), *rest] if system else rest


def _check_litert_history(turns: list[Turn], window: int) -> None:
    """Raises `ContextTooLong` if the app would cut the conversation's beginning off."""
    # JavaScript counts UTF-16 units.
    said = sum(len(text.encode("utf-16-le")) // 2 + len(_LITERT_LABEL) for _, text in turns)
    units = said + len(_LITERT_FRAME)
    if units > LITERT_HISTORY_CHARS:
        prompt_tokens = estimate_prompt_tokens(text for _, text in turns)
        limit = min(window, prompt_tokens * LITERT_HISTORY_CHARS // units)
        raise ContextTooLong.of(context_tokens=limit, prompt_tokens=prompt_tokens)


def _guarded(text: str) -> str:
    """`text`, with a harmless character in front if the app would take it for one of its own message forms."""
    return _GUARD + text if _looks_internal(text) else text


def _looks_internal(text: str) -> bool:
    bare = text.strip().strip("\ufeff")
    if not (bare.startswith("{") and bare.endswith("}")):
        return False
    try:
        # Numbers stay text: Python refuses very long ones, JavaScript does not.
        value = json.loads(bare, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError:
        return True  # too deep for us, perhaps not for the app
    except ValueError:
        return False
    kind = value.get("type") if isinstance(value, dict) else None
    return isinstance(kind, str) and kind in _INTERNAL_TYPES


# --- options -------------------------------------------------------------------------------------------------


def _options(sampling: Sampling, max_tokens: int, *, mirostat: bool) -> dict[str, float | int]:
    """`options` (7.3). `max_tokens` is always there: an answer nobody hears is computed to its end (13.1).

    `stop` never is: it replaces the app's own list, and text that shares a token with a stop word is
    lost; we stop ourselves. `mirostat` 0 where it is on by default, else top_k, top_p and min_p do nothing.
    """
    named: dict[str, float | int | None] = {
        "max_tokens": max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "penalty_repeat": sampling.repeat_penalty,
        "seed": None if sampling.seed is None else _seed(sampling.seed),
        "mirostat": 0 if mirostat else None,
    }
    return {name: value for name, value in named.items() if value is not None}


def _seed(seed: int) -> int:
    """A seed that JavaScript and the runtime keep exactly (31 bits), and never -1, which means random."""
    return seed & 0x7FFF_FFFF
