"""The only file that imports llama_cpp: its low-level ctypes half, wrapped and typed, once.

Only `llama_cpp.llama_cpp` is loaded, not the package's `__init__`: that pulls in numpy and the high-level
class, neither of which is used here. Measured on a PC: 10 MB and 0.03 s instead of 33 MB and 0.15 s.
Imported by the worker process and nobody else.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import sys
import threading
import types
from collections import deque
from collections.abc import Sequence
from typing import Any

from adapter.chat import Sampling
from adapter.engines.llama.binding_sampler import Candidates, LlamaSampler
from adapter.engines.llama.model import (
    BadBatch,
    BadGrammar,
    Buffer,
    Decoded,
    Fill,
    ModelBroken,
    ModelError,
    ModelFacts,
    ModelShape,
)
from adapter.engines.llama.sampling import sampling_steps
from adapter.engines.llama.scheduler import Chunk

logger = logging.getLogger(__name__)
native_logger = logging.getLogger("llama.cpp")


def import_llama_cpp() -> Any:
    """`llama_cpp.llama_cpp`. Raises ImportError (not installed), or what its loader raises.

    Its loader refuses `sys.platform == "android"` (0.3.36, `_ctypes_extensions.py`) although the library
    is there and works, so it is told "linux" while it is imported, and only then.
    """
    if "llama_cpp" not in sys.modules:
        _enter_package_without_init()
    real = sys.platform
    if real == "android":
        sys.platform = "linux"
    try:
        return importlib.import_module("llama_cpp.llama_cpp")
    finally:
        sys.platform = real


def _enter_package_without_init() -> None:
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("No module named 'llama_cpp'", name="llama_cpp")
    package = types.ModuleType("llama_cpp")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules["llama_cpp"] = package


# ggml_type in ggml.h.
KV_TYPES = types.MappingProxyType({"f16": 1, "q8_0": 8})


class LlamaModel:
    """One GGUF with one context of `shape.slots` sequences. See `model.Model` for what each method promises."""

    def __init__(self, shape: ModelShape) -> None:
        """Load it: seconds to minutes. Raises `ModelError`."""
        self._lib = import_llama_cpp()
        self._log = _NativeLog(self._lib)
        self._lib.llama_backend_init()
        self._samplers: set[LlamaSampler] = set()
        self._model = self._load(shape)
        self._vocab = self._lib.llama_model_get_vocab(self._model)
        self._context = self._open_context(shape)
        self._memory = self._lib.llama_get_memory(self._context)
        self.facts = self._read_facts(shape)
        self._n_swa = int(self._lib.llama_model_n_swa(self._model))
        self._batch = _Batch(self._lib, self.facts.batch_tokens)
        self._candidates: Candidates | None = None

    # --- loading -------------------------------------------------------------------------------------------

    def _load(self, shape: ModelShape) -> Any:
        params = self._lib.llama_model_default_params()
        params.n_gpu_layers = 0
        # mmap: the pages belong to the file, so Android can drop them and nothing is swapped; never mlock.
        params.load_mode = self._lib.LLAMA_LOAD_MODE_MMAP
        model = self._lib.llama_model_load_from_file(os.fsencode(shape.path), params)
        if not model:
            raise ModelError(f"llama.cpp cannot load {shape.path}: {self._log.errors()}")
        if self._lib.llama_model_has_encoder(model) or not self._lib.llama_model_has_decoder(model):
            self._lib.llama_model_free(model)
            raise ModelError(f"{shape.path} is not a text-generating (decoder) model")
        return model

    def _open_context(self, shape: ModelShape) -> Any:
        lib = self._lib
        trained = int(lib.llama_model_n_ctx_train(self._model))
        params = lib.llama_context_default_params()
        params.n_seq_max = shape.slots
        params.n_ctx = min(shape.ctx_tokens, trained or shape.ctx_tokens) * shape.slots
        # A batch must hold a decode row of every slot and still let each prompt move.
        params.n_batch = max(shape.batch_tokens, shape.slots + 8)
        params.n_ubatch = min(params.n_batch, 512)
        # Only the last row of a sequence is ever sampled; the default reserves logits for every row of a
        # batch: a compute buffer of 251 MiB instead of 2 MiB with a vocabulary of 128k.
        params.n_outputs_max = shape.slots * (1 + shape.draft_tokens)
        params.n_threads = params.n_threads_batch = shape.threads
        # One stream of cells per slot: each has the context it was promised whatever the others do, and
        # attention does not walk over the neighbours' cells. See DESIGN.md.
        params.kv_unified = False
        # q8_0 for V needs flash attention, which llama.cpp then switches on by itself where the model can.
        params.type_k = params.type_v = KV_TYPES[shape.kv_type]
        params.no_perf = True
        context = lib.llama_init_from_model(self._model, params)
        if not context:
            lib.llama_model_free(self._model)
            raise ModelError(
                f"llama.cpp cannot make a context of {shape.slots} x {shape.ctx_tokens} tokens for {shape.path}: "
                f"{self._log.errors()}; fewer slots or a smaller ctx_tokens need less memory"
            )
        return context

    def _read_facts(self, shape: ModelShape) -> ModelFacts:
        lib = self._lib
        description = ctypes.create_string_buffer(256)
        lib.llama_model_desc(self._model, description, len(description))
        template = lib.llama_model_chat_template(self._model, None)
        trained = int(lib.llama_model_n_ctx_train(self._model))
        n_ctx_seq = int(lib.llama_n_ctx_seq(self._context))  # rounded up to a multiple of 256
        return ModelFacts(
            description=description.value.decode("utf-8", "replace"),
            ctx_tokens=min(n_ctx_seq, shape.ctx_tokens, trained or shape.ctx_tokens),
            batch_tokens=int(lib.llama_n_batch(self._context)),
            n_vocab=int(lib.llama_vocab_n_tokens(self._vocab)),
            bos=self._special_text(lib.llama_vocab_bos(self._vocab)),
            eos=self._special_text(lib.llama_vocab_eos(self._vocab)),
            adds_bos=bool(lib.llama_vocab_get_add_bos(self._vocab)),
            chat_template=template.decode("utf-8", "replace") if template else None,
            trims=not (lib.llama_model_is_recurrent(self._model) or lib.llama_model_is_hybrid(self._model)),
            fill=self._read_fill(),
            kv_layout=self._kv_layout(shape),
        )

    def _read_fill(self) -> Fill | None:
        lib, vocab = self._lib, self._vocab
        prefix, suffix, middle = (
            int(get(vocab)) for get in (lib.llama_vocab_fim_pre, lib.llama_vocab_fim_suf, lib.llama_vocab_fim_mid)
        )
        return Fill(prefix, suffix, middle) if min(prefix, suffix, middle) >= 0 else None

    def _kv_layout(self, shape: ModelShape) -> str:
        """What a saved sequence depends on besides the model: the layout follows cache type, attention and build."""
        version = importlib.metadata.version("llama-cpp-python")
        return f"llama-cpp-python {version}, {shape.kv_type}, {self._lib.llama_print_system_info().decode()}"

    # --- vocabulary ----------------------------------------------------------------------------------------

    def _special_text(self, token: int) -> str:
        if token < 0:
            return ""
        return bytes(self._lib.llama_vocab_get_text(self._vocab, token)).decode("utf-8", "replace")

    def tokenize(self, text: str, *, specials: bool = True, parse_specials: bool = True) -> list[int]:
        if specials and parse_specials and self.facts.adds_bos and self.facts.bos:
            text = text.removeprefix(self.facts.bos)  # the template wrote it as well; one is enough
        data = text.encode("utf-8", "replace")
        room = len(data) + 8  # a token is at least a byte; BOS and EOS come on top
        tokens = (self._lib.llama_token * room)()
        n = int(self._lib.llama_tokenize(self._vocab, data, len(data), tokens, room, specials, parse_specials))
        if n < 0:
            raise BadBatch(f"llama_tokenize wanted {-n} places for {len(data)} bytes")
        return list(tokens[:n])

    def piece(self, token: int, *, special: bool = False) -> bytes:
        buffer = ctypes.create_string_buffer(128)
        n = int(self._lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, special))
        if n < 0:
            buffer = ctypes.create_string_buffer(-n)
            n = int(self._lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, special))
        return buffer.raw[: max(0, n)]

    def is_eog(self, token: int) -> bool:
        return bool(self._lib.llama_vocab_is_eog(self._vocab, token))

    # --- decoding ------------------------------------------------------------------------------------------

    def keep(self, seq_id: int, n_tokens: int) -> bool:
        lib = self._lib
        if n_tokens > 0 and self._n_swa:
            # A sliding window has dropped what lies further back; carrying on needs a whole window.
            first = int(lib.llama_memory_seq_pos_min(self._memory, seq_id))
            if first > max(0, n_tokens - self._n_swa):
                return False
        return bool(lib.llama_memory_seq_rm(self._memory, seq_id, n_tokens, -1))

    def decode(self, chunks: Sequence[Chunk]) -> Decoded:
        self._batch.fill(chunks)
        self._log.forget()
        code = int(self._lib.llama_decode(self._context, self._batch.native))
        match code:
            case 0:
                return Decoded.DONE
            case 1:
                return Decoded.NO_KV_SLOT
            case -1:
                raise BadBatch(f"llama_decode refused the batch (-1): {self._log.errors()}")
            case _:  # 2: aborted, which nobody asked for; below -1: fatal
                raise ModelBroken(f"llama_decode returned {code}: {self._log.errors()}")

    # --- whole sequences -----------------------------------------------------------------------------------

    def copy(self, src_seq: int, dst_seq: int) -> bool:
        # Through a buffer: between streams `llama_memory_seq_cp` copies the whole stream, used or not, and
        # recurrent states not at all. 22 MB (1,024 tokens of a 370 M model) took 20 ms here, a copy of the stream 43 ms.
        saved = self.save(src_seq)
        return saved is not None and self.restore(dst_seq, saved)

    def save(self, seq_id: int) -> bytearray | None:
        size = int(self._lib.llama_state_seq_get_size(self._context, seq_id))
        if size <= 0:
            return None
        saved = bytearray(size)
        native = (ctypes.c_uint8 * size).from_buffer(saved)
        written = int(self._lib.llama_state_seq_get_data(self._context, native, size, seq_id))
        del native  # a bytearray cannot be resized while ctypes holds on to it
        if written == 0:
            return None
        del saved[written:]
        return saved

    def restore(self, seq_id: int, saved: Buffer) -> bool:
        view = memoryview(saved)
        self._lib.llama_memory_seq_rm(self._memory, seq_id, -1, -1)
        native = _as_bytes(view)
        self._log.forget()
        taken = int(self._lib.llama_state_seq_set_data(self._context, native, view.nbytes, seq_id))
        if taken == 0:
            logger.warning("a saved sequence does not fit: %s", self._log.errors())
            self._lib.llama_memory_seq_rm(self._memory, seq_id, -1, -1)
        return taken != 0

    # --- choosing ------------------------------------------------------------------------------------------

    def sampler(self, sampling: Sampling, *, choice: int = 0, grammar: str | None = None) -> LlamaSampler:
        sampler = LlamaSampler(
            self._lib,
            self._context,
            self._vocab,
            n_vocab=self.facts.n_vocab,
            steps=sampling_steps(sampling, n_ctx=self.facts.ctx_tokens, choice=choice),
            candidates=self._shared_candidates,
            row_of=self._batch.sampled_rows.__getitem__,
            closed=self._samplers.discard,
        )
        self._samplers.add(sampler)
        if grammar is not None:
            try:
                sampler.constrain(grammar, ())
            except BadGrammar as exc:
                sampler.close()
                raise BadGrammar(self._log.errors()) from exc
        return sampler

    def _shared_candidates(self) -> Candidates:
        """Made when first needed: 1.5 MB for a vocabulary of 128k."""
        if self._candidates is None:
            self._candidates = Candidates(self._lib, self._context, self.facts.n_vocab)
        return self._candidates

    def set_threads(self, n: int) -> None:
        self._lib.llama_set_n_threads(self._context, n, n)

    def close(self) -> None:
        """Free everything; may be called once."""
        for sampler in tuple(self._samplers):
            sampler.close()
        self._batch.close()
        self._lib.llama_free(self._context)
        self._lib.llama_model_free(self._model)
        self._lib.llama_backend_free()


def _as_bytes(view: memoryview) -> Any:
    """A ctypes array over the same memory, copied only if it is read-only (a file mapped without write access)."""
    if view.readonly:
        return (ctypes.c_uint8 * view.nbytes).from_buffer_copy(view)
    return (ctypes.c_uint8 * view.nbytes).from_buffer(view)


class _Batch:
    """llama_batch, allocated once and filled anew for every step."""

    def __init__(self, lib: Any, n_tokens: int) -> None:
        self._lib = lib
        self.native = lib.llama_batch_init(n_tokens, 0, 1)
        self.sampled_rows: dict[int, int] = {}
        for row in range(n_tokens):
            self.native.n_seq_id[row] = 1

    def fill(self, chunks: Sequence[Chunk]) -> None:
        batch = self.native
        tokens, positions, seq_ids, outputs = batch.token, batch.pos, batch.seq_id, batch.logits
        self.sampled_rows.clear()
        row = 0
        for chunk in chunks:
            for position, token in enumerate(chunk.tokens, chunk.pos):
                tokens[row] = token
                positions[row] = position
                seq_ids[row][0] = chunk.seq_id
                outputs[row] = 0
                row += 1
            if chunk.samples:
                self.sampled_rows[chunk.seq_id] = row - chunk.samples
                for sampled in range(row - chunk.samples, row):
                    outputs[sampled] = 1
        batch.n_tokens = row

    def close(self) -> None:
        self._lib.llama_batch_free(self.native)


class _NativeLog:
    """llama.cpp's log lines as Python log records: what it calls info is our debug.

    What it complains about is kept for error messages: the cause comes first, then the callers' echoes.
    """

    # ggml_log_level in ggml.h: 1 debug, 2 info, 3 warning, 4 error, 5 continues the line before.
    _LEVELS = types.MappingProxyType({3: logging.WARNING, 4: logging.ERROR})

    def __init__(self, lib: Any) -> None:
        self._errors: deque[str] = deque(maxlen=4)
        self._line = ""
        self._level = logging.DEBUG
        self._lock = threading.Lock()
        self._callback = lib.llama_log_callback(self._take)  # kept: ctypes does not
        lib.llama_log_set(self._callback, ctypes.c_void_p(0))

    def forget(self) -> None:
        """What follows has nothing to do with what was complained about before."""
        self._errors.clear()

    def errors(self) -> str:
        return "; ".join(self._errors) or "it gave no reason"

    def _take(self, level: int, text: bytes, _data: object) -> None:
        with self._lock:
            if level != 5:
                self._level = self._LEVELS.get(level, logging.DEBUG)
            self._line += text.decode("utf-8", "replace")
            *lines, self._line = self._line.split("\n")
        for line in lines:
            if self._level >= logging.ERROR:
                self._errors.append(line.strip())
            native_logger.log(self._level, "%s", line)
