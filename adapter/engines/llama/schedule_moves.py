"""What has to be done to the sequences before the next batch: copies, restores, trims. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapter.engines.llama.schedule_plan import Chunk, Copy, Plan, Restore, Trim


class Moves:
    """Collects the moves of one plan, at most one for each sequence."""

    def __init__(self) -> None:
        self._copies: dict[int, Copy] = {}
        self._restores: dict[int, Restore] = {}
        self._trims: dict[int, int] = {}

    def fills(self, seq_id: int) -> bool:
        return seq_id in self._copies or seq_id in self._restores

    def reads(self, seq_id: int) -> bool:
        return any(copy.src_seq == seq_id for copy in self._copies.values())

    def fill(self, seq_id: int, source: int | str, keep: int) -> None:
        """From another sequence or from the file of that key, whatever was planned for this one before."""
        self._clear(seq_id)
        if isinstance(source, int):
            self._copies[seq_id] = Copy(source, seq_id, keep)
        else:
            self._restores[seq_id] = Restore(seq_id, source, keep)

    def cut(self, seq_id: int, keep: int) -> None:
        """Keep less of what the sequence has, or is to be filled with."""
        if keep and seq_id in self._copies:
            self._copies[seq_id] = replace(self._copies[seq_id], keep=keep)
        elif keep and seq_id in self._restores:
            self._restores[seq_id] = replace(self._restores[seq_id], keep=keep)
        else:
            self._clear(seq_id)
            self._trims[seq_id] = keep

    def empty(self, seq_id: int) -> list[int]:
        """Empty the sequence, and those that were to be copies of it, which are the answer."""
        copies = [copy.dst_seq for copy in self._copies.values() if copy.src_seq == seq_id]
        for emptied in (seq_id, *copies):
            self._clear(emptied)
            self._trims[emptied] = 0
        return copies

    def plan(self, chunks: Sequence[Chunk], started: Sequence[int]) -> Plan:
        trims = tuple(Trim(seq_id, keep) for seq_id, keep in self._trims.items())
        copies, restores = tuple(self._copies.values()), tuple(self._restores.values())
        return Plan(trims, tuple(chunks), tuple(started), copies, restores)

    def _clear(self, seq_id: int) -> None:
        self._copies.pop(seq_id, None)
        self._restores.pop(seq_id, None)
        self._trims.pop(seq_id, None)
