"""The key that a client gets when it is written: with the manners that its target asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from adapter import configuration
from adapter.access.store import Store
from adapter.connect.gather import Gathered, Wanted, with_key_of_its_own
from adapter.connect.target import target
from adapter.connect.truth import Model, Options, Truth, Where

MODEL = Model("m", "e", 8_192, 1_024, frozenset({"chat", "tools"}))


@dataclass(frozen=True)
class Manners:
    rate: str | None
    deadline_s: float | None


@pytest.mark.parametrize(
    ("name", "manners"),
    [
        ("tiny-agents", Manners("60/min", None)),
        ("pitwall", Manners(None, 22)),
        ("env", Manners(None, None)),
    ],
)
def test_the_token_has_the_manners_of_its_client(name: str, manners: Manners, tmp_path: Path) -> None:
    client = target(name)
    wanted = Wanted(name, rate=getattr(client, "RATE", None), deadline_s=getattr(client, "DEADLINE_S", None))
    where = Where(tmp_path, tmp_path, tmp_path, {})
    truth = Truth("http://127.0.0.1:8888/v1", MODEL, (MODEL,), "sk-own-0123456789")
    made = with_key_of_its_own(Gathered(name, truth, where, Options(), "lent", lent=True), wanted)
    (entry,) = Store(tmp_path).entries()
    assert (entry.grant.name, Manners(entry.grant.rate, entry.grant.deadline_s)) == (name, manners)
    assert made.truth.key.startswith("sk-fh1.")


def test_a_client_s_key_in_the_environment_is_no_setting(tmp_path: Path) -> None:
    """It is there for `connect` and for the laptop's tunnel; every other command of that shell must go on working."""
    assert configuration.load({"HOME": str(tmp_path), "FARMHAND_HOME": str(tmp_path), "FARMHAND_KEY": "sk-somebody-0123"}).server.port == 8888
