"""The child process that holds the model: `python -m adapter.engines.llama.worker --fd N`.

N is one end of a socket pair. A reader thread takes frames from it and runs the front; the main thread loads the
model and runs the decode loop. Frames do not travel over standard output because native code prints there.
When the other end closes, the adapter is gone, and the process ends at once, whatever it is doing.
"""

from __future__ import annotations

import argparse
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from adapter.engines.llama import cores, embed_loop, link
from adapter.engines.llama.embed_front import EmbedFront
from adapter.engines.llama.embed_loop import EmbedLoop
from adapter.engines.llama.embed_model import EmbedShape
from adapter.engines.llama.front import Front
from adapter.engines.llama.inbox import Inbox, Stop
from adapter.engines.llama.kv_file import Identity
from adapter.engines.llama.kv_identity import model_hash
from adapter.engines.llama.kv_store import KvStore
from adapter.engines.llama.loop import DecodeLoop, LoopShape
from adapter.engines.llama.model import Model, ModelBroken, ModelError, ModelShape
from adapter.engines.llama.pins import bakes
from adapter.engines.llama.template import ChatTemplate, TemplateError
from adapter.errors import EngineUnavailable

logger = logging.getLogger(__name__)

READ_BYTES = 1 << 16
# For a prefix that is just being written; the adapter waits 3 s for the whole process.
STORE_CLOSE_S = 1.5
INSTALL = "install it with: pip install 'farmhand[llama]' (or run scripts/setup)"


