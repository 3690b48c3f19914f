"""For who looks after the phone: how hard the engines may work, what is going on, and the numbers. The middleware checks the keys' scopes.

What reads and writes these bodies is imported when the first one comes: an adapter without a supervisor needs none of it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from adapter.server.bodies import json_body, json_response
from adapter.server.state import ANSWERS, DISPATCHER, METER, PRESSING

if TYPE_CHECKING:
    from adapter.meter_metrics import Snapshot


async def set_pressure(request: web.Request) -> web.Response:
    """`POST /admin/pressure`: how hard the engines on this phone may work, from whoever watches its battery and heat."""
    from adapter.dialects.openai_pressure import parse_pressure

    order = parse_pressure(await json_body(request))
    return json_response({"level": order.level, "engines": await request.app[PRESSING].tell(order)})


async def get_state(request: web.Request) -> web.Response:
    """`GET /admin/state`: what is going on; with `since` and `wait_s` as soon as it is something else."""
    from adapter.dialects.admin_state import parse_state_query, render_pressure, render_state

    since, wait_s = parse_state_query(request.query)
    app = request.app
    meter, pressing = app[METER], app[PRESSING]
    await meter.news(since, wait_s)
    running, waiting = _under_way(app)
    return json_response(
        render_state(
            version=meter.version,
            running=running,
            waiting=waiting,
            idle_s=meter.idle_s,
            requests=meter.requests,
            pressure=render_pressure(pressing.order, pressing.lapses_in_s),
            speeds=meter.speeds(),
        )
    )


async def get_metrics(request: web.Request) -> web.Response:
    """`GET /metrics`: Prometheus' text. Written in a thread: the library takes a while to load, and tokens have to be delivered."""
    from adapter.meter_metrics import CONTENT_TYPE, render_metrics

    body = await asyncio.to_thread(render_metrics, _snapshot(request.app))
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


def _snapshot(app: web.Application) -> Snapshot:
    from adapter.meter_metrics import Snapshot

    meter, dispatcher = app[METER], app[DISPATCHER]
    running, waiting = _under_way(app)
    return Snapshot(
        counts=meter.counts.copied(),
        queues=dict(dispatcher.queues()),
        breakers=dispatcher.breakers.states(asyncio.get_running_loop().time()),
        level=app[PRESSING].order.level,
        transitions=dict(meter.transitions),
        speeds=meter.speeds(),
        running=running,
        waiting=waiting,
        uptime_s=meter.uptime_s,
    )


def _under_way(app: web.Application) -> tuple[int, int]:
    """Requests that run, and that wait for a seat. One with several prompts waits several times, and runs as long as one of them does."""
    queues = app[DISPATCHER].queues().values()
    waiting = sum(queue.waiting_interactive + queue.waiting_background for queue in queues)
    under_way = len(app[ANSWERS].pumps)
    at_work = any(queue.running for queue in queues) and under_way > 0
    return max(under_way - waiting, int(at_work)), waiting
