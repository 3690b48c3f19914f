"""What a client would make of what was seen. Pure; one small function a question."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from adapter.connect.check_facts import Facts, Finding, Level, Seen, Verdict
from adapter.connect.check_requests import ANSWER_TOKENS
from adapter.connect.truth import Model

# Of a client's patience: above it, another phone or a warm day is enough to fail.
NEAR = 0.5


def judge(facts: Facts) -> Verdict:
    if not facts.listed.fine:
        return Verdict((*_key(facts),))
    return Verdict(
        (*_key(facts), *_ready(facts), *_context(facts), *_tools(facts), *_schema(facts), *_embeddings(facts), *_answer(facts), *_patience(facts),
         *_parallel(facts))
    )  # fmt: skip


def _ok(name: str, said: str) -> Finding:
    return Finding(name, Level.OK, said)


def _warn(name: str, said: str, remedy: str) -> Finding:
    return Finding(name, Level.WARN, said, remedy)


def _fail(name: str, said: str, remedy: str) -> Finding:
    return Finding(name, Level.FAIL, said, remedy)


def _key(facts: Facts) -> Iterator[Finding]:
    seen = facts.listed
    if seen.fine:
        yield _ok("key", "The server lets the key in.")
    elif seen.status in (401, 403):
        yield _fail("key", f"The server does not let the key in (status {seen.status}). {_sentence(seen.error)}".strip(),
                    f"make one where the server runs, with: farmhand token new {facts.client}")  # fmt: skip
    else:
        yield _fail("server", f"There is no list of models: {seen.error or f'status {seen.status}'}.", "see what is wrong with: farmhand status")


def _ready(facts: Facts) -> Iterator[Finding]:
    body = facts.ready
    if body is None:
        return
    pressure = body.get("pressure")
    level = pressure.get("level") if isinstance(pressure, dict) else None
    why = str(pressure.get("reason") or "").rstrip(". ") if isinstance(pressure, dict) else ""
    reason = f" ({why})" if why else ""
    if level in ("pause", "unload") and facts.main is not None and facts.main.fine:
        yield _warn("paused", f"The engines on the phone are paused{reason}; the answer came from elsewhere.", "nothing, if that is wanted")
    elif level in ("pause", "unload"):
        yield _fail("paused", f"The server is paused{reason} and begins nothing new.", "wait for its end, or type on the phone: farmhand resume")
    elif level == "slow":
        yield _warn("slow", f"The phone has been told to work slowly{reason}; times are longer than usual.",
                    "try again when it has cooled down or is charging")  # fmt: skip
    if body.get("status") != "ready":
        yield _fail("ready", "The server is not ready: no engine can answer.", "see why with: farmhand status")
    elif level not in ("pause", "unload"):
        yield _ok("ready", "The server is ready.")


# --- what the model is, and can ------------------------------------------------------------------------------


def _tokens_per_estimate(facts: Facts) -> float:
    """How many of the model's tokens one of our estimate is: small vocabularies need more."""
    if facts.main and facts.plan and facts.main.prompt_tokens:
        return max(1.0, facts.main.prompt_tokens / facts.plan.tokens)
    return 1.0


def _need(facts: Facts, prompt_tokens: int) -> int:
    ratio = _tokens_per_estimate(facts)
    return round(prompt_tokens * (ratio if ratio > 1.25 else 1.0)) + facts.profile.answer_tokens


