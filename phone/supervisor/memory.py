"""What the supervisor remembers of each service from look to look; it survives the supervisor. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from phone.supervisor.types import Service


@dataclass(frozen=True, slots=True)
class Past:
    """One service. Times as in `types`.

    pid: seen last. started_at_s: when that process was first seen. ready_at_s, unready_at_s: since when it has been so without a break.
    ending_pid: the process that we ended ourselves, whose end says nothing. asked_down: it is down because we wanted it so.
    quick: ends in a row that came soon after a start. pauses: times that it was left alone, without a good run between them.
    until_s: it is left alone until then. late: it was not ready within its time, so nobody waits for it any more. words: how it ended last.
    """

    pid: int | None = None
    started_at_s: float | None = None
    ready_at_s: float | None = None
    unready_at_s: float | None = None
    ending_pid: int | None = None
    quick: int = 0
    pauses: int = 0
    until_s: float | None = None
    late: bool = False
    gave_up: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """gateway_url: what the gateway was last pointed to."""

    services: Mapping[Service, Past] = field(default_factory=dict)
    gateway_url: str = ""

    def of(self, service: Service) -> Past:
        return self.services.get(service, Past())

    def with_(self, service: Service, past: Past) -> Memory:
        return replace(self, services={**self.services, service: past})


def forgive(memory: Memory) -> Memory:
    """A new chance for what was given up or left alone: somebody has changed something, and says so."""
    fresh = {
        service: replace(past, quick=0, pauses=0, until_s=None, late=False, gave_up=False, words="")
        for service, past in memory.services.items()
    }
    return replace(memory, services=fresh)


def to_json(memory: Memory) -> dict[str, Any]:
    return {
        "services": {service.value: asdict(past) for service, past in memory.services.items()},
        "gateway_url": memory.gateway_url,
    }


def memory_from_json(data: object) -> Memory:
    """What `to_json` gave; whatever is missing or malformed in it is as if nothing had been seen yet."""
    if not isinstance(data, dict):
        return Memory()
    services = data.get("services")
    known = {
        service: _past(services[service.value])
        for service in Service
        if isinstance(services, dict) and isinstance(services.get(service.value), dict)
    }
    url = data.get("gateway_url")
    return Memory(known, url if isinstance(url, str) else "")


def _past(data: Mapping[str, Any]) -> Past:
    return Past(**{f.name: data[f.name] for f in fields(Past) if _fits(f.default, data.get(f.name), f.name)})


def _fits(default: object, value: object, name: str) -> bool:
    if name in data_ints:
        return isinstance(value, int) and not isinstance(value, bool)
    if default is None:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


data_ints = frozenset({"pid", "ending_pid", "quick", "pauses"})
