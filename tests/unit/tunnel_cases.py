"""scripts/farmhand-tunnel as a module, for the tests of what is in it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "farmhand-tunnel"


def load() -> ModuleType:
    """It has no .py at its end, and is no module of anybody's."""
    loader = importlib.machinery.SourceFileLoader("farmhand_tunnel", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module  # dataclasses look their module up there
    loader.exec_module(module)
    return module


tunnel: Any = load()
Phone, Rule, Want, Said, HttpReply = tunnel.Phone, tunnel.Rule, tunnel.Want, tunnel.Said, tunnel.Reply
