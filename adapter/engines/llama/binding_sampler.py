"""A sampler chain in llama.cpp, with a grammar beside it. Gets the library from `binding.py`.

Without a grammar and without logprobs a token is chosen by `llama_sampler_sample`. With a grammar the chain chooses first
and the grammar is asked about that one token; only when it says no is the grammar applied to the whole vocabulary,
which takes milliseconds (llama.cpp's own programs do the same). A grammar must never be told a token that it does not allow:
llama.cpp throws through the ctypes call and the process ends. So it is always asked first.
"""

from __future__ import annotations

import ctypes
import math
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from adapter.engines.llama.model import BadGrammar, Likely
from adapter.engines.llama.sampling import Step

# Some grammars double llama.cpp's work with each level of nesting. A step that takes so long is the last one: the next could take
# minutes, inside a native call that nothing can interrupt. Ordinary steps take microseconds, the slowest met 23 ms.
GRAMMAR_STEP_S = 1.0


class Candidates:
    """The array of (token, logit, p) that samplers work on; allocated once, filled anew for every use.

    Filled by strided copies of memory views, which run in C: 0.4 ms for a vocabulary of 128k, where a loop takes 40 ms.
    """

    def __init__(self, lib: Any, context: Any, n_vocab: int) -> None:
        self._lib = lib
        self._context = context
        self._n = n_vocab
        self._data = (lib.llama_token_data * n_vocab)()
        raw = memoryview(self._data).cast("B")
        self._tokens = raw.cast("i")[0::3]
        self._logits = raw.cast("f")[1::3]
        self._ids = memoryview(array("i", range(n_vocab)))
        self.native = lib.llama_token_data_array(data=self._data, size=n_vocab, selected=-1, sorted=False)

    def fill(self, row: int) -> Any:
        """The logits of a row of the last batch, in the vocabulary's order."""
        address = ctypes.addressof(self._lib.llama_get_logits_ith(self._context, row).contents)
        self._tokens[:] = self._ids
        self._logits[:] = memoryview((ctypes.c_float * self._n).from_address(address)).cast("B").cast("f")
        self._reset(self._n)
        return ctypes.byref(self.native)

    def only(self, token: int) -> Any:
        """One candidate; ask `is_possible` after a grammar was applied."""
        self._tokens[0], self._logits[0] = token, 0.0
        self._reset(1)
        return ctypes.byref(self.native)

    def _reset(self, size: int) -> None:
        self.native.data = self._data  # a sampler may have put another array in its place
        self.native.size, self.native.selected, self.native.sorted = size, -1, False

    @property
    def is_possible(self) -> bool:
        return bool(self._logits[0] != -math.inf)

    @property
    def selected(self) -> int:
        return int(self.native.data[self.native.selected].id)

    def at(self, index: int) -> tuple[int, float, float]:
        """(token, logit, p)"""
        one = self.native.data[index]
        return int(one.id), float(one.logit), float(one.p)