def _context(facts: Facts) -> Iterator[Finding]:
    profile, have = facts.profile, facts.model.context_tokens
    if not have:
        yield _warn("context", f"The server does not say how large the context of {facts.model.id} is.",
                    "look it up, and compare it with what the client needs")  # fmt: skip
        return
    if profile.min_context_tokens > have:
        least = profile.min_context_tokens
        yield _fail("min-context", f"The client refuses models with less than {least:,} tokens of context; {facts.model.id} has {have:,}.",
                    _larger(facts, least))  # fmt: skip
    small = bool(facts.small and profile.small_prompt_tokens)
    prompt = profile.small_prompt_tokens if small else profile.prompt_tokens
    need = _need(facts, prompt)
    what = f"Its first request{' in the small form' if small else ''} needs about {need:,} tokens, {profile.answer_tokens:,} of them for the answer"
    if need <= have:
        yield _ok("context", f"{what}; {facts.model.id} has {have:,}.")
        return
    least = _need(facts, profile.small_prompt_tokens)
    if not small and profile.small_prompt_tokens and least <= have:
        remedy = f"farmhand connect {facts.client} --write --small, which needs {least:,}; or {_larger(facts, need)}"
    else:
        also = f" (even --small needs {least:,})" if not small and profile.small_prompt_tokens else ""
        remedy = _larger(facts, need) + also
    yield _fail("context", f"{what}; {facts.model.id} has only {have:,}.", remedy)


def _larger(facts: Facts, need: int) -> str:
    """Which model would do."""
    names = [f"--model {model.id} ({model.context_tokens:,})" for model in facts.models if model.does("chat") and model.context_tokens >= need]
    return " or ".join(names[:2]) if names else f"a model with at least {need:,} tokens of context; for the embedded engine: ctx_tokens"


def _ability(model: Model, ability: str) -> str:
    return "itself" if ability in model.can else "emulated" if ability in model.emulated else "none"


def _tools(facts: Facts) -> Iterator[Finding]:
    if not facts.profile.tools and not facts.profile.needs_tools:
        return
    count = f"{facts.profile.tools} tools" if facts.profile.tools else "tools"
    match _ability(facts.model, "tools"):
        case "itself":
            yield _ok("tools", f"It sends {count}, and {facts.model.id} calls tools.")
        case "emulated":
            yield _warn("tools", f"It sends {count}; {facts.model.id} calls none by itself, so that they are written into the prompt and checked.",
                        f"it works, slower; better is {_able(facts, 'tools')}")  # fmt: skip
        case _ if facts.profile.needs_tools:
            yield _fail("tools", f"It sends {count} and is of no use without, and {facts.model.id} cannot call any.", _able(facts, "tools"))
        case _:
            yield _warn("tools", f"It sends {count}, and {facts.model.id} cannot call any.",
                        f"switch tools off in the client, or {_able(facts, 'tools')}")  # fmt: skip


def _able(facts: Facts, ability: str) -> str:
    names = [f"--model {model.id}" for model in facts.models if ability in model.can and model.does("chat") and model.id != "auto"]
    return " or ".join(names[:2]) or "a model that can do it by itself"


def _schema(facts: Facts) -> Iterator[Finding]:
    if not facts.profile.schema and not facts.profile.needs_schema:
        return
    level = _fail if facts.profile.needs_schema else _warn
    ability = _ability(facts.model, "response_format")
    if ability == "none" and facts.farmhand:
        yield level("schema", f"It asks for JSON by a schema, and {facts.model.id} cannot be held to one.", _able(facts, "response_format"))
        return
    seen = facts.schema
    if seen is None:
        return
    if not seen.fine:
        why = "nothing came in time" if seen.late else _sentence(seen.error) or f"status {seen.status}"
        yield level("schema", f"It asks for JSON by a schema, and that fails: {why}", _able(facts, "response_format"))
    elif not _fits(seen.content):
        yield level("schema", f"It asks for JSON by a schema, and the answer does not fit it: {seen.content[:60]!r}.",
                    _able(facts, "response_format"))  # fmt: skip
    else:
        yield _ok("schema", f"JSON by a schema comes as asked for{' (checked around the model)' if ability == 'emulated' else ''}.")


def _fits(content: str) -> bool:
    try:
        value: Any = json.loads(content)
    except ValueError:
        return False
    return isinstance(value, dict) and value.keys() == {"sunny"} and isinstance(value["sunny"], bool)


