"""Sampling settings -> the steps of a sampler chain, in llama-server's order and with its defaults. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from adapter.chat import Sampling, TokenBias

# llama-server's defaults (common/common.h), which people compare us with.
TEMPERATURE = 0.8
TOP_K = 40
TOP_P = 0.95
MIN_P = 0.05
# How far back a repeat penalty looks. Longer punishes ordinary words; llama-server's value.
REPEAT_WINDOW_TOKENS = 64
# llama.cpp's word for "take any seed".
RANDOM_SEED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Step:
    """`llama_sampler_init_<name>(*values)`; `penalties` gets the size of the vocabulary before its values, `logit_bias` its biases."""

    name: str
    values: tuple[int | float, ...] = ()
    biases: tuple[TokenBias, ...] = ()


def sampling_steps(sampling: Sampling, *, n_ctx: int, choice: int = 0) -> list[Step]:
    """The chain for one answer. Temperature 0 is greedy, after biases and penalties.

    choice: which of several answers to one request; added to the seed, so that they differ and can be had again.

    Penalties count the tokens of the answer, not of the prompt, as OpenAI words it; frequency and
    presence look back over all of it, the repeat penalty over its own short window.
    """
    steps = [Step("logit_bias", biases=sampling.logit_bias)] if sampling.logit_bias else []
    steps += _penalties(sampling, n_ctx)
    temperature = TEMPERATURE if sampling.temperature is None else sampling.temperature
    if temperature <= 0:
        return [*steps, Step("greedy")]
    top_k = TOP_K if sampling.top_k is None else sampling.top_k
    top_p = TOP_P if sampling.top_p is None else sampling.top_p
    min_p = MIN_P if sampling.min_p is None else sampling.min_p
    if top_k > 0:
        steps.append(Step("top_k", (min(top_k, 0x7FFFFFFF),)))
    if top_p < 1:
        steps.append(Step("top_p", (top_p, 1)))
    if min_p > 0:
        steps.append(Step("min_p", (min_p, 1)))
    return [*steps, Step("temp", (temperature,)), Step("dist", (_seed(sampling.seed, choice),))]


def _penalties(sampling: Sampling, n_ctx: int) -> list[Step]:
    steps = []
    if sampling.repeat_penalty not in (None, 1):
        steps.append(Step("penalties", (REPEAT_WINDOW_TOKENS, float(sampling.repeat_penalty or 1), 0.0, 0.0)))
    if sampling.frequency_penalty or sampling.presence_penalty:
        values = (sampling.frequency_penalty or 0.0, sampling.presence_penalty or 0.0)
        steps.append(Step("penalties", (n_ctx, 1.0, *values)))
    return steps


def _seed(seed: int | None, choice: int) -> int:
    """A 64-bit seed folded into llama.cpp's 32 bits, never by chance its "any seed"."""
    if seed is None:
        return RANDOM_SEED
    folded = ((seed ^ (seed >> 32)) + choice) & 0xFFFFFFFF
    return 0 if folded == RANDOM_SEED else folded
