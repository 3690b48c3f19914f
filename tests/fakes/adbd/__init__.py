"""A phone at the end of a cable: an adb daemon that Debian's real adb server connects to.

`FakeDevice` speaks the ADB transport over TCP: connection, keys, streams, `shell:` (both protocols) and `tcp:`, which
leads to a real port of this machine that stands for the phone's. It can be unplugged, restarted, hung and locked.
`FakeShell` is what `adb shell` finds there: Android's settings, exemptions and permissions, with state.
`AdbServer` runs a real adb server of the test's own, with its own keys, and ends it.
"""

from tests.fakes.adbd.device import FakeDevice
from tests.fakes.adbd.server import AdbServer
from tests.fakes.adbd.shell import FakeShell, Reply

__all__ = ["AdbServer", "FakeDevice", "FakeShell", "Reply"]
