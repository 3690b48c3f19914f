"""Vectors of texts over llama.cpp, whose library comes from `binding.py`.

Imported by the worker process and nobody else.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
import unicodedata
from array import array
from collections.abc import Sequence
from typing import Any

from adapter.engines.llama.binding import _NativeLog, import_llama_cpp
from adapter.engines.llama.embed_batches import Piece, TextKey
from adapter.engines.llama.embed_model import SEQUENCES, EmbedFacts, EmbedShape, token_limits
from adapter.engines.llama.model import BadBatch, ModelBroken, ModelError

logger = logging.getLogger(__name__)

HANGUL = re.compile("[\uac00-\ud7a3]+")


class LlamaEmbedder:
    """One GGUF with one context. See `embed_model.Embedder` for what each method promises."""

    def __init__(self, shape: EmbedShape) -> None:
        """Load it: seconds. Raises `ModelError`."""
        self._lib = import_llama_cpp()
        self._log = _NativeLog(self._lib)
        self._lib.llama_backend_init()
        self._path = shape.path
        self._model = self._load()
        self._vocab = self._lib.llama_model_get_vocab(self._model)
        try:
            self.facts = self._plan(shape)
            self._context = self._open_context(shape)
        except ModelError:
            self._lib.llama_model_free(self._model)
            raise
        self._memory = self._lib.llama_get_memory(self._context)
        self._takes_hangul_apart = self._strips_accents()
        self._batch = self._lib.llama_batch_init(self._most_tokens, 0, 1)
        for row in range(self._most_tokens):
            self._batch.n_seq_id[row] = 1

    # --- loading -------------------------------------------------------------------------------------------

    def _load(self) -> Any:
        params = self._lib.llama_model_default_params()
        params.n_gpu_layers = 0
        params.load_mode = self._lib.LLAMA_LOAD_MODE_MMAP
        model = self._lib.llama_model_load_from_file(os.fsencode(self._path), params)
        if not model:
            raise ModelError(f"llama.cpp cannot load {self._path}: {self._log.errors()}")
        return model

    def _plan(self, shape: EmbedShape) -> EmbedFacts:
        lib = self._lib
        description = ctypes.create_string_buffer(256)
        lib.llama_model_desc(self._model, description, len(description))
        n_vocab = int(lib.llama_vocab_n_tokens(self._vocab))
        trained = int(lib.llama_model_n_ctx_train(self._model))
        splits = self._can_split()
        batch_tokens, text_tokens = token_limits(shape, trained=trained, n_vocab=n_vocab, splits=splits)
        if text_tokens < min(shape.ctx_tokens, trained or shape.ctx_tokens):
            logger.warning("texts are limited to %s tokens; longer ones need too much memory", text_tokens)
        return EmbedFacts(
            description=description.value.decode("utf-8", "replace"),
            text_tokens=text_tokens,
            batch_tokens=batch_tokens,
            sequences=SEQUENCES,
            splits=splits,
            width=int(lib.llama_model_n_embd_out(self._model)),
            n_vocab=n_vocab,
        )

    def _can_split(self) -> bool:
        """Is a vector the last token's state in a model that reads forward? All others need the whole text at once."""
        causal = self._value("attention.causal") != "false" and not self._lib.llama_model_has_encoder(
            self._model
        )
        return causal and self._value("pooling_type") == str(self._lib.LLAMA_POOLING_TYPE_LAST)

    def _value(self, key: str) -> str:
        """What the file says about the architecture; "" where it says nothing."""
        architecture = self._meta("general.architecture")
        return self._meta(f"{architecture}.{key}")

    def _meta(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(128)
        n = int(self._lib.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer)))
        return buffer.value.decode("utf-8", "replace") if n >= 0 else ""

    @property
    def _most_tokens(self) -> int:
        """In one call."""
        facts = self.facts
        return facts.batch_tokens if facts.splits else max(facts.batch_tokens, facts.text_tokens)

    def _open_context(self, shape: EmbedShape) -> Any:
        lib = self._lib
        params = lib.llama_context_default_params()
        params.embeddings = True
        params.n_seq_max = SEQUENCES
        # One store of cells for all, emptied after every batch, save for a text in pieces.
        params.kv_unified = True
        params.n_ctx = self._most_tokens + (self.facts.text_tokens if self.facts.splits else 0)
        # What is not read forward must be seen at once.
        params.n_batch = params.n_ubatch = self._most_tokens
        params.n_threads = params.n_threads_batch = shape.threads
        params.no_perf = True
        context = lib.llama_init_from_model(self._model, params)
        if not context:
            raise ModelError(
                f"llama.cpp cannot make a context of {self._most_tokens} tokens for {self._path}: "
                f"{self._log.errors()}; a smaller ctx_tokens needs less memory"
            )
        pooling = int(lib.llama_pooling_type(context))
        if pooling in (lib.LLAMA_POOLING_TYPE_NONE, lib.LLAMA_POOLING_TYPE_RANK):
            lib.llama_free(context)
            if pooling == lib.LLAMA_POOLING_TYPE_RANK:
                raise ModelError(f"{self._path} ranks texts (it is a reranker) and makes no vectors")
            raise ModelError(
                f"{self._path} does not say how its vectors are pooled (pooling_type); "
                "use a file that was converted for embeddings"
            )
        return context

    # --- vocabulary ----------------------------------------------------------------------------------------

    def _strips_accents(self) -> bool:
        """As llama.cpp decides it for a WordPiece vocabulary."""
        if int(self._lib.llama_vocab_type(self._vocab)) != self._lib.LLAMA_VOCAB_TYPE_WPM:
            return False
        lower_case = self._meta("tokenizer.ggml.normalizer.lowercase") or "true"
        return (self._meta("tokenizer.ggml.normalizer.strip_accents") or lower_case) == "true"

    def tokenize(self, text: str, *, specials: bool = True, parse_specials: bool = True) -> list[int]:
        if self._takes_hangul_apart:
            # Where it strips accents, llama.cpp keeps only the first letter of a Korean syllable. Letters that stand
            # by themselves it leaves alone, and those are what the vocabulary has.
            text = HANGUL.sub(lambda syllables: unicodedata.normalize("NFD", syllables[0]), text)
        data = text.encode("utf-8", "replace")
        room = len(data) + 8  # a token is at least a byte; what is put around it comes on top
        tokens = (self._lib.llama_token * room)()
        n = int(
            self._lib.llama_tokenize(self._vocab, data, len(data), tokens, room, specials, parse_specials)
        )
        if n < 0:
            raise BadBatch(f"llama_tokenize wanted {-n} places for {len(data)} bytes")
        return list(tokens[:n])

    def piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(128)
        n = int(self._lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, True))
        if n < 0:
            buffer = ctypes.create_string_buffer(-n)
            n = int(self._lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, True))
        return buffer.raw[: max(0, n)]

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        native = (self._lib.llama_token * len(tokens))(*tokens)
        size = 16 * len(tokens) + 16
        while True:
            buffer = ctypes.create_string_buffer(size)
            n = int(self._lib.llama_detokenize(self._vocab, native, len(tokens), buffer, size, False, True))
            if n >= 0:
                return buffer.raw[:n]
            size = max(2 * size, -n)

    # --- computing -----------------------------------------------------------------------------------------

    def embed(self, pieces: Sequence[Piece]) -> dict[TextKey, array[float]]:
        if self._memory:
            for piece in pieces:
                if piece.pos == 0:
                    self._lib.llama_memory_seq_rm(self._memory, piece.seq_id, -1, -1)
        self._fill(pieces)
        self._log.forget()
        # Without a memory this is llama_encode: llama.cpp decides by itself.
        compute = self._lib.llama_decode if self._memory else self._lib.llama_encode
        code = int(compute(self._context, self._batch))
        if code in (1, -1):
            raise BadBatch(f"llama.cpp refused the batch ({code}): {self._log.errors()}")
        if code:
            raise ModelBroken(f"llama.cpp returned {code}: {self._log.errors()}")
        vectors = {piece.key: self._vector(piece.seq_id) for piece in pieces if piece.last}
        if self._memory:
            for piece in pieces:
                if piece.last:
                    self._lib.llama_memory_seq_rm(self._memory, piece.seq_id, -1, -1)
        return vectors

    def _fill(self, pieces: Sequence[Piece]) -> None:
        batch = self._batch
        tokens, positions, seq_ids, outputs = batch.token, batch.pos, batch.seq_id, batch.logits
        row = 0
        for piece in pieces:
            for position, token in enumerate(piece.tokens, piece.pos):
                tokens[row] = token
                positions[row] = position
                seq_ids[row][0] = piece.seq_id
                outputs[row] = 1  # every token's state goes into the pool
                row += 1
        batch.n_tokens = row

    def _vector(self, seq_id: int) -> array[float]:
        native = self._lib.llama_get_embeddings_seq(self._context, seq_id)
        if not native:
            raise ModelBroken(f"llama.cpp has no vector for sequence {seq_id}: {self._log.errors()}")
        values = array("f")
        values.frombytes(ctypes.string_at(native, values.itemsize * self.facts.width))
        return values

    def set_threads(self, n: int) -> None:
        self._lib.llama_set_n_threads(self._context, n, n)

    def close(self) -> None:
        """Free everything; may be called once."""
        self._lib.llama_batch_free(self._batch)
        self._lib.llama_free(self._context)
        self._lib.llama_model_free(self._model)
        self._lib.llama_backend_free()
