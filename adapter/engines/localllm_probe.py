"""Where the LocalLLM app is and what it is: looked for when needed, believed for a while.

All questions here are answered at once even while the app generates (they take no mutex), so they need no seat.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adapter.dialects.localllm_builds import (
    PORTS,
    AicoreState,
    Build,
    Evidence,
    HealthReport,
    detect_build,
    parse_aicore,
    parse_health,
)
from adapter.dialects.localllm_errors import wrong_key
from adapter.dialects.localllm_models import parse_models
from adapter.dialects.localllm_sessions import Sessions
from adapter.engines.localllm_http import Http
from adapter.engines.upstream import App
from adapter.errors import UpstreamProtocol, UpstreamTimeout, UpstreamUnreachable

logger = logging.getLogger(__name__)

NAME = "LocalLLM"
REMEDY = "On the phone: open LocalLLM and start its server."
# What the app has may change while it runs; losing it is noticed by itself.
BELIEVED_S = 30.0
PROBE_S = 5.0
# Another program on the other port may be slow to say that it is none of ours.
FIND_S = 1.5


@dataclass(frozen=True, slots=True)
class Phone:
    """The app as it was found. aicore: `None` where this build does not say."""

    http: Http
    build: Build
    models: tuple[str, ...]
    aicore: AicoreState | None

    @property
    def url(self) -> str:
        return self.http.app.url


@dataclass(slots=True)
class Life:
    """What holds for one process of the app only, and is forgotten when another one answers.

    number: of its last request that we saw. whole: do its streams bring whole text, by model. warmed: has a warm-up been tried.
    trouble: why that failed, `""` if it did not.
    """

    sessions: Sessions
    number: int = 0
    whole: dict[str, bool] = field(default_factory=dict)
    warmed: bool = False
    trouble: str = ""


class Prober:
    """Asks once for everybody who wants to know at the same time."""

    def __init__(
        self,
        url: str | None,
        *,
        connect_s: float,
        key: Callable[[], str | None],
        on_number: Callable[[int], None],
        ports: Sequence[int] = PORTS,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """url: the only place to look; without it `ports` of this machine, the first one that is LocalLLM."""
        urls = [url] if url is not None else [f"http://127.0.0.1:{port}" for port in ports]
        self._places = [
            Http(App(NAME, place, REMEDY), connect_s=connect_s, key=key, on_number=on_number) for place in urls
        ]
        self._now_s = now_s
        self._asking = asyncio.Lock()
        self._phone: Phone | None = None
        self._asked_at_s = 0.0
        self._known_build: tuple[str, Build] | None = None

    @property
    def places(self) -> str:
        """For messages."""
        return " or ".join(http.app.url for http in self._places)

    async def phone(self, *, fresh: bool = False) -> Phone:
        """The app as it is, or was at most `BELIEVED_S` ago. Raises `AdapterError`."""
        async with self._asking:
            known = self._phone
            if known is not None and not fresh and self._now_s() - self._asked_at_s <= BELIEVED_S:
                return known
            try:
                known = await self._look()
            except UpstreamTimeout:
                # A phone that computes an answer may be slow to say what it has; that is no reason to lose it.
                if known is None or fresh:
                    raise
            self._phone, self._asked_at_s = known, self._now_s()
            return known

    async def report(self) -> HealthReport:
        """A sign of life, and what is in memory. Raises `AdapterError` if there is none."""
        return await _health((await self.phone()).http)

    def forget(self) -> None:
        """The app was closed, or is not what we took it for: look for it before the next request."""
        self._phone = None

    def forget_build(self) -> None:
        """Another process may be another version."""
        self._known_build = None
        self._phone = None

    async def close(self) -> None:
        for http in self._places:
            await http.close()

    async def _look(self) -> Phone:
        found = await asyncio.gather(*(_health(http) for http in self._places), return_exceptions=True)
        for http, report in zip(self._places, found, strict=True):
            if isinstance(report, HealthReport):
                return await self._examine(http, report)
        for problem in found:
            # On a port that was only guessed whatever is not LocalLLM may behave as it likes.
            if isinstance(problem, BaseException) and (len(found) == 1 or isinstance(problem, UpstreamTimeout)):
                raise problem
        raise UpstreamUnreachable(f"{NAME} answers neither at {self.places.replace(' or ', ' nor at ')}. {REMEDY}")

    async def _examine(self, http: Http, report: HealthReport) -> Phone:
        status, value = await http.get("/v1/models", within_s=PROBE_S)
        if status == 401:
            raise wrong_key()  # `/health` is open, so it says nothing about the key (4)
        if status != 200:
            raise UpstreamProtocol(
                f"{NAME} at {http.app.url} answered GET /v1/models with status {status}; check the url, and update both."
            )
        aicore = report.aicore
        if self._known_build is None or self._known_build[0] != http.app.url:
            build, aicore = await self._build(http, report)
            self._known_build = (http.app.url, build)
            logger.info("app found url=%s build=%s", http.app.url, build)
        return Phone(http, self._known_build[1], parse_models(value), aicore)

    async def _build(self, http: Http, report: HealthReport) -> tuple[Build, AicoreState | None]:
        """The three probes of section 2, no more of them than needed."""
        metrics, _ = await http.get("/metrics", within_s=PROBE_S)
        status, value = None, None
        if metrics != 200 and report.aicore is None:
            status, value = await http.get("/v1/aicore/status", within_s=PROBE_S)
        seen = Evidence(metrics, report.aicore is not None, status)
        return detect_build(seen), report.aicore or parse_aicore(value if status == 200 else None)


async def _health(http: Http) -> HealthReport:
    status, value = await http.get("/health", within_s=FIND_S)
    report = parse_health(value) if status == 200 else None
    if report is None:
        raise UpstreamUnreachable(
            f"Something other than {NAME} listens at {http.app.url}. {REMEDY} If it uses another port, set the url."
        )
    return report
