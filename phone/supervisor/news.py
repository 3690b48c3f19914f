"""News of the adapter, as they happen: one request that waits at the adapter until there are some (a long poll).

So the first request of a client wakes the supervisor at once, and until then nobody has to wake up to ask.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phone.supervisor.admin import Admin, AdminError
from phone.supervisor.admin_words import aged, is_busy
from phone.supervisor.threads import in_thread
from phone.supervisor.types import AdapterState

# How long the adapter holds a question back, at most a minute (`GET /admin/state`); the phone wakes up once for each.
WAIT_S = 60.0
# Above what a request may take by itself: for a server that dribbles.
LIMIT_S = WAIT_S + 20.0
# Two answers within this: a pause between questions, so that a busy adapter is no busier for us.
SOON_S = 2.0
PAUSE_S = 1.0
FIRST_RETRY_S = 0.5
MAX_RETRY_S = 30.0
# Until something that cannot be asked at all is asked again.
NORMAL_RETRY_S = 60.0

log = logging.getLogger("supervisor")


@dataclass(frozen=True, slots=True)
class Address:
    """pid: of the adapter's process there; another one is asked anew."""

    host: str
    port: int
    pid: int | None


class News:
    """What the adapter says of itself, kept up to date. For one event loop."""

    def __init__(self, key_file: Path, poke: Callable[[], None], now_s: Callable[[], float]) -> None:
        """poke: called when there is something new."""
        self._key_file = key_file
        self._poke = poke
        self._now_s = now_s
        self._address: Address | None = None
        self._admin: Admin | None = None
        self._task: asyncio.Task[None] | None = None
        self._again = asyncio.Event()
        self._state: AdapterState | None = None
        self._at_s = 0.0
        self._said = ""

    def follow(self, address: Address | None) -> None:
        """Ask there from now on; `None`: the adapter does not run."""
        if address == self._address:
            return
        self._leave()
        self._address = address
        if address is not None:
            self._admin = Admin(address.host, address.port, self._key_file)
            self._task = asyncio.get_running_loop().create_task(self._watch(self._admin))

    def state(self) -> AdapterState | None:
        """As of now; `None` while it cannot be asked."""
        return None if self._state is None else aged(self._state, self._now_s() - self._at_s)

    def ask_again(self) -> None:
        """Do not wait any longer after a failure: the adapter has become ready."""
        self._again.set()

    @property
    def admin(self) -> Admin | None:
        """Whom to ask and to tell; another one for each process of the adapter."""
        return self._admin

    @property
    def known_at_s(self) -> float:
        """When it last said how it is."""
        return self._at_s

    def close(self) -> None:
        """At once: whoever waits is cut off."""
        self._leave()
        self._address = None

    def _leave(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._admin is not None:
            self._admin.close()
        self._task = self._admin = self._state = None

    async def _watch(self, admin: Admin) -> None:
        since: int | None = None
        retry_s, answered_s = FIRST_RETRY_S, -SOON_S
        while True:
            try:
                state = await _ask(admin, since)
            except AdminError as exc:
                since = None
                self._lost(exc, retry_s)
                await self._pause(NORMAL_RETRY_S if exc.is_normal else retry_s)
                retry_s = min(2 * retry_s, MAX_RETRY_S)
                continue
            self._have(state)
            since, retry_s = state.version, FIRST_RETRY_S
            if self._at_s - answered_s < SOON_S or is_busy(state):
                await asyncio.sleep(PAUSE_S)
            answered_s = self._now_s()

    async def _pause(self, limit_s: float) -> None:
        self._again.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._again.wait(), limit_s)

    def _have(self, state: AdapterState) -> None:
        changed = self._state is None or self._state.version != state.version
        self._state, self._at_s = state, self._now_s()
        if self._said:
            self._said = ""
            log.info("the adapter can be asked again")
        if changed:
            self._poke()

    def _lost(self, exc: AdminError, retry_s: float) -> None:
        """One that starts does not answer yet: not worth a line; the same sentence again is not, either."""
        if self._state is not None:
            self._state = None
            self._poke()
        if (exc.is_normal or retry_s >= MAX_RETRY_S) and str(exc) != self._said:
            self._said = str(exc)
            log.warning("%s", exc)


async def _ask(admin: Admin, since: int | None) -> AdapterState:
    wait_s = 0.0 if since is None else WAIT_S
    try:
        return await asyncio.wait_for(in_thread(lambda: admin.state(since, wait_s), "farmhand-news"), LIMIT_S)
    except AdminError:
        raise
    except TimeoutError:
        admin.cut()
        raise AdminError("The adapter does not answer in time.") from None
    except Exception as exc:
        raise AdminError(f"The adapter cannot be asked ({type(exc).__name__}: {exc}).") from exc
