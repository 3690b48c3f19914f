"""From a request's JSON to what the model gets: messages and sampling (protocol sections 7.1 to 7.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes.inferrlm.builds import Traits

# What JavaScript's trim() removes; Python's strip() removes a few characters more.
JS_WHITE_SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)


class AppCrash(Exception):
    """A JavaScript TypeError that no handler catches; the server answers 500 `server_error`."""


@dataclass(frozen=True)
class Message:
    """One message as the model's chat template gets it."""

    role: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Sampling settings of one generation, named as in `options`."""

    max_tokens: float
    mirostat: float
    stop: tuple[str, ...] = ("<|end|>", "<end_of_turn>", "<|im_end|>", "<|endoftext|>", "<end_of_utterance>")
    system_prompt: str = ""
    numbers: Mapping[str, float] = field(
        default_factory=lambda: {"temperature": 0.7, "top_k": 40, "top_p": 0.9, "min_p": 0.05}
    )
    """The other numeric options that are set; penalties are absent until somebody asks for them."""


# Key of the setting -> the keys under which `options` may give it, the first present one counts.
_NUMBERS: dict[str, tuple[str, ...]] = {
    "temperature": ("temperature", "temp"),
    "penalty_freq": ("frequency_penalty", "penalty_freq"),
    "penalty_present": ("presence_penalty", "penalty_present"),
} | {
    key: (key,)
    for key in (
        *("top_p", "top_k", "min_p", "typical_p", "max_tokens", "seed", "penalty_repeat", "penalty_last_n"),
        *("mirostat", "mirostat_tau", "mirostat_eta", "xtc_probability", "xtc_threshold"),
        *("dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n"),
    )
}

OPENAI_KEYS = (
    *("temperature", "top_p", "max_tokens", "frequency_penalty", "presence_penalty", "stop", "seed"),
)
"""What `/v1` takes, at the top level (8.1)."""


def factory_settings(traits: Traits) -> Settings:
    """The settings that count as soon as one option is recognised (7.3)."""
    return Settings(max_tokens=traits.default_max_tokens, mirostat=traits.default_mirostat)


def parse_options(options: Any, traits: Traits) -> Settings | None:
    """Factory settings changed by the recognised options; None if none is recognised (7.3)."""
    if not isinstance(options, dict):
        return None
    numbers = {
        key: value for key, names in _NUMBERS.items() if (value := _number(options, names)) is not None
    }
    stop = _stop_words(options.get("stop"))
    system_prompt = options.get("system_prompt")
    if not numbers and not stop and not isinstance(system_prompt, str):
        return None
    settings = factory_settings(traits)
    return replace(
        settings,
        max_tokens=numbers.pop("max_tokens", settings.max_tokens),
        mirostat=numbers.pop("mirostat", settings.mirostat),
        stop=stop or settings.stop,
        system_prompt=system_prompt if isinstance(system_prompt, str) else "",
        numbers={**settings.numbers, **numbers},
    )


def parse_openai_options(payload: Mapping[str, Any], traits: Traits) -> Settings | None:
    """The same for `/v1`, where sampling is at the top level and null counts as absent (8.1)."""
    return parse_options({key: payload[key] for key in OPENAI_KEYS if payload.get(key) is not None}, traits)


def parse_chat_messages(payload: Any) -> list[Message] | None:
    """Messages of `/api/chat` and `/v1/chat/completions`; None means 400 `messages_required`."""
    if not isinstance(payload, dict) or not isinstance(payload.get("messages"), list):
        return None
    system = [_option_system_prompt(payload), _text(payload.get("system"))]
    return _with_system(system, _usable(payload["messages"])) or None


def parse_generate_messages(payload: Any) -> list[Message] | None:
    """Messages of `/api/generate`; None means 400 `prompt_required`. Null crashes the app (10.1)."""
    if payload is None:
        raise AppCrash("Cannot read property 'system' of null")
    if not isinstance(payload, dict):
        return None
    system = [_text(payload.get("system")), _option_system_prompt(payload)]
    given = payload.get("messages")
    prompt = payload.get("prompt")
    if isinstance(given, list) and given:
        messages = _usable(given)
    else:
        messages = [Message("user", prompt)] if isinstance(prompt, str) else []
    return _with_system(system, messages) or None


def as_the_model_gets_it(message: Message) -> Message:
    """Interpret text that looks like one of the app's internal message forms (7.2, last but one row)."""
    try:
        parsed = json.loads(message.content)
    except ValueError:
        return message
    return replace(message, content=_internal_form(parsed, message.content))


def js_string(value: Any) -> str:
    """JavaScript's `String(value)` for a JSON value that is neither null nor a list."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return "[object Object]" if isinstance(value, dict) else str(value)


def _internal_form(parsed: Any, original: str) -> str:
    if not isinstance(parsed, dict):
        return original
    user_content = parsed.get("userContent")
    match parsed.get("type"):
        case "multimodal" if isinstance(parsed.get("content"), list):
            texts = [part.get("text") or "" for part in parsed["content"] if part.get("type") == "text"]
            return texts[-1] if texts else ""
        case "photo_upload":
            return user_content or "What do you see in this image?"
        case "audio_upload":
            return user_content or "Transcribe or describe this audio:"
        case "file_upload":
            return f"{parsed.get('internalInstruction', 'undefined')}\n\n{user_content or ''}"
        case _:
            return original


def _usable(entries: list[Any]) -> list[Message]:
    return [
        Message(entry["role"], _content(entry.get("content")))
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("role"), str)
    ]


def _content(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(text for part in content if (text := _part_text(part)))
    if isinstance(content, dict) and isinstance(content.get("text"), str):
        return str(content["text"])
    return "" if content is None else js_string(content)


def _part_text(part: Any) -> str:
    if isinstance(part, dict):
        part = part.get("text")
    return _text(part)


def _with_system(system: list[str], messages: list[Message]) -> list[Message]:
    return [Message("system", text) for text in system if text] + messages


def _option_system_prompt(payload: dict[str, Any]) -> str:
    options = payload.get("options")
    return _text(options.get("system_prompt")) if isinstance(options, dict) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(options: dict[str, Any], names: tuple[str, ...]) -> float | None:
    value = next((options[name] for name in names if options.get(name) is not None), None)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _stop_words(stop: Any) -> tuple[str, ...]:
    words = stop if isinstance(stop, list) else [stop]
    return tuple(word for word in words if isinstance(word, str) and word)
