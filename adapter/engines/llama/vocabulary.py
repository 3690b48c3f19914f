"""The child process that holds one model's vocabulary and chat template: `python -m adapter.engines.llama.vocabulary --fd N`.

It counts tokens for engines that do not say how many they used, from a copy of the model's file on this phone. Weights are not read.
Measured on a PC, from start to ready and all memory of the process: 2,048 tokens 0.2 s, 37 MB; 128,256 tokens 0.7 s, 87 MB;
262,144 tokens 1.2 s, 133 MB. A prompt of 2,500 tokens is counted in 2 to 7 ms.
Llama.cpp is native code fed with downloaded files, so it runs here and not in the adapter. It speaks the worker's language (`link.py`):
`Submit` is answered by `Started` with the tokens of its prompt, `Tokenize` by `Tokenized` without pieces.
When the other end closes, the adapter is gone, and the process ends.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from adapter.chat import Chat
from adapter.engines.llama import link
from adapter.engines.llama.binding import _NativeLog, import_llama_cpp
from adapter.engines.llama.model import BadBatch, ModelError
from adapter.engines.llama.template import ChatTemplate, TemplateError
from adapter.errors import AdapterError, BadRequest, EngineUnavailable, InternalError, NotCapable
from adapter.tokens import MESSAGE_TOKENS, OPENING_TOKENS

logger = logging.getLogger(__name__)

READ_BYTES = 1 << 16


class Vocabulary:
    """One GGUF's tokens and template."""

    def __init__(self, path: str) -> None:
        """Load it: up to a second. Raises `ModelError`."""
        self._lib = import_llama_cpp()
        self._log = _NativeLog(self._lib)
        self._lib.llama_backend_init()
        params = self._lib.llama_model_default_params()
        params.n_gpu_layers = 0
        params.vocab_only = True
        model = self._lib.llama_model_load_from_file(os.fsencode(path), params)
        if not model:
            raise ModelError(f"llama.cpp cannot read the vocabulary of {path}: {self._log.errors()}")
        self._vocab = self._lib.llama_model_get_vocab(model)
        self._bos = self._special_text(self._lib.llama_vocab_bos(self._vocab))
        self._adds_bos = bool(self._lib.llama_vocab_get_add_bos(self._vocab))
        self._template = self._read_template(model)

    def prompt_tokens(self, chat: Chat) -> int:
        """Of the chat as the model reads it; where its template refuses, of the texts and what a template would add."""
        try:
            # How the answer is held to a form adds nothing to the prompt.
            prompt = self._template.render(replace(chat, output=None)).prompt if self._template else None
        except BadRequest:
            prompt = None
        if prompt is not None:
            return len(self.tokens(prompt, specials=True))
        texts = [message.content for message in chat.messages]
        texts += [part for m in chat.messages for call in m.tool_calls for part in (call.name, call.arguments)]
        texts += [part for tool in chat.tools for part in (tool.name, tool.description, tool.parameters)]
        around = OPENING_TOKENS + MESSAGE_TOKENS * len(chat.messages)
        return around + sum(len(self.tokens(text)) for text in texts)

    def tokens(self, text: str, *, specials: bool = False) -> list[int]:
        """specials: BOS and EOS where the vocabulary wants them, and names of control tokens stand for the tokens."""
        if specials and self._adds_bos and self._bos:
            text = text.removeprefix(self._bos)  # the template wrote it as well; one is enough
        data = text.encode("utf-8", "replace")
        room = len(data) + 8  # a token is at least a byte; BOS and EOS come on top
        tokens = (self._lib.llama_token * room)()
        n = int(self._lib.llama_tokenize(self._vocab, data, len(data), tokens, room, specials, specials))
        if n < 0:
            raise BadBatch(f"llama_tokenize wanted {-n} places for {len(data)} bytes")
        return list(tokens[:n])

    def _read_template(self, model: Any) -> ChatTemplate | None:
        source = self._lib.llama_model_chat_template(model, None)
        if not source:
            return None
        eos = self._special_text(self._lib.llama_vocab_eos(self._vocab))
        try:
            return ChatTemplate(source.decode("utf-8", "replace"), bos=self._bos, eos=eos)
        except TemplateError as exc:
            logger.info("prompts are counted without the template: %s", exc)
            return None

    def _special_text(self, token: int) -> str:
        if token < 0:
            return ""
        return bytes(self._lib.llama_vocab_get_text(self._vocab, token)).decode("utf-8", "replace")


def serve(sock: socket.socket) -> int:
    """Load, count until the other end has enough. Returns the exit status."""
    frames = _frames(sock)
    hello = next(frames, None)
    if not isinstance(hello, link.Hello):
        return 0
    began_s = time.monotonic()
    try:
        vocabulary = Vocabulary(hello.path)
    except (ModelError, ImportError, OSError, RuntimeError) as exc:
        _send(sock, link.Failed(None, EngineUnavailable.code, f"the vocabulary cannot be loaded: {exc}"))
        return 1
    _send(sock, link.Ready("a vocabulary", 0, 1, time.monotonic() - began_s))
    for frame in frames:
        match frame:
            case link.Shutdown():
                return 0
            case link.Cancel():
                pass  # it was answered before
            case link.Submit() | link.Complete() | link.Embed() | link.Tokenize() | link.Detokenize():
                _send(sock, _answer(vocabulary, frame))
            case _:
                raise link.LinkError(f"{type(frame).__name__} is not for the vocabulary")
    return 0


def _answer(vocabulary: Vocabulary, frame: link.Request) -> link.Frame:
    try:
        match frame:
            case link.Submit():
                return link.Started(frame.id, vocabulary.prompt_tokens(frame.chat))
            case link.Tokenize(text=str(text)):
                return link.Tokenized(frame.id, tuple(vocabulary.tokens(text)), ())
            case _:
                raise NotCapable("Here tokens are counted, and nothing else is done.")
    except AdapterError as exc:
        return link.Failed(frame.id, exc.code, exc.message, exc.param)
    except Exception:  # one request's trouble stays its own
        logger.exception("counting failed because of us task=%s", frame.id)
        return link.Failed(frame.id, InternalError.code, "Farmhand failed on this request; the log says where.")


def _frames(sock: socket.socket) -> Iterator[link.Frame]:
    """Until the other end closes."""
    reader = link.FrameReader()
    while data := sock.recv(READ_BYTES):
        yield from reader.feed(data)


def _send(sock: socket.socket, frame: link.Frame) -> None:
    sock.sendall(link.render_frame(frame))


def main() -> None:
    parser = argparse.ArgumentParser(description="Counts tokens; started by the adapter only.")
    parser.add_argument("--fd", type=int, required=True)
    fd = parser.parse_args().fd
    # Ctrl-C goes to the whole process group; the adapter decides what it means for its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        status = serve(socket.socket(fileno=fd))
    except OSError:  # the adapter is gone
        status = 0
    except Exception:
        logger.exception("vocabulary broke")
        status = 1
    logging.shutdown()
    # Not sys.exit: native log callbacks must not meet an interpreter that is being taken apart.
    os._exit(status)


if __name__ == "__main__":
    main()
