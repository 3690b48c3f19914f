"""Programs of others that the bundle runs where they are wanted: `facts/termux.md` 8.2 and 11. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from phone.doctor.facts import Facts
from phone.doctor.finding import Finding, Where, fail, ok, warn

# What OpenClaw's release of 2026-09 wants of node: from, below.
NODES = (((24, 16), (25,)), ((26, 1), (1_000,)))


def check_programs(facts: Facts) -> Iterator[Finding]:
    """Services that are wanted need their program."""
    if facts.settings is None:
        return
    if facts.settings.proxy.enabled and not facts.programs.get("litellm"):
        yield _missing(facts, "litellm", "[proxy]", "Its newer releases do not install on a phone; it runs as well on the laptop.")
    if facts.settings.gateway.enabled:
        if facts.programs.get("openclaw"):
            yield from _node(facts)
        else:
            yield _missing(facts, "openclaw", "[gateway]", "It runs as well on the laptop.")
    if facts.engine_model is not None:
        yield from _engine(facts)


def _missing(facts: Facts, program: str, section: str, more: str) -> Finding:
    wrong = f"{section} is enabled, but there is no program '{program}'."
    command = f"set enabled = false in {section} of {facts.places.config}, or install {program}"
    return fail(program, wrong, f"Its service cannot start. {more}", command, "11", Where.SETTINGS)


def _node(facts: Facts) -> Iterator[Finding]:
    node = facts.node
    if node is None:
        return
    version = ".".join(map(str, node.version))
    if not node.version:
        yield fail("node", "There is no node, which openclaw runs on.", "The gateway cannot start.", "pkg install nodejs-lts", "11")
    elif not any(low <= node.version < high for low, high in NODES):
        wrong = f"node is {version}; openclaw wants 24.16 or later of 24, or 26.1 or later."
        yield warn("node", wrong, "The gateway may not start.", "pkg install nodejs-lts", "11")
    elif not node.configured:
        wrong = "openclaw has no configuration."
        yield fail("openclaw-config", wrong, "The gateway does not start.", "farmhand connect openclaw --write", "11")
    elif node.network_error and node.guarded:
        yield ok("node", f"node {version} suits openclaw; its service answers for what Android keeps from it.", "11")
    elif node.network_error:
        yield warn(
            "node-network",
            f"node cannot list network interfaces: {node.network_error}.",
            "The gateway crashes at its start, since the script that guards that call is missing; on the laptop it does not.",
            f"sh {facts.places.root}/scripts/install, or set enabled = false in [gateway] and run openclaw on the laptop",
            "11",
            Where.SETTINGS,
        )
    else:
        yield ok("node", f"node {version} suits openclaw.", "11")


def _engine(facts: Facts) -> Iterator[Finding]:
    if not facts.programs.get("llama-server"):
        yield fail("llama-server", "There is no llama-server.", "The models of farmhand-engine do not answer.", "pkg install llama-cpp", "8.2")
    elif facts.engine_problem:
        edit = f"edit {facts.places.state}/engine.env"
        yield fail("engine-model", f"{facts.engine_problem}.", "llama-server cannot start.", edit, "8.2", Where.SETTINGS)
    else:
        yield ok("llama-server", "llama-server and its model are there.", "8.2")
