"""What `farmhand doctor` makes of the LiteLLM proxy's files, and how it reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone.doctor.checks_proxy import check_proxy
from phone.doctor.facts import Facts, ProxyFacts
from phone.doctor.finding import Level
from phone.doctor.gather_files import modes, proxy
from phone.places import places
from phone.settings import PhoneSettings, ProxySettings

ENABLED = PhoneSettings(proxy=ProxySettings(enabled=True))
FINE = ProxyFacts(True, True, True, "http://127.0.0.1:8888/v1")


def seen(files: ProxyFacts | None, *, settings: PhoneSettings = ENABLED, program: str = "/x/litellm") -> list[tuple[str, Level]]:
    facts = Facts(on_phone=True, env={}, places=places({}, Path("/clone")), wall_s=0.0, settings=settings, programs={"litellm": program}, proxy=files)
    return [(finding.name, finding.level) for finding in check_proxy(facts)]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (FINE, ("litellm-config", Level.OK)),
        (ProxyFacts(), ("litellm-config", Level.FAIL)),
        (ProxyFacts(True, True, False, "http://127.0.0.1:8888/v1"), ("litellm-key", Level.FAIL)),
        (ProxyFacts(True, False, False, ""), ("litellm-config", Level.OK)),  # a person's own, without a key
        (ProxyFacts(True, True, True, "http://127.0.0.1:9999/v1"), ("litellm-address", Level.WARN)),
        (ProxyFacts(True, True, True, "http://10.0.0.2:9999/v1"), ("litellm-config", Level.OK)),  # another phone
        (ProxyFacts(True, True, True, "http://127.0.0.1:99999/v1"), ("litellm-config", Level.OK)),
    ],
)
def test_the_files(files: ProxyFacts, found: tuple[str, Level]) -> None:
    assert seen(files) == [found]


def test_where_it_does_not_matter() -> None:
    """Not enabled; no program, which another check tells; not looked at."""
    assert seen(ProxyFacts(), settings=PhoneSettings()) == []
    assert seen(ProxyFacts(), program="") == []
    assert seen(None) == []


def test_how_they_are_read(tmp_path: Path) -> None:
    there = places({"FARMHAND_HOME": str(tmp_path)}, Path("/clone"))
    assert proxy(there) == ProxyFacts()
    (tmp_path / "litellm").mkdir()
    (tmp_path / "litellm" / "config.yaml").write_text("general_settings:\n  master_key: os.environ/LITELLM_MASTER_KEY\n")
    env = tmp_path / "litellm" / "env.local"
    env.write_text("# x\nLITELLM_MASTER_KEY=\nexport NEURAL_FARM_BASE_URL='http://127.0.0.1:8888/v1'\n")
    assert proxy(there) == ProxyFacts(True, True, False, "http://127.0.0.1:8888/v1")
    env.write_text("LITELLM_MASTER_KEY=sk-1\n")
    env.chmod(0o644)
    assert proxy(there) == ProxyFacts(True, True, True, "")
    assert modes(there)[str(env)] == 0o644, "that others may read it is told, like of every file with keys"
