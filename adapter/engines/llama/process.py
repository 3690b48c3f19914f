"""One worker process as the adapter sees it: spawned, spoken to, ended. Never blocks the event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from adapter.engines.llama import link

logger = logging.getLogger(__name__)

Request = link.Submit | link.Complete | link.Embed | link.Tokenize | link.Detokenize
# What the worker says about one request; the last four end it, and so does `Finished` for each of its choices.
Answer = (
    link.Started | link.Delta | link.Call | link.Working | link.Finished
    | link.Failed | link.Embedded | link.Tokenized | link.Detokenized
)  # fmt: skip

_GOES_ON = link.Started | link.Delta | link.Call | link.Working | link.Finished
_USEFUL = link.Delta | link.Call | link.Embedded

READ_BYTES = 1 << 16
# From a Shutdown frame to the end: one decode step, freeing memory. Then TERM, then KILL.
SHUTDOWN_S = 3.0
TERMINATE_S = 1.0
# After the link has closed the process is about to end; one that does not is killed.
LINGER_S = 2.0
KEPT_LINES = 20
PACKAGE_ROOT = Path(__file__).parents[3]


class WorkerDied(Exception):
    """The process has ended. The text says how, in a sentence without its subject."""


@dataclass(frozen=True, slots=True)
class Died:
    """Stands in a request's queue of frames when no more can come."""

    reason: str


class Conversation:
    """The frames of one request, in order. Over when its owner leaves."""

    def __init__(self, worker: Worker, request_id: int, choices: int) -> None:
        self._worker = worker
        self.id = request_id
        self.choices_left = choices  # of which `Finished` has not arrived
        self.arrived: asyncio.Queue[link.Frame | Died] = asyncio.Queue()

    async def next(self) -> link.Frame | Died:
        """The next frame; `Died` is the last one."""
        return await self.arrived.get()

    def leave(self) -> None:
        """Nobody listens any more: a request that is not complete is cancelled. May be called twice."""
        self._worker._leave(self)