def _embeddings(facts: Facts) -> Iterator[Finding]:
    if not facts.profile.embeddings:
        return
    embedder = next((model for model in facts.models if model.does("embeddings")), None)
    if embedder is None:
        yield _warn("embeddings", "It asks for vectors too, and no model here makes any.",
                    "set up a model for embeddings, or leave that part of the client off")  # fmt: skip
        return
    seen = facts.embedding
    if seen is not None and not seen.fine:
        why = "nothing came in time" if seen.late else _sentence(seen.error) or f"status {seen.status}"
        yield _fail("embeddings", f"Vectors of {embedder.id} fail: {why}", "see what is wrong with: farmhand status")
    elif seen is not None:
        yield _ok("embeddings", f"{embedder.id} makes vectors.")


# --- the answer, and how long it takes -----------------------------------------------------------------------


def _answer(facts: Facts) -> Iterator[Finding]:
    seen = facts.main
    if seen is None or seen.late:
        return
    if seen.fine:
        yield _ok("answer", f"A request of its kind was answered: {_sent(facts)}, {seen.whole_s or 0:.1f} s.")
    elif seen.code == "insufficient_scope":
        yield _fail("scope", f"The key may not do that. {_sentence(seen.error)}",
                    f"make another where the server runs, and give it with --key: farmhand token new {facts.client}-2 --scope chat,embed")  # fmt: skip
    else:
        status = f"status {seen.status}: " if seen.status not in (None, 200) else ""
        again = f" It may be tried again after {seen.retry_after_s} s." if seen.retry_after_s else ""
        yield _fail("answer", f"A request of its kind ({_sent(facts)}) fails: {status}{_sentence(seen.error)}{again}",
                    "see what is wrong with: farmhand status")  # fmt: skip


def _sent(facts: Facts) -> str:
    assert facts.plan is not None  # with what was seen there was a plan
    tokens = facts.main.prompt_tokens if facts.main and facts.main.prompt_tokens else facts.plan.tokens
    tools = f" with {facts.plan.tools} tools" if facts.plan.tools else ""
    clipped = f" (of its {facts.plan.wanted_tokens:,})" if facts.plan.clipped else ""
    return f"about {tokens:,} tokens{clipped}{tools}"


def _patience(facts: Facts) -> Iterator[Finding]:
    seen, plan, profile = facts.main, facts.plan, facts.profile
    if seen is None or plan is None:
        return
    if seen.late:
        yield _unfinished(facts, seen)
        return
    if not seen.fine:
        return
    scale = max(1.0, plan.wanted_tokens / plan.tokens) if plan.clipped else 1.0
    if profile.stream:
        yield from _of_a_stream(facts, seen, scale)
    elif profile.whole_s is not None or profile.byte_s is not None:
        yield from _of_a_whole(facts, seen, scale)


def _unfinished(facts: Facts, seen: Seen) -> Finding:
    limits = [limit for limit in (facts.profile.byte_s, facts.profile.data_s, facts.profile.whole_s) if limit is not None]
    silent = seen.first_word_s is None
    what = f"{'Not a word' if silent else 'No whole answer'} came within {seen.waited_s:.0f} s ({_sent(facts)})"
    patience = min(limits, default=None)
    if silent and patience is not None and patience <= seen.waited_s and not seen.kept_alive:
        return _fail("patience", f"{what}, and the client gives up after {patience:.0f} s.",
                     "a faster model, a shorter prompt, or a longer time-out in the client")  # fmt: skip
    return _warn("patience", f"{what}: whether the client waits so long was not seen.", "give the check more time with --limit SECONDS")


