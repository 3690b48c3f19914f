"""What an adapter that nobody has asked for anything yet does without: memory on a phone is scarce."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# The default engines made from their settings, as `serve` does it.
START = """
import sys
import adapter.cli
from pathlib import Path
from adapter.engines.registry import Registry
from adapter.settings import Settings
adapter.cli._parser(serving=True).parse_args(["serve"])
registry = Registry.from_settings(Settings(home=Path("nowhere")))
print([*registry.engines], sorted(sys.modules))
"""
NEEDED_LATER = (
    "adapter.dialects.inferrlm",
    "adapter.dialects.localllm",
    "adapter.dialects.localllm_answer",
    "adapter.engines.inferrlm_probe",
    "adapter.engines.inferrlm_run",
    "adapter.engines.llama.admission",
    "adapter.engines.llama.asking",
    "adapter.engines.llama.embed_model",
    "adapter.engines.llama.link",
    "adapter.engines.llama.process",
    "adapter.engines.localllm_embed",
    "adapter.engines.localllm_run",
    "adapter.models.cli",
    "adapter.terminal.cli",
    "adapter.terminal.status",
    "tomllib",
)


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    done = subprocess.run([sys.executable, "-c", START], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    engines, modules = done.stdout.split("] [")
    assert ast.literal_eval(engines + "]") == ["inferrlm", "localllm", "demo"]
    return set(ast.literal_eval("[" + modules))


def test_the_engines_themselves_are_there(loaded: set[str]) -> None:
    assert {f"adapter.engines.{name}" for name in ("inferrlm", "localllm", "llama.engine")} <= loaded


@pytest.mark.parametrize("module", NEEDED_LATER)
def test_not_loaded_before_it_is_needed(module: str, loaded: set[str]) -> None:
    assert (ROOT / (module.replace(".", "/") + ".py")).exists() or module == "tomllib"  # a name that is gone would always pass
    assert module not in loaded
