"""`scripts/install` where `[proxy]` asks for LiteLLM: it is tried once, and everything else goes on without it (`facts/termux.md` 11)."""

from __future__ import annotations

from pathlib import Path

from install_steps.litellm import REQUIREMENT, LiteLLM
from install_steps.report import Report
from tests.live.install_phone import BarePhone, enable

WORKS = "#!/bin/sh\nexit 0\n"


def test_it_is_not_asked_for(still_phone: BarePhone) -> None:
    still_phone.install("--no-llama", "--no-start")
    assert not (still_phone.root / ".cache" / "litellm").exists()
    assert not (still_phone.root / ".cache" / "litellm.failed").exists()


def test_where_it_cannot_be_had(still_phone: BarePhone) -> None:
    """Said with what to type; the rest is in place; a second call does not try again, and says so: the service's log sends its reader there."""
    enable(still_phone, "proxy")
    said = " ".join(still_phone.install("--no-llama", "--no-start").split())
    assert f"fetching {REQUIREMENT}" in said
    assert "LiteLLM could not be installed, so the proxy stays off" in said and "no wheel of litellm for this platform" in said
    assert f"rm {still_phone.root}/.cache/litellm.failed" in said
    assert not (still_phone.root / ".cache" / "litellm").exists()
    assert (still_phone.places.services / "farmhand-litellm" / "down").exists(), "its run script refuses, with a sentence"
    said = " ".join(still_phone.install("--no-llama", "--no-start").split())
    assert "fetching" not in said and "LiteLLM is still missing" in said and f"rm {still_phone.root}/.cache/litellm.failed" in said
    (still_phone.tmp / "litellm").write_text(WORKS)
    (still_phone.tmp / "litellm").chmod(0o700)
    (still_phone.root / ".cache" / "litellm.failed").unlink()
    said = still_phone.install("--no-llama", "--no-start")
    assert "fetching" in said and "could not" not in said
    assert (still_phone.root / ".cache" / "litellm" / "bin" / "litellm").exists()
    assert "fetching" not in still_phone.install("--no-llama", "--no-start")


def test_it_is_given_up_in_time(tmp_path: Path) -> None:
    """A build that hangs: killed, told, and what was half there is gone."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    (tmp_path / "builds").write_text("#!/bin/sh\necho building\nexec sleep 100\n")
    python.write_text(f'#!/bin/sh\nmkdir -p "$3/bin"\ncp {tmp_path}/builds "$3/bin/python"\nchmod 700 "$3/bin/python"\ntouch {tmp_path}/asked\n')
    python.chmod(0o700)
    litellm = LiteLLM(tmp_path, tmp_path / "prefix", limit_s=0.5)
    report = Report(quiet=True, title="t")
    litellm.install(report)
    assert (tmp_path / "asked").exists()
    assert litellm.given_up and not litellm.ready
    assert not (tmp_path / ".cache" / "litellm").exists()
    assert "did not come back within 0.5 s" in "\n".join(report.warnings)


def test_a_persons_own_is_as_good(tmp_path: Path) -> None:
    own = tmp_path / "prefix" / "bin" / "litellm"
    own.parent.mkdir(parents=True)
    own.write_text(WORKS)
    litellm = LiteLLM(tmp_path, tmp_path / "prefix")
    assert not litellm.ready
    own.chmod(0o700)
    assert litellm.ready
