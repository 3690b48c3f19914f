"""Which way the arrows go: who may import what. Read from the source text, so it holds for code no test runs."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# Pure files: time comes in as an argument, randomness as a seed, bytes from the caller.
PURE_GLOBS = (
    "adapter/chat.py",
    "adapter/errors.py",
    "adapter/stops.py",
    "adapter/reasoning.py",
    "adapter/tokens.py",
    "adapter/dialects/*.py",
    "adapter/calls/*.py",
    "adapter/constrain/*.py",
    "adapter/wire/*.py",
    "adapter/responses/record.py",
    "adapter/connect/truth.py",
    "adapter/connect/parts.py",
    "adapter/connect/profile.py",
    "adapter/connect/targets/*.py",
    "adapter/connect/values.py",
    "adapter/connect/json5_text.py",
    "adapter/connect/edits_json.py",
    "adapter/connect/edits_yaml.py",
    "adapter/connect/edits_env.py",
    "adapter/connect/edits.py",
    "adapter/connect/show.py",
    "adapter/connect/listing.py",
    "adapter/connect/check_requests.py",
    "adapter/connect/check_reader.py",
    "adapter/connect/check_facts.py",
    "adapter/connect/check_judge.py",
    "adapter/connect/handles.py",
    "adapter/connect/record.py",
    "adapter/connect/upstreams.py",
    "adapter/web/addresses.py",
    "adapter/web/urls.py",
    "adapter/web/refused.py",
    "adapter/web/charsets.py",
    "adapter/web/inflate.py",
    "adapter/web/markup.py",
    "adapter/web/plain.py",
    "adapter/web/query.py",
    "adapter/web/countries.py",
    "adapter/web/searxng.py",
    "adapter/models/failures.py",
    "adapter/models/sources.py",
    "adapter/models/replies.py",
    "adapter/models/refusals.py",
    "adapter/models/describe.py",
    "adapter/models/suggestions.py",
    "adapter/models/words.py",
    "adapter/terminal/pieces.py",
    "adapter/terminal/conversation.py",
    "adapter/caller.py",
    "adapter/routing*.py",
    "adapter/aliases.py",
    "adapter/breaker.py",
    "adapter/retries.py",
    "adapter/line_marks.py",
    "adapter/diet*.py",
    "adapter/dispatch/items.py",
    "adapter/dispatch/course.py",
    "adapter/dispatch/progress.py",
    "adapter/dispatch/continuing.py",
    "adapter/dispatch/shorten.py",
    "adapter/dispatch/stages.py",
    "adapter/emulate/*.py",
    "adapter/queueing/fair.py",
    "adapter/queueing/estimate.py",
    "adapter/queueing/refusals.py",
    "adapter/queueing/patience.py",
    "adapter/queueing/urgency.py",
    "adapter/queueing/headers.py",
    "adapter/terminal/report.py",
    "adapter/settings*.py",
    "adapter/server/guard.py",
    "adapter/engines/base.py",
    "adapter/engines/llama/slots.py",
    "adapter/engines/llama/model.py",
    "adapter/engines/llama/sampling.py",
    "adapter/engines/llama/threads.py",
    "adapter/engines/llama/restarts.py",
    "adapter/engines/llama/scheduler.py",
    "adapter/engines/llama/text.py",
    "adapter/engines/llama/link.py",
    "adapter/engines/llama/gguf_meta.py",
    "adapter/engines/llama/gguf_layers.py",
    "adapter/engines/llama/admission.py",
    "adapter/engines/llama/answers.py",
    "adapter/engines/llama/kv_file.py",
    "adapter/engines/llama/kv_index.py",
    "adapter/engines/llama/lookup.py",
    "adapter/engines/llama/schedule_*.py",
    "adapter/engines/llama/prefix.py",
    "adapter/engines/llama/embed_model.py",
    "adapter/engines/llama/embed_batches.py",
    "phone/places.py",
    "phone/settings.py",
    "phone/device.py",
    "phone/command.py",
    "phone/termux_answers.py",
    "phone/termux_asks.py",
    "phone/termux_pauses.py",
    "phone/runit_status.py",
    "phone/exit_records.py",
    "phone/readiness.py",
    "phone/supervisor/admin_words.py",
    "phone/supervisor/hold.py",
    "phone/supervisor/last_line.py",
    "phone/supervisor/causes.py",
    "phone/supervisor/decide.py",
    "phone/supervisor/gateway.py",
    "phone/supervisor/governor.py",
    "phone/supervisor/lock.py",
    "phone/supervisor/memory.py",
    "phone/supervisor/notification.py",
    "phone/supervisor/pace.py",
    "phone/supervisor/postmortem.py",
    "phone/supervisor/published.py",
    "phone/supervisor/readings.py",
    "phone/supervisor/reasons.py",
    "phone/supervisor/steps.py",
    "phone/bundle/log_lines.py",
    "phone/bundle/report.py",
    "phone/doctor/checks_*.py",
    "phone/doctor/facts.py",
    "phone/doctor/finding.py",
    "phone/doctor/report.py",
    "adapter/access/scopes.py",
    "adapter/access/durations.py",
    "adapter/access/rate.py",
    "adapter/access/headers.py",
    "adapter/access/grant.py",
    "adapter/access/keyring.py",
    "adapter/access/book.py",
    "adapter/access/use.py",
    "adapter/access/words.py",
    "adapter/access/holders.py",
    "adapter/access/qr.py",
    "adapter/meter_counts.py",
    "adapter/meter_speeds.py",
    "adapter/meter_metrics.py",
    "adapter/engines/pause.py",
    "phone/supervisor/types.py",
)
IMPURE = {"aiohttp", "asyncio", "sh", "llama_cpp", "time", "random", "os"}

# Module: the only file that may import it.
ONE_OWNER = {
    "llama_cpp": "adapter/engines/llama/binding.py",
    "sh": "phone/termux.py",
}
# The one place where the packages meet, and it does so by name.
CROSSING = "phone/cli.py"


def sources() -> Iterator[Path]:
    for package in ("adapter", "phone"):
        yield from sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.AST, file: str = "") -> set[str]:
    """Top-level names of every import in the tree, also those in functions and under TYPE_CHECKING.

    An import by a literal name, `importlib.import_module("x")` or `__import__("x")`, counts as well.
    """
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module)
            case ast.ImportFrom(level=level) if level > 0:
                found.add(file.split("/")[0])
            case ast.Call(func=func, args=[ast.Constant(value=str(module)), *_]) if ast.unparse(func) in (
                "importlib.import_module",
                "import_module",
                "__import__",
            ):
                found.add(module)
    return {module.split(".")[0] for module in found}


def imports_of(path: Path) -> set[str]:
    return imported(ast.parse(path.read_text(encoding="utf-8"), name_of(path)), name_of(path))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os.path as p, sys", {"os", "sys"}),
        ("from time import monotonic", {"time"}),
        ("def f():\n    import asyncio", {"asyncio"}),
        ("if TYPE_CHECKING:\n    from aiohttp.web import App", {"aiohttp"}),
        ("from . import x\nfrom .y import z", {"adapter"}),
        ("importlib.import_module('adapter.cli')", {"adapter"}),
        ("__import__('sh')", {"sh"}),
        ("text = 'import os'", set()),
    ],
)
def test_the_walker_sees_every_kind_of_import(code: str, expected: set[str]) -> None:
    """The rules below are worth as much as this."""
    assert imported(ast.parse(code), "adapter/x.py") == expected


@pytest.mark.parametrize("path", sorted(p for g in PURE_GLOBS for p in ROOT.glob(g)), ids=name_of)
def test_pure_files_touch_nothing(path: Path) -> None:
    """No loop, no clock, no chance, no system: a pure file can be tested by a table."""
    assert imports_of(path) & IMPURE == set()


@pytest.mark.parametrize(("package", "other"), [("adapter", "phone"), ("phone", "adapter")])
def test_the_packages_do_not_import_each_other(package: str, other: str) -> None:
    """They meet over argv, ports and /health."""
    guilty = [
        name_of(p) for p in sources() if name_of(p).startswith(f"{package}/") and other in imports_of(p)
    ]
    assert guilty == []


def test_only_the_command_line_names_the_adapter() -> None:
    """The lazy crossing is one string in one file."""
    naming = [
        name_of(path)
        for path in sources()
        if name_of(path).startswith("phone/")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("adapter.")
    ]
    assert naming == [CROSSING]


@pytest.mark.parametrize(("module", "owner"), ONE_OWNER.items())
def test_one_owner(module: str, owner: str) -> None:
    """What is untyped, native or blocking is wrapped once, in its own file."""
    assert [name_of(p) for p in sources() if module in imports_of(p) and name_of(p) != owner] == []


def test_the_adapter_starts_without_its_engine() -> None:
    """The adapter's process never holds llama_cpp, numpy or jinja2: they belong to the worker."""
    if importlib.util.find_spec("adapter.cli") is None:
        pytest.skip("adapter/cli.py is not there yet")
    code = "import sys, adapter.cli; print(sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert {"llama_cpp", "numpy", "jinja2"} & set(ast.literal_eval(done.stdout)) == set()
