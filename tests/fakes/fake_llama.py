"""A model without llama.cpp behind the worker's `Model` seam: tokens are bytes, the answer is written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adapter.chat import Sampling
from adapter.engines.llama.model import BadGrammar, Buffer, Decoded, Fill, Likely, ModelFacts
from adapter.engines.llama.scheduler import Chunk

EOG = 256


class FakeSampler:
    """grammars: those that came into force, each with the tokens that were its beginning."""

    def __init__(self, model: FakeLlama, choice: int, grammar: str | None) -> None:
        self._model = model
        self.choice = choice
        self.grammars: list[tuple[str, list[int]]] = [] if grammar is None else [(grammar, [])]
        self.accepted: list[int] = []
        self.closed = False

    def sample(self, seq_id: int, row: int = 0) -> int:
        decoded = self._model.held[seq_id]
        rows = self._model.sampled[seq_id]
        return self._model.next_token(decoded[: len(decoded) - rows + 1 + row])

    def accept(self, token: int) -> None:
        self.accepted.append(token)

    def constrain(self, grammar: str, seen: Sequence[int]) -> bool:
        self.grammars.append((grammar, list(seen)))
        return True

    def logprobs(self, seq_id: int, row: int, token: int, top: int) -> tuple[float, list[Likely]]:
        return -0.5, [Likely(token, -0.5), *(Likely(token - n, -1.0 - n) for n in range(1, top))][:top]

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
    sampled: dict[int, int] = field(default_factory=dict)
    samplers: list[FakeSampler] = field(default_factory=list)
    moves: list[tuple[str, int, int]] = field(default_factory=list)
    threads: int | None = None

    def __post_init__(self) -> None:
        fill = Fill(257, 258, 259)
        self.facts = ModelFacts(
            "fake", self.ctx_tokens, 16, 260, "", "", False, None, trims=self.trims_partly, fill=fill
        )

    def tokenize(self, text: str, *, specials: bool = True, parse_specials: bool = True) -> list[int]:
        return list(text.encode())

    def piece(self, token: int, *, special: bool = False) -> bytes:
        if token < EOG:
            return bytes([token])
        return f"<{token}>".encode() if special else b""

    def is_eog(self, token: int) -> bool:
        return token == EOG

    def keep(self, seq_id: int, n_tokens: int) -> bool:
        if n_tokens and not self.trims_partly:
            return False
        self.held[seq_id] = self.held.get(seq_id, [])[:n_tokens]
        return True

    def copy(self, src_seq: int, dst_seq: int) -> bool:
        self.moves.append(("copy", src_seq, dst_seq))
        self.held[dst_seq] = list(self.held[src_seq])
        return True

    def save(self, seq_id: int) -> bytearray | None:
        return bytearray(json.dumps(self.held[seq_id]).encode())

    def restore(self, seq_id: int, saved: Buffer) -> bool:
        self.moves.append(("restore", seq_id, len(saved)))
        self.held[seq_id] = json.loads(bytes(saved))
        return True

    def set_threads(self, n: int) -> None:
        self.threads = n

    def decode(self, chunks: Sequence[Chunk]) -> Decoded:
        result = self.on_decode(chunks)
        if result is Decoded.DONE:
            self.batches.append(tuple(chunks))
            for chunk in chunks:
                sequence = self.held.setdefault(chunk.seq_id, [])
                assert len(sequence) == chunk.pos, f"sequence {chunk.seq_id} is not where the plan thinks"
                sequence.extend(chunk.tokens)
                self.sampled[chunk.seq_id] = chunk.samples
        return result

    def next_token(self, sequence: Sequence[int]) -> int:
        """The byte of the reply after as many as the sequence already ends with."""
        for said in range(len(self.reply), -1, -1):
            if list(self.reply[:said]) == list(sequence[len(sequence) - said :]):
                return self.reply[said] if said < len(self.reply) else EOG
        raise AssertionError("unreachable: zero bytes always match")

    def sampler(self, sampling: Sampling, *, choice: int = 0, grammar: str | None = None) -> FakeSampler:
        if grammar == "broken":
            raise BadGrammar("expected ::= at broken")
        self.samplers.append(FakeSampler(self, choice, grammar))
        return self.samplers[-1]

    def close(self) -> None:
        pass
