"""The front of a worker whose model makes vectors: frames in, jobs out. As `front.py` for a model that writes."""

from __future__ import annotations

import base64
import logging

from adapter.engines.llama import link
from adapter.engines.llama.embed_loop import EmbedJob, Inbox
from adapter.engines.llama.embed_model import Embedder
from adapter.engines.llama.inbox import BROKEN, CancelJob, Pressure, Send, Stop
from adapter.errors import AdapterError, BadRequest, ContextTooLong, InternalError, NotCapable

logger = logging.getLogger(__name__)

# A vector on the link: base64 of 32-bit floats, and what JSON puts around it.
LINK_BYTES_PER_NUMBER = 4 * 4 / 3
LINK_BYTES_PER_VECTOR = 8


class EmbedFront:
    def __init__(self, model: Embedder, inbox: Inbox, send: Send) -> None:
        self._model = model
        self._inbox = inbox
        self._send = send

    def take(self, frame: link.Frame) -> None:
        """Pass one frame of the adapter's on. A request that cannot be done fails here and alone."""
        match frame:
            case link.Cancel():
                self._inbox.put(CancelJob(frame.id))
            case link.Pressure():
                self._inbox.put(Pressure(frame.level))
            case link.Shutdown():
                self._inbox.put(Stop())
            case link.Submit() | link.Complete() | link.Embed() | link.Tokenize() | link.Detokenize():
                self._do(frame)
            case _:
                raise link.LinkError(f"{type(frame).__name__} is not for the worker")

    def _do(self, frame: link.Request) -> None:
        try:
            match frame:
                case link.Embed():
                    self._inbox.put(self._job(frame))
                case link.Tokenize():
                    self._send(self._tokenized(frame))
                case link.Detokenize():
                    self._send(self._detokenized(frame))
                case link.Submit() | link.Complete():
                    raise NotCapable(
                        "This model makes embeddings only and cannot write text. Name another model, "
                        "or send the text to /v1/embeddings.",
                        param="model",
                    )
        except AdapterError as exc:
            self._send(link.Failed(frame.id, exc.code, exc.message, exc.param))
        except OSError:  # the adapter is gone
            raise
        except Exception:  # one request's trouble stays its own
            logger.exception(BROKEN, frame.id)
            message = "Farmhand failed on this request; the log says where."
            self._send(link.Failed(frame.id, InternalError.code, message))

    # --- embeddings ----------------------------------------------------------------------------------------

    def _job(self, frame: link.Embed) -> EmbedJob:
        if not frame.texts:
            raise BadRequest("'input' is empty; send at least one text.", param="input")
        most = self._most_texts()
        if len(frame.texts) > most:
            raise BadRequest(
                f"'input' has {len(frame.texts)} texts; of vectors of {self._model.facts.width} numbers "
                f"at most {most} fit into one answer. Send them in several requests.",
                param="input",
            )
        return EmbedJob(frame.id, tuple(self._tokens(index, text) for index, text in enumerate(frame.texts)))

    def _most_texts(self) -> int:
        """So many that their vectors fit into a frame."""
        return int(
            0.9
            * link.MAX_FRAME_BYTES
            / (LINK_BYTES_PER_NUMBER * self._model.facts.width + LINK_BYTES_PER_VECTOR)
        )

    def _tokens(self, index: int, text: str) -> tuple[int, ...]:
        param = f"input[{index}]"
        tokens = self._model.tokenize(text) if text else []
        if not tokens:
            raise BadRequest(f"'{param}' is empty; there is nothing to make a vector of.", param=param)
        limit = self._model.facts.text_tokens
        if len(tokens) > limit:
            # In OpenAI's wording: OpenClaw and LiteLLM read both numbers from it.
            raise ContextTooLong(
                f"This model's maximum context length is {limit} tokens. However, your messages resulted in "
                f"{len(tokens)} tokens ({param}). Please reduce the length of the text.",
                param=param,
            )
        return tuple(tokens)

    # --- tokens --------------------------------------------------------------------------------------------

    def _tokenized(self, frame: link.Tokenize) -> link.Tokenized:
        if frame.text is None:
            raise NotCapable(
                "This model makes embeddings only and has no chat template. Send the text itself.",
                param="messages",
            )
        tokens = self._model.tokenize(
            frame.text, specials=frame.specials, parse_specials=frame.parse_specials
        )
        pieces = (base64.b64encode(self._model.piece(token)).decode() for token in tokens)
        return link.Tokenized(frame.id, tuple(tokens), tuple(pieces))

    def _detokenized(self, frame: link.Detokenize) -> link.Detokenized:
        n_vocab = self._model.facts.n_vocab
        for token in frame.tokens:
            if not 0 <= token < n_vocab:
                raise BadRequest(
                    f"'tokens' holds the token id {token}; this model's vocabulary has {n_vocab} tokens, "
                    "from 0.",
                    param="tokens",
                )
        text = self._model.detokenize(frame.tokens) if frame.tokens else b""
        return link.Detokenized(frame.id, text.decode("utf-8", "replace"))
