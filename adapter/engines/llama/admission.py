"""May a model be loaded into the memory that is free, and what would fit if not? Pure.

The need is worked out from the head of the GGUF, the way the llama.cpp in llama-cpp-python 0.3.36 allocates.
Weights and KV are exact. The rest was fitted to llama.cpp's own figures, see `_compute_bytes`. A load that fails
half way, or is killed for it, costs more than one that was refused: in doubt the count is high.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from adapter.engines.llama.gguf_layers import F32_BYTES, ModelSize

MIB = 1 << 20
F16_BYTES = 2
# Bytes of a value in the cache; a block of q8_0 holds 32 values in 34 bytes.
VALUE_BYTES = {"f16": 2.0, "q8_0": 34 / 32}
Q8_BLOCK = 32
# A slot's context is rounded up to this, and so many rows of a batch are computed at a time.
CONTEXT_STEP = 256
MOST_ROWS = 512
# What llama.cpp remembers about each place in the cache: position and sequences.
CELL_BYTES = 64
# The interpreter, our code, jinja2 and the native library without a model; then, for each token of the vocabulary,
# its text, its place in tables and a merge. Of whole workers after prompts in all slots the most that was resident
# was 4 to 15 % below the estimate: 93 of 109 MiB, 139 of 149, 790 of 835, 1,012 of 1,059 (their vocabularies had no merges).
PROCESS_BYTES = 56 * MIB
TOKEN_BYTES = 400
# Less is not proposed: a chat template and a question hardly fit.
LEAST_CONTEXT = 512


@dataclass(frozen=True, slots=True)
class Shape:
    """How a model is to be loaded. ctx_tokens: of one slot.

    swa_full: layers with a sliding window get the whole context all the same. That is llama.cpp's default, and
    what makes their prefixes reusable. embeds: the model makes vectors; a text is computed at once, however long.
    """

    slots: int
    ctx_tokens: int
    batch_tokens: int
    kv_type: str = "f16"
    draft_tokens: int = 0
    swa_full: bool = True
    embeds: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """Estimated bytes. weights: the file is mapped, but every token reads all of it. other: buffers, process."""

    weights_bytes: int
    kv_bytes: int
    other_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.kv_bytes + self.other_bytes


def estimate_need(size: ModelSize, shape: Shape) -> Need:
    """What a worker with this model needs."""
    kv = _kv_bytes(size, shape)
    # A prefix on its way to the disk or to another slot exists twice; rarely are they more than a full slot.
    copied = kv // shape.slots
    other = _compute_bytes(size, shape) + copied + PROCESS_BYTES + TOKEN_BYTES * size.vocabulary
    return Need(size.weights_bytes, kv, other)


def refusal(
    name: str, size: ModelSize, shape: Shape, *, available_bytes: int, reserve_bytes: int
) -> str | None:
    """Why the model may not be loaded, and what would fit; `None` if it may.

    name: the model's, for people. reserve_bytes: of the available ones, to be left to the rest of the phone.
    """
    shape = replace(shape, ctx_tokens=min(shape.ctx_tokens, size.trained_tokens or shape.ctx_tokens))
    need = estimate_need(size, shape)
    room = available_bytes - reserve_bytes
    if need.total_bytes <= room:
        return None
    slots = "1 slot" if shape.slots == 1 else f"{shape.slots} slots"
    return (
        f"The model {name} needs about {_mib(need.total_bytes)} MiB (weights {_mib(need.weights_bytes)}, "
        f"KV {_mib(need.kv_bytes)} for {slots} x {shape.ctx_tokens} tokens, buffers and process "
        f"{_mib(need.other_bytes)}); {available_bytes // MIB:,} MiB are free and {_mib(reserve_bytes)} MiB are kept "
        f"for the phone (memory_reserve_mib). {_remedy(size, shape, room)}"
    )


def _remedy(size: ModelSize, shape: Shape, room: int) -> str:
    def fits(smaller: Shape) -> bool:
        return estimate_need(size, smaller).total_bytes <= room

    best = next(filter(fits, _smaller_shapes(size, shape)), None)
    if best is None:
        return "No shape of it would fit: close other apps, or take a smaller or more strongly quantised model."
    quantised = _quantised(size, shape)
    also = any(other != best and fits(other) for other in quantised)
    return f"{_changes(shape, best)} would fit" + ('; kv_type = "q8_0" too.' if also else ".")


def _smaller_shapes(size: ModelSize, shape: Shape) -> Iterator[Shape]:
    """What to give up, cheapest first: answers at a time, precision of the cache, context."""
    kinds = (shape, *_quantised(size, shape))
    for kind in kinds:
        for slots in range(shape.slots, 0, -1):
            yield replace(kind, slots=slots)
    ctx_tokens = 1 << (shape.ctx_tokens - 1).bit_length() - 1  # the next smaller power of two
    while ctx_tokens >= LEAST_CONTEXT:
        for kind in kinds:
            yield replace(kind, slots=1, ctx_tokens=ctx_tokens)
        ctx_tokens //= 2


def _quantised(size: ModelSize, shape: Shape) -> tuple[Shape, ...]:
    """The same with a cache of q8_0, if that is a change and possible: llama.cpp wants heads of whole blocks."""
    possible = size.attention and not shape.embeds and all(length % Q8_BLOCK == 0 for length in size.head_sizes)
    return (replace(shape, kv_type="q8_0"),) if possible and shape.kv_type != "q8_0" else ()


def _changes(shape: Shape, to: Shape) -> str:
    """As lines of the configuration."""
    changes = []
    if to.slots != shape.slots:
        changes.append(f"slots = {to.slots}")
    if to.ctx_tokens != shape.ctx_tokens:
        changes.append(f"ctx_tokens = {to.ctx_tokens}")
    if to.kv_type != shape.kv_type:
        changes.append(f'kv_type = "{to.kv_type}"')
    return " with ".join((changes[0], " and ".join(changes[1:]))) if changes[1:] else changes[0]


def _mib(n_bytes: int) -> str:
    return f"{-(-n_bytes // MIB):,}"


# --- the parts of the need -------------------------------------------------------------------------------------


def _rows(shape: Shape) -> int:
    """Of a batch, computed at a time: as `binding.py` and `binding_embed.py` ask for it."""
    if shape.embeds:
        return max(shape.batch_tokens, shape.ctx_tokens)
    return min(max(shape.batch_tokens, shape.slots + 8), MOST_ROWS)


def _cells(shape: Shape) -> int:
    """Places in one slot's cache."""
    return -(-shape.ctx_tokens // CONTEXT_STEP) * CONTEXT_STEP


def _window_cells(size: ModelSize, shape: Shape) -> int:
    """The same for a layer with a window, which must hold the batch as well."""
    if shape.swa_full:
        return _cells(shape)
    return min(_cells(shape), -(-(size.window + _rows(shape)) // CONTEXT_STEP) * CONTEXT_STEP)


def _kv_bytes(size: ModelSize, shape: Shape) -> int:
    cells, window_cells = _cells(shape), _window_cells(size, shape)
    values = sum(
        (layer.k_values + layer.v_values) * (window_cells if layer.windowed else cells) for layer in size.attention
    )
    return shape.slots * (int(values * VALUE_BYTES[shape.kv_type]) + size.state_bytes)


def _compute_bytes(size: ModelSize, shape: Shape) -> int:
    """What one decode works in.

    llama.cpp plans it so that steps share memory. Its peak is in the widest feed-forward layer (three tensors of
    that width and four of the model's) or in the logits, whichever is more; the masks are alive all the time.
    Against its own "compute buffer size", for llamas of width 256 to 1,024 and a gemma3: within 1 % with f16,
    4 % less to 5 % more with q8_0. On top: the logits' second copy, what the matrix products convert their input
    to, and the cells' bookkeeping.
    """
    rows = _rows(shape)
    outputs = 0 if shape.embeds else shape.slots * (1 + shape.draft_tokens)
    logits = outputs * size.vocabulary * F32_BYTES
    inside = rows * F32_BYTES * (3 * max(size.feed_forward, size.inner) + 4 * size.width)
    at_the_end = logits + rows * F32_BYTES * size.width
    windowed = any(layer.windowed for layer in size.attention)
    masks = rows * (_cells(shape) + windowed * _window_cells(size, shape)) * F16_BYTES
    converted = rows * max(size.feed_forward, size.inner, size.width) * F16_BYTES
    bookkeeping = shape.slots * _cells(shape) * CELL_BYTES
    return max(inside, at_the_end) + masks + logits + converted + bookkeeping
