"""The services of `termux/` with small programs in the place of ours, and what several files of tests ask of them.

The fixture `runit_phone` of conftest.py has them in a prefix.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phone.supervisor.types import Exit
from tests.live.termux_prefix import TermuxPrefix, termux_prefix

ADAPTER = "farmhand-adapter"

# Takes the place of the supervisor and of the adapter. What it does is in the file `mode` of the state folder, word by word:
#   port N        listens there, and answers /ready
#   ready-after S answers like the adapter only that long after its start
#   exit CODE     ends at once
#   term S        needs that long to end on TERM; `never`: ignores it
PROGRAM = r"""
import json, os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

began = time.monotonic()
words = Path(os.environ["FARMHAND_HOME"], "mode." + sys.argv[3]).read_text().split()
mode = dict(zip(words[::2], words[1::2]))
print("program", *sys.argv[1:])
print("on standard error", file=sys.stderr)
print("env", json.dumps(dict(os.environ)))
print("cwd", os.getcwd())
if "exit" in mode:
    sys.exit(int(mode["exit"]))
done = threading.Event()

def on_term(*_):
    if mode.get("term") == "never":
        return
    time.sleep(float(mode.get("term", 0)))
    print("ends in order")
    done.set()

signal.signal(signal.SIGTERM, on_term)

class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        ready = time.monotonic() - began >= float(mode.get("ready-after", 0))
        body = b'{"status": "ready"}' if ready else b"starting"
        self.send_response(200 if ready else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

if "port" in mode:
    server = ThreadingHTTPServer(("127.0.0.1", int(mode["port"])), Ready)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listening")
while not done.wait(0.05):
    pass
"""


@contextmanager
def small_services(tmp_path: Path) -> Iterator[TermuxPrefix]:
    """Nothing runs yet; the adapter is the small program, listening; the supervisor only exists."""
    with termux_prefix(tmp_path) as made:
        program = made.write(made.places.user / "program.py", PROGRAM)
        made.stand_in(f'exec "$REAL" -u {program} "$@"\n')
        behave(made, "adapter", f"port {made.port}")
        behave(made, "phone", "")
        yield made


def behave(phone: TermuxPrefix, module: str, mode: str) -> None:
    (phone.places.state / f"mode.{module}").write_text(mode)


def start_adapter(phone: TermuxPrefix, until: str = "listening") -> int:
    assert phone.runsv.up(ADAPTER).ok
    phone.wait_for_log(ADAPTER, until)
    return phone.pid(ADAPTER)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_for_ends(phone: TermuxPrefix, name: str, count: int) -> tuple[Exit, ...]:
    phone.wait_until(lambda: len(phone.exits(name)) >= count, f"{count} ends of {name}")
    return phone.exits(name)