class Worker:
    """A running process whose model is loaded. Made by `spawn` only. MODULE: what runs in it."""

    MODULE: ClassVar[str] = "adapter.engines.llama.worker"

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._open: dict[int, Conversation] = {}
        self._ids = 0
        self._ready: asyncio.Future[link.Ready] = asyncio.get_running_loop().create_future()
        self._last_words = ""
        self._killed_because = ""
        self.last_frame_s = 0.0
        self.useful = False  # it has shown something of an answer
        self.closing = False
        self.died = asyncio.Event()
        self.death = ""
        self._tasks = (
            asyncio.create_task(self._read_output(), name="llama-output"),
            asyncio.create_task(self._read_frames(), name="llama-frames"),
        )

    # --- beginning -----------------------------------------------------------------------------------------

    @classmethod
    async def spawn(cls, hello: link.Hello, *, start_s: float) -> Self:
        """Start a process and have it load the model.

        Raises `WorkerDied` if it does not get that far, in `start_s` seconds. Cancelling ends the process.
        """
        worker = await cls._start()
        try:
            worker._write(hello)
            async with asyncio.timeout(start_s):
                await asyncio.shield(worker._ready)
        except TimeoutError:
            worker.kill(f"it did not load the model within {start_s:g} s")
            await worker.close()
            raise WorkerDied(worker.death) from None
        except BaseException:
            worker.kill("it is not wanted any more")
            await worker.close()
            raise
        return worker

    @classmethod
    async def _start(cls) -> Self:
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            fd = theirs.fileno()
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", cls.MODULE, "--fd", str(fd),
                    stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, pass_fds=(fd,), env=_environment(),
                )  # fmt: skip
            except BaseException as exc:
                writer.close()  # also when the start is cancelled: asyncio then ends the process, but not the link
                if isinstance(exc, OSError):
                    raise WorkerDied(f"could not be started: {exc}") from exc
                raise
        return cls(process, reader, writer)

    @property
    def ready(self) -> link.Ready:
        return self._ready.result()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self.died.is_set() and not self.closing

    # --- requests ------------------------------------------------------------------------------------------

    def submit(self, frame: Request) -> Conversation:
        """Hand in a request; its id is replaced by a fresh one. Raises `LinkError` if it is too long."""
        self._ids += 1
        self._write(replace(frame, id=self._ids))
        conversation = Conversation(self, self._ids, _choices(frame))
        if self.died.is_set():
            conversation.arrived.put_nowait(Died(self.death))
        else:
            self._open[conversation.id] = conversation
        return conversation

    def press(self, pressure: link.Pressure) -> None:
        """Tell it how hard it may work from now on."""
        self._write(pressure)

    def _leave(self, conversation: Conversation) -> None:
        if self._open.pop(conversation.id, None):
            self._write(link.Cancel(conversation.id))

    def _write(self, frame: link.Frame) -> None:
        """Lost if the process is just dying; `died` tells everybody soon."""
        if not self._writer.is_closing():
            self._writer.write(link.render_frame(frame))

    # --- what comes from the process -----------------------------------------------------------------------

    async def _read_frames(self) -> None:
        frames = link.FrameReader()
        try:
            while data := await self._reader.read(READ_BYTES):
                self.last_frame_s = asyncio.get_running_loop().time()
                for frame in frames.feed(data):
                    self._dispatch(frame)
        except link.LinkError as exc:
            self.kill(f"it said something we cannot understand: {exc}")
        except OSError as exc:
            logger.debug("link broke error=%s", exc)
        finally:
            await self._bury()

    def _dispatch(self, frame: link.Frame) -> None:
        if isinstance(frame, link.Ready):
            self._ready.set_result(frame)
        elif isinstance(frame, link.Failed) and frame.id is None:
            self._last_words = frame.message
        elif isinstance(frame, Answer):
            self._pass_on(frame.id, frame)
        else:
            raise link.LinkError(f"{type(frame).__name__} is not for the adapter")

    def _pass_on(self, request_id: int | None, frame: Answer) -> None:
        conversation = self._open.get(request_id or 0)
        if conversation is None:
            return  # cancelled meanwhile
        conversation.choices_left -= isinstance(frame, link.Finished)
        if conversation.choices_left == 0 or not isinstance(frame, _GOES_ON):
            del self._open[conversation.id]
        self.useful = self.useful or isinstance(frame, _USEFUL)
        conversation.arrived.put_nowait(frame)

    async def _read_output(self) -> None:
        """Its log, line by line, into ours: what it warns of we warn of, the rest is debug."""
        assert self._process.stdout is not None
        held = ""
        while data := await self._process.stdout.read(READ_BYTES):
            *lines, held = (held + data.decode("utf-8", "replace"))[-READ_BYTES:].split("\n")
            for line in lines:
                self._last_lines.append(line)
                level = logging.WARNING if line.startswith(("WARNING", "ERROR")) else logging.DEBUG
                logger.log(level, "worker pid=%s: %s", self.pid, line)

    async def _bury(self) -> None:
        """The link has closed: see the process end, and tell everybody who waits for it."""
        try:
            async with asyncio.timeout(LINGER_S):
                await self._process.wait()
        except TimeoutError:
            self.kill("it closed its link and did not end")
            await self._process.wait()
        output = self._tasks[0]
        await asyncio.wait({output}, timeout=LINGER_S)  # its last lines
        output.cancel()
        self.death = self._describe_death()
        self.died.set()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        if not self._ready.done():
            self._ready.set_exception(WorkerDied(self.death))
            self._ready.exception()  # read here once, in case nobody waits
        elif not self.closing:
            logger.warning("llama worker died pid=%s: it %s", self.pid, self.death)
        for conversation in self._open.values():
            conversation.arrived.put_nowait(Died(self.death))
        self._open.clear()

    def _describe_death(self) -> str:
        if self._killed_because:
            return f"was ended because {self._killed_because}"
        status = self._process.returncode or 0
        words = self._last_words or " | ".join(line for line in list(self._last_lines)[-3:] if line.strip())
        said = f": {words}" if words else ""
        if status == 0:
            return "ended by itself"
        if status > 0:
            return f"ended with status {status}{said}"
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        hint = " (on a phone usually for lack of memory)" if -status == signal.SIGKILL else ""
        return f"was killed by {name}{hint}" + (said if self._last_words else "")

    # --- end -----------------------------------------------------------------------------------------------

    def kill(self, because: str) -> None:
        """At once. `because`: a clause for those whose answers it breaks off."""
        self._killed_because = self._killed_because or because
        with suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """End it: ask, then TERM, then KILL, each with its time. May be called twice, and when it has died.

        Once this returns the process is gone and reaped. Answers under way end with `Failed` or `Died`.
        """
        self.closing = True
        try:
            self._write(link.Shutdown())
            if not await self._ends_within(SHUTDOWN_S):
                with suppress(ProcessLookupError):
                    self._process.terminate()
                if not await self._ends_within(TERMINATE_S):
                    self.kill("it did not end when asked to")
        except asyncio.CancelledError:
            self.kill("there was no time to let it end")
            raise
        finally:
            await asyncio.wait(self._tasks)

    async def _ends_within(self, limit_s: float) -> bool:
        try:
            async with asyncio.timeout(limit_s):
                await self.died.wait()
        except TimeoutError:
            return False
        return True


def _choices(frame: Request) -> int:
    """How many answers it asks for."""
    match frame:
        case link.Submit():
            return frame.chat.n
        case link.Complete():
            return frame.completion.n
        case _:
            return 1


def _environment() -> dict[str, str]:
    """Ours, and the folder that holds this package where it is not installed.

    OMP_NUM_THREADS stays as it is: builds for phones have no OpenMP, and where there is, ggml asks for its
    number of threads itself.
    """
    env = dict(os.environ)
    if "site-packages" not in PACKAGE_ROOT.parts:
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PACKAGE_ROOT), env.get("PYTHONPATH")]))
    return env
