"""What a model's name may also mean when nobody lists it exactly. Pure, and about names only: who lists what is `routing_lookup.py`.

Spellings of one and the same model are equal here; another model is never meant, but for one case that is written out in `ALSO_MEANS`.
"""

from __future__ import annotations

import re

# What LiteLLM's users write in front of a name, and some programs send along (`protocols/pitwall.md` 4.1, 8).
PROVIDER = "openai/"
# Of files (`protocols/inferrlm.md` 6; LocalLLM's ids lack it, `localllm.md` 10), of Ollama's tags, of Google's tuned models.
ENDINGS = (".gguf", ".litertlm", ".task", ":latest", "-it")
# How the weights are stored: Q4_K_M, UD-Q4_K_XL, IQ4_XS, int4, f16. A name without it means the model, however it is stored.
_STORED_AS = re.compile(r"[-_.](?:ud-)?(?:i?q\d(?:_[a-z0-9]+)*|tq\d_\d|mxfp4|int[48]|b?f16|f32|fp16)$")
# Longer ones are no names; nothing here costs more with what somebody makes up.
MAX_NAME = 300

_GEMMA_4_E2B = ("gemma-4-e2b", "gemma4-e2b", "gemma4:e2b", "google/gemma-4-e2b")
_GEMMA_3N_E2B = ("gemma-3n-e2b", "gemma3n-e2b", "gemma3n:e2b", "google/gemma-3n-e2b")

# A plain name -> the plain names that it means, best first.
#
# Both are spelled differently by every program that serves them. Pitwall asks for `gemma3n-e2b` by default, a name that LocalLLM
# never had: its model is `gemma-4-e2b`, and that is what Pitwall's own later scripts ask the same app for (`protocols/pitwall.md` 2).
# So the older name means the newer model where the older one is not there. The other way round nobody needs, and a Gemma 3n
# would not know Gemma 4's form of tool calls; E4B is another model than E2B.
ALSO_MEANS = {
    **dict.fromkeys(_GEMMA_4_E2B, _GEMMA_4_E2B),
    **dict.fromkeys(_GEMMA_3N_E2B, _GEMMA_3N_E2B + _GEMMA_4_E2B),
}

# LocalLLM's catalog (`protocols/localllm.md` 10), and what its clients call it: names that may well belong to a closed app.
_APP_MODELS = frozenset({*ALSO_MEANS, "gemma-4-e4b", "gemini-nano-aicore"})
_APP_FAMILIES = ("gemma3-1b-it-npu-",)
# What InferrLM's models are called (`protocols/inferrlm.md` 6).
MODEL_FILE_ENDINGS = (".gguf", ".litertlm", ".task")


def spellings(asked: str) -> tuple[str, ...]:
    """The name, and the name without a provider in front. Not more of it: `openai/gpt-oss-20b` is a model's own name."""
    bare = asked.removeprefix(PROVIDER)
    return (asked,) if bare in (asked, "") else (asked, bare)


def plain(name: str) -> str:
    """The name without case and endings, so that spellings of one model are equal. Too long a name stays as it is."""
    return name if len(name) > MAX_NAME else _stripped(name.casefold())


def _stripped(name: str) -> str:
    shorter = name
    for ending in ENDINGS:
        shorter = shorter.removesuffix(ending)
    return _stripped(shorter) if shorter not in ("", name) else name


def meanings(asked: str) -> tuple[str, ...]:
    """The plain names that `asked` stands for, best first."""
    name = plain(asked)
    return ALSO_MEANS.get(name, (name,))


def closeness(listed: str, meant: tuple[str, ...]) -> int | None:
    """How well a listed name fits one of the `meanings`, 0 best; `None` where it is another model."""
    if len(listed) > MAX_NAME:
        return None
    name = plain(listed)
    if name in meant:
        return 2 * meant.index(name)
    name = _stripped(_STORED_AS.sub("", name))
    return 2 * meant.index(name) + 1 if name in meant else None


def may_belong_to_an_app(asked: str) -> bool:
    """Is this what the phone's apps call their models? Then it may be there as soon as the app is open."""
    if asked.casefold().endswith(MODEL_FILE_ENDINGS):
        return True
    name = plain(spellings(asked)[-1])
    return name in _APP_MODELS or name.startswith(_APP_FAMILIES)
