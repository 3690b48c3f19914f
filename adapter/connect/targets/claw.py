"""What OpenClaw and Clawdbot have in common: a provider `farm` in their configuration, and how much of their prompt fits into a context. Pure.

The numbers are those of `protocols/clients.md` 8.4 and, for the guesses, of OpenClaw 2026.9.6 itself: it reckons before each turn, by its own
estimate, and what is left for the prompt is three quarters of the context. Above that it compacts, and at last asks for one token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.connect.parts import Put
from adapter.connect.target import ConnectError
from adapter.connect.truth import KEY_VARIABLE, URL_VARIABLE, Model, Truth

PROVIDER = "farm"
# For a few messages besides the prompt, by its own reckoning.
TALK_TOKENS = 1_000
# The part of the context that it lets the prompt take.
PROMPT_PART = 0.75
# For a model whose context nobody says. OpenClaw itself would take 128,000.
UNKNOWN_CONTEXT = 8_192
LEAST_ANSWER = 256


@dataclass(frozen=True, slots=True)
class Form:
    """One way to make its prompt smaller. guess_tokens: its own estimate of the prompt for "hi"; tokens: those of GPT-4's tokenizer over messages and
    tools. settings: what makes it so, as (path, value). calls: does the model get tools? lost: what the user misses, for the note."""

    name: str
    tokens: int
    guess_tokens: int
    settings: tuple[tuple[tuple[str, ...], Any], ...] = ()
    calls: bool = True
    lost: str = ""

    @property
    def needs_tokens(self) -> int:
        """Context from which on a talk of some messages works."""
        return int((self.guess_tokens + TALK_TOKENS) / PROMPT_PART)


@dataclass(frozen=True, slots=True)
class Words:
    """What differs between the two names. home: below the user's folder. forms: largest first. least_context: refuses models that say less."""

    name: str
    token_variable: str
    forms: tuple[Form, ...]
    least_context: int
    provider: tuple[tuple[str, Any], ...] = ()
    model: tuple[tuple[str, Any], ...] = field(default=())


def form_for(words: Words, context_tokens: int, *, small: bool) -> Form:
    """The largest that fits; `small`: the smallest, whatever fits. Raises `ConnectError` where none does."""
    if context_tokens < words.least_context:
        raise ConnectError(
            f"{words.name} refuses models with less than {words.least_context:,} tokens of context, and this one has {context_tokens:,}. "
            "Give the engine more (ctx_tokens in its section of the configuration), or name another model with --model"
        )
    *larger, smallest = words.forms
    if not small:
        for form in larger:
            if form.needs_tokens <= context_tokens:
                return form
    return smallest


def context_of(model: Model) -> int:
    return model.context_tokens or UNKNOWN_CONTEXT


def answer_tokens(model: Model) -> int:
    """`maxTokens`: what the model can, and no more than the quarter of the context that is left beside the prompt."""
    quarter = max(LEAST_ANSWER, int(context_of(model) * (1 - PROMPT_PART)))
    return min(model.max_output_tokens, quarter) if model.max_output_tokens else quarter


def entries(words: Words, truth: Truth, form: Form) -> list[dict[str, Any]]:
    """All models that can chat, the one to use first, without those that the program refuses."""
    models = [truth.model, *(model for model in truth.chats if model.id != truth.model.id)]
    return [_entry(words, model, form) for model in models if context_of(model) >= words.least_context]


def _entry(words: Words, model: Model, form: Form) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": model.id,
        "name": model.id,
        "reasoning": False,
        "input": ["text", "image"] if model.does("vision") else ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": context_of(model),
        "maxTokens": answer_tokens(model),
        **dict(words.model),
    }
    if not form.calls or not model.does("tools"):
        entry["compat"] = {"supportsTools": False}
    return entry


def edits(words: Words, truth: Truth, form: Form) -> tuple[Put, ...]:
    """Of its configuration. What the user has chosen about the gateway, heartbeat and the like stays."""
    provider = ("models", "providers", PROVIDER)
    defaults = ("agents", "defaults")
    return (
        Put(("gateway", "mode"), "local", absent_only=True),
        Put(("gateway", "port"), 18_789, absent_only=True),
        Put(("gateway", "bind"), "loopback", absent_only=True),
        Put(("gateway", "auth"), {"mode": "token", "token": f"${{{words.token_variable}}}"}, absent_only=True),
        Put((*defaults, "model", "primary"), f"{PROVIDER}/{truth.model.id}"),
        # Without it a whole turn every 30 minutes (8.1), which keeps a phone awake for nothing.
        Put((*defaults, "heartbeat", "every"), "0m", absent_only=True),
        *(Put(path, value) for path, value in form.settings),
        Put(("models", "mode"), "merge", absent_only=True),
        Put((*provider, "baseUrl"), f"${{{URL_VARIABLE}}}"),
        Put((*provider, "apiKey"), f"${{{KEY_VARIABLE}}}"),
        Put((*provider, "api"), "openai-completions", absent_only=True),
        *(Put((*provider, name), value, absent_only=True) for name, value in words.provider),
        Put((*provider, "models"), entries(words, truth, form)),
    )


def notes(words: Words, truth: Truth, form: Form) -> tuple[str, ...]:
    """What the person should know, in the order in which it matters."""
    model, context = truth.model, context_of(truth.model)
    said: list[str] = []
    if not model.context_tokens:
        said.append(f"Nobody says how much context {model.id} has; {UNKNOWN_CONTEXT:,} tokens are assumed. Correct contextWindow if it has more.")
    if form.lost:
        said.append(f"Made for {context:,} tokens of context: {form.lost}. {_next_larger(words, form)}")
    if context < form.needs_tokens:
        left = context - form.tokens
        said.append(f"Its prompt takes about {form.tokens:,} of {context:,} tokens; {left:,} are left for talk and answer, which is short.")
    if form.calls and not model.does("tools"):
        said.append(f"{model.id} cannot call tools, so it only talks.")
    elif form.calls and "tools" in model.emulated:
        said.append(f"{model.id} has no tools of its own; Farmhand asks for them in words, which small models do not always follow.")
    if refused := _refused(words, truth.chats):
        said.append(f"Left out, since {words.name} wants {words.least_context:,} tokens of context: {', '.join(refused)}.")
    return tuple(said)


def _next_larger(words: Words, form: Form) -> str:
    place = words.forms.index(form)
    wanted = min((larger.needs_tokens for larger in words.forms[:place]), default=0)
    return f"With {wanted:,} tokens or more this can be written again without it; take {_named(form)} out of the file then." if wanted else ""


def _named(form: Form) -> str:
    return " and ".join(".".join(path) for path, _ in form.settings) or "supportsTools"


def _refused(words: Words, models: Sequence[Model]) -> list[str]:
    return [model.id for model in models if context_of(model) < words.least_context]
