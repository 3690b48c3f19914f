"""How much memory the phone has to give."""

from __future__ import annotations

import logging
from pathlib import Path

logger = logging.getLogger(__name__)

MEMINFO = Path("/proc/meminfo")


def read_available_bytes(meminfo: Path = MEMINFO) -> int | None:
    """What programs can still take without swapping, by the kernel's own estimate; `None` if it does not say."""
    try:
        for line in meminfo.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                return int(value.removesuffix("kB")) * 1024
    except (OSError, ValueError) as exc:
        logger.debug("free memory unknown file=%s error=%s", meminfo, exc)
    return None