class LlamaSampler:
    """See `model.Sampler`."""

    def __init__(
        self,
        lib: Any,
        context: Any,
        vocab: Any,
        *,
        n_vocab: int,
        steps: Sequence[Step],
        candidates: Callable[[], Candidates],
        row_of: Callable[[int], int],
        closed: Callable[[LlamaSampler], None],
    ) -> None:
        """row_of: sequence -> the first of its rows in the last batch whose logits were wanted."""
        self._lib = lib
        self._context = context
        self._vocab = vocab
        self._n_vocab = n_vocab
        self._candidates = candidates
        self._row_of = row_of
        self._closed = closed
        self._grammar: Any = None
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        for step in steps:
            lib.llama_sampler_chain_add(self._chain, self._native(step))

    def sample(self, seq_id: int, row: int = 0) -> int:
        at = self._row_of(seq_id) + row
        if self._grammar is None:
            return int(self._lib.llama_sampler_sample(self._chain, self._context, at))
        token = self._chosen(at, grammar_first=False)
        if not self._allows(token):
            token = self._chosen(at, grammar_first=True)
            if not self._allows(token):  # nothing is allowed: the grammar has no way out
                raise BadGrammar("the grammar allows no token here")
        self._accept_grammar(token)
        self._lib.llama_sampler_accept(self._chain, token)
        return token

    def accept(self, token: int) -> None:
        self._lib.llama_sampler_accept(self._chain, token)
        if self._grammar is None:
            return
        if not self._allows(token):
            raise BadGrammar("the grammar does not allow what has to be written here")
        self._accept_grammar(token)

    def constrain(self, grammar: str, seen: Sequence[int]) -> bool:
        before, self._grammar = self._grammar, self._new_grammar(grammar)
        for token in seen:
            if not self._allows(token):
                self._drop_grammar()
                self._grammar = before
                return False
            self._accept_grammar(token)
        if before is not None:
            self._lib.llama_sampler_free(before)
        return True

    def logprobs(self, seq_id: int, row: int, token: int, top: int) -> tuple[float, list[Likely]]:
        candidates = self._candidates()
        filled = candidates.fill(self._row_of(seq_id) + row)
        lib = self._lib
        _, own_logit, _ = candidates.at(token)
        # `dist` is the sampler that computes probabilities over everything; what it draws does not matter.
        for step in (Step("dist", (0,)), Step("top_k", (max(1, top),))):
            sampler = self._native(step)
            lib.llama_sampler_apply(sampler, filled)
            lib.llama_sampler_free(sampler)
        _, best_logit, best_p = candidates.at(0)
        log_total = best_logit - math.log(best_p)
        likely = [candidates.at(index) for index in range(top)]
        return own_logit - log_total, [Likely(one, logit - log_total) for one, logit, _ in likely]

    def close(self) -> None:
        """Free it; may be called twice."""
        if self._chain is not None:
            self._lib.llama_sampler_free(self._chain)
            self._chain = None
            self._drop_grammar()
            self._closed(self)

    def _chosen(self, row: int, *, grammar_first: bool) -> int:
        candidates = self._candidates()
        filled = candidates.fill(row)
        if grammar_first:
            self._apply_grammar(filled)
        self._lib.llama_sampler_apply(self._chain, filled)
        return candidates.selected

    def _allows(self, token: int) -> bool:
        candidates = self._candidates()
        self._apply_grammar(candidates.only(token))
        return candidates.is_possible

    def _apply_grammar(self, filled: Any) -> None:
        began_s = time.monotonic()
        self._lib.llama_sampler_apply(self._grammar, filled)
        _check_step(time.monotonic() - began_s)

    def _accept_grammar(self, token: int) -> None:
        """Only for a token that the grammar allows."""
        began_s = time.monotonic()
        self._lib.llama_sampler_accept(self._grammar, token)
        _check_step(time.monotonic() - began_s)

    def _new_grammar(self, grammar: str) -> Any:
        sampler = self._lib.llama_sampler_init_grammar(self._vocab, grammar.encode("utf-8", "replace"), b"root")
        if not sampler:
            raise BadGrammar("llama.cpp cannot read the grammar")
        return sampler

    def _drop_grammar(self) -> None:
        if self._grammar is not None:
            self._lib.llama_sampler_free(self._grammar)
            self._grammar = None

    def _native(self, step: Step) -> Any:
        lib = self._lib
        match step.name:
            case "penalties":
                return lib.llama_sampler_init_penalties(self._n_vocab, *step.values)
            case "logit_bias":
                # Copied by llama.cpp, so the array need not live on.
                biases = (lib.llama_logit_bias * len(step.biases))(*((b.token, b.bias) for b in step.biases))
                return lib.llama_sampler_init_logit_bias(self._n_vocab, len(biases), biases)
            case name:
                return getattr(lib, f"llama_sampler_init_{name}")(*step.values)


def _check_step(took_s: float) -> None:
    if took_s > GRAMMAR_STEP_S:
        raise BadGrammar("its grammar has too many ways to go on; parts that begin alike at every level of nesting do that")
