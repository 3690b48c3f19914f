"""The fake as a process: `python -m tests.fakes.inferrlm --build C --port 0 [--script NAME]`.

Prints one line, `listening http://127.0.0.1:PORT`, and serves until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from tests.fakes.inferrlm import FIRST, NAMED, TRAITS, FakeInferrLM, FakeModelRuntime


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.inferrlm", description=__doc__)
    parser.add_argument("--build", choices=sorted(TRAITS), default="C")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--script", choices=sorted(NAMED), default="echo", help="how every answer goes")
    parser.add_argument("--token-delay-s", type=float, default=0.04)
    parser.add_argument("--load-delay-s", type=float, default=0.12)
    parser.add_argument("--busy-wait-s", type=float, default=30.0)
    parser.add_argument("--loaded", default=FIRST, help="stored model in memory")
    parser.add_argument("--nothing-loaded", action="store_true")
    return parser.parse_args(argv)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    phone = FakeInferrLM(
        arguments.build,
        engine=FakeModelRuntime(script=NAMED[arguments.script]),
        token_delay_s=arguments.token_delay_s,
        load_delay_s=arguments.load_delay_s,
        busy_wait_s=arguments.busy_wait_s,
        port=arguments.port,
        loaded=None if arguments.nothing_loaded else arguments.loaded,
    )
    async with phone:
        sys.stdout.write(f"listening {phone.url}\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve(parse_arguments(sys.argv[1:])))
