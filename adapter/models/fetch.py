"""Brings the bytes of one source into its part: redirects, resuming, tries again. The only file here that imports aiohttp."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from adapter.models import refusals, words
from adapter.models.facts import Begun
from adapter.models.failures import ModelsError, Passing
from adapter.models.part import Part
from adapter.models.replies import Step, decide, parse_reply, range_headers
from adapter.models.sources import Source
from adapter.settings import is_loopback

MAGIC = b"GGUF"
MAX_REDIRECTS = 10
MAX_RESTARTS = 3
# So much new makes a try a success, after which the count of failures begins again.
PROGRESS_BYTES = 1 << 20
CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Policy:
    """connect_s: time to connect. stall_s: silence of the server that is a failure. retries: failures in a row, without
    a megabyte between them, that are borne. backoff_s: the wait after the first; it doubles up to `most_wait_s`."""

    connect_s: float = 20.0
    stall_s: float = 30.0
    retries: int = 6
    backoff_s: float = 1.0
    most_wait_s: float = 60.0

    def wait_s(self, failures: int, asked_s: float | None) -> float:
        wait = self.backoff_s * float(1 << min(failures - 1, 10))
        return min(self.most_wait_s, max(wait, asked_s or 0.0))


class Reporter(Protocol):
    """Who is told about the way of a download; `progress.Progress` is one."""

    def update(self, done_bytes: int, total_bytes: int | None) -> None: ...
    def say(self, text: str) -> None: ...


@dataclass
class Fetch:
    """One download. token: the Hub's, for `source.hub` only. sha256: what the file must have, if somebody said.

    free_bytes: how much the file system of a folder has left.
    """

    source: Source
    part: Part
    report: Reporter
    free_bytes: Callable[[Path], int]
    policy: Policy = field(default_factory=Policy)
    token: str | None = None
    sha256: str | None = None
    _received: bool = False
    _restarts: int = 0

    async def run(self) -> None:
        """Returns when the part is complete, as far as the server says how long that is; nothing is checked but its
        first bytes. Raises `ModelsError`; the part is kept where going on makes sense. May be cancelled at any time."""
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self.policy.connect_s, sock_read=self.policy.stall_s
        )
        async with aiohttp.ClientSession(
            timeout=timeout, auto_decompress=False, read_bufsize=CHUNK_BYTES
        ) as session:
            await self._until_complete(session)

    async def _until_complete(self, session: aiohttp.ClientSession) -> None:
        failures, furthest = 0, self.part.have_bytes
        while not self._has_all():
            try:
                await self._attempt(session)
                return
            except Passing as exc:
                if not exc.connected and not self._received:
                    raise ModelsError(f"{exc}; check the address and the network") from exc
                if self.part.have_bytes >= furthest + PROGRESS_BYTES:
                    failures = 0
                furthest = max(furthest, self.part.have_bytes)
                failures += 1
                if failures > self.policy.retries:
                    raise ModelsError(f"{exc}; given up after {failures} tries in a row. {self.kept()}") from exc
                wait = self.policy.wait_s(failures, exc.retry_after_s)
                self.report.say(f"{exc}; trying again in {wait:g} s ({failures} of {self.policy.retries})")
                await asyncio.sleep(wait)

    def kept(self) -> str:
        """What to say when it ends early."""
        if not self.part.have_bytes:
            return "Nothing is kept."
        total = self.part.validators.size_bytes
        of = f" of {words.size(total)}" if total else ""
        return f"{words.size(self.part.have_bytes)}{of} are kept: the same command goes on from there."

    def _has_all(self) -> bool:
        """Was it ended between the last byte and the check? Only with a SHA-256 is that certain without asking."""
        known = self.part.validators
        return known.size_bytes == self.part.have_bytes > 0 and known.sha256 is not None

    async def _attempt(self, session: aiohttp.ClientSession) -> None:
        """One try, which may begin again when the file turns out to be another one."""
        while True:
            try:
                if await self._request(session):
                    return
            except aiohttp.ClientConnectorCertificateError as exc:
                raise ModelsError(f"{exc.host}: its certificate is not trusted ({exc.certificate_error})") from exc
            except aiohttp.InvalidURL as exc:
                raise ModelsError(f"{self.source.origin}: an address that cannot be used") from exc
            except aiohttp.ClientConnectorError as exc:
                raise Passing(f"{exc.host} cannot be reached ({exc.strerror or exc})", connected=False) from exc
            except aiohttp.ConnectionTimeoutError as exc:
                raise Passing(f"{self._host()} does not answer", connected=False) from exc
            except TimeoutError as exc:
                raise Passing(f"nothing arrived for {self.policy.stall_s:g} s") from exc
            except (aiohttp.ClientPayloadError, aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
                raise Passing("the connection broke off") from exc
            except aiohttp.ClientError as exc:
                raise Passing(f"the server's answer cannot be read ({exc})") from exc
            self._restarts += 1
            if self._restarts > MAX_RESTARTS:
                raise ModelsError(f"{self.source.origin} keeps changing while it is fetched; try again later")

    def _host(self) -> str:
        return URL(self.source.url, encoded=True).host or self.source.url

    async def _request(self, session: aiohttp.ClientSession) -> bool:
        """Ask for what is missing and take it. False: begin again, the part is empty now."""
        asked = range_headers(self.part.have_bytes, self.part.validators)
        url = URL(self.source.url, encoded=True)
        home = url.origin()
        hops: list[Mapping[str, str]] = []
        token = self.token if self.source.hub and _safe_for_token(url) else None
        for _ in range(MAX_REDIRECTS + 1):
            # The token is for the hub alone; once it has sent us elsewhere, it stays here.
            token = token if url.origin() == home else None
            headers = {**asked, "Accept-Encoding": "identity", "User-Agent": "farmhand"}
            if token:
                headers["Authorization"] = f"Bearer {token}"
            async with session.get(url, headers=headers, allow_redirects=False, proxy=_proxy_for(url)) as response:
                hops.append({key.lower(): value for key, value in response.headers.items()})
                if response.status in (301, 302, 303, 307, 308):
                    url = _next_hop(url, hops[-1].get("location", ""))
                    continue
                if response.status not in (200, 206, 416):
                    raise refusals.refusal(
                        self.source, str(url.host), response.status, hops[-1], token_given=bool(self.token)
                    )
                return await self._take(response, hops)
        raise ModelsError(f"{self.source.origin}: more than {MAX_REDIRECTS} redirects; the address leads nowhere")

    async def _take(self, response: aiohttp.ClientResponse, hops: list[Mapping[str, str]]) -> bool:
        reply = parse_reply(response.status, hops)
        if hops[-1].get("content-encoding", "identity").lower() != "identity":
            raise ModelsError(f"{self.source.origin}: the server sends it compressed, which was not asked for")
        decision = decide(self.part.have_bytes, self.part.validators, reply)
        if decision.why:
            self.report.say(f"Starting over: {decision.why}.")
        if decision.step is Step.COMPLETE:
            return True
        if decision.step is Step.AGAIN and not self.part.have_bytes:
            raise ModelsError(f"{self.source.origin}: the server answers with a part that was not asked for")
        self._refuse_wrong_sum(reply.validators.sha256)
        if decision.step is not Step.APPEND:
            self._require_space(reply.validators.size_bytes, gains=self.part.have_bytes)
            self.part.restart()
            if decision.step is Step.AGAIN:
                return False
            self.part.begin(Begun(self.source.origin, reply.validators, reply.commit))
        else:
            self._require_space(reply.validators.size_bytes, gains=self.part.have_bytes)
        await self._copy(response, reply.validators.size_bytes)
        return True

    def _refuse_wrong_sum(self, said: str | None) -> None:
        """Known before the first byte: a gigabyte saved."""
        if self.sha256 and said and said != self.sha256:
            raise ModelsError(
                f"{self.source.origin} has the SHA-256 {said}, not the one given with --sha256; nothing was fetched"
            )

    def _require_space(self, total_bytes: int | None, gains: int) -> None:
        """gains: what is on disk already, to be kept or given up. Raises `ModelsError`."""
        if total_bytes is None:
            return
        free = self.free_bytes(self.part.path.parent)
        missing = total_bytes - gains
        if missing > free:
            raise ModelsError(
                f"not enough space: {words.size(missing)} are needed in {self.part.path.parent}, and "
                f"{words.size(free)} are free; remove something (`farmhand models rm NAME`) or choose a smaller model"
            )

    async def _copy(self, response: aiohttp.ClientResponse, total_bytes: int | None) -> None:
        known_good = self.part.have_bytes >= len(MAGIC)
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            self._write(chunk)
            self._received = True
            if not known_good and self.part.have_bytes >= len(MAGIC):
                self._refuse_other_files(response.content_type)
                known_good = True
            self.report.update(self.part.have_bytes, total_bytes)
        if total_bytes is not None and self.part.have_bytes < total_bytes:
            raise Passing("the connection broke off")
        if total_bytes is not None and self.part.have_bytes > total_bytes:
            self.part.restart()
            raise ModelsError(f"{self.source.origin}: the server sent more than it had announced; nothing is kept")

    def _write(self, chunk: bytes) -> None:
        try:
            self.part.write(chunk)
        except OSError as exc:
            full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
            why = "the disk is full" if full else f"cannot be written: {exc.strerror}"
            raise ModelsError(f"{self.part.path}: {why}. {self.kept()}") from exc

    def _refuse_other_files(self, content_type: str) -> None:
        start = self.part.begins_with(len(MAGIC))
        if start == MAGIC:
            return
        self.part.restart()
        page = " It is a web page: use the address of the file itself." if content_type == "text/html" else ""
        raise ModelsError(f"{self.source.origin} is no GGUF file (it begins with {start!r}).{page}")


def _safe_for_token(url: URL) -> bool:
    return url.scheme == "https" or is_loopback(url.host or "")


def _proxy_for(url: URL) -> str | None:
    """The environment's proxy. Not by aiohttp's `trust_env`, which would also send what ~/.netrc has for a host."""
    proxy = None if proxy_bypass(url.host or "") else getproxies().get(url.scheme)
    if not proxy:
        return None
    scheme, mark, _ = proxy.partition("://")
    if mark and scheme not in ("http", "https"):
        raise ModelsError(f"the environment names a proxy of the kind {scheme}, which is not supported; use http://")
    return proxy if mark else f"http://{proxy}"


def _next_hop(url: URL, location: str) -> URL:
    """Signed addresses must stay as they are, so nothing is quoted anew. Raises `ModelsError`."""
    try:
        target = url.join(URL(location, encoded=True))
    except ValueError:
        target = URL()
    usable = location and target.scheme in ("http", "https") and target.host and target.user is None
    if not usable:
        raise ModelsError(f"{url.host} redirects to an address that cannot be used")
    if url.scheme == "https" and target.scheme == "http":
        raise ModelsError(f"{url.host} redirects from https to plain http ({target.host}), which is refused")
    return target
