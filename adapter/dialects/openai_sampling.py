"""How to choose tokens and when to stop, from the request. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapter.chat import Sampling, TokenBias
from adapter.dialects.openai_values import integer, number, whole_text, wrong_type
from adapter.errors import BadRequest

MAX_STOPS = 16
MAX_STOP_CHARS = 256
MAX_BIASES = 1_024
_INT64 = 2**63
SAMPLING_FIELDS = (
    "temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repeat_penalty",
    "repetition_penalty", "max_tokens", "max_completion_tokens", "stop", "seed", "logit_bias",
)  # fmt: skip
_UNUSUAL = frozenset(SAMPLING_FIELDS) - {"temperature", "top_p", "max_tokens", "max_completion_tokens"}


def parse_sampling(given: Mapping[str, Any]) -> Sampling:
    if _UNUSUAL.isdisjoint(given):
        return Sampling(
            temperature=number(given, "temperature", 0, 2), top_p=number(given, "top_p", 0, 1), max_tokens=_max_tokens(given)
        )
    repeat = "repeat_penalty" if "repeat_penalty" in given else "repetition_penalty"
    return Sampling(
        temperature=number(given, "temperature", 0, 2),
        top_p=number(given, "top_p", 0, 1),
        top_k=_top_k(given),
        min_p=number(given, "min_p", 0, 1),
        frequency_penalty=number(given, "frequency_penalty", -2, 2),
        presence_penalty=number(given, "presence_penalty", -2, 2),
        repeat_penalty=number(given, repeat, 0.01, 10),
        max_tokens=_max_tokens(given),
        seed=integer(given, "seed", -_INT64, 2 * _INT64 - 1),
        stop=_stops(given),
        logit_bias=_logit_bias(given),
    )


def _top_k(given: Mapping[str, Any]) -> int | None:
    """-1 is vLLM's "off", which is 0 here."""
    value = integer(given, "top_k", -1, 1_000_000)
    return 0 if value == -1 else value


def _max_tokens(given: Mapping[str, Any]) -> int | None:
    """`max_completion_tokens` is OpenAI's newer name and wins. -1 is LM Studio's and llama.cpp's "no limit"."""
    name = "max_completion_tokens" if "max_completion_tokens" in given else "max_tokens"
    if given.get(name) == -1:
        return None
    return integer(given, name, 1, 2**31 - 1)


def _stops(given: Mapping[str, Any]) -> tuple[str, ...]:
    """A string or a list of them. An empty string stops nothing and counts as none."""
    value = given.get("stop", [])
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list):
        raise wrong_type("stop", "a string or an array of strings", value)
    if len(entries) > MAX_STOPS:
        raise BadRequest(f"'stop' has {len(entries)} strings; at most {MAX_STOPS} are possible.", param="stop")
    for index, entry in enumerate(entries):
        if not isinstance(entry, str):
            raise wrong_type(f"stop[{index}]", "a string", entry)
        if len(entry) > MAX_STOP_CHARS:
            raise BadRequest(
                f"'stop[{index}]' has {len(entry)} characters; at most {MAX_STOP_CHARS} are possible.",
                param=f"stop[{index}]",
            )
    return tuple(dict.fromkeys(whole_text(entry) for entry in entries if entry))


def _logit_bias(given: Mapping[str, Any]) -> tuple[TokenBias, ...]:
    """`{"15043": -100}`: ids are keys, so they come as strings."""
    value = given.get("logit_bias", {})
    if not isinstance(value, dict):
        raise wrong_type("logit_bias", "an object of token ids and numbers", value)
    if len(value) > MAX_BIASES:
        raise BadRequest(
            f"'logit_bias' has {len(value)} entries; at most {MAX_BIASES} are possible.", param="logit_bias"
        )
    biases: dict[int, float] = {}
    for key, bias in value.items():
        if not (key.isascii() and key.isdigit() and len(key) <= 10 and int(key) < 2**31):
            raise BadRequest(
                f"'logit_bias' has the key '{whole_text(key[:20])}', which is not a token id.", param="logit_bias"
            )
        number({"logit_bias": bias}, "logit_bias", -100, 100)
        if bias is None or int(key) in biases:
            raise BadRequest(f"'logit_bias' needs one number for the token {int(key)}.", param="logit_bias")
        biases[int(key)] = float(bias)
    return tuple(TokenBias(token, bias) for token, bias in biases.items() if bias)
