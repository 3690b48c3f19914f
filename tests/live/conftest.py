"""Fixtures of the live tests.

What needs `gguf` is imported where it is used: a conftest that cannot be imported stops every test beside it.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapter.engines.llama.engine import LlamaEngine
from adapter.settings import LlamaSettings

if TYPE_CHECKING:
    from tests.fakes.adbd import AdbServer, FakeDevice
    from tests.live.client_cases import Farm
    from tests.live.install_phone import BarePhone
    from tests.live.llama_cases import MakeEngine
    from tests.live.llama_prefix_cases import Cold, Frames
    from tests.live.processes import Adapter
    from tests.live.termux_prefix import TermuxPrefix
    from tests.live.tunnel_cases import Tunnels


# Files whose tests run real services, devices and commands of a phone, and mostly wait for them.
WAITS = ("android", "boot_script", "bundle_", "doctor", "fake_adbd", "install", "runit_", "termux_", "token_cli", "tunnel")


# Files whose tests run real clients and gateways, in environments of their own (`kit.py`).
CLIENTS = ("chain_", "client_", "connect_")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        name = item.path.name.removeprefix("test_")
        if item.path.parent == Path(__file__).parent and name.startswith(WAITS) and not name.startswith("android_resolve"):
            item.add_marker(pytest.mark.waits)
        if item.path.parent == Path(__file__).parent and name.startswith(CLIENTS):
            item.add_marker(pytest.mark.clients)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """The adapter of the client tests, in front of an embedded model, the fake apps and a server with tools of its own."""
    from tests.live.client_cases import farm

    with farm(tmp_path_factory.mktemp("farm")) as running:
        yield running


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """`tried(client, check)`: this test tries that; the run ends with a table of all of them."""

    def note(client: str, check: str) -> None:
        record_property("tried", [client, check])

    return note


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_reaches_children() -> None:
    """A shell starts what it puts into the background with SIGINT ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `parrot` (says TEXT for ever), `once` (says it once) and `random` (endless noise)."""
    from tests.fakes.tiny_gguf import write_parrot, write_random
    from tests.live.llama_cases import TEXT

    folder = tmp_path_factory.mktemp("gguf")
    write_parrot(folder / "parrot.gguf", TEXT)
    write_parrot(folder / "once.gguf", TEXT, ends=True)
    write_random(folder / "random.gguf")
    return folder


@pytest.fixture
async def make(files: Path, tmp_path: Path) -> AsyncIterator[MakeEngine]:
    """Makes engines; afterwards all are closed, and no process of theirs may be left."""
    from tests.live.llama_cases import is_gone

    engines: list[LlamaEngine] = []

    def make_engine(model: str = "parrot", **changes: object) -> LlamaEngine:
        path = model if "/" in model else str(files / f"{model}.gguf")
        fields = {
            "name": "test",
            "kind": "llama",
            "model": path,
            "threads": 1,
            "ctx_tokens": 65_536,
            **changes,
        }
        engines.append(LlamaEngine(LlamaSettings.model_validate(fields), tmp_path))
        return engines[-1]

    yield make_engine
    for engine in engines:
        worker = engine._host.running
        await engine.close()
        await engine.close()
        assert worker is None or is_gone(worker.pid)


@pytest.fixture(scope="module")
def cold(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Cold:
    from tests.live.llama_prefix_cases import Cold

    return Cold(files, tmp_path_factory.mktemp("cold"))


@pytest.fixture
def saving(make: MakeEngine) -> MakeEngine:
    """Engines that store every prefix of 64 tokens and more."""

    def make_saving(model: str = "random", **changes: object) -> LlamaEngine:
        return make(model, **{"kv_save_tokens": 64, **changes})

    return make_saving


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> Frames:
    from tests.live.llama_prefix_cases import Frames

    return Frames(monkeypatch)


@pytest.fixture
def new_phone(tmp_path: Path) -> Iterator[BarePhone]:
    """A phone before Farmhand; runsvdir runs, as after any login shell."""
    from tests.live.install_phone import bare_phone

    with bare_phone(tmp_path) as found:
        yield found


@pytest.fixture
def still_phone(tmp_path: Path) -> Iterator[BarePhone]:
    """A phone before Farmhand; nothing runs."""
    from tests.live.install_phone import bare_phone

    with bare_phone(tmp_path, daemon=False) as found:
        yield found


@pytest.fixture
def runit_phone(tmp_path: Path) -> Iterator[TermuxPrefix]:
    """Nothing runs yet; the adapter is the small program, listening; the supervisor only exists."""
    from tests.live.runit_cases import small_services

    with small_services(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def cabled_farmhand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adapter]:
    """What runs on the phone at the cable."""
    from tests.live.processes import adapter
    from tests.live.tunnel_cases import ECHO

    with adapter(tmp_path_factory.mktemp("phone"), ECHO) as served:
        yield served


@pytest.fixture
def adb_server(tmp_path: Path) -> Iterator[AdbServer]:
    from tests.fakes.adbd import AdbServer

    with AdbServer(tmp_path) as server:
        yield server


@pytest.fixture
def cabled_phone(adb_server: AdbServer, cabled_farmhand: Adapter) -> Iterator[FakeDevice]:
    """Plugged in, with Farmhand on its port 8888."""
    from tests.live.tunnel_cases import plugged

    with plugged(adb_server, cabled_farmhand) as device:
        yield device


@pytest.fixture
def tunnels(adb_server: AdbServer) -> Iterator[Tunnels]:
    from tests.live.tunnel_cases import Tunnels, own_port

    with own_port() as port:
        yield Tunnels(adb_server, port)
