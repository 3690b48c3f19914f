"""The tests run on the pydantic that a phone gets, so that nothing newer is relied on by accident."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from setup_steps.plan import PYDANTIC

ROOT = Path(__file__).resolve().parent.parent.parent
PHONE = "2.12.5"


def test_these_tests_run_on_the_phones_pydantic() -> None:
    """2.12.5 is the newest pydantic whose Rust core is prebuilt for Termux; newer ones compile on the phone."""
    assert metadata.version("pydantic") == PHONE, (
        f"these tests must run on pydantic {PHONE}: use scripts/test, or scripts/setup --test"
    )


def test_setup_pins_it() -> None:
    """scripts/setup installs exactly this one, everywhere."""
    assert f"pydantic=={PHONE}" == PYDANTIC


def test_the_projects_bound_starts_at_it() -> None:
    """The declared dependency allows this version and none before it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pydantic = next(r for r in map(Requirement, project["dependencies"]) if r.name == "pydantic")
    assert str(pydantic.specifier) == f">={PHONE}"
