"""Which idle slot a task gets, and where the beginning of its prompt comes from. Pure.

Three ways to a prompt's beginning, cheapest first: the slot holds it itself; another slot, idle or running, holds
it and is copied; a file holds it. What is overwritten should be what is least missed.

How much an idle slot is missed ("GreedyDual" in the literature on caches): its tokens get a credit of their number
when its run leaves, on top of the `floor`, which rises to the credit of whatever was overwritten last. So an agent's
20,000 tokens outlive a hundred small chats, but not for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapter.engines.llama.kv_index import Stored
from adapter.engines.llama.prefix import common_prefix
from adapter.engines.llama.schedule_plan import Prefixes
from adapter.engines.llama.slots import Slot

COPY_MIN_TOKENS = 32  # a copy that saves less is not worth its trouble,
RESTORE_MIN_TOKENS = 64  # nor is reading a file
CARRIED_PER_TOKEN_GAINED = 32  # a copy or a file moves all of a sequence: not 20,000 tokens for the sake of 40
SMALL_TAIL_TOKENS = 256  # so many tokens after the common beginning may be given up without a look for another slot
# A prompt that shares so much more with one that is just being computed than with anything there is already waits
# for it and copies: agents start several helpers with the same long instructions at the same time.
SHARED_MIN_TOKENS = 256
GENERATION_PROMPT_TOKENS = 16  # a prompt ends in a few tokens that the next turn may not repeat ("<think>")


@dataclass(frozen=True, slots=True)
class Seat:
    """slot: who sits where. keep: how many tokens of the prompt the slot holds once the source has been read.

    source: the slot to copy, the file to restore, or `None`: the slot itself. floor: the new one.
    """

    slot: Slot
    keep: int
    source: Slot | Stored | None
    floor: int


def choose_seat(
    prompt: list[int], idle: Sequence[Slot], sources: Sequence[Slot], stored: Prefixes | None, floor: int
) -> Seat:
    """The best of the `idle` slots (at least one) for `prompt`.

    sources: the slots that may be copied, idle or running; none where copies are not wanted.
    """
    held = {slot.seq_id: slot.reusable(prompt) for slot in (*idle, *sources)}
    file = stored.longest(prompt) if stored is not None and len(prompt) > RESTORE_MIN_TOKENS else None
    direct = max(idle, key=lambda slot: (_saved_less_lost(slot, held), -slot.served_at))
    if _saved_less_lost(direct, held) > 0 and (not sources or _tail_is_small(direct, held)):
        source, keep = _source(direct, prompt, held, sources, file)
        if source is None:
            return Seat(direct, keep, None, floor)

    def missed(slot: Slot) -> int:
        return max(floor, slot.credit) - held[slot.seq_id]

    slot = min(idle, key=lambda slot: (slot.kv > 0, missed(slot), slot.served_at))
    source, keep = _source(slot, prompt, held, sources, file)
    return Seat(slot, keep, source, max(floor, missed(slot)) if slot.kv else floor)


def shared_soon(prompt: list[int], slots: Sequence[Slot], stored: Prefixes | None) -> tuple[int, int] | None:
    """The task whose prompt is being computed and begins as `prompt` does, and how many tokens of it are worth
    waiting for; `None` if what there is now is about as good. A background task is waited for by nobody.
    """
    computed = [slot.run for slot in slots if slot.run is not None and not slot.answering]
    computed = [run for run in computed if not run.task.background]
    if not computed:
        return None
    file = stored.longest(prompt) if stored is not None else None
    most = max([slot.reusable(prompt) for slot in slots] + [file.n_common if file is not None else 0])
    best: tuple[int, int] | None = None
    for run in computed:
        common = common_prefix(run.tokens, prompt, min(len(run.tokens), len(prompt) - 1))
        if common >= most + SHARED_MIN_TOKENS:
            best, most = (run.task.id, common), common
    return best


def _saved_less_lost(slot: Slot, held: dict[int, int]) -> int:
    """Three tokens in common are no reason to throw away an agent's long prompt."""
    saved = held[slot.seq_id]
    return 2 * saved - slot.kv


def _tail_is_small(slot: Slot, held: dict[int, int]) -> bool:
    """Is what follows the common beginning no loss? It is none where only an answer follows: then this is the next
    turn, or another answer to the same prompt. Otherwise it may be another conversation with the same system prompt.
    """
    common = held[slot.seq_id]
    only_answer = common >= slot.prompt_end - GENERATION_PROMPT_TOKENS
    return only_answer or slot.kv - common <= SMALL_TAIL_TOKENS


def _source(
    slot: Slot, prompt: list[int], held: dict[int, int], sources: Sequence[Slot], file: Stored | None
) -> tuple[Slot | Stored | None, int]:
    """Where `slot` best gets the beginning of `prompt` from, and how much of it that is."""
    own = held[slot.seq_id]
    source: Slot | Stored | None = None
    best = own
    # The shortest of those that hold the same: less to carry.
    for other in sorted(sources, key=lambda s: (-held[s.seq_id], s.kv)):
        gain = held[other.seq_id] - own
        if _is_worth(gain, COPY_MIN_TOKENS, other.kv):
            source, best = other, held[other.seq_id]
            break
    if file is not None:
        keep = min(file.n_common, len(prompt) - 1)
        if _is_worth(keep - best, RESTORE_MIN_TOKENS, file.n_tokens):
            source, best = file, keep
    return source, best


def _is_worth(gain: int, least: int, carried: int) -> bool:
    return gain >= least and gain * CARRIED_PER_TOKEN_GAINED >= carried
