"""Where the gateway finds its models: behind the proxy while there is one, else straight at the adapter. Pure."""

from __future__ import annotations

from phone.settings import PhoneSettings
from phone.supervisor.memory import Memory
from phone.supervisor.types import Observation, Service

# Each change restarts the gateway, so neither a proxy that runit has just started again nor one that has been back for a moment makes one.
SETTLED_S = 30.0
# Listened on there means reached here.
REACHED_AT = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "localhost": "127.0.0.1"}


def adapter_url(settings: PhoneSettings) -> str:
    """`http://127.0.0.1:8888/v1`."""
    host = settings.server.host
    host = REACHED_AT.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{settings.server.port}/v1"


def proxy_url(settings: PhoneSettings) -> str:
    return f"http://127.0.0.1:{settings.proxy.port}/v1"


def gateway_target(
    memory: Memory, seen: Observation, settings: PhoneSettings, proxy_state: str, *, gateway_runs: bool
) -> str:
    """The base URL for the gateway by what is known now. proxy_state: as in `Report`."""
    direct, proxied = adapter_url(settings), proxy_url(settings)
    if Service.PROXY not in seen.enabled:
        return direct
    past = memory.of(Service.PROXY)
    if not gateway_runs:
        return proxied if proxy_state == "ready" else direct
    if memory.gateway_url == proxied:
        lost = proxy_state in ("backing off", "given up", "missing") or past.late
        gone_s = 0.0 if past.unready_at_s is None else seen.now_s - past.unready_at_s
        return direct if lost or gone_s >= SETTLED_S else proxied
    settled = past.ready_at_s is not None and seen.now_s - past.ready_at_s >= SETTLED_S
    return proxied if proxy_state == "ready" and settled else memory.gateway_url or direct
