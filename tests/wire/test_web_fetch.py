"""Pages fetched over real connections: limits, redirects, and that nothing leads into private space."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from adapter.web.addresses import Allowed
from adapter.web.connecting import guarded_connector
from adapter.web.extract import Extractor
from adapter.web.fetch import Fetched, Fetcher, Limits
from adapter.web.refused import Refused
from tests.fakes.website import ARTICLE, Website, redirect

pytestmark = pytest.mark.usefixtures("never_blocking")

LOOPBACK = Allowed.parse(["127.0.0.1"])
# Short where waiting is the test; the machine may be slow, so that nothing else depends on them.
SHORT = Limits(max_bytes=300_000, total_s=20.0, idle_s=1.0)


class Names(AbstractResolver):
    """Answers each look-up of a name with the next of its addresses, the last one again and again."""

    def __init__(self, **names: list[str]) -> None:
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        self.asked.append(host)
        left = self.names.get(host)
        if not left:
            raise OSError(None, f"no {host}")
        found = left.pop(0) if len(left) > 1 else left[0]
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET6 if ":" in address else socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
            )
            for address in found.split()
        ]

    async def close(self) -> None: ...


@asynccontextmanager
async def fetching(
    allowed: Allowed = LOOPBACK, limits: Limits = SHORT, resolver: AbstractResolver | None = None
) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(allowed, limits, lambda: guarded_connector(allowed, resolver=resolver))
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def fetch(path: str, site: Website) -> Fetched:
    async with fetching() as fetcher:
        return await fetcher.fetch(site.url + path)


async def refused(url: str, fetcher: Fetcher) -> str:
    with pytest.raises(Refused) as caught:
        await fetcher.fetch(url)
    return str(caught.value)


async def test_a_page() -> None:
    async with Website() as site:
        fetched = await fetch("/article", site)
    assert fetched == Fetched(f"{site.url}/article", "html", "utf-8", ARTICLE.encode(), False)
    request, headers = site.seen[0]
    assert request == "GET /article"
    assert "farmhand" in headers["user-agent"] and headers["accept-encoding"] == "gzip, deflate"
    assert not {"cookie", "authorization", "referer"} & headers.keys()


@pytest.mark.parametrize("path", ["/gzip", "/deflate", "/bare-deflate"])
async def test_packed_pages(path: str) -> None:
    async with Website() as site:
        assert (await fetch(path, site)).body == ARTICLE.encode()


@pytest.mark.parametrize(
    ("path", "kind"), [("/json", "json"), ("/feed", "xml"), ("/text", "text"), ("/no-type", "html"), ("/empty", "html"), ("/meta", "html")]
)
async def test_kinds(path: str, kind: str) -> None:
    async with Website() as site:
        assert (await fetch(path, site)).kind == kind


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/pdf", "a PDF"),
        ("/hidden-pdf", "a PDF"),
        ("/image", "image/png"),
        ("/binary", "no text"),
        ("/missing", "answered 404"),
        ("/nowhere", "answered 404"),
        ("/not-gzip", "cannot be unpacked"),
        ("/brotli", "packed as 'br'"),
        ("/cut", "closed the connection in the middle"),
        ("/loop", "more than 5 times"),
        ("/to-private", r"leads to http://192\.168\.1\.1/admin\. 192\.168\.1\.1 is not on the public internet \(a private network\)"),
        ("/to-metadata", "169.254.169.254 is not on the public internet"),
        ("/to-file", "Only http"),
        ("/to-decimal", "Port 9"),
        ("/to-credentials", "name or password"),
        ("/silent", "sent nothing for 1 s"),
    ],
)
async def test_pages_that_are_refused(path: str, said: str) -> None:
    async with Website() as site, fetching() as fetcher:
        with pytest.raises(Refused, match=said):
            await fetcher.fetch(site.url + path)


@pytest.mark.parametrize("path", ["/huge", "/bomb"])
async def test_what_is_too_large_is_cut_off(path: str) -> None:
    """200 MB in 400 kB, and an endless page: neither is read to its end."""
    async with Website() as site:
        fetched = await fetch(path, site)
    assert fetched.cut and len(fetched.body) == SHORT.max_bytes


async def test_a_page_that_drips_ends_with_the_time_for_all_of_it() -> None:
    async with Website() as site, fetching(limits=Limits(total_s=1.0, idle_s=5.0)) as fetcher:
        assert "took more than 1 s" in await refused(site.url + "/drip", fetcher)
        async with asyncio.timeout(10):
            await site.left.wait()


async def test_redirects_are_followed_and_the_final_address_is_told() -> None:
    async with Website() as site, fetching() as fetcher:
        assert (await fetcher.fetch(site.url + "/moved")).url == f"{site.url}/article"
        assert (await fetcher.fetch(site.url + "/moved-often")).url == f"{site.url}/article"
        assert "more than 5 times" in await refused(site.url + "/hop?5", fetcher)
        site.pages["/bare"] = redirect("", 302)
        assert "answered 302" in await refused(site.url + "/bare", fetcher)


async def test_cancelling_closes_the_connection() -> None:
    async with Website() as site, fetching(limits=Limits()) as fetcher:
        task = asyncio.create_task(fetcher.fetch(site.url + "/silent"))
        await site.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            await site.left.wait()


# --- private space ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "[::ffff:127.0.0.1]", "\uff11\uff12\uff17.\uff10.\uff10.\uff11", "0"])
async def test_no_spelling_of_this_machine_gets_through(host: str) -> None:
    """Also those that only the operating system or aiohttp turns into an address."""
    async with Website() as site, fetching(Allowed()) as fetcher:
        assert "is not on the public internet" in await refused(f"http://{host}:{site.port}/article", fetcher)
        assert site.seen == []


async def test_a_name_of_a_private_address() -> None:
    names = Names(inside_example=["127.0.0.1"], metadata_example=["169.254.169.254"], six_example=["::1"], mapped_example=["::ffff:10.0.0.1"])
    async with Website() as site, fetching(Allowed(), resolver=names) as fetcher:
        for name in [*names.names]:
            assert "is not on the public internet" in await refused(f"http://{name}:{site.port}/article", fetcher)
        assert site.seen == []
    assert names.asked == ["inside.example", "metadata.example", "six.example", "mapped.example"]


async def test_a_name_that_is_public_first_and_private_afterwards() -> None:
    """DNS rebinding: what is looked at is the address of this connection. 127.0.0.1 stands in for a public server here."""
    async with Website() as site:
        names = Names(rebind_example=["127.0.0.1", "127.0.0.3"])
        async with fetching(LOOPBACK, resolver=names) as fetcher:
            url = f"http://rebind.example:{site.port}/article"
            assert (await fetcher.fetch(url)).url == url
            assert "127.0.0.3 is not on the public internet" in await refused(url, fetcher)
        assert len(site.seen) == 1 and len(names.asked) == 2


async def test_a_redirect_to_a_name_of_a_private_address() -> None:
    async with Website() as site:
        site.pages["/inside"] = redirect(f"http://router.example:{site.port}/article")
        async with fetching(LOOPBACK, resolver=Names(router_example=["127.0.0.9"])) as fetcher:
            assert "127.0.0.9 is not on the public internet" in await refused(site.url + "/inside", fetcher)
        assert len(site.seen) == 1


async def test_the_private_one_of_several_addresses_is_not_connected_to() -> None:
    async with Website() as site:
        async with fetching(LOOPBACK, resolver=Names(both_example=["127.0.0.9 127.0.0.1"])) as fetcher:
            assert (await fetcher.fetch(f"http://both.example:{site.port}/article")).kind == "html"
        async with fetching(LOOPBACK, resolver=Names(both_example=["127.0.0.9 10.0.0.1"], six_example=["10.0.0.1 ::1"])) as fetcher:
            for name in ("both", "six"):
                said = await refused(f"http://{name}.example:{site.port}/article", fetcher)
                assert re.fullmatch(r"\S+ is not on the public internet \([a-z ]+\)\. A person can allow it: \S+ \S+ = \S+", said)


async def test_a_server_that_is_not_there() -> None:
    async with fetching(resolver=Names(gone_example=["127.0.0.1"])) as fetcher:
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        assert "nothing answers there" in await refused(f"http://gone.example:{port}/", fetcher)
        assert "no machine of that name" in await refused("http://nobody.example/", fetcher)


async def test_a_server_that_speaks_something_else() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server, fetching() as fetcher:
        port = server.sockets[0].getsockname()[1]
        assert "does not speak HTTP as expected" in await refused(f"http://127.0.0.1:{port}/", fetcher)
        assert "cannot be fetched" in await refused(f"https://127.0.0.1:{port}/", fetcher)


async def test_the_wrong_charset_is_seen_through() -> None:
    async with Website() as site:
        pages = [Extractor([]).page(await fetch(path, site), raw=False) for path in ("/wrong-charset", "/latin", "/meta")]
    assert [page.title for page in pages] == ["Grüße", "Grüße", ""]
    assert [page.text for page in pages] == ["Straße, naïve, 東京", "Straße", "Привет"]


async def test_a_closed_fetcher_holds_nothing() -> None:
    async with Website() as site, fetching() as fetcher:
        await fetcher.fetch(site.url + "/text")
        session = fetcher._session
        await fetcher.close()
        await fetcher.close()
        assert isinstance(session, aiohttp.ClientSession) and session.closed