class Socket:
    """The worker's end of the link. Both threads may send."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()
        self._reader = link.FrameReader()

    def send(self, *frames: link.Frame) -> None:
        """In one write. Raises OSError when the adapter is gone."""
        data = b"".join(map(link.render_frame, frames))
        with self._sending:
            self._sock.sendall(data)

    def frames(self) -> Iterator[link.Frame]:
        """Until the other end closes."""
        while data := self._sock.recv(READ_BYTES):
            yield from self._reader.feed(data)


class Reader(threading.Thread):
    """Reads frames for as long as the adapter lives, and no longer lets the process live than that."""

    def __init__(self, sock: Socket) -> None:
        super().__init__(name="front", daemon=True)
        self._sock = sock
        self._hello: queue.SimpleQueue[link.Hello] = queue.SimpleQueue()
        self.take: Callable[[link.Frame], None] = self._before_ready

    def hello(self) -> link.Hello:
        return self._hello.get()

    def run(self) -> None:
        status = 1
        try:
            for frame in self._sock.frames():
                self.take(frame)
            status = 0
        except OSError:
            status = 0  # the same as its end: the adapter is gone
        except link.LinkError:
            logger.exception("cannot understand the adapter")
        finally:
            # Not sys.exit: the main thread may be inside a native call for minutes.
            os._exit(status)

    def _before_ready(self, frame: link.Frame) -> None:
        if isinstance(frame, link.Hello):
            self._hello.put(frame)
        elif isinstance(frame, link.Shutdown):
            os._exit(0)


def serve(sock: Socket) -> int:
    """Load the model, answer until told to stop. Returns the exit status."""
    reader = Reader(sock)
    reader.start()
    hello = reader.hello()
    began_s = time.monotonic()
    threads = cores.settle(hello.threads)
    if hello.embeds:
        return _serve_embeddings(sock, reader, hello, threads, began_s)
    shape = ModelShape(
        hello.path, hello.slots, hello.ctx_tokens, hello.batch_tokens, threads, hello.kv_type, hello.draft_tokens
    )
    try:
        from adapter.engines.llama.binding import LlamaModel

        model = LlamaModel(shape)
        facts = model.facts
        template = ChatTemplate(facts.chat_template, bos=facts.bos, eos=facts.eos)
    except (ModelError, TemplateError) as exc:
        return _give_up(sock, str(exc))
    except (ImportError, OSError, RuntimeError) as exc:
        return _give_up(sock, f"llama-cpp-python cannot be loaded ({exc}); {INSTALL}")
    store = _open_store(hello, model)
    inbox: Inbox = queue.SimpleQueue()
    pinned = list(bakes(hello.pins, template, model)) if store else []
    if store is not None:
        store.pin_only([bake.prompt for bake in pinned])
    for bake in pinned:
        inbox.put(bake)
    reader.take = Front(model, template, inbox, sock.send).take
    signal.signal(signal.SIGTERM, lambda *_: inbox.put(Stop()))
    load_s = time.monotonic() - began_s
    logger.info("model loaded path=%s threads=%s load_s=%.2f", hello.path, threads, load_s)
    sock.send(link.Ready(facts.description, facts.ctx_tokens, threads, load_s))
    loop_shape = LoopShape(hello.slots, hello.queue, threads, hello.kv_save_tokens, hello.draft_tokens)
    try:
        DecodeLoop(model, sock.send, loop_shape, store).run(inbox)
    except ModelBroken as exc:
        return _give_up(sock, str(exc))
    finally:
        if store is not None:
            store.close(STORE_CLOSE_S)
    model.close()
    return 0


def _serve_embeddings(sock: Socket, reader: Reader, hello: link.Hello, threads: int, began_s: float) -> int:
    """As `serve`, for a model that makes vectors and no text."""
    try:
        from adapter.engines.llama.binding_embed import LlamaEmbedder

        model = LlamaEmbedder(EmbedShape(hello.path, hello.ctx_tokens, hello.batch_tokens, threads))
    except ModelError as exc:
        return _give_up(sock, str(exc))
    except (ImportError, OSError, RuntimeError) as exc:
        return _give_up(sock, f"llama-cpp-python cannot be loaded ({exc}); {INSTALL}")
    inbox: embed_loop.Inbox = queue.SimpleQueue()
    reader.take = EmbedFront(model, inbox, sock.send).take
    signal.signal(signal.SIGTERM, lambda *_: inbox.put(Stop()))
    facts, load_s = model.facts, time.monotonic() - began_s
    logger.info("embedding model loaded path=%s threads=%s load_s=%.2f", hello.path, threads, load_s)
    sock.send(link.Ready(facts.description, facts.text_tokens, threads, load_s, facts.width))
    try:
        EmbedLoop(model, sock.send, max_requests=hello.slots + hello.queue, threads=threads).run(inbox)
    except ModelBroken as exc:
        return _give_up(sock, str(exc))
    model.close()
    return 0


def _open_store(hello: link.Hello, model: Model) -> KvStore | None:
    """Where computed prefixes are kept, if anywhere. A store of no bytes removes what this model once kept."""
    if not hello.kv_dir:
        return None
    folder = Path(hello.kv_dir)
    try:
        hashed = model_hash(Path(hello.path), folder)
    except OSError as exc:
        logger.warning("prefixes are not kept: the model file cannot be read again (%s)", exc)
        return None
    identity = Identity(
        model_hash=hashed,
        n_ctx=model.facts.ctx_tokens,
        n_seq=hello.slots,  # a saved sequence says how many streams of cells there were, and fits no other number
        kv_type=hello.kv_type,
        library=model.facts.kv_layout,
    )
    store = KvStore(
        folder, identity, max_bytes=hello.kv_store_bytes, log=logger, trims=model.facts.trims
    )
    store.open()
    return store


def _give_up(sock: Socket, message: str) -> int:
    logger.info("worker ends: %s", message)
    sock.send(link.Failed(None, EngineUnavailable.code, message))
    return 1


def main() -> None:
    parser = argparse.ArgumentParser(description="The llama engine's worker; started by the adapter only.")
    parser.add_argument("--fd", type=int, required=True)
    fd = parser.parse_args().fd
    # Ctrl-C goes to the whole process group; the adapter decides what it means for its worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        status = serve(Socket(socket.socket(fileno=fd)))
    except OSError:  # the adapter is gone
        status = 1
    except Exception:
        logger.exception("worker broke")
        status = 1
    logging.shutdown()
    # Not sys.exit: native threads and log callbacks must not meet an interpreter that is being taken apart.
    os._exit(status)


if __name__ == "__main__":
    main()