def _of_a_stream(facts: Facts, seen: Seen, scale: float) -> Iterator[Finding]:
    """Farmhand sends something every few seconds while nothing is ready; other servers, and a proxy in between, do not (`protocols/clients.md` 6)."""
    profile = facts.profile
    first_s = (seen.first_word_s or 0.0) * scale
    keeps = (facts.farmhand and not facts.proxied) or seen.kept_alive
    byte_s = seen.byte_gap_s if keeps else max(seen.byte_gap_s, first_s)
    data_s = seen.data_gap_s if keeps else max(seen.data_gap_s, first_s)
    word = f"The first word comes after {_about(seen.first_word_s or 0.0, first_s, facts)}"
    worst = [(limit, silence, what) for limit, silence, what in (
        (profile.data_s, data_s, "without a chunk of data"), (profile.byte_s, byte_s, "without a byte"),
    ) if limit is not None and silence > limit]  # fmt: skip
    if worst:
        limit, silence, what = worst[0]
        yield _fail("patience", f"{word}; it is silent for {silence:.0f} s, and the client gives up after {limit:g} s {what}.", _longer(facts))
        return
    near = [limit for limit, silence in ((profile.data_s, data_s), (profile.byte_s, byte_s)) if limit is not None and silence > NEAR * limit]
    if near:
        yield _warn("patience", f"{word}; the client gives up after {min(near):g} s of silence, which is not much more.", _longer(facts))
    else:
        meanwhile = " Meanwhile the server keeps the line alive." if keeps and first_s > 1 else ""
        yield _ok("patience", f"{word}.{meanwhile}")


def _of_a_whole(facts: Facts, seen: Seen, scale: float) -> Iterator[Finding]:
    """A plain answer is silent until it is whole: the prompt's time grows with it, the answer's with its length."""
    profile, speed = facts.profile, facts.speed
    token_s = speed.words_s / (speed.words - 1) if speed and speed.fine and speed.words > 1 else 0.0
    seen_s = seen.whole_s or 0.0
    prompt_s = max(0.0, seen_s - ANSWER_TOKENS * token_s)
    whole_s = max(seen_s, prompt_s * scale + profile.answer_tokens * token_s)
    limit = min(limit for limit in (profile.whole_s, profile.byte_s) if limit is not None)
    said = f"A whole answer of {profile.answer_tokens:,} tokens takes about {whole_s:.1f} s"
    if whole_s > limit:
        yield _fail("patience", f"{said}, and the client gives up after {limit:g} s.", _longer(facts))
    elif whole_s > NEAR * limit:
        yield _warn("patience", f"{said}; the client gives up after {limit:g} s, which is not much more.", _longer(facts))
    else:
        yield _ok("patience", f"{said}; the client waits for {limit:g} s.")


def _about(seen_s: float, first_s: float, facts: Facts) -> str:
    assert facts.plan is not None
    scaled = f", about {first_s:.0f} s for its whole {facts.plan.wanted_tokens:,} tokens" if first_s >= max(1.0, 1.1 * seen_s) else ""
    return f"{seen_s:.1f} s{scaled}"


def _longer(facts: Facts) -> str:
    straight = "connect it straight to the adapter instead of through the proxy, or " if facts.proxied else ""
    small = "--small, " if facts.profile.small_prompt_tokens and not facts.small else ""
    return f"{straight}{small}a faster model, or a longer time-out in the client"


def _parallel(facts: Facts) -> Iterator[Finding]:
    engines = facts.ready.get("engines") if facts.ready else None
    engine = engines.get(facts.model.engine) if isinstance(engines, dict) else None
    queue = engine.get("queue") if isinstance(engine, dict) else None
    seats = queue.get("capacity") if isinstance(queue, dict) else None
    at_once = facts.profile.parallel
    if not isinstance(seats, int) or at_once <= 1:
        return
    if at_once <= seats:
        yield _ok("parallel", f"It asks up to {at_once} at once, and {facts.model.engine} answers {seats}.")
        return
    said = f"It asks up to {at_once} at once, and {facts.model.engine} answers {seats} at a time; the others wait"
    seen, limit = facts.main, facts.profile.whole_s
    last_s = (seen.whole_s or 0.0) * -(-at_once // seats) if seen and seen.fine else 0.0
    if limit is not None and last_s > limit:
        yield _warn("parallel", f"{said}, the last about {last_s:.0f} s, longer than it waits for ({limit:g} s).",
                    "let it ask for less at once, or a faster model")  # fmt: skip
    else:
        yield _ok("parallel", f"{said}.")


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?" else text + "."
