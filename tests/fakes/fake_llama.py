"""A model without llama.cpp behind the worker's `Model` seam: tokens are bytes, the answer is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adapter.chat import Sampling
from adapter.engines.llama.model import Decoded, ModelFacts
from adapter.engines.llama.scheduler import Chunk

EOG = 256


class FakeSampler:
    def __init__(self, model: FakeLlama) -> None:
        self._model = model
        self.closed = False

    def sample(self, seq_id: int) -> int:
        return self._model.next_token(self._model.held[seq_id])

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeLlama:
    """Answers `reply`, byte by byte, to every prompt, and then ends.

    It keeps its own account of what each sequence holds, so a chunk at the wrong place fails the test.
    on_decode: called with every batch before it is done; may raise, or return what `decode` shall return.
    """

    reply: bytes = b"hello"
    ctx_tokens: int = 64
    trims_partly: bool = True
    on_decode: Callable[[Sequence[Chunk]], Decoded] = lambda chunks: Decoded.DONE
    facts: ModelFacts = field(init=False)
    held: dict[int, list[int]] = field(default_factory=dict)
    batches: list[tuple[Chunk, ...]] = field(default_factory=list)
    samplers: list[FakeSampler] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.facts = ModelFacts("fake", self.ctx_tokens, 16, 257, "", "", False, None)

    def tokenize(self, text: str) -> list[int]:
        return list(text.encode())

    def piece(self, token: int) -> bytes:
        return bytes([token])

    def is_eog(self, token: int) -> bool:
        return token == EOG

    def keep(self, seq_id: int, n_tokens: int) -> bool:
        if n_tokens and not self.trims_partly:
            return False
        self.held[seq_id] = self.held.get(seq_id, [])[:n_tokens]
        return True

    def decode(self, chunks: Sequence[Chunk]) -> Decoded:
        result = self.on_decode(chunks)
        if result is Decoded.DONE:
            self.batches.append(tuple(chunks))
            for chunk in chunks:
                sequence = self.held.setdefault(chunk.seq_id, [])
                assert len(sequence) == chunk.pos, f"sequence {chunk.seq_id} is not where the plan thinks"
                sequence.extend(chunk.tokens)
        return result

    def next_token(self, sequence: Sequence[int]) -> int:
        """The byte of the reply after as many as the sequence already ends with."""
        for said in range(len(self.reply), -1, -1):
            if list(self.reply[:said]) == list(sequence[len(sequence) - said :]):
                return self.reply[said] if said < len(self.reply) else EOG
        raise AssertionError("unreachable: zero bytes always match")

    def sampler(self, sampling: Sampling) -> FakeSampler:
        self.samplers.append(FakeSampler(self))
        return self.samplers[-1]

    def close(self) -> None:
        pass
