"""Which rows the next batch gets, once it is known who sits where. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapter.engines.llama.schedule_plan import Chunk
from adapter.engines.llama.slots import Run, Slot

# What a pinned prompt gets of a batch in which somebody waits for the next token: a phone computes some 20 to
# 100 tokens of a prompt a second, so a whole batch would be a hole of seconds in every answer.
BACKGROUND_BESIDE_TOKENS = 32


def choose_rows(slots: Sequence[Slot], drafts: Mapping[int, tuple[int, ...]], room: int) -> list[Chunk]:
    """At most `room` tokens, in this order: a row for every answer under way, the rest of text that was forced
    on an answer, prompts, drafts (only if there is no prompt), background tasks.

    drafts: by task id.
    """
    ordinary = [slot for slot in slots if slot.pending and not _run(slot).task.background]
    answers = sorted((s for s in ordinary if _is_answering(s)), key=lambda s: s.served_at)
    prompts = sorted((s for s in ordinary if not _is_answering(s)), key=lambda s: s.pending)
    answers = answers[:room]
    room -= len(answers)
    widths = _forced_text(answers, room)
    room -= sum(widths.values()) - len(answers)
    guessed = {} if prompts else _guesses(answers, drafts, room)
    chunks = [_chunk(slot, widths[slot.seq_id], guessed.get(slot.seq_id, ())) for slot in answers]
    for slot, share in zip(prompts, _shares([slot.pending for slot in prompts], room), strict=True):
        if share:
            chunks.append(_chunk(slot, share))
            room -= share
    if not prompts:
        room -= sum(map(len, guessed.values()))
        chunks += _background(slots, min(room, BACKGROUND_BESIDE_TOKENS) if answers else room)
    return chunks


def _run(slot: Slot) -> Run:
    assert slot.run is not None
    return slot.run


def _is_answering(slot: Slot) -> bool:
    # The last token of a prompt costs no more than any answer's row, and somebody waits for it.
    return slot.answering or slot.pending == 1


def _shares(wanted: Sequence[int], room: int) -> list[int]:
    """Divide `room` evenly. `wanted` ascends, so what the small ones leave goes to the great ones."""
    shares = []
    for at, want in enumerate(wanted):
        share = min(want, max(1, room // (len(wanted) - at)), room)
        shares.append(share)
        room -= share
    return shares


def _forced_text(answers: Sequence[Slot], room: int) -> dict[int, int]:
    """How many tokens each answer decodes: one, or more where text was forced on it."""
    widths = {slot.seq_id: 1 for slot in answers}
    forced = sorted((slot for slot in answers if slot.pending > 1), key=lambda s: s.pending)
    for slot, more in zip(forced, _shares([slot.pending - 1 for slot in forced], room), strict=True):
        widths[slot.seq_id] += more
    return widths


def _guesses(
    answers: Sequence[Slot], drafts: Mapping[int, tuple[int, ...]], room: int
) -> dict[int, tuple[int, ...]]:
    """The drafts that fit, by sequence."""
    offers = []
    for slot in answers:
        draft = drafts.get(_run(slot).task.id, ())
        if draft and slot.pending == 1:
            offers.append((slot.seq_id, draft))
    offers.sort(key=lambda offer: len(offer[1]))
    shares = _shares([len(draft) for _, draft in offers], room)
    return {seq_id: draft[:share] for (seq_id, draft), share in zip(offers, shares, strict=True)}


def _background(slots: Sequence[Slot], room: int) -> list[Chunk]:
    baked = [slot for slot in slots if slot.pending and _run(slot).task.background]
    return [_chunk(slot, min(slot.pending, room)) for slot in baked[:1] if room > 0]


def _chunk(slot: Slot, width: int, draft: tuple[int, ...] = ()) -> Chunk:
    tokens = (*slot.tokens[slot.kv : slot.kv + width], *draft)
    samples = 1 + len(draft) if width == slot.pending else 0
    return Chunk(slot.seq_id, slot.kv, tokens, samples)
