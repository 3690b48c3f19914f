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

from adapter.engines.llama import link
from adapter.engines.llama.front import Front
from adapter.engines.llama.loop import DecodeLoop, Inbox, Stop
from adapter.engines.llama.model import ModelBroken, ModelError, ModelShape
from adapter.engines.llama.template import ChatTemplate, TemplateError
from adapter.engines.llama.threads import choose_threads
from adapter.errors import EngineUnavailable

logger = logging.getLogger(__name__)

READ_BYTES = 1 << 16


class Socket:
    """The worker's end of the link. Both threads may send."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()
        self._reader = link.FrameReader()

    def send(self, frame: link.Frame) -> None:
        data = link.render_frame(frame)
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
    threads = hello.threads or choose_threads(_max_frequencies(), len(_usable_cores()))
    shape = ModelShape(hello.path, hello.slots, hello.ctx_tokens, hello.batch_tokens, threads)
    try:
        from adapter.engines.llama.binding import LlamaModel

        model = LlamaModel(shape)
        facts = model.facts
        template = ChatTemplate(facts.chat_template, bos=facts.bos, eos=facts.eos)
    except (ModelError, TemplateError) as exc:
        return _give_up(sock, str(exc))
    except (ImportError, OSError, RuntimeError) as exc:
        remedy = "install it with: pip install 'farmhand[llama]' (or run scripts/setup)"
        return _give_up(sock, f"llama-cpp-python cannot be loaded ({exc}); {remedy}")
    inbox: Inbox = queue.SimpleQueue()
    reader.take = Front(model, template, inbox, sock.send).take
    signal.signal(signal.SIGTERM, lambda *_: inbox.put(Stop()))
    load_s = time.monotonic() - began_s
    logger.info("model loaded path=%s threads=%s load_s=%.2f", hello.path, threads, load_s)
    sock.send(link.Ready(facts.description, facts.ctx_tokens, threads, load_s))
    try:
        DecodeLoop(model, sock.send, slots=hello.slots, max_waiting=hello.queue).run(inbox)
    except ModelBroken as exc:
        return _give_up(sock, str(exc))
    model.close()
    return 0


def _give_up(sock: Socket, message: str) -> int:
    logger.info("worker ends: %s", message)
    sock.send(link.Failed(None, EngineUnavailable.code, message))
    return 1


def _usable_cores() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _max_frequencies() -> list[int]:
    """Of the usable cores, in kHz; empty where the kernel does not tell."""
    frequencies = []
    for core in _usable_cores():
        try:
            text = Path(f"/sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq").read_text()
            frequencies.append(int(text))
        except (OSError, ValueError):
            return []
    return frequencies


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
